"""Uploads over HTTP and HTTPS, in every form in which clients send them."""

import base64
import concurrent.futures
import hashlib
import io
import logging
import os
import re

import pytest
import urllib3
from adapters import PART, AwsCli, Boto3, Boto3WhenRequired, Crt, Minio, Rclone, Restic, S3cmd, S3Error, attempt
from conftest import CLIENT
from keepers import Kopia, Registry, S3fs
from programs import Go, Java, JavaCrt, JavaNetty, Js, JsStreams, MinioGo, Rust, parameter
from servers import Credentials, Nginx, certify, free_port

BUCKET = "uploads"
FILES = {
    "empty": b"",
    "small": os.urandom(1000),
    "large": os.urandom((3 << 20) + 7),
    "parts": os.urandom((12 << 20) + 1),  # for each client more than it sends in one piece
}
READER = Credentials("AKIDREADER", "readerSecret", CLIENT.region)
BUFFERING = {"buffered": "", "unbuffered": "proxy_request_buffering off;"}

HASH = "a SHA-256"
UNSIGNED = "UNSIGNED-PAYLOAD"
CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

# What each announces in x-amz-content-sha256, over HTTP and over HTTPS.
SENDS = {
    Boto3: ({HASH}, {TRAILER}),
    Boto3WhenRequired: ({HASH}, {HASH}),
    Crt: ({TRAILER}, {TRAILER}),
    AwsCli: ({HASH}, {TRAILER}),
    S3cmd: ({HASH}, {HASH}),
    Minio: ({HASH}, {UNSIGNED}),
    Rclone: ({HASH, UNSIGNED}, {UNSIGNED}),
    Restic: ({CHUNKS}, {UNSIGNED}),
    Js: ({HASH}, {HASH}),
    JsStreams: ({TRAILER}, {TRAILER}),
    Rust: ({CHUNKS_TRAILER}, {TRAILER}),
    Go: ({HASH}, {TRAILER, UNSIGNED}),  # the empty one has no trailer
    MinioGo: ({CHUNKS}, {UNSIGNED}),
    Java: ({CHUNKS_TRAILER}, {TRAILER}),
    JavaNetty: ({TRAILER}, {TRAILER}),
    JavaCrt: ({TRAILER}, {TRAILER}),
    Kopia: ({CHUNKS}, {UNSIGNED}),
    Registry: ({HASH}, {HASH}),
    S3fs: ({HASH}, {HASH}),
}
OWN_FORMATS = {Restic, Kopia, Registry}  # what they put into a bucket is not the files as they are
PAIRS = [*((target, client) for target in ("s3s", "ceph") for client in SENDS), ("swift", Boto3), ("swift", Minio)]
PAIRS.remove(("s3s", Registry))  # which needs ListMultipartUploads
ONE_BY_ONE = {Boto3, Boto3WhenRequired, Minio, S3cmd}  # fetch file by file


@pytest.fixture(scope="module")
def authority(folder):
    """A certificate for localhost, by an authority that clients are told of."""
    certify(folder, "DNS:localhost", "IP:127.0.0.1")
    return folder


class Doors:
    """HTTP and HTTPS in front of each origin, buffered and not; Swift and Ceph do not take all framing.

    `ceph, keep` has the other framing, and `ceph, plain` is nginx without the module."""

    framings = {"s3s": "keep", "spare": "decode", "swift": "decode", "ceph": "decode", "ceph, keep": "keep"}

    def __init__(self, folder, origins):
        self.folder = folder
        self.log = folder / "uploads.log"
        self.ports = {}
        self.blocks = [
            "client_max_body_size 0;",
            "log_format uploads '$server_port $s3_operation $http_x_amz_content_sha256 $status';",
            f"access_log {self.log} uploads;",
            f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};",
            f"s3_client {READER.access_key} secret_key={READER.secret_key} allow=read;",
            f"ssl_certificate {folder}/server.crt; ssl_certificate_key {folder}/server.key;",
        ]
        for number, (name, framing) in enumerate(self.framings.items()):
            origin = origins[name.partition(",")[0]]
            line = origin.s3_origin().replace(";", f" framing={framing};")
            self.blocks.append(f"upstream u{number} {{ server {origin.address}; keepalive 4; {line} }}")
            self.add(name, f"u{number}", "s3_resign on;")
        self.add("ceph, plain", origins["ceph"].address, "proxy_set_header Host $http_host;")

    def add(self, name, address, directives):
        for buffering, settings in BUFFERING.items():
            http, https = free_port(), free_port()
            self.ports |= {(name, buffering, "http"): http, (name, buffering, "https"): https}
            self.blocks.append(
                f"server {{ listen 127.0.0.1:{http}; listen 127.0.0.1:{https} ssl; location / {{ {directives} "
                f'proxy_http_version 1.1; proxy_set_header Connection ""; {settings} proxy_pass http://{address}; }} }}'
            )

    def nginx(self):
        return Nginx(self.folder / "nginx-uploads", "\n".join(self.blocks), next(iter(self.ports.values())))

    def open(self, client, name, buffering, scheme, folder, credentials=CLIENT):
        # By its address over HTTP, where a name would be looked up for IPv6 too.
        host = "localhost" if scheme == "https" else "127.0.0.1"
        ca = str(self.folder / "ca.crt") if scheme == "https" else None
        return client(f"{scheme}://{host}:{self.ports[name, buffering, scheme]}", credentials, folder, ca)

    def kinds(self, name, buffering, scheme, since):
        """In which forms uploads have come in, each at the first try, by the log from `since` on."""
        port = str(self.ports[name, buffering, scheme])
        self.started.settle()
        lines = [line.split() for line in self.log.read_text()[since:].splitlines()]
        uploads = [(kind, status) for where, operation, kind, status in lines
                   if where == port and operation in ("PutObject", "UploadPart")]
        assert {status for _, status in uploads} == {"200"}
        return {re.sub("^[0-9a-f]{64}$", HASH, kind) for kind, _ in uploads}


@pytest.fixture(scope="module")
def doors(authority, origins):
    doors = Doors(authority, origins)
    with doors.nginx() as doors.started:
        nginx = doors.started
        yield doors
        log = nginx.error_log.read_text(errors="replace")
    assert not [line for line in log.splitlines() if "[alert]" in line or "exited on signal" in line]


class Bucket:
    """One at an origin, with a client that goes there directly."""

    def __init__(self, origin):
        self.origin = origin
        self.direct = Boto3(origin.url, origin.credentials, None)

    def __enter__(self):
        self.direct.create_bucket(BUCKET)
        return self.direct

    def __exit__(self, *_):
        self.origin.remove_bucket(BUCKET)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("buffering", BUFFERING)
@pytest.mark.parametrize("target, client", [parameter(*pair) for pair in PAIRS],
                         ids=lambda value: getattr(value, "__name__", value))
def test_what_is_put_is_what_is_got(target, client, buffering, scheme, origins, doors, tmp_path):
    tree, fetched = tmp_path / "tree", tmp_path / "fetched"
    tree.mkdir()
    for name, body in FILES.items():
        (tree / name).write_bytes(body)
    before = doors.log.stat().st_size
    with Bucket(origins[target]) as direct:
        through = doors.open(client, target, buffering, scheme, tmp_path)
        through.upload_tree(tree, BUCKET)
        if client not in OWN_FORMATS:
            assert {key: direct.get(BUCKET, key) for key in FILES} == FILES
        if client in ONE_BY_ONE:
            assert {key: through.get(BUCKET, key) for key in FILES} == FILES
        else:
            through.download_tree(BUCKET, fetched)
            assert {path.name: path.read_bytes() for path in fetched.iterdir()} == FILES
    assert doors.kinds(target, buffering, scheme, before) == SENDS[client][scheme == "https"]


def part(number):
    return FILES["parts"][number:number + PART]


def many_parts(s3):
    """12 parts, 8 at a time, the last ones first."""
    where = {"Bucket": BUCKET, "Key": "many"}
    upload = s3._call("create_multipart_upload", **where)["UploadId"]

    def put(number):
        return s3._call("upload_part", **where, UploadId=upload, PartNumber=number, Body=part(number))["ETag"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tags = dict(zip(range(12, 0, -1), pool.map(put, range(12, 0, -1)), strict=True))
    listed = s3._call("list_parts", **where, UploadId=upload)["Parts"]
    done = sorted((item["PartNumber"], item["Size"]) for item in listed)  # s3s-fs has them in any order
    parts = [{"PartNumber": number, "ETag": tags[number]} for number in range(1, 13)]
    s3._call("complete_multipart_upload", **where, UploadId=upload, MultipartUpload={"Parts": parts})
    return [*done, tags, s3.head(BUCKET, "many")[:2], hashlib.sha256(s3.get(BUCKET, "many")).hexdigest()]


def copied_parts(s3):
    """One part is a range of another object, one is a whole object."""
    for key in ("large", "parts"):
        s3.put(BUCKET, key, FILES[key])
    where = {"Bucket": BUCKET, "Key": "copied"}
    upload = s3._call("create_multipart_upload", **where)["UploadId"]
    parts = []
    for number, (key, span) in enumerate([("parts", {"CopySourceRange": f"bytes=1-{PART}"}), ("large", {})], 1):
        answer = s3._call("upload_part_copy", **where, UploadId=upload, PartNumber=number, **span,
                          CopySource={"Bucket": BUCKET, "Key": key})
        parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    s3._call("complete_multipart_upload", **where, UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get(BUCKET, "copied") == part(1) + FILES["large"]
    return parts, s3.head(BUCKET, "copied")[:2]


def aborted(s3):
    """Of an upload that was given up nothing is left."""
    where = {"Bucket": BUCKET, "Key": "aborted"}
    upload = s3._call("create_multipart_upload", **where)["UploadId"]
    tag = s3._call("upload_part", **where, UploadId=upload, PartNumber=1, Body=part(1))["ETag"]
    s3._call("abort_multipart_upload", **where, UploadId=upload)
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    return [
        tag,
        attempt(lambda: s3._call("list_parts", **where, UploadId=upload).get("Parts", [])),
        attempt(lambda: s3._call("list_multipart_uploads", Bucket=BUCKET).get("Uploads", [])),
        attempt(lambda: s3._call("complete_multipart_upload", **where, UploadId=upload, MultipartUpload=parts)),
        attempt(s3.get, BUCKET, "aborted"),
    ]


@pytest.mark.parametrize("buffering", BUFFERING)
@pytest.mark.parametrize("target", ["s3s", "ceph"])
@pytest.mark.parametrize("scenario", [many_parts, copied_parts, aborted], ids=lambda scenario: scenario.__name__)
def test_multipart(scenario, target, buffering, origins, doors, tmp_path):
    before = doors.log.stat().st_size
    with Bucket(origins[target]) as direct:
        expected = scenario(direct)
    with Bucket(origins[target]):
        assert scenario(doors.open(Boto3, target, buffering, "https", tmp_path)) == expected
    assert doors.kinds(target, buffering, "https", before) >= {TRAILER}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("buffering", BUFFERING)
def test_nothing_but_a_verified_head_is_answered_100(buffering, scheme, origins, doors, tmp_path, caplog, monkeypatch):
    waits = urllib3.util.wait_for_read
    monkeypatch.setattr(urllib3.util, "wait_for_read", lambda sock, _one_second: waits(sock, 30))
    caplog.set_level(logging.DEBUG, "botocore.awsrequest")

    def put(credentials):
        caplog.clear()
        doors.open(Boto3, "s3s", buffering, scheme, tmp_path, credentials).put(BUCKET, "key", io.BytesIO(FILES["large"]))

    with Bucket(origins["s3s"]) as direct:
        put(CLIENT)
        assert "100 Continue response seen" in caplog.text
        assert direct.get(BUCKET, "key") == FILES["large"]
        with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
            put(Credentials(CLIENT.access_key, "another", CLIENT.region))
        assert "NOT sending request body" in caplog.text


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("buffering", BUFFERING)
def test_a_rejected_upload_does_not_take_the_next_request_with_it(origins, doors, buffering, scheme, tmp_path):
    """The body that is announced is withheld, and what comes next may not be taken for it."""
    with Bucket(origins["s3s"]) as direct:
        direct.put(BUCKET, "key", FILES["small"])
        reader = doors.open(Boto3, "s3s", buffering, scheme, tmp_path, READER)
        for name in ("small", "large"):
            with pytest.raises(S3Error, match="AccessDenied"):
                reader.put(BUCKET, "another", FILES[name])
            assert reader.get(BUCKET, "key") == FILES["small"]
            with pytest.raises(S3Error, match="AccessDenied"):
                reader.put(BUCKET, "another", io.BytesIO(FILES[name]))
            assert reader.list(BUCKET) == (["key"], [])


@pytest.mark.parametrize("buffering", BUFFERING)
@pytest.mark.parametrize("door", ["ceph, keep", "ceph, plain"])
def test_ceph_refuses_what_is_not_decoded(origins, doors, door, buffering, tmp_path):
    origin = origins["ceph"]
    if origin.version >= 18:
        pytest.skip("this Ceph takes such uploads")
    with Bucket(origin) as direct:
        known = CLIENT if door == "ceph, keep" else origin.credentials
        through = doors.open(Boto3, door, buffering, "https", tmp_path, known)
        with pytest.raises(S3Error, match="XAmzContentSHA256Mismatch|MissingContentLength"):
            through.put(BUCKET, "refused", FILES["small"])
        with pytest.raises(S3Error, match="NoSuchKey"):
            direct.get(BUCKET, "refused")


@pytest.mark.parametrize("buffering", BUFFERING)
def test_a_decoded_checksum(origins, doors, buffering, tmp_path):
    """Where the body is there before the head is sent, the origin gets it as a header and keeps it."""
    with Bucket(origins["spare"]) as direct:
        through = doors.open(Boto3, "spare", buffering, "https", tmp_path)
        through.put(BUCKET, "summed", FILES["large"], ChecksumAlgorithm="SHA256")
        found = direct.s3.head_object(Bucket=BUCKET, Key="summed", ChecksumMode="ENABLED")
        expected = base64.b64encode(hashlib.sha256(FILES["large"]).digest()).decode()
        assert found.get("ChecksumSHA256") == (expected if buffering == "buffered" else None)


@pytest.mark.parametrize("buffering", BUFFERING)
@pytest.mark.parametrize("name", ["s3s", "spare"])
@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "XXHASH3", "XXHASH64", "XXHASH128"])
def test_every_checksum(origins, doors, algorithm, name, buffering, tmp_path):
    """As botocore computes them, with awscrt, in a trailer. It computes no MD5."""
    with Bucket(origins[name]) as direct:
        since = doors.log.stat().st_size
        through = doors.open(Boto3, name, buffering, "https", tmp_path)
        through.put(BUCKET, algorithm, FILES["large"], ChecksumAlgorithm=algorithm)
        assert direct.get(BUCKET, algorithm) == FILES["large"]
        doors.started.settle()
        assert "STREAMING-UNSIGNED-PAYLOAD-TRAILER" in doors.log.read_text()[since:]
