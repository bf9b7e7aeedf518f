"""Uploads as SDKs send them by default: framed, signed in chunks or with a checksum behind them."""

import base64
import hashlib
import os
import ssl
import subprocess

import boto3
import minio
import pytest
import urllib3
from adapters import AwsCli, Boto3, Minio, S3Error
from botocore.config import Config
from conftest import CLIENT
from servers import Nginx, free_port

BUCKET = "streamed"
SMALL = os.urandom(1000)
LARGE = os.urandom(3 << 20)
MULTIPART = os.urandom(12 << 20)

FRAMINGS = {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
BUFFERING = {"buffered": "", "unbuffered": "proxy_request_buffering off;"}


@pytest.fixture(scope="module")
def authority(folder):
    """A certificate for localhost, by an authority that clients are told of."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=Test CA",
            "-addext", "keyUsage=keyCertSign", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "server.ext", "-out", "server.crt")
    return folder


@pytest.fixture(scope="module")
def doors(authority, origins):
    """HTTPS and HTTP in front of each origin, by origin and buffering; Swift and Ceph do not take it all.

    `ceph, keep` has the other framing, and `ceph, plain` is nginx without the module."""
    framings = {"s3s": "keep", "spare": "decode", "swift": "decode", "ceph": "decode", "ceph, keep": "keep"}
    blocks = [
        "client_max_body_size 0;",
        "log_format kinds '$server_port $http_x_amz_content_sha256'; access_log kinds.log kinds;",
        f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};",
        f"ssl_certificate {authority}/server.crt; ssl_certificate_key {authority}/server.key;",
    ]
    doors = {}

    def door(name, address, directives):
        for buffering, settings in BUFFERING.items():
            http, https = free_port(), free_port()
            doors[name, buffering] = (f"http://127.0.0.1:{http}", f"https://localhost:{https}")
            blocks.append(
                f"server {{ listen 127.0.0.1:{http}; listen 127.0.0.1:{https} ssl; location / {{ {directives} "
                f'proxy_http_version 1.1; proxy_set_header Connection ""; {settings} proxy_pass http://{address}; }} }}'
            )

    for number, (name, framing) in enumerate(framings.items()):
        origin = origins[name.partition(",")[0]]
        line = origin.s3_origin().replace(";", f" framing={framing};")
        blocks.append(f"upstream u{number} {{ server {origin.address}; keepalive 4; {line} }}")
        door(name, f"u{number}", "s3_resign on;")
    door("ceph, plain", origins["ceph"].address, "proxy_set_header Host $http_host;")
    port = int(doors["s3s", "buffered"][0].rsplit(":", 1)[1])
    with Nginx(authority / "nginx-chunked", "\n".join(blocks), port) as nginx:
        yield doors
        log = nginx.error_log.read_text(errors="replace")
        kinds = [line.split() for line in (nginx.folder / "kinds.log").read_text().splitlines()]
    assert not [line for line in log.splitlines() if "[alert]" in line or "exited on signal" in line]
    # Or else nothing was tried here.
    assert {kind for _, kind in kinds if kind.startswith("STREAMING-")} == FRAMINGS


class SecureBoto3(Boto3):
    """As it comes: over HTTPS a checksum follows the body."""

    def __init__(self, door, folder, authority, known=CLIENT):
        super().__init__(door[1], known, folder)
        self.s3 = boto3.client(
            "s3", endpoint_url=door[1], region_name=known.region, verify=str(authority / "ca.crt"),
            aws_access_key_id=known.access_key, aws_secret_access_key=known.secret_key,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )


class SecureAwsCli(AwsCli):
    def __init__(self, door, folder, authority):
        super().__init__(door[1], CLIENT, folder)
        self.environment["AWS_CA_BUNDLE"] = str(authority / "ca.crt")


class PlainMinio(Minio):
    """Over HTTP it signs what it can."""

    def __init__(self, door, folder, authority):
        super().__init__(door[0], CLIENT, folder)


class SecureMinio(Minio):
    def __init__(self, door, folder, authority):
        context = ssl.create_default_context(cafile=str(authority / "ca.crt"))
        self.s3 = minio.Minio(
            door[1].removeprefix("https://"), access_key=CLIENT.access_key, secret_key=CLIENT.secret_key,
            region=CLIENT.region, http_client=urllib3.PoolManager(retries=False, ssl_context=context),
        )


@pytest.fixture(params=["s3s", "spare", "swift", "ceph"])
def target(request):
    return request.param


@pytest.mark.parametrize("buffering", BUFFERING)
@pytest.mark.parametrize("client", [SecureBoto3, SecureAwsCli, PlainMinio, SecureMinio], ids=lambda c: c.__name__)
def test_what_is_put_is_what_is_got(target, origins, doors, authority, client, buffering, tmp_path):
    origin = origins[target]
    direct = Boto3(origin.url, origin.credentials, tmp_path)
    direct.create_bucket(BUCKET)
    try:
        through = client(doors[target, buffering], tmp_path, authority)
        for key, body in {"empty": b"", "small": SMALL, "large": LARGE}.items():
            through.put(BUCKET, key, body)
            assert direct.get(BUCKET, key) == body
            assert through.get(BUCKET, key) == body
        through.multipart(BUCKET, "parts", MULTIPART)
        assert direct.get(BUCKET, "parts") == MULTIPART
    finally:
        origin.remove_bucket(BUCKET)


@pytest.mark.parametrize("buffering", BUFFERING)
def test_a_backup_comes_back(target, origins, doors, buffering, tmp_path):
    """restic, over HTTP: every chunk is signed."""
    origin = origins[target]
    direct = Boto3(origin.url, origin.credentials, tmp_path)
    direct.create_bucket(BUCKET)
    (tmp_path / "in").mkdir()
    for name, body in {"small": SMALL, "large": LARGE}.items():
        (tmp_path / "in" / name).write_bytes(body)
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "RESTIC_PASSWORD": "x", "AWS_DEFAULT_REGION": CLIENT.region,
        "AWS_ACCESS_KEY_ID": CLIENT.access_key, "AWS_SECRET_ACCESS_KEY": CLIENT.secret_key,
        "RESTIC_REPOSITORY": f"s3:{doors[target, buffering][0]}/{BUCKET}/repository",
    }

    def restic(*words):
        subprocess.run(["restic", "--no-cache", "-o", "s3.bucket-lookup=path", *words],
                       env=environment, cwd=tmp_path, check=True, timeout=60)

    try:
        restic("init")
        restic("backup", "in")
        restic("restore", "latest", "--target", "out")
        for name, body in {"small": SMALL, "large": LARGE}.items():
            assert (tmp_path / "out" / "in" / name).read_bytes() == body
    finally:
        origin.remove_bucket(BUCKET)


@pytest.mark.parametrize("buffering", BUFFERING)
@pytest.mark.parametrize("door", ["ceph, keep", "ceph, plain"])
def test_ceph_refuses_what_is_not_decoded(origins, doors, authority, door, buffering, tmp_path):
    origin = origins["ceph"]
    direct = Boto3(origin.url, origin.credentials, tmp_path)
    direct.create_bucket(BUCKET)
    try:
        known = CLIENT if door == "ceph, keep" else origin.credentials
        through = SecureBoto3(doors[door, buffering], tmp_path, authority, known)
        with pytest.raises(S3Error, match="XAmzContentSHA256Mismatch|MissingContentLength"):
            through.put(BUCKET, "refused", SMALL)
        with pytest.raises(S3Error, match="NoSuchKey"):
            direct.get(BUCKET, "refused")
    finally:
        origin.remove_bucket(BUCKET)


@pytest.mark.parametrize("buffering", BUFFERING)
def test_a_decoded_checksum(origins, doors, authority, buffering, tmp_path):
    """Where the body is there before the head is sent, the origin gets it as a header and keeps it."""
    origin = origins["spare"]
    direct = Boto3(origin.url, origin.credentials, tmp_path)
    direct.create_bucket(BUCKET)
    try:
        SecureBoto3(doors["spare", buffering], tmp_path, authority).put(BUCKET, "summed", LARGE, ChecksumAlgorithm="SHA256")
        found = direct.s3.head_object(Bucket=BUCKET, Key="summed", ChecksumMode="ENABLED")
        expected = base64.b64encode(hashlib.sha256(LARGE).digest()).decode()
        assert found.get("ChecksumSHA256") == (expected if buffering == "buffered" else None)
    finally:
        origin.remove_bucket(BUCKET)
