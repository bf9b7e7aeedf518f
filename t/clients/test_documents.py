"""Documents that are written again on their way: however long one is, and however slowly it is read, the worker
needs no more memory for it."""

import hashlib
import socketserver
import threading
import time
import zlib

import pytest
from conftest import CLIENT
from handmade import in_header
from servers import Credentials, Nginx, free_port
from uploads import Connection, Signer

ORIGIN = Credentials("AKIDORIGIN", "originSecret", "us-west-2")
ROOM = 3 << 20  # for nginx's buffers, and the module's
PART = b"".join(b"<Part><ETag>&quot;%032x&quot;</ETag></Part>\n" % number for number in range(1000))
PARTS = 250


def document(location, parts):
    """The answer to CompleteMultipartUpload, with more in it than S3 would say."""
    yield b"<CompleteMultipartUploadResult><Location>" + location + b"</Location>"
    for _ in range(parts):
        yield PART
    yield b"</CompleteMultipartUploadResult>"


class Origin(socketserver.ThreadingTCPServer):
    """Answers each request with that, compressed where `packed` says so."""

    allow_reuse_address = daemon_threads = True
    packed = False
    parts = PARTS


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nConnection: close\r\n"
        pieces = document(b"http://bucket.origin.example/key", self.server.parts)
        if self.server.packed:
            head += b"Content-Encoding: gzip\r\n"
            packer = zlib.compressobj(1, wbits=31)
            pieces = (*map(packer.compress, pieces), packer.flush())
        try:
            self.wfile.write(head + b"\r\n")
            for piece in pieces:
                self.wfile.write(piece)
        except OSError:
            pass


@pytest.fixture(scope="module")
def origin():
    with Origin(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(params=["on", "off"], ids=lambda buffering: f"buffering {buffering}")
def nginx(request, tmp_path, origin):
    port = free_port()
    address = f"127.0.0.1:{origin.server_address[1]}"
    with Nginx(tmp_path / "nginx", f"""
        s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
        upstream u {{
            server {address};
            s3_origin {address} access_key={ORIGIN.access_key} secret_key={ORIGIN.secret_key};
        }}
        server {{
            listen 127.0.0.1:{port};
            location / {{ s3_resign on; proxy_pass http://u; proxy_buffering {request.param}; }}
        }}""", port, workers=1) as nginx:
        yield nginx


def complete(nginx, pause):
    """Reads the answer, with a pause after its head: its status, and the hash and the length of its body."""
    url = f"http://127.0.0.1:{nginx.port}"
    connection = Connection(url, timeout=60)
    connection.socket.sendall(in_header(Signer(url, CLIENT), "POST", "/bucket/key?uploadId=1", body=b"<x/>")
                              .replace(b"HTTP/1.1", b"HTTP/1.0"))
    received, digest, length = b"", hashlib.sha256(), 0
    while b"\r\n\r\n" not in received:
        received += connection.socket.recv(1 << 16)
    head, _, body = received.partition(b"\r\n\r\n")
    time.sleep(pause)
    while body:
        digest.update(body)
        length += len(body)
        body = connection.socket.recv(1 << 18)
    connection.close()
    return int(head.split()[1]), digest.hexdigest(), length


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_memory_does_not_grow_with_a_document(nginx, origin, packed):
    origin.packed = packed
    nginx_url = f"http://127.0.0.1:{nginx.port}"
    expected = hashlib.sha256()
    for piece in document(f"{nginx_url}/bucket/key".encode(), PARTS):
        expected.update(piece)
    # What any such answer needs: the code that it goes through is loaded then, too.
    origin.parts = 1
    assert complete(nginx, 0)[0] == 200
    [short] = nginx.memory("VmHWM")
    origin.parts = PARTS
    for pause in (0, 1):
        status, digest, length = complete(nginx, pause)
        assert status == 200 and length > PARTS * len(PART)
        assert digest == expected.hexdigest()
    [peak] = nginx.memory("VmHWM")
    assert peak < short + ROOM
