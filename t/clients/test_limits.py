"""The example of limits for each key: a client that is told to slow down tries again and gets through, and another key
is not disturbed."""

import concurrent.futures
import pathlib
import re
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from servers import Credentials, Nginx, S3sFs, free_port

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "nginx/examples/limits-by-key.conf"
ORIGIN = Credentials("AKIDORIGIN", "originSecret123", "us-east-1")
BUSY, CALM = Credentials("AKIDAPP", "busySecret123"), Credentials("AKIDBATCH", "calmSecret123")
MANY = 16


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("limits")
    port = free_port()
    http = re.search(r"^http \{\n(.*)^\}", EXAMPLE.read_text(), re.MULTILINE | re.DOTALL)[1]
    with S3sFs(folder / "origin", ORIGIN) as origin:
        for was, here in (
            ("rate=50r/s", "rate=2r/s"), ("burst=100", "burst=4"), ("listen 8080", f"listen 127.0.0.1:{port}"),
            ("127.0.0.1:9000", origin.address), ("env:ORIGIN_ACCESS_KEY", ORIGIN.access_key),
            ("env:ORIGIN_SECRET_KEY", ORIGIN.secret_key), ("file:/etc/nginx/s3/admin", BUSY.secret_key),
            ("file:/etc/nginx/s3/backup", CALM.secret_key), ("AKIDBATCH 2m", "AKIDBATCH 256k"),
        ):
            assert was in http
            http = http.replace(was, here)
        with Nginx(folder / "nginx", http, port) as nginx:
            yield f"http://127.0.0.1:{port}"
            said = nginx.error_log.read_text(errors="replace")
            assert not [line for line in said.splitlines() if "[alert]" in line or "exited on signal" in line]


def s3_of(url, known, attempts=1):
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=known.access_key,
                        aws_secret_access_key=known.secret_key,
                        config=Config(s3={"addressing_style": "path"}, max_pool_connections=20, read_timeout=30,
                                      retries={"mode": "standard", "total_max_attempts": attempts}))


def test_who_asks_for_too_much_tries_again_and_gets_through(url):
    impatient, patient, calm = s3_of(url, BUSY), s3_of(url, BUSY, attempts=20), s3_of(url, CALM)
    calm.create_bucket(Bucket="bucket")
    calm.put_object(Bucket="bucket", Key="k", Body=b"x")
    with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
        def refused(number):
            try:
                impatient.put_object(Bucket="bucket", Key=str(number), Body=b"x")
            except ClientError as error:
                return error.response
            return None

        # However slow the machine is: until it asks for too much.
        said, end = [], time.monotonic() + 120
        while not said:
            assert time.monotonic() < end
            said = [answer for answer in pool.map(refused, range(MANY)) if answer]
        for answer in said:
            assert answer["Error"]["Code"] == "SlowDown"
            told = answer["ResponseMetadata"]
            assert told["HTTPStatusCode"] == 503 and told["HTTPHeaders"]["retry-after"] == "1"

        waiting = [pool.submit(patient.put_object, Bucket="bucket", Key=f"again {number}", Body=b"x") for number in range(MANY)]
        # Meanwhile another key, at less than its own rate.
        while not all(one.done() for one in waiting):
            assert calm.get_object(Bucket="bucket", Key="k")["Body"].read() == b"x"
            time.sleep(1)
        answers = [one.result()["ResponseMetadata"] for one in waiting]
    assert any(answer["RetryAttempts"] for answer in answers)
    keys = {item["Key"] for item in calm.list_objects_v2(Bucket="bucket")["Contents"]}
    assert {f"again {number}" for number in range(MANY)} <= keys


def test_bandwidth_is_that_of_the_key(url):
    busy, calm = s3_of(url, BUSY, attempts=12), s3_of(url, CALM, attempts=12)
    busy.create_bucket(Bucket="large")
    busy.put_object(Bucket="large", Key="k", Body=b"x" * (768 << 10))

    def seconds(s3):
        began = time.monotonic()
        assert len(s3.get_object(Bucket="large", Key="k")["Body"].read()) == 768 << 10
        return time.monotonic() - began

    # 768 KiB at 256 KiB a second: 2 s at the least, since nginx lets the first second's share go at once.
    assert seconds(calm) > 1.5
    # Which nothing makes faster, but a busy machine may make anything slower.
    assert any(seconds(busy) < 1.5 for _ in range(20))
