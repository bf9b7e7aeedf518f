"""An upload far larger than memory: all of it arrives, and the worker needs no more for it than for a small one.

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
    with Nginx(folder / f"nginx-large-{framing}-{buffering}", f"""
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


def upload(url, size):
    """Makes, signs and sends it chunk by chunk, and the checksum behind it."""
    framing = Framing(Signer(url, CLIENT), f"/{BUCKET}/object", "signed-trailer", size)
    state = 0
    connection = Connection(url, timeout=300)
    send = connection.socket.sendall
    send(framing.head("transfer-encoding: chunked"))
    for data in chunks(size):
        state = zlib.crc32(data, state)
        line = framing.chunk(len(data), hashlib.sha256(data).hexdigest())
        send(transfer_chunk(line + data + b"\r\n"))
    send(transfer_chunk(framing.chunk(0, EMPTY) + framing.trailer(f"{CHECKSUM}:{crc32_text(state)}")))
    assert connection.ask(transfer_chunk(b"")).status == 200
    connection.close()


def has_arrived(path, size):
    with path.open("rb") as stored:
        return all(stored.read(len(data)) == data for data in chunks(size)) and stored.read(1) == b""


def test_memory_does_not_grow_with_the_upload(nginx, bucket):
    url = f"http://127.0.0.1:{nginx.port}"
    upload(url, CHUNK)  # so that the worker has started, and has what it needs for any upload
    [idle] = nginx.memory("VmHWM")
    peaks = []
    for size in (SMALL, LARGE):
        upload(url, size)
        assert has_arrived(bucket / "object", size)
        peaks += nginx.memory("VmHWM")
    small, large = peaks
    assert large < idle + ROOM
    assert large < small + (1 << 20)
