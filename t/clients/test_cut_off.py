"""An upload that is cut off, at a server that takes what has come for all of it, if the connection ends in good order:
what was stored before stays."""

import contextlib
import os
import re
import time

import pytest
from adapters import Boto3
from conftest import CLIENT
from servers import Credentials, Nginx, Versitygw, certify, free_port
from uploads import EMPTY, Connection, Signer, Upload, crc32

pytestmark = pytest.mark.skipif(not Versitygw.binary(), reason="versitygw is not built")

BUCKET = "cut-off"
ORIGIN = Credentials("AKIDORIGIN", "originSecret", "us-east-1")
BEFORE = b"what was there before"
DATA = os.urandom(400_000)


class VersitygwByTls(Versitygw):
    url = property(lambda self: f"https://localhost:{self.port}")

    def command(self):
        certify(self.folder, "DNS:localhost", "IP:127.0.0.1")
        command = super().command()
        place = command.index("posix")
        return [*command[:place], "--cert", str(self.folder / "server.crt"), "--key", str(self.folder / "server.key"), *command[place:]]


@pytest.fixture(scope="module", params=[Versitygw, VersitygwByTls])
def site(request, tmp_path_factory):
    """The origin's own client, and where nginx is, which does not buffer, and takes framing off."""
    folder, port = tmp_path_factory.mktemp("cut-off"), free_port()
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(request.param(folder / "origin", ORIGIN))
        scheme = origin.url.partition(":")[0]
        line = origin.s3_origin().replace(";", " framing=decode;")
        stack.enter_context(Nginx(folder / "nginx", f"""
            s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
            upstream u {{ server {origin.address}; {line} }}
            server {{ listen 127.0.0.1:{port}; location / {{
                s3_resign on; proxy_http_version 1.1; proxy_request_buffering off; proxy_pass {scheme}://u; }} }}""", port))
        direct = Boto3(origin.url, ORIGIN, folder, str(folder / "origin/ca.crt") if scheme == "https" else None)
        direct.create_bucket(BUCKET)
        yield direct, f"http://127.0.0.1:{port}"


def given_up(signer, path, url):
    """By a client that has sent nearly all of it, which nobody has the hash of."""
    lines, _ = signer.head("PUT", path, "UNSIGNED-PAYLOAD")
    connection = Connection(url)
    head = "\r\n".join((*lines, f"content-length: {len(DATA)}", "", ""))
    connection.socket.sendall(head.encode() + DATA[:-100])
    time.sleep(0.3)  # which nginx has passed on by then; or else it shows nothing
    connection.close()


def rejected(signer, path, url, kind, spoil):
    upload = Upload(signer, path, kind, [DATA])
    connection = Connection(url)
    assert connection.ask(upload.request(spoil(upload.body))).status in (400, 403)
    connection.close()


def other_sum(body):
    return body.replace(crc32(DATA).encode(), crc32(b"").encode())


def other_signature(body):
    return re.sub(rb"(0;chunk-signature=).{64}", rb"\1" + EMPTY.encode(), body)


def another_byte(body):
    return body.replace(DATA[-9:], bytes(9))


WAYS = {
    "given up": given_up,
    "a wrong checksum": lambda *where: rejected(*where, "unsigned", other_sum),
    "a wrong signature": lambda *where: rejected(*where, "signed", other_signature),
    "wrong data": lambda *where: rejected(*where, "signed-trailer", another_byte),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_was_there_stays(site, way):
    direct, url = site
    key = way.replace(" ", "-")
    direct.put(BUCKET, key, BEFORE)
    WAYS[way](Signer(url, CLIENT), f"/{BUCKET}/{key}", url)
    deadline = time.monotonic() + 0.4
    while time.monotonic() < deadline:
        found = direct.get(BUCKET, key)
        assert found == BEFORE, f"{len(found)} bytes"
        time.sleep(0.1)
    # And what is right arrives.
    connection = Connection(url)
    assert connection.ask(Upload(Signer(url, CLIENT), f"/{BUCKET}/{key}", "signed", [DATA]).request()).status == 200
    connection.close()
    assert direct.get(BUCKET, key) == DATA
