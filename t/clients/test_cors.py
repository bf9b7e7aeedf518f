"""A real browser uploads to presigned URLs and downloads from them, in a page of another origin than theirs. Its preflight is
passed on to a real origin, or answered by nginx (`s3_cors`)."""

import contextlib
import dataclasses
import json

import boto3
import pytest
from botocore.config import Config
from browser import Browser
from conftest import CLIENT, Endpoint
from pages import serving
from servers import Ceph, Credentials, Minio, Nginx, S3sFs, free_port

BUCKET = "pages"


class MinioForAPage(Minio):
    """It has its rules for all buckets."""

    page = ""

    def command(self):
        return ["/usr/bin/env", f"MINIO_API_CORS_ALLOW_ORIGIN={self.page}", *super().command()]


ORIGINS = {
    "s3s": (S3sFs, Credentials("AKIDORIGINA", "originSecretA", "us-west-2")),
    "minio": (MinioForAPage, Credentials("AKIDORIGINM", "originSecretM", "eu-west-3")),
    "ceph": (Ceph, Credentials("AKIDORIGIND", "originSecretD", "default")),
}


def s3(endpoint):
    known = endpoint.credentials
    return boto3.client(
        "s3", endpoint_url=endpoint.url, region_name=known.region, aws_access_key_id=known.access_key,
        aws_secret_access_key=known.secret_key, config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


@dataclasses.dataclass
class Place:
    """An origin with its bucket, a page that may use it, another one, and a browser."""

    name: str
    direct: object
    passed: Endpoint
    answered: Endpoint
    page: str
    stranger: str
    browser: Browser
    log: object
    nginx: Nginx

    def ask(self, page, method, url, **init):
        """What a script in that page gets to see of an answer; None if the browser shows it nothing."""
        self.browser.open(page)
        script = f"""fetch({json.dumps(url)}, {json.dumps({"method": method, **init})}).then(async answer => ({{
            status: answer.status, etag: answer.headers.get("ETag"), meta: answer.headers.get("x-amz-meta-a"),
            text: await answer.text()}}), () => null)"""
        return self.browser.wait_for(script)

    def stored(self):
        listed = self.direct.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [item["Key"] for item in listed]

    def preflights(self):
        self.nginx.settle()
        return [line for line in self.log.read_text().splitlines() if line.startswith("OPTIONS ")]


@pytest.fixture(scope="module", params=ORIGINS)
def place(request, folder):
    kind, credentials = ORIGINS[request.param]
    if kind is MinioForAPage and not Minio.binary():
        pytest.skip("MinIO was not built: there is no Go")
    here = folder / f"cors-{request.param}"
    here.mkdir()
    with contextlib.ExitStack() as stack:
        page, _ = stack.enter_context(serving({"/": "<p>page</p>"}))
        origin = kind(here / "origin", credentials)
        origin.page = page
        stack.enter_context(origin)
        stranger, _ = stack.enter_context(serving({"/": "<p>stranger</p>"}))
        ports = [free_port(), free_port()]
        log = here / "preflights.log"
        nginx = stack.enter_context(Nginx(here / "nginx", f"""
            s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
            s3_resign on;
            client_max_body_size 0;
            log_format preflights '$request_method $status $s3_auth "$upstream_addr"';
            access_log {log} preflights;
            upstream u {{ server {origin.address}; {origin.s3_origin()} }}
            server {{ listen 127.0.0.1:{ports[0]}; location / {{ proxy_pass http://u; }} }}
            server {{
                listen 127.0.0.1:{ports[1]};
                s3_cors origin={page} max_age=0;
                location / {{ proxy_pass http://u; }}
            }}""", ports[0]))
        direct = s3(Endpoint(origin.url, credentials))
        direct.create_bucket(Bucket=BUCKET)
        if kind is Ceph:
            direct.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [{
                "AllowedOrigins": [page], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"],
            }]})
        browser = stack.enter_context(Browser(here))
        passed, answered = [Endpoint(f"http://127.0.0.1:{port}", CLIENT) for port in ports]
        yield Place(request.param, direct, passed, answered, page, stranger, browser, log, nginx)


@pytest.fixture(params=["passed", "answered"])
def way(request):
    return request.param


@pytest.fixture
def knows_pages(place, way):
    """Whether somebody answers preflights: s3s-fs does not know them."""
    return way == "answered" or place.name != "s3s"


@pytest.fixture
def door(place, way):
    for key in place.stored():
        place.direct.delete_object(Bucket=BUCKET, Key=key)
    place.nginx.settle()
    place.log.write_text("")
    return getattr(place, way)


def upload(door, key):
    """A URL, and the headers that were signed for it."""
    parameters = {"Bucket": BUCKET, "Key": key, "ContentType": "text/plain", "Metadata": {"a": "b"}}
    url = s3(door).generate_presigned_url("put_object", Params=parameters)
    return url, {"Content-Type": "text/plain", "x-amz-meta-a": "b"}


def test_a_page_uploads_and_downloads(place, way, door, knows_pages):
    key = "a b%c/ü.txt"
    url, headers = upload(door, key)
    answer = place.ask(place.page, "PUT", url, headers=headers, body="hello")
    auth = [line.split()[2] for line in place.preflights()]
    assert auth == ["preflight"]
    if not knows_pages:
        assert answer is None and place.stored() == []
        return
    assert answer is not None and answer["status"] == 200 and answer["etag"], answer
    found = place.direct.get_object(Bucket=BUCKET, Key=key)
    assert (found["Body"].read(), found["ContentType"], found["Metadata"]) == (b"hello", "text/plain", {"a": "b"})
    assert ('"-"' in place.preflights()[0]) == (way == "answered")

    url = s3(door).generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
    answer = place.ask(place.page, "GET", url)
    assert (answer["status"], answer["text"]) == (200, "hello")
    # With a preflight of its own.
    answer = place.ask(place.page, "GET", url, headers={"X-Requested-With": "page"})
    assert (answer["status"], answer["text"]) == (200, "hello")
    assert len(place.preflights()) == 2
    if way == "answered":
        assert answer["meta"] == "b"


def test_a_page_reads_an_error(place, way, door, knows_pages):
    url, headers = upload(door, "key")
    # Another header than the one that was signed.
    answer = place.ask(place.page, "PUT", url, headers={**headers, "x-amz-meta-a": "c"}, body="hello")
    assert place.stored() == []
    if way == "answered":
        assert answer["status"] == 403 and "<Code>SignatureDoesNotMatch</Code>" in answer["text"]
    else:
        assert answer is None
    url = s3(door).generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "missing"})
    answer = place.ask(place.page, "GET", url)
    if knows_pages:
        assert answer["status"] == 404 and "<Code>NoSuchKey</Code>" in answer["text"]
    else:
        assert answer is None


def test_a_page_that_may_not(place, door):
    place.direct.put_object(Bucket=BUCKET, Key="there", Body=b"secret")
    url, headers = upload(door, "key")
    assert place.ask(place.stranger, "PUT", url, headers=headers, body="hello") is None
    assert place.stored() == ["there"]
    url = s3(door).generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "there"})
    assert place.ask(place.stranger, "GET", url) is None
