"""Current SDKs, each as it is by default, and stores that cannot read what these send."""

import base64
import contextlib
import hashlib
import os

import pytest
from adapters import Boto3, Crt, S3Error, attempt
from botocore.exceptions import ClientError
from conftest import CLIENT
from programs import Go, JsStreams, Rust, parameter
from servers import Nginx, certify, free_port

BUCKET = "dialects"
BODY = os.urandom(100_000)
PARTS = os.urandom(6 << 20)
LIFECYCLE = {"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "a"}, "Expiration": {"Days": 1}}]}
BUFFERING = {"buffered": "", "unbuffered": "proxy_request_buffering off;"}
STORES = ("ceph", "swift")


@pytest.fixture(scope="module")
def doors(folder, origins):
    """By store, dialect or not, and buffering, over HTTPS: there the SDKs send trailing checksums."""
    certify(folder, "DNS:localhost", "IP:127.0.0.1")
    ports, blocks = {}, [
        "client_max_body_size 0;",
        f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};",
        f"ssl_certificate {folder}/server.crt; ssl_certificate_key {folder}/server.key;",
    ]
    for name in STORES:
        for dialect in ("", f" dialect={name}"):
            upstream = f"{name}{len(dialect)}"
            line = origins[name].s3_origin().replace(";", f"{dialect};")
            blocks.append(f"upstream {upstream} {{ server {origins[name].address}; {line} }}")
            for buffering, settings in BUFFERING.items():
                port = ports[name, bool(dialect), buffering] = free_port()
                blocks.append(f"server {{ listen 127.0.0.1:{port} ssl; location / {{ s3_resign on; {settings} "
                              f"proxy_http_version 1.1; proxy_pass http://{upstream}; }} }}")
    port = free_port()
    blocks.append(f"server {{ listen 127.0.0.1:{port}; }}")
    with Nginx(folder / "nginx-dialects", "\n".join(blocks), port):
        yield ports


@pytest.fixture(params=STORES)
def store(request, origins):
    direct = Boto3(origins[request.param].url, origins[request.param].credentials, None)
    direct.create_bucket(BUCKET)
    yield request.param
    origins[request.param].remove_bucket(BUCKET)


@pytest.fixture
def reads_all(store, origins):
    """The store is one of today, which needs no dialect: with one it has to work, too."""
    return origins[store].reads_current_sdks


def opened(client, doors, folder, tmp_path, store, dialect, buffering):
    url = f"https://localhost:{doors[store, dialect, buffering]}"
    return client(url, CLIENT, tmp_path, str(folder / "ca.crt"))


def uploads(s3):
    s3.put(BUCKET, "key", BODY)
    assert s3.get(BUCKET, "key") == BODY


def parts(s3):
    where = {"Bucket": BUCKET, "Key": "parts"}
    upload = s3._call("create_multipart_upload", **where, ChecksumAlgorithm="CRC32")["UploadId"]
    halves = PARTS[:5 << 20], PARTS[5 << 20:]
    tags = [s3._call("upload_part", **where, UploadId=upload, PartNumber=number, Body=half, ChecksumAlgorithm="CRC32")
            for number, half in enumerate(halves, 1)]
    done = [{"PartNumber": number, "ETag": tag["ETag"]} for number, tag in enumerate(tags, 1)]
    s3._call("complete_multipart_upload", **where, UploadId=upload, MultipartUpload={"Parts": done})
    assert s3.get(BUCKET, "parts") == PARTS


def deletes(s3):
    answer = s3._call("delete_objects", Bucket=BUCKET, Delete={"Objects": [{"Key": "none"}, {"Key": "nothing"}]})
    assert "Errors" not in answer


def configures(s3):
    s3._call("put_bucket_lifecycle_configuration", Bucket=BUCKET, LifecycleConfiguration=LIFECYCLE)


# What of a current boto3 each rejects without its dialect, unless it is one of today.
REJECTED = {"ceph": {uploads, parts}, "swift": {uploads, parts, deletes}}


@pytest.mark.parametrize("buffering", BUFFERING)
@pytest.mark.parametrize("step", [uploads, parts, deletes, configures], ids=lambda step: step.__name__)
def test_boto3(step, buffering, store, reads_all, doors, folder, tmp_path):
    if (store, step) == ("swift", configures):
        pytest.skip("Swift has no such operation")
    without = opened(Boto3, doors, folder, tmp_path, store, False, buffering)
    if step in REJECTED[store] and not reads_all:
        with pytest.raises(S3Error):
            step(without)
    else:
        step(without)
    step(opened(Boto3, doors, folder, tmp_path, store, True, buffering))


@pytest.mark.parametrize("buffering", BUFFERING)
@pytest.mark.parametrize("client", [parameter(client) for client in (Go, JsStreams, Rust)],
                         ids=lambda value: getattr(value, "__name__", value))
def test_other_sdks(client, buffering, store, reads_all, doors, folder, tmp_path):
    tree, fetched = tmp_path / "tree", tmp_path / "fetched"
    tree.mkdir()
    (tree / "key").write_bytes(BODY)
    without = attempt(opened(client, doors, folder, tmp_path, store, False, buffering).upload_tree, tree, BUCKET)
    assert reads_all or without and "refused" in without
    through = opened(client, doors, folder, tmp_path, store, True, buffering)
    through.upload_tree(tree, BUCKET)
    through.download_tree(BUCKET, fetched)
    assert (fetched / "key").read_bytes() == BODY


@pytest.mark.parametrize("buffering", BUFFERING)
def test_a_checksum_that_the_store_does_not_look_at(buffering, store, doors, folder, tmp_path):
    s3 = opened(Boto3, doors, folder, tmp_path, store, True, buffering)
    right = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"").digest()).decode()
    s3.put(BUCKET, "right", BODY, ChecksumSHA256=right)
    with pytest.raises(S3Error) as caught:
        s3.put(BUCKET, "wrong", BODY, ChecksumSHA256=wrong)
    assert caught.value.code == "BadDigest"
    assert s3.list(BUCKET)[0] == ["right"]


def test_awscrt_in_parts(store, reads_all, doors, folder, tmp_path):
    """It tells the parts' checksums again in the document that completes the upload."""
    tree, fetched = tmp_path / "tree", tmp_path / "fetched"
    tree.mkdir()
    (tree / "key").write_bytes(PARTS * 3)
    with contextlib.nullcontext() if reads_all else pytest.raises(ClientError):
        opened(Crt, doors, folder, tmp_path, store, False, "buffered").upload_tree(tree, BUCKET)
    through = opened(Crt, doors, folder, tmp_path, store, True, "buffered")
    through.upload_tree(tree, BUCKET)
    through.download_tree(BUCKET, fetched)
    assert (fetched / "key").read_bytes() == PARTS * 3
