"""HTTP/3: the rules are those of HTTP/1.1, with `:authority` as the signed host."""

import contextlib
import os
import subprocess

import pytest

import http3
from conftest import CLIENT
from handmade import UNSIGNED, in_header, in_query
from servers import Credentials, Nginx, S3sFs, free_port
from uploads import KINDS, Signer, Upload

BODY = bytes(range(256)) * 12_000  # 3 MB


def build():
    """How the environment calls an nginx that has HTTP/3."""
    for name in ("TEST_NGINX", "YOUNGER_NGINX"):
        if binary := os.environ.get(f"{name}_BINARY"):
            said = subprocess.run([binary, "-V"], check=True, capture_output=True, text=True).stderr
            if "--with-http_v3_module" in said:
                return name
    return None


BUILD = build()
pytestmark = pytest.mark.skipif(BUILD is None, reason="nginx without HTTP/3")


class Proxy:
    """nginx in front of an origin that is alive, or in front of one that is dead and of that."""

    def __init__(self, origin, ports):
        self.origin = origin
        self.ports = ports

    def signer(self, variant="buffered"):
        return Signer(f"https://localhost:{self.ports[variant]}", CLIENT)

    def ask(self, *requests, variant="buffered", **options):
        return http3.ask(self.ports[variant], *requests, **options)

    def put(self, name, body=BODY, variant="buffered", **options):
        [answer] = self.ask(in_header(self.signer(variant), "PUT", f"/http3/{name}", body=body, **options), variant=variant)
        return answer.status, answer.code

    def stored(self, name):
        file = self.origin.data / "http3" / name
        return file.read_bytes() if file.exists() else None


@pytest.fixture(scope="module")
def proxy(folder):
    here = folder / "http3"
    here.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", here / "key", "-out", here / "certificate"], check=True, capture_output=True)
    ports = {"buffered": free_port(), "unbuffered": free_port(), "failover": free_port()}
    settings = {
        "buffered": "proxy_pass http://one;",
        "unbuffered": "proxy_pass http://one; proxy_request_buffering off;",
        "failover": "proxy_pass http://two;",
    }
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(S3sFs(here / "origin", Credentials("AKIDORIGIN", "originSecret", "us-west-2")))
        (origin.data / "http3").mkdir()
        dead = f"127.0.0.1:{free_port()}"
        servers = "\n".join(f"""
            server {{
                listen 127.0.0.1:{ports[name]} quic;
                ssl_certificate {here}/certificate;
                ssl_certificate_key {here}/key;
                location / {{
                    s3_resign on;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    {lines}
                }}
            }}""" for name, lines in settings.items())
        nginx = stack.enter_context(Nginx(here / "nginx", f"""
            client_max_body_size 0;
            s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
            upstream one {{ server {origin.address}; keepalive 4; {origin.s3_origin()} }}
            upstream two {{
                server {dead} max_fails=0;
                server {origin.address} backup;
                {origin.s3_origin()}
                {origin.s3_origin().replace(origin.address, dead)}
            }}
            server {{ listen 127.0.0.1:{(tcp := free_port())}; }}
            {servers}""", tcp, workers=1, build=BUILD))
        yield Proxy(origin, ports)
        log = nginx.error_log.read_text(errors="replace")
        assert not [line for line in log.splitlines() if any(mark in line for mark in ("[alert]", "[emerg]", "[crit]", "on signal"))]


@pytest.mark.parametrize("variant", ["buffered", "unbuffered", "failover"])
def test_what_was_written_is_read(proxy, variant):
    name = f"{variant}.bin"
    assert proxy.put(name, variant=variant) == (200, None)
    assert proxy.stored(name) == BODY
    signer = proxy.signer(variant)
    whole, part, head, link = proxy.ask(
        in_header(signer, "GET", f"/http3/{name}"),
        in_header(signer, "GET", f"/http3/{name}", {"range": "bytes=1000000-1000009"}),
        in_header(signer, "HEAD", f"/http3/{name}"),
        in_query(signer, "GET", f"/http3/{name}"),
        variant=variant)
    assert (whole.status, whole.body) == (200, BODY)
    assert (part.status, part.body) == (206, BODY[1_000_000:1_000_010])
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(BODY)))
    assert (link.status, link.body) == (200, BODY)


@pytest.mark.parametrize("variant", ["buffered", "unbuffered"])
@pytest.mark.parametrize("kind", KINDS)
def test_streaming_uploads(proxy, kind, variant):
    chunks = [BODY[:1 << 20], BODY[1 << 20:2 << 20], BODY[2 << 20:]]
    name = f"{kind}-{variant}"
    good = Upload(proxy.signer(variant), f"/http3/{name}", kind, chunks)
    [answer] = proxy.ask(good.request(), variant=variant)
    assert (answer.status, answer.code) == (200, None)
    assert proxy.stored(name) == BODY

    forged = Upload(proxy.signer(variant), f"/http3/{name}-forged", kind, chunks)
    forged.parts[3] = forged.parts[3][:-1] + b"?"
    [answer] = proxy.ask(forged.request(), variant=variant)
    assert answer.status == 400 or answer.status == 403 or answer.was_reset
    assert proxy.stored(f"{name}-forged") is None


@pytest.mark.parametrize("variant", ["buffered", "unbuffered"])
def test_what_is_wrong_is_rejected_and_the_others_are_answered(proxy, variant):
    assert proxy.put("here", b"here", variant) == (200, None)
    signer = proxy.signer(variant)
    elsewhere = Signer("https://other.example.com", CLIENT)
    elsewhere_sent = in_header(elsewhere, "GET", "/http3/here").replace(b"other.example.com", signer.host.encode())
    signed = in_header(signer, "PUT", "/http3/no", body=BODY)
    answers = proxy.ask(
        signed.replace(b"Signature=", b"Signature=0"),
        signed[:-1] + b"?",
        elsewhere_sent,
        in_header(signer, "GET", "/http3/here", unsigned={"x-amz-acl": "private"}),
        in_query(signer, "GET", "/http3/here").replace(b"/http3/here", b"/http3/her3"),
        in_header(signer, "GET", "/http3/here"),
        variant=variant)
    assert [(answer.status, answer.code) for answer in answers[2:5]] == [
        (403, "SignatureDoesNotMatch"), (403, "AccessDenied"), (403, "SignatureDoesNotMatch")]
    assert answers[0].status in (400, 403)
    assert answers[1].status != 200
    assert (answers[5].status, answers[5].body) == (200, b"here")
    assert proxy.stored("no") is None


@pytest.mark.parametrize("variant", ["buffered", "unbuffered"])
def test_an_upload_that_is_given_up_is_not_stored(proxy, variant):
    signer = proxy.signer(variant)
    proxy.ask(in_header(signer, "PUT", "/http3/given-up", body=BODY, payload=UNSIGNED),
              in_header(signer, "GET", "/http3/here"), cut=1000, variant=variant)
    assert proxy.stored("given-up") is None
    assert proxy.put("after", b"after", variant) == (200, None)
