"""Uploads of which the whole body, or each part, is one chunk: SDKs send them so over HTTPS, whatever its size.

MinIO takes no chunk of more than 16 MiB, so what goes out has others.
"""

import hashlib
import os
import time

import pytest
from adapters import Boto3
from conftest import CLIENT
from programs import Go, Js, JsStreams, parameter
from servers import Credentials, Minio, Nginx, S3sFs, Versitygw, certify, free_port
from uploads import Connection, Signer, Upload

BUCKET = "one-chunk"
MIB = 1 << 20
TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
HASH = "a SHA-256"
KEYS = {S3sFs: "us-west-2", Minio: "eu-west-1", Versitygw: "us-east-1"}
DOORS = [(framing, buffering) for framing in ("keep", "decode") for buffering in ("on", "off")]
BYTES = os.urandom(MIB)
# The client, the bytes of the file and of a part, and what it says of the payload of each request.
SENT = {
    "Go, 17 MiB": (Go, 17 * MIB, 1 << 30, [TRAILER]),
    "Go, 100 MiB": (Go, 100 * MIB, 1 << 30, [TRAILER]),
    "Go, parts of 17 MiB": (Go, 40 * MIB, 17 * MIB, [TRAILER] * 3),
    "Go, parts of 100 MiB": (Go, 101 * MIB, 100 * MIB, [TRAILER] * 2),
    "JavaScript, 20 MiB": (Js, 20 * MIB, 1 << 30, [HASH]),
    "JavaScript, a stream of 20 MiB": (JsStreams, 20 * MIB, 1 << 30, [TRAILER]),
}


class Doors:
    """HTTPS in front of each origin, kept and decoded, buffered and not."""

    def __init__(self, folder, origins):
        self.folder = folder
        self.log = folder / "one-chunk.log"
        self.ports = {}
        blocks = [
            "log_format framing '$http_x_amz_content_sha256 $status $http_x_amz_decoded_content_length $content_length';",
            f"map $s3_operation $is_upload {{ PutObject 1; UploadPart 1; }} access_log {self.log} framing if=$is_upload;",
            f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};",
            f"ssl_certificate {folder}/server.crt; ssl_certificate_key {folder}/server.key;",
        ]
        for number, origin in enumerate(origins.values()):
            for framing, buffering in DOORS:
                name = f"{framing}{number}"
                if buffering == "on":
                    line = origin.s3_origin().replace(";", f" framing={framing};")
                    blocks.append(f"upstream {name} {{ server {origin.address}; keepalive 4; {line} }}")
                port = self.ports[type(origin), framing, buffering] = free_port()
                blocks.append(
                    f"server {{ listen 127.0.0.1:{port} ssl; location / {{ s3_resign on; proxy_http_version 1.1; "
                    f'proxy_set_header Connection ""; proxy_request_buffering {buffering}; proxy_pass http://{name}; }} }}')
        self.nginx = Nginx(folder / "nginx-one-chunk", "\n".join(blocks), next(iter(self.ports.values())))

    def open(self, client, kind, framing, buffering, folder):
        url = f"https://localhost:{self.ports[kind, framing, buffering]}"
        return client(url, CLIENT, folder, str(self.folder / "ca.crt"))

    def requests(self, since, count):
        """Of each of so many uploads by the log from `since` on: what it says of its payload, its status, and how many
        bytes of framing it has. nginx writes a line when the answer is out."""
        deadline = time.monotonic() + 10
        while len(lines := self.log.read_text()[since:].splitlines()) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        for line in lines:
            payload, status, decoded, length = line.split()
            payload = HASH if len(payload) == 64 else payload
            yield payload, status, int(length) - int(decoded) if decoded != "-" and length != "-" else None


@pytest.fixture(scope="module")
def servers(folder):
    origins = {}
    for kind, region in KEYS.items():
        if getattr(kind, "binary", lambda: "there")():
            origin = kind(folder / f"one-{kind.__name__}", Credentials("AKIDORIGIN", "originSecret", region))
            origins[kind] = origin.__enter__()
    yield origins
    for origin in origins.values():
        origin.__exit__()


@pytest.fixture(scope="module")
def doors(folder, servers):
    place = folder / "one-chunk"
    place.mkdir()
    certify(place, "DNS:localhost", "IP:127.0.0.1")
    doors = Doors(place, servers)
    with doors.nginx as nginx:
        yield doors
        log = nginx.error_log.read_text(errors="replace")
    assert not [line for line in log.splitlines() if "[alert]" in line or "exited on signal" in line]


@pytest.fixture(params=KEYS, ids=lambda kind: kind.__name__)
def origin(request, servers):
    """With an empty bucket."""
    if request.param not in servers:
        pytest.skip(f"there is no {request.param.__name__}")
    origin = servers[request.param]
    direct = Boto3(origin.url, origin.credentials, None)
    direct.create_bucket(BUCKET)
    yield origin
    for key in direct.list(BUCKET)[0]:
        direct.delete(BUCKET, key)
    direct.s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture(scope="module", params=[pytest.param(name, marks=parameter(SENT[name][0]).marks) for name in SENT])
def sent(request, tmp_path_factory):
    """A file, and how it is to be sent."""
    client, size, part, payloads = SENT[request.param]
    path = tmp_path_factory.mktemp("sent") / "file"
    with path.open("wb") as file:
        for number in range(size // MIB):
            file.write(number.to_bytes(8, "big") + BYTES[8:])
    yield client, path, part, payloads
    path.unlink()


def digest(file):
    state = hashlib.sha256()
    while data := file.read(MIB):
        state.update(data)
    return state.hexdigest()


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door[0]}, buffering {door[1]}")
def test_a_body_in_one_chunk_arrives(sent, door, origin, doors, tmp_path):
    client, path, part, payloads = sent
    if len(payloads) > 1 and door == ("decode", "off") and type(origin) is not S3sFs:
        pytest.skip("the trailing checksum of a part is lost, and this origin asks for it")
    since = doors.log.stat().st_size
    doors.open(client, type(origin), *door, tmp_path).ask("put", BUCKET, "object", str(path), str(part))
    requests = list(doors.requests(since, len(payloads)))
    assert [(payload, status) for payload, status, _ in requests] == [(payload, "200") for payload in payloads]
    if client is Go:  # which is the one that says how long all of it is
        assert {framing < 100 for _, _, framing in requests} == {True}
    stored = Boto3(origin.url, origin.credentials, None).s3.get_object(Bucket=BUCKET, Key="object")["Body"]
    with path.open("rb") as file:
        assert digest(stored) == digest(file)


@pytest.mark.parametrize("origin", [Minio], indirect=True)
def test_minio_does_not_take_it_by_itself(origin):
    """So it matters how the chunks are cut that it gets."""
    def put(size):
        connection = Connection(origin.url)
        upload = Upload(Signer(origin.url, origin.credentials), f"/{BUCKET}/object", "unsigned", [bytes(size)])
        try:
            return connection.ask(upload.request()).status
        except ConnectionError:  # it closes in the middle of the body, and its answer may be lost
            return 400
        finally:
            connection.close()

    assert put(16 * MIB) == 200
    assert put(16 * MIB + 1) == 400
