"""Random requests, and three signers for them: botocore, and those of the AWS SDKs for Rust and for JavaScript.

The programs in rust/ and js/ read and write lines, whose fields have a tab between them. What is to be signed: method, host,
target, lifetime in seconds (0 for a signature in the header), payload (a hash or what stands for one), access key, secret,
session token, and `name:value` for each header. What was signed: method and target with a space between, and the headers."""

import dataclasses
import hashlib
import os
import pathlib
import subprocess
from urllib.parse import quote

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from uploads import CHECKSUM, EMPTY, KINDS, Signer, crc32

HERE = pathlib.Path(__file__).resolve().parent
UNSIGNED = "UNSIGNED-PAYLOAD"
KIND_OF = {payload: kind for kind, payload in KINDS.items()}


@dataclasses.dataclass
class Asked:
    """What is to be signed. The target is in canonical form; `odd` is the same with a query that is spelled in other ways."""

    method: str
    target: str
    headers: list
    odd: str = ""
    body: bytes = b""
    payload: str = UNSIGNED
    expires: int = 0

    def line(self, host, known, target):
        fields = [self.method, host, target, str(self.expires), self.payload, known.access_key, known.secret_key,
                  known.session_token or "", *(f"{name}:{value}" for name, value in self.headers)]
        return "\t".join(fields)


@dataclasses.dataclass
class Signed:
    """A request as it goes over the wire."""

    asked: Asked
    method: str
    target: str
    headers: list
    body: bytes

    @property
    def presigned(self):
        return self.asked.expires > 0

    def head(self, *more):
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers), *more]
        names = {name.lower() for name, _ in self.headers}
        if "content-length" not in names and (self.body or self.method in ("PUT", "POST")):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join((*lines, "", "")).encode()


# ---- random ones

ODD = "+%~*!'()-_. &=?#:;@$,\"<>[]{}|\\^`"


def character(chance):
    kind = chance.random()
    if kind < 0.35:
        return chance.choice("abcXYZ019")
    if kind < 0.7:
        return chance.choice(ODD)
    if kind < 0.8:
        return chr(chance.choice((chance.randint(1, 31), 127, chance.randint(0x80, 0x2FF))))
    while True:
        code = chance.randint(0x300, 0x10FFFF)
        if not 0xD800 <= code < 0xE000:
            return chr(code)


def text(chance, most):
    return "".join(character(chance) for _ in range(chance.randint(0, most)))


def key(chance):
    """Segments of any characters, and those that mean something to others. None leads out of the bucket."""
    segments, depth = [], 1  # the bucket
    for _ in range(chance.randint(1, 6)):
        segment = chance.choice(["", ".", "..", "...", "%2F", "%", "+", "~", "*"]) if chance.random() < 0.3 else text(chance, 12)
        # A backslash separates too.
        for part in segment.split("\\"):
            depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
            if depth < 1:
                return "/".join(segments)
        segments.append(segment)
    return "/".join(segments)


def canonical(text, safe=""):
    return quote(text, safe=f"-_.~{safe}")


def spelled(chance, text):
    """As a query may have it too."""
    def one(byte):
        ways = [f"%{byte:02X}", f"%{byte:02x}"]
        ways += ["+"] if byte == 0x20 else [chr(byte)] if chr(byte) in "aZ09-._~!'()*,;:@$/?" else []
        return chance.choice(ways)
    return "".join(map(one, text.encode()))


NAMES = ["prefix", "delimiter", "marker", "versionId", "response-content-type", "response-content-disposition", "x-id"]


def query(chance):
    return [(chance.choice(NAMES) if chance.random() < 0.5 else text(chance, 8) or "a", text(chance, 10))
            for _ in range(chance.randint(0, 5))]


def with_query(path, pairs, written):
    return "?".join([path, "&".join(f"{written(name)}={written(value)}" for name, value in pairs)][:2 if pairs else 1])


VALUE = "abc  XYZ 019,;=+%~*!\"'()<>[]{}|\\^`?#:/@$&-_."


def value(chance):
    """With spaces in runs and around it, but no tab inside: signers do not agree on those."""
    return "".join(chance.choice(VALUE) for _ in range(chance.randint(1, 30)))


HEADERS = {
    "content-type": "text/plain;  charset=utf-8", "range": "bytes=1-2", "cache-control": "no-cache,  no-store", "if-none-match": '"a"',
    "content-disposition": 'attachment; filename="a  b"', "content-language": "de", "x-amz-storage-class": "STANDARD", "user-agent": "a b/1.0",
    "accept-encoding": "identity", "x-amz-tagging": "a=b&c=d%20e", "expires": "Thu, 01 Dec 2050 16:00:00 GMT", "x-amz-acl": "private",
    "accept": "*/*", "amz-sdk-invocation-id": "1", "x-amzn-trace-id": "Root=1", "date": "Thu, 01 Dec 2016 16:00:00 GMT",
}


def request(chance, payloads=(UNSIGNED, "hash", *KIND_OF)):
    method = chance.choice(["GET", "PUT", "POST", "DELETE", "HEAD"])
    path, pairs = "/bucket/" + canonical(key(chance), "/"), query(chance)
    headers = {f"x-amz-meta-{number}": value(chance) for number in range(chance.randint(0, 4))}
    for name in chance.sample(sorted(HEADERS), chance.randint(0, 4)):
        headers[name] = HEADERS[name]
    asked = Asked(method, with_query(path, pairs, canonical), list(headers.items()),
                  with_query(path, pairs, lambda text: spelled(chance, text)))
    if chance.random() < 0.4:
        asked.expires = chance.randint(3_600, 604_800)  # it may be long until it is sent
        asked.body = text(chance, 20).encode() if method == "PUT" else b""
        return asked
    kind = chance.choice(payloads)
    asked.body = text(chance, 200).encode() if method in ("PUT", "POST") else b""
    if kind in KIND_OF:
        asked.method, asked.payload, asked.target, asked.odd = "PUT", kind, path, path
        asked.headers += [("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", str(len(asked.body)))]
        if "TRAILER" in kind:
            asked.headers.append(("x-amz-trailer", CHECKSUM))
    elif kind == "hash":
        asked.payload = hashlib.sha256(asked.body).hexdigest()
    return asked


# ---- signers

def botocore_signed(asked, host, known):
    request = AWSRequest(asked.method, f"http://{host}{asked.target}", {"Host": host, **dict(asked.headers)}, asked.body)
    credentials = BotoCredentials(known.access_key, known.secret_key, known.session_token)
    if asked.expires:
        # It would take a body for parameters; that is not signed anyway.
        request.data = b""
        botocore.auth.S3SigV4QueryAuth(credentials, "s3", known.region, expires=asked.expires).add_auth(request)
    else:
        request.context["payload_signing_enabled"] = asked.payload != UNSIGNED
        if asked.payload in KIND_OF:
            request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
        botocore.auth.S3SigV4Auth(credentials, "s3", known.region).add_auth(request)
    return f"{asked.method} {request.url.split(host, 1)[1]}", list(request.headers.items())


class Botocore:
    payloads = (UNSIGNED, "hash", KINDS["unsigned"])

    @staticmethod
    def sign(pairs, host, region):
        for asked, known in pairs:
            yield botocore_signed(asked, host, known)


class Program:
    """One of ours, which does so many at once."""

    payloads = (UNSIGNED, "hash", *KIND_OF)

    @classmethod
    def sign(cls, pairs, host, region):
        lines = "".join(asked.line(host, known, cls.target(asked)) + "\n" for asked, known in pairs)
        ran = subprocess.run(cls.command(region), input=lines.encode(), stdout=subprocess.PIPE, check=True, env=cls.environment())
        for line in ran.stdout.decode().split("\n")[:-1]:
            target, *headers = line.split("\t")
            yield target, [tuple(header.split(":", 1)) for header in headers]

    @staticmethod
    def target(asked):
        return asked.target

    @staticmethod
    def environment():
        return os.environ


class Rust(Program):
    """It reads a query, however it is spelled, and sends it as it is."""

    @staticmethod
    def target(asked):
        return asked.odd

    @staticmethod
    def command(region):
        return [os.environ["RUST_CLIENT"], "sign", region]


class Js(Program):
    @staticmethod
    def command(region):
        return ["node", str(HERE / "js/sign.js"), region]

    @staticmethod
    def environment():
        # node is among the Python packages.
        folder = pathlib.Path(os.environ["VENV"]) / "bin"
        return {**os.environ, "NODE_PATH": os.environ["NODE_MODULES"], "PATH": f"{folder}:{os.environ['PATH']}"}


SIGNERS = {"botocore": Botocore, "Rust": Rust, "JavaScript": Js}


def signed(name, pairs, host, region):
    """Signs requests for their clients; bodies are framed where the payload says so."""
    pairs = list(pairs)
    made = SIGNERS[name].sign(pairs, host, region)
    for (asked, known), (line, headers) in zip(pairs, made, strict=True):
        method, target = line.split(" ", 1)
        yield Signed(asked, method, target, headers, framed(asked, headers, host, known))


def framed(asked, headers, host, known):
    """By `uploads`, as these signers have to do with heads alone."""
    if asked.payload not in KIND_OF:
        return asked.body
    values = {name.lower(): value for name, value in headers}
    has_signatures, parts = "UNSIGNED" not in asked.payload, []
    if has_signatures:
        signer = Signer(f"http://{host}", known)
        signer.stamp = values["x-amz-date"]
        previous = values["authorization"].rpartition("Signature=")[2]
    for chunk in (asked.body, b"") if asked.body else (b"",):
        line = f"{len(chunk):x}"
        if has_signatures:
            previous = signer.sign("-PAYLOAD", previous, EMPTY, hashlib.sha256(chunk).hexdigest())
            line += f";chunk-signature={previous}"
        parts.append(line.encode() + b"\r\n" + (chunk + b"\r\n" if chunk else b""))
    if "TRAILER" in asked.payload:
        trailer = f"{CHECKSUM}:{crc32(asked.body)}"
        parts.append(trailer.encode() + b"\r\n")
        if has_signatures:
            digest = hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
            parts.append(f"x-amz-trailer-signature:{signer.sign('-TRAILER', previous, digest)}\r\n".encode())
    return b"".join(parts) + b"\r\n"
