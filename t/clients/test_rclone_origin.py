"""rclone as an origin (`rclone serve s3`), which reads all framing, and looks at no checksum."""

import os
import pathlib
import sys

import pytest
from adapters import Boto3, attempt
from conftest import CLIENT
from programs import Go, JsStreams, Rust, parameter
from servers import Credentials, Nginx, Origin, certify, free_port

BUCKET = "rclone"
DOORS = [(framing, buffering) for framing in ("keep", "decode") for buffering in ("on", "off")]
OTHER = {"ChecksumCRC32": "AAAAAA=="}, {"ChecksumXXHASH128": "AAAAAAAAAAAAAAAAAAAAAA=="}


class RcloneServer(Origin):
    """Objects are files below `self.data`."""

    def command(self):
        self.data = self.folder / "data"
        (self.data / BUCKET).mkdir(parents=True)
        key = f"{self.credentials.access_key},{self.credentials.secret_key}"
        return [str(pathlib.Path(sys.executable).parent / "rclone"), "serve", "s3", "--config", os.devnull, "--addr", self.address,
                "--auth-key", key, "--vfs-cache-mode", "off", str(self.data)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The origin's folder, and HTTPS in front of it, where SDKs send trailing checksums."""
    folder = tmp_path_factory.mktemp("rclone")
    certify(folder, "DNS:localhost", "IP:127.0.0.1")
    with RcloneServer(folder / "origin", Credentials("AKIDORIGIN", "originSecret")) as origin:
        ports = {door: free_port() for door in DOORS}
        blocks = [f"upstream {framing} {{ server {origin.address}; {origin.s3_origin().replace(';', f' framing={framing};')} }}"
                  for framing in ("keep", "decode")]
        blocks += [f"server {{ listen 127.0.0.1:{port} ssl; location / {{ s3_resign on; proxy_http_version 1.1; "
                   f"proxy_request_buffering {buffering}; proxy_pass http://{framing}; }} }}"
                   for (framing, buffering), port in ports.items()]
        known = (f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key}; ssl_certificate {folder}/server.crt; "
                 f"ssl_certificate_key {folder}/server.key;")
        with Nginx(folder / "nginx", "\n".join((known, *blocks)), ports["keep", "on"]):
            yield origin.data / BUCKET, ports, str(folder / "ca.crt")


@pytest.fixture(params=DOORS, ids=lambda door: f"{door[0]}, buffering {door[1]}")
def door(request):
    return request.param


@pytest.mark.parametrize("client", [parameter(client) for client in (Boto3, Go, JsStreams, Rust)], ids=lambda client: client.__name__)
def test_uploads_arrive(site, door, client, tmp_path):
    data, ports, ca = site
    path, body = tmp_path / "file", os.urandom(300_000)
    path.write_bytes(body)
    s3 = client(f"https://localhost:{ports[door]}", CLIENT, tmp_path, ca)
    if client is Boto3:
        s3.put(BUCKET, "key", body)
    else:
        s3.ask("put", BUCKET, "key", str(path))
    assert (data / "key").read_bytes() == body
    (data / "key").unlink()


@pytest.mark.parametrize("checksum", OTHER, ids=lambda checksum: next(iter(checksum)))
def test_a_wrong_checksum_in_a_header(site, door, checksum, tmp_path):
    """With framing=decode nginx looks at it, since such an origin may not."""
    data, ports, ca = site
    s3 = Boto3(f"https://localhost:{ports[door]}", CLIENT, tmp_path, ca)
    put = attempt(lambda: s3.put(BUCKET, "wrong", os.urandom(300_000), **checksum))
    if door[0] == "decode":
        assert put == "refused: BadDigest 400"
        assert not (data / "wrong").exists()
    else:
        assert (data / "wrong").exists()
        (data / "wrong").unlink()
