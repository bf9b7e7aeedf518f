"""What the requests cost that make nginx work hardest: the worker's own time, which a busy machine makes longer by little.

Each kind comes in three sizes, each twice the one before: what grows with the square of its length would take 16 times as
long in the end. nginx/README.md says what is measured here."""

import base64
import hmac
import json
import os
import pathlib
import time

import pytest
import urllib3
from conftest import CLIENT
from handmade import in_header, in_query, request
from identities import AUDIENCE, SigningKey, base64url
from servers import Credentials, Nginx, free_port
from tap import Tap
from uploads import Connection, Signer, Upload

ORIGIN = Credentials("AKIDORIGIN", "originSecret", "eu-west-1")
ISSUER = "https://id.example.com"
ROUNDS = 3
MOST = 300_000  # bytes that are sent in a round, but for the longest requests

# Of a kind of four times the size, and of a byte: of what a rejected request of the usual size costs.
MAX_GROWTH = 12
MAX_PER_BYTE = 1 / 300


class Costs:
    def __init__(self, url, nginx):
        self.url = url
        self.nginx = nginx
        self.signer = Signer(url, CLIENT)
        self.connection = None

    def spent(self):
        """Microseconds of the worker's."""
        [worker] = self.nginx.worker_pids()
        precise = pathlib.Path(f"/proc/{worker}/schedstat")
        if precise.exists():
            return int(precise.read_text().split()[0]) / 1000
        user, system = pathlib.Path(f"/proc/{worker}/stat").read_text().rpartition(") ")[2].split()[11:13]
        return (int(user) + int(system)) * 1_000_000 / os.sysconf("SC_CLK_TCK")

    def ask(self, asked, status):
        self.connection = self.connection or Connection(self.url)
        answer = self.connection.ask(asked)
        assert answer.status == status, answer.body
        if answer.closes:
            self.connection.close()
            self.connection = None

    def of(self, asked, status):
        """Microseconds for one of these, in the round in which it took least."""
        asked = asked.replace(b"connection: close\r\n", b"")
        count = max(2, min(50, MOST // len(asked)))
        self.ask(asked, status)
        rounds = []
        for _ in range(ROUNDS):
            self.nginx.settle()
            before = self.spent()
            for _ in range(count):
                self.ask(asked, status)
            self.nginx.settle()
            rounds.append((self.spent() - before) / count)
        return min(rounds)


@pytest.fixture(scope="module")
def costs(folder):
    port = free_port()
    keys = folder / "costs.jwks"
    keys.write_text(json.dumps({"keys": [SigningKey("a", "ES256").jwk()]}))
    with Tap() as tap:
        block = f"""
        access_log off;
        client_body_buffer_size 16m;
        ignore_invalid_headers off;
        keepalive_requests 100000;
        large_client_header_buffers 8 256k;
        s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
        s3_issuer jobs secret=0123456789abcdef0123456789abcdef;
        s3_role deploy issuer={ISSUER} audience={AUDIENCE} condition=sub:* jwks=file:{keys} allow=read;
        upstream origin {{
            server {tap.address};
            s3_origin {tap.address} access_key={ORIGIN.access_key} secret_key={ORIGIN.secret_key} region={ORIGIN.region} dialect=swift;
        }}
        s3_region {CLIENT.region};
        s3_signature_v2 on;
        s3_cors origin=https://*.example.com methods=GET,PUT headers=x-a-*,x-b-*,content-type;
        server {{
            listen 127.0.0.1:{port};
            location / {{ s3_resign on; proxy_pass http://origin; }}
            location /debug/ {{ s3_resign on; s3_debug_errors on; proxy_pass http://origin; }}
            location = /sts {{ s3_sts; }}
        }}
        """
        with Nginx(folder / "nginx-costs", block, port, workers=1) as nginx:
            yield Costs(f"http://127.0.0.1:{port}", nginx)
        assert "[alert]" not in nginx.error_log.read_text(errors="replace")


def forged(asked):
    return asked.replace(b"Signature=", b"Signature=0")


def get(signer, target, headers=()):
    return forged(in_header(signer, "GET", target, headers))


def to_be_sorted(count):
    """Names that differ in their last character, which is spelled as it should not be."""
    return "/bucket/k?" + "&".join("p" * count + f"%{240 - number:02x}=v" for number in range(120))


def with_names(signer, count):
    names = ";".join(f"a{number:05}" for number in range(count))
    return in_header(signer, "GET", "/bucket/k").replace(b"SignedHeaders=", f"SignedHeaders={names};".encode())


def repeated(signer, count):
    line = b"x-amz-meta-a: v\r\n"
    return get(signer, "/bucket/k", {"x-amz-meta-a": "v"}).replace(line, line * count)


def unsigned(signer, count):
    signed = {f"x-a-{number}": "v" for number in range(80)}
    return in_header(signer, "GET", "/bucket/k", signed, unsigned={f"x-amz-meta-{number}": "v" for number in range(count)})


def v2(signer, query, headers=()):
    known = f"AWSAccessKeyId={signer.access_key}&Expires={int(time.time()) + 300}&Signature=AAAA"
    return request("GET", f"/bucket/k?{known}&{query}", [("host", signer.host), *headers])


def preflight(signer, count):
    return request("OPTIONS", "/bucket/k", [("host", signer.host), ("origin", "https://a.example.com"), ("access-control-request-method", "PUT"),
                                            ("access-control-request-headers", ",".join(["x-a-b"] * count + ["y"]))])


def form(signer, fields, policy, key=None):
    encoded = base64.b64encode(policy)
    fields = {"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": f"{signer.access_key}/{signer.scope}",
              "x-amz-date": signer.stamp, "policy": encoded.decode(),
              "x-amz-signature": hmac.digest(key or signer.key, encoded, "sha256").hex(), **fields, "file": ("f", b"x")}
    body, kind = urllib3.encode_multipart_formdata(fields)
    return request("POST", "/bucket", [("host", signer.host), ("content-type", kind)], body)


def conditions(signer, count):
    """Each holds, of the last of many fields; at the end one field is in none of them."""
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 300))
    policy = {"expiration": expires, "conditions": [{"bucket": "bucket"}, *[{"z": "v"}] * count]}
    return form(signer, {**{f"f{number}": "v" for number in range(110)}, "z": "v", "key": "k"}, json.dumps(policy).encode())


def framed(signer, kind, count):
    """As many chunks of one byte, of which one is missing."""
    return Upload(signer, "/bucket/k", kind, [b"x"] * count, announced=count + 1).request()


def bucket(signer, elements):
    return in_header(signer, "PUT", "/bucket", body=b"<CreateBucketConfiguration>" + elements)


def parts(signer, count):
    part = b"<Part><ETag>e</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>"
    body = b"<CompleteMultipartUpload>" + part * count + b"</CompleteMultipartUpload>"
    return in_header(signer, "POST", "/bucket/k?uploadId=u", body=body)


def call(signer, claims, **parameters):
    """Of AssumeRoleWithWebIdentity, with a token that nobody has signed."""
    token = ".".join([base64url(b'{"alg":"ES256","kid":"a"}'), base64url(claims), base64url(b"x" * 64)])
    parameters = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "session",
                  "RoleArn": "arn:aws:iam::1:role/deploy", "WebIdentityToken": token, **parameters}
    body = "&".join(f"{name}={value}" for name, value in parameters.items()).encode()
    return request("POST", "/sts", [("host", signer.host), ("content-type", "application/x-www-form-urlencoded")], body)


def members(count):
    return json.dumps({f"a{number}": number for number in range(count)}).encode()


# What is sent, in how many of its parts at most, and the status of the answer.
HARD = {
    "a path of escapes": (lambda s, n: get(s, "/bucket/" + "%41" * n), 20_000, 403),
    "a path of segments": (lambda s, n: get(s, "/bucket/" + "%ff/." * n), 12_000, 403),
    "a path that is shown": (lambda s, n: get(s, "/debug/" + "%41" * n), 20_000, 403),
    "parameters to be sorted": (lambda s, n: get(s, to_be_sorted(n)), 500, 403),
    "parameters to be sorted in a link": (lambda s, n: forged(in_query(s, "GET", to_be_sorted(n))), 500, 403),
    "too many parameters": (lambda s, n: request("GET", "/bucket/k?" + "&".join("p=v" for _ in range(n)), [("host", s.host)]), 60_000, 400),
    "headers": (lambda s, n: get(s, "/bucket/k", {f"x-amz-meta-{i:05}": "v" for i in range(n)}), 248, 403),
    "one header repeated": (repeated, 248, 403),
    "headers without a signature": (unsigned, 160, 403),
    "names without a header": (with_names, 28_000, 403),
    "spaces in a header": (lambda s, n: get(s, "/bucket/k", {"x-amz-meta-a": "a  " * n + "a"}), 66_000, 403),
    "empty fields of Authorization": (
        lambda s, n: in_header(s, "GET", "/bucket/k").replace(b"Credential", b", " * n + b"Credential"), 100_000, 400),
    "a session token": (lambda s, n: in_header(s, "GET", "/bucket/k", {"x-amz-security-token": "A" * n}), 200_000, 400),
    "a copy source": (lambda s, n: get(s, "/bucket/k", {"x-amz-copy-source": "/bucket/" + "a/../%41/" * n}), 22_000, 403),
    "V2, headers": (lambda s, n: v2(s, "acl", {f"x-amz-meta-{n - i:05}": "v" for i in range(n)}.items()), 248, 403),
    "V2, parameters": (lambda s, n: v2(s, "&".join(f"versionId={'%26aclx' * n}" for _ in range(100))), 80, 403),
    "a preflight": (preflight, 33_000, 403),
    "fields of a forged form": (lambda s, n: form(s, {f"f{i}": "v" * 300 for i in range(n)}, b"{}", b"a guess"), 120, 403),
    "conditions": (conditions, 3_000, 403),
    "a policy of brackets": (lambda s, n: form(s, {"key": "k"}, b'{"conditions":' + b"[" * n), 36_000, 400),
    "a policy of digits": (lambda s, n: form(s, {"key": "k"}, b'{"conditions":[["content-length-range",0,' + b"9" * n), 36_000, 400),
    "signed chunks": (lambda s, n: framed(s, "signed", n), 4_000, 400),
    "chunks": (lambda s, n: framed(s, "unsigned", n), 50_000, 400),
    "elements in each other": (lambda s, n: bucket(s, b"<a>" * n), 20_000, 400),
    "attributes": (lambda s, n: bucket(s, b"<a b='&lt;'/>" * n), 4_000, 400),
    "parts of an upload": (parts, 10_000, 200),
    "members of a token": (lambda s, n: call(s, members(n)), 800, 400),
    "brackets in a token": (lambda s, n: call(s, b'{"a":' + b"[" * n), 12_000, 400),
    "parameters of a call": (lambda s, n: call(s, b"{}", **{f"a{i}": "%41+" for i in range(n)}), 5_000, 400),
}


@pytest.fixture(scope="module")
def rejected(costs):
    """What a request of the usual size costs that is rejected by its signature."""
    return costs.of(get(costs.signer, "/bucket/k"), 403)


@pytest.mark.parametrize("kind", HARD)
def test_costs_grow_with_the_length_and_no_faster(kind, costs, rejected):
    make, most, status = HARD[kind]
    requests = [make(costs.signer, size) for size in (most // 4, most // 2, most)]
    found = [costs.of(asked, status) for asked in requests]
    print(f"{kind}: {len(requests[-1])} bytes, {found[-1]:.0f} us, {1000 * found[-1] / len(requests[-1]):.1f} ns a byte;",
          f"{' '.join(f'{one:.0f}' for one in found)}; rejected {rejected:.0f}")
    assert found[-1] < MAX_GROWTH * found[0] + 3 * rejected, found
    assert found[-1] < 10 * rejected + MAX_PER_BYTE * rejected * len(requests[-1]), found
