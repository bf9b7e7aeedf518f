"""An upload far larger than memory: all of it arrives, and the worker needs no more for it than for a small one,
be it in many chunks or in one.

UPLOAD_BYTES in the environment says how large; `make test-full` sets S3's limit, 5 GiB.
"""

import hashlib
import os
import zlib

import pytest
from conftest import CLIENT
from servers import Credentials, Nginx, S3sFs, free_port
from uploads import CHECKSUM, EMPTY, Connection, Framing, Signer, crc32_text, transfer_chunk

BUCKET = "large"
SMALL = 16 << 20
LARGE = int(os.environ.get("UPLOAD_BYTES", 256 << 20))
# No power of two, and sent without a length: nginx cannot tell how it is cut, and puts chunks together anew.
CHUNK = 100_000
# The kind, and whether all of it is one chunk, as the SDK for Go sends it over HTTPS.
FORMS = {"signed chunks": ("signed-trailer", False), "one chunk": ("unsigned", True), "one signed chunk": ("signed", True)}
DATA = hashlib.shake_256(b"some data").digest(CHUNK)
ROOM = 4 << 20  # for one chunk and nginx's buffers

DOORS = [(framing, buffering) for framing in ("keep", "decode") for buffering in ("on", "off")]


@pytest.fixture(scope="module")
def origin(folder):
    with S3sFs(folder / "s3s-large", Credentials("AKIDORIGIN", "originSecret", "us-west-2")) as origin:
        yield origin


@pytest.fixture(params=DOORS, ids=lambda door: f"{door[0]}, buffering {door[1]}")
def nginx(request, folder, origin):
    framing, buffering = request.param
    port = free_port()
    with Nginx(folder / f"nginx-large-{port}", f"""
        client_max_body_size 0;
        s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
        upstream u {{ server {origin.address}; {origin.s3_origin().replace(';', f' framing={framing};')} }}
        server {{
            listen 127.0.0.1:{port};
            location / {{
                s3_resign on;
                proxy_pass http://u;
                proxy_http_version 1.1;
                proxy_request_buffering {buffering};
            }}
        }}""", port, workers=1) as nginx:
        yield nginx


@pytest.fixture
def bucket(origin):
    (origin.data / BUCKET).mkdir()
    yield origin.data / BUCKET
    origin.remove_bucket(BUCKET)


def chunks(size):
    """All of them differ, and are quickly made."""
    for start in range(0, size, CHUNK):
        yield start.to_bytes(8, "big") + DATA[8:min(CHUNK, size - start)]


def upload(url, size, form):
    """Makes, signs and sends it piece by piece, and the checksum behind it."""
    kind, is_one = FORMS[form]
    framing = Framing(Signer(url, CLIENT), f"/{BUCKET}/object", kind, size)
    connection = Connection(url, timeout=300)
    (send_one if is_one else send_many)(connection, framing, size)
    connection.close()


def send_many(connection, framing, size):
    """Without a length, in chunks of HTTP's own."""
    state = 0
    send = connection.socket.sendall
    send(framing.head("transfer-encoding: chunked"))
    for data in chunks(size):
        state = zlib.crc32(data, state)
        line = framing.chunk(len(data), hashlib.sha256(data).hexdigest())
        send(transfer_chunk(line + data + b"\r\n"))
    send(transfer_chunk(framing.chunk(0, EMPTY) + framing.trailer(f"{CHECKSUM}:{crc32_text(state)}")))
    assert connection.ask(transfer_chunk(b"")).status == 200


def send_one(connection, framing, size):
    """What is behind the chunk is as long as its length, whatever the checksum."""
    digest, state = hashlib.sha256(), 0
    if framing.has_signatures:
        for data in chunks(size):
            digest.update(data)
    line = framing.chunk(size, digest.hexdigest())
    zero = b"\r\n" + framing.chunk(0, EMPTY)
    behind = len(zero + framing.trailer(f"{CHECKSUM}:{crc32_text(0)}"))
    send = connection.socket.sendall
    send(framing.head(f"content-length: {len(line) + size + behind}") + line)
    for data in chunks(size):
        state = zlib.crc32(data, state)
        send(data)
    assert connection.ask(zero + framing.trailer(f"{CHECKSUM}:{crc32_text(state)}")).status == 200


def has_arrived(path, size):
    with path.open("rb") as stored:
        return all(stored.read(len(data)) == data for data in chunks(size)) and stored.read(1) == b""


@pytest.mark.parametrize("form", FORMS)
def test_memory_does_not_grow_with_the_upload(form, nginx, bucket):
    url = f"http://127.0.0.1:{nginx.port}"
    upload(url, CHUNK, form)  # so that the worker has started, and has what it needs for any upload
    [idle] = nginx.memory("VmHWM")
    peaks = []
    for size in (SMALL, LARGE):
        upload(url, size, form)
        assert has_arrived(bucket / "object", size)
        peaks += nginx.memory("VmHWM")
    small, large = peaks
    assert large < idle + ROOM
    assert large < small + (1 << 20)
