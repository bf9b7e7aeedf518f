"""nginx's own errors, as boto3 and the AWS CLI read them: each has a code of S3's, and what may go well later is
tried again."""

import os
import re
import urllib.error
import urllib.request

import boto3
import pytest
from adapters import AwsCli, S3Error
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import CLIENT
from servers import Credentials, Nginx, S3sFs, free_port

BUCKET = "errors"
BODY = os.urandom(3 << 20)

# Status of nginx's, and what a client reads: code and status.
KINDS = {
    400: ("BadRequest", 400),
    403: ("AccessDenied", 403),
    404: ("NoSuchKey", 404),
    405: ("MethodNotAllowed", 405),
    412: ("PreconditionFailed", 412),
    413: ("EntityTooLarge", 400),
    414: ("RequestHeaderSectionTooLarge", 400),
    416: ("InvalidRange", 416),
    429: ("SlowDown", 429),
    431: ("RequestHeaderSectionTooLarge", 400),
    500: ("InternalError", 500),
    501: ("NotImplemented", 501),
    502: ("InternalError", 502),
    503: ("ServiceUnavailable", 503),
    504: ("InternalError", 504),
}
TRIED_AGAIN = {429, 500, 502, 503, 504}


@pytest.fixture(scope="module")
def door(folder):
    """Nothing here says how long bodies may be."""
    port = free_port()
    with S3sFs(folder / "s3s-errors", Credentials("AKIDORIGINE", "originSecretE", "us-east-1")) as origin:
        block = "\n".join([
            "limit_req_zone $host zone=limited:1m rate=30r/m;",
            f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};",
            f"upstream u {{ server {origin.address}; {origin.s3_origin()} }}",
            f"upstream dead {{ server 127.0.0.1:{free_port()}; s3_origin default access_key=a secret_key=b; }}",
            f"server {{ listen 127.0.0.1:{port}; s3_resign on; ignore_invalid_headers off;",
            "large_client_header_buffers 4 16k;",
            "location / { proxy_pass http://u; proxy_buffer_size 16k; proxy_buffers 8 16k; }",
            *(f"location = /{BUCKET}/{status} {{ return {status}; }}" for status in KINDS),
            f"location = /{BUCKET}/dead {{ proxy_pass http://dead; }}",
            f"location = /{BUCKET}/small {{ client_max_body_size 10; proxy_pass http://u; }}",
            f"location = /{BUCKET}/limited {{ limit_req zone=limited; proxy_pass http://u; }} }}",
        ])
        with Nginx(folder / "nginx-errors", block, port) as nginx:
            yield f"http://127.0.0.1:{port}"
            log = nginx.error_log.read_text(errors="replace")
    assert not [line for line in log.splitlines() if "[alert]" in line or "exited on signal" in line]


def client(url, tries, mode="standard"):
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=CLIENT.access_key,
        aws_secret_access_key=CLIENT.secret_key,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": tries, "mode": mode}))


@pytest.fixture(scope="module")
def bucket(door):
    through = client(door, 1)
    through.create_bucket(Bucket=BUCKET)
    yield through
    for key in ("large", "limited", "metadata"):
        client(door, 8).delete_object(Bucket=BUCKET, Key=key)
    through.delete_bucket(Bucket=BUCKET)


@pytest.mark.parametrize("mode", ["standard", "legacy"])
@pytest.mark.parametrize("status", KINDS)
def test_each_kind_is_read(door, status, mode):
    tries = 2 if status in (429, 503) else 1
    with pytest.raises(ClientError) as caught:
        client(door, tries, mode).get_object(Bucket=BUCKET, Key=str(status))
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == KINDS[status]
    assert answer["ResponseMetadata"]["HostId"] and answer["ResponseMetadata"]["RequestId"]
    assert answer["ResponseMetadata"]["RetryAttempts"] == (tries - 1 if status in TRIED_AGAIN else 0)


@pytest.mark.parametrize("status", [404, 413, 503])
def test_the_cli_reads_it(door, tmp_path, status):
    cli = AwsCli(door, CLIENT, tmp_path)
    with pytest.raises(S3Error) as caught:
        cli.get(BUCKET, str(status))
    assert caught.value.code == KINDS[status][0]


@pytest.mark.parametrize("path", ["503", "key"])
def test_head_and_body_name_one_request(door, path):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{door}/{BUCKET}/{path}")
    body, head = caught.value.read().decode(), caught.value.headers
    assert re.search("<RequestId>(.*)</RequestId>", body).group(1) == head["x-amz-request-id"]
    assert re.search("<HostId>(.*)</HostId>", body).group(1) == head["x-amz-id-2"]


def test_head_has_a_status_alone(door):
    with pytest.raises(ClientError) as caught:
        client(door, 1).head_object(Bucket=BUCKET, Key="503")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_an_origin_that_is_down_is_tried_again(door):
    with pytest.raises(ClientError) as caught:
        client(door, 3).get_object(Bucket=BUCKET, Key="dead")
    answer = caught.value.response
    assert answer["Error"]["Code"] == "InternalError"
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2


def test_bodies_of_any_length(bucket):
    bucket.put_object(Bucket=BUCKET, Key="large", Body=BODY)
    assert bucket.get_object(Bucket=BUCKET, Key="large")["Body"].read() == BODY


def test_a_limit_is_told(bucket):
    with pytest.raises(ClientError) as caught:
        bucket.put_object(Bucket=BUCKET, Key="small", Body=b"x" * 100)
    error = caught.value.response["Error"]
    assert (error["Code"], error["ProposedSize"], error["MaxSizeAllowed"]) == ("EntityTooLarge", "100", "10")


def test_as_much_metadata_as_s3_takes(bucket):
    metadata = {f"m{number}": "v" * 1000 for number in range(2)}
    metadata["long"] = "w" * 5900
    bucket.put_object(Bucket=BUCKET, Key="metadata", Body=b"", Metadata=metadata)
    assert bucket.head_object(Bucket=BUCKET, Key="metadata")["Metadata"] == metadata


def test_a_limited_client_comes_again(door, bucket):
    client(door, 8).put_object(Bucket=BUCKET, Key="limited", Body=b"here")
    patient = client(door, 8)
    again = 0
    for _ in range(2):
        answer = patient.get_object(Bucket=BUCKET, Key="limited")
        assert answer["Body"].read() == b"here"
        again += answer["ResponseMetadata"]["RetryAttempts"]
    assert again
