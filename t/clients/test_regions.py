"""Clients that ask where a bucket is before they sign for it, in front of an origin in another region.

MinIO rejects whatever is signed for another region than its own, and bases its clients on GetBucketLocation, as all do
that are built on minio-go: mc, Loki, Thanos, restic.
"""

import contextlib
import io
import os
import subprocess
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import boto3
import minio
import pytest
from botocore.config import Config
from conftest import CLIENT
from servers import Credentials, Minio, Nginx, free_port

REGION = "eu-proxy-1"
ORIGIN = Credentials("AKIDREGION", "regionSecret123", "ap-origin-9")
MC = os.environ.get("MC", "")
NEEDS_MC = pytest.mark.skipif(not os.access(MC, os.X_OK), reason="mc is not built")

pytestmark = pytest.mark.skipif(not Minio.binary(), reason="MinIO is not built")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """nginx in front of MinIO, both with a region of their own."""
    folder = tmp_path_factory.mktemp("regions")
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(Minio(folder / "minio", ORIGIN))
        port = free_port()
        http = f"""
            client_max_body_size 0;
            s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
            upstream origin {{ server {origin.address}; {origin.s3_origin()} }}
            server {{ listen 127.0.0.1:{port}; location / {{ s3_resign on; s3_region {REGION}; proxy_pass http://origin; }} }}
        """
        stack.enter_context(Nginx(folder / "nginx", http, port))
        s3 = boto3.client("s3", endpoint_url=origin.url, aws_access_key_id=ORIGIN.access_key,
                          aws_secret_access_key=ORIGIN.secret_key, region_name=ORIGIN.region)
        s3.create_bucket(Bucket="regional", CreateBucketConfiguration={"LocationConstraint": ORIGIN.region})
        yield f"http://127.0.0.1:{port}"


def client(endpoint, region):
    return boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=CLIENT.access_key, aws_secret_access_key=CLIENT.secret_key,
                        region_name=region, config=Config(s3={"addressing_style": "path"}))


@pytest.fixture
def mc(endpoint, tmp_path):
    """Runs mc, which is told of no region, and returns what it says."""

    def run(*arguments, **more):
        command = [MC, "--config-dir", tmp_path, *arguments]
        done = subprocess.run(command, capture_output=True, timeout=60, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("alias", "set", "proxy", endpoint, CLIENT.access_key, CLIENT.secret_key)
    return run


@NEEDS_MC
def test_mc(mc):
    mc("mb", "proxy/by-mc")
    assert b"by-mc" in mc("ls", "proxy")
    mc("pipe", "proxy/regional/mc.txt", input=b"by mc")
    assert mc("cat", "proxy/regional/mc.txt") == b"by mc"
    assert b"mc.txt" in mc("ls", "proxy/regional")


def test_minio_py(endpoint):
    s3 = minio.Minio(urlsplit(endpoint).netloc, CLIENT.access_key, CLIENT.secret_key, secure=False)
    s3.put_object("regional", "minio.txt", io.BytesIO(b"by minio-py"), 11)
    assert s3.get_object("regional", "minio.txt").read() == b"by minio-py"


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", ORIGIN.region, REGION])
def test_boto3_heals_itself(endpoint, region):
    s3 = client(endpoint, region)
    s3.put_object(Bucket="regional", Key=region, Body=b"healed")
    assert s3.get_object(Bucket="regional", Key=region)["Body"].read() == b"healed"
    assert s3.head_bucket(Bucket="regional")["BucketRegion"] == REGION
    location = client(endpoint, "us-east-1").get_bucket_location(Bucket="regional")
    assert location["LocationConstraint"] == REGION


@pytest.mark.parametrize("more", [{}, {"CreateBucketConfiguration": {"LocationConstraint": REGION}}], ids=["without", "with"])
def test_boto3_creates_a_bucket(endpoint, more):
    name = f"by-boto3-{len(more)}"
    s3 = client(endpoint, REGION)
    s3.create_bucket(Bucket=name, **more)
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == REGION
    with pytest.raises(s3.exceptions.ClientError) as refused:
        s3.create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "sa-east-1"})
    assert refused.value.response["Error"]["Code"] == "IllegalLocationConstraintException"


def test_minio_py_creates_a_bucket(endpoint):
    s3 = minio.Minio(urlsplit(endpoint).netloc, CLIENT.access_key, CLIENT.secret_key, secure=False)
    s3.make_bucket("by-minio-py", location=REGION)
    assert s3.bucket_exists("by-minio-py")


def test_who_signs_nothing_is_told(endpoint):
    request = urllib.request.Request(f"{endpoint}/regional", method="HEAD")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.headers["x-amz-bucket-region"] == REGION
