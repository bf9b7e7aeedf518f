"""botocore on both sides: it signs what goes in, and checks the signature of what comes out."""

import datetime
import http.client
import http.server
import queue
import random
import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from conftest import CLIENT
from servers import Credentials, Nginx, free_port

ORIGIN = Credentials("AKIDORIGIN/with/slashes", "originSecret+/=", "sa-east-1")
REQUESTS = 400
SEED = 20240229


@dataclass
class Received:
    method: str
    target: str
    headers: list = field(repr=False)  # (name, value), in order
    body: bytes = field(repr=False)

    def header(self, name):
        return ", ".join(value for this, value in self.headers if this.lower() == name)

    def all(self, prefix):
        return sorted((name.lower(), " ".join(value.split())) for name, value in self.headers
                      if name.lower().startswith(prefix))


class Recorder(http.server.BaseHTTPRequestHandler):
    """Accepts everything and hands it to the test."""

    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # self.path has lost leading slashes
        target = self.raw_requestline.split(b" ")[1].decode("ascii")
        self.server.received.put(Received(self.command, target, self.headers.items(), body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def oracle(folder):
    """The address of nginx, and the requests that came out of it."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        server.received = queue.Queue()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        port = free_port()
        block = f"""
        underscores_in_headers on;
        s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
        upstream oracle {{
            server {address};
            keepalive 4;
            s3_origin {address} access_key={ORIGIN.access_key} secret_key={ORIGIN.secret_key}
                      region={ORIGIN.region} host=s3.example.com;
        }}
        server {{
            listen 127.0.0.1:{port};
            location / {{ s3_resign on; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://oracle; }}
        }}
        """
        with Nginx(folder / "oracle", block, port) as nginx:
            yield f"127.0.0.1:{port}", server.received
        server.shutdown()
        assert "[alert]" not in nginx.error_log.read_text(errors="replace")


def text(chance, alphabet, most):
    return "".join(chance.choice(alphabet) for _ in range(chance.randint(0, most)))


ALPHABET = "aZ09-._~ /+%&=?#:;@$,!'()*\"<>[]{}|\\^`é日😀"


@dataclass
class Sent:
    method: str
    target: str
    headers: list
    body: bytes
    presigned: bool


def random_request(chance, host):
    """A request of any method, key, query and headers, signed by botocore in either form."""
    method = chance.choice(["GET", "PUT", "POST", "DELETE", "HEAD"])
    presigned = chance.random() < 0.4
    target = "/bucket/" + quote(text(chance, ALPHABET, 40), safe="/~")
    query = [(quote(text(chance, ALPHABET, 6) or "acl", safe="~"), quote(text(chance, ALPHABET, 8), safe="~"))
             for _ in range(chance.randint(0, 4))]
    if query:
        target += "?" + "&".join(f"{name}={value}" for name, value in query)
    body = chance.randbytes(chance.choice([0, 1, 100, 20000])) if method in ("PUT", "POST") else b""
    headers = {"Host": host}
    for number in range(chance.randint(0, 4)):
        value = text(chance, "ab,;=  +%\"'", 12).strip() or "v"
        headers[chance.choice(["x-amz-meta-", "X-Amz-Meta-", "X-AMZ-META-under_"]) + str(number)] = value
    if chance.random() < 0.3:
        headers["Content-Type"] = "text/plain;  charset=utf-8"
    if chance.random() < 0.2:
        headers["Range"] = "bytes=1-2"
    # In a presigned request botocore would take a body for parameters; it is not signed anyway.
    request = AWSRequest(method, f"http://{host}{target}", headers, b"" if presigned else body)
    credentials = BotoCredentials(CLIENT.access_key, CLIENT.secret_key)
    if presigned:
        signer = botocore.auth.S3SigV4QueryAuth(credentials, "s3", CLIENT.region, expires=chance.randint(1, 604800))
    else:
        signer = botocore.auth.S3SigV4Auth(credentials, "s3", CLIENT.region)
        request.context["payload_signing_enabled"] = chance.random() < 0.5
    signer.add_auth(request)
    sent = request.url.split(host, 1)[1]
    return Sent(method, sent, list(request.headers.items()), body, presigned)


def send(host, request):
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers:
            connection.putheader(name, value)
        if request.body or request.method in ("PUT", "POST"):
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def check_signature(received):
    """Computes the signature again from what arrived, as an origin with botocore for a verifier would."""
    path, _, query = received.target.partition("?")
    pairs = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    if "X-Amz-Signature" in pairs:
        names = unquote(pairs["X-Amz-SignedHeaders"]).split(";")
        credential, stamp, signature = unquote(pairs["X-Amz-Credential"]), pairs["X-Amz-Date"], pairs["X-Amz-Signature"]
        query = "&".join(pair for pair in query.split("&") if not pair.startswith("X-Amz-Signature="))
        kind = botocore.auth.S3SigV4QueryAuth
    else:
        scheme, _, rest = received.header("authorization").partition(" ")
        assert scheme == "AWS4-HMAC-SHA256"
        fields = dict(item.strip().split("=", 1) for item in rest.split(","))
        names = fields["SignedHeaders"].split(";")
        credential, stamp, signature = fields["Credential"], received.header("x-amz-date"), fields["Signature"]
        kind = botocore.auth.S3SigV4Auth
    day = stamp[:8]
    assert credential == f"{ORIGIN.access_key}/{day}/{ORIGIN.region}/s3/aws4_request"
    assert "host" in names and names == sorted(names)
    for name, _ in received.headers:  # none may reach the origin with its authority and without a signature
        assert not name.lower().startswith("x-amz-") or name.lower() in names
    signer = kind(BotoCredentials(ORIGIN.access_key, ORIGIN.secret_key), "s3", ORIGIN.region)
    url = f"http://{received.header('host')}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(received.method, url, data=received.body)
    for name, value in received.headers:
        if name.lower() in names:
            request.headers[name] = value
    assert len({name.lower() for name in request.headers}) == len(names)
    request.context["timestamp"] = stamp
    canonical = signer.canonical_request(request)
    assert signer.signature(signer.string_to_sign(request, canonical), request) == signature, canonical


def check_the_same(request, received):
    """Nothing was lost or gained on the way but the signature."""
    assert received.method == request.method
    assert received.body == request.body
    path, _, query = request.target.partition("?")
    path_out, _, query_out = received.target.partition("?")
    assert path_out == path

    def other(query):
        return sorted((name, value) for name, value in parse_qsl(query, keep_blank_values=True)
                      if name not in ("X-Amz-Credential", "X-Amz-Security-Token", "X-Amz-Signature", "X-Amz-SignedHeaders"))

    assert other(query_out) == other(query)  # X-Amz-Date and X-Amz-Expires too: no link may live longer
    before = Received("", "", request.headers, b"")
    for name in ("x-amz-meta-", "content-type", "range"):
        assert received.all(name) == before.all(name)
    if request.presigned:
        assert not received.header("authorization")
    else:
        assert received.header("x-amz-content-sha256") == before.header("x-amz-content-sha256")
        stamp = datetime.datetime.strptime(received.header("x-amz-date") + "+0000", "%Y%m%dT%H%M%SZ%z")
        assert abs((datetime.datetime.now(datetime.timezone.utc) - stamp).total_seconds()) < 60
    assert received.header("host") == "s3.example.com"
    assert CLIENT.access_key not in received.target + str(received.headers)


def test_random_requests(oracle):
    host, arrived = oracle
    chance = random.Random(SEED)
    for number in range(REQUESTS):
        request = random_request(chance, host)
        status, said = send(host, request)
        assert status == 200, (number, request, said)
        received = arrived.get(timeout=5)
        check_signature(received)
        check_the_same(request, received)
    assert arrived.empty()


def test_a_request_changed_after_signing_never_arrives(oracle):
    host, arrived = oracle
    chance = random.Random(SEED + 1)
    for number in range(100):
        request = random_request(chance, host)
        what = chance.choice(["method", "path", "query", "header"])
        if what == "method":
            request.method = "PUT" if request.method != "PUT" else "GET"
        elif what == "path":
            request.target = request.target.replace("/bucket/", "/bucket/x", 1)
        elif what == "query":
            request.target += ("&" if "?" in request.target else "?") + "zz=1"
        else:
            signed = [i for i, (name, _) in enumerate(request.headers) if name.lower().startswith("x-amz-meta-")]
            if not signed:
                continue
            name, value = request.headers[signed[0]]
            request.headers[signed[0]] = (name, value + "x")
        status, said = send(host, request)
        assert status == 403, (number, what, request, said)
        assert request.method == "HEAD" or b"SignatureDoesNotMatch" in said
    assert arrived.empty()
