"""Browsers' forms: made by real clients, sent by others and by a real browser, to a real origin."""

import base64
import datetime
import html
import json
import os
import subprocess
import urllib.parse

import boto3
import minio
import pytest
import urllib3
from adapters import Boto3
from botocore.config import Config
from browser import Browser
from conftest import CLIENT, Endpoint
from minio.datatypes import PostPolicy
from pages import serving
from servers import Credentials, Nginx, S3sFs, free_port

BUCKET = "posted"
# Without a carriage return: where one is the last byte that has come, s3s-fs takes no more than 64 KiB at once.
LARGE = os.urandom(3 << 20).replace(b"\r", b"\n")


def signer(endpoint, version="s3v4"):
    known = endpoint.credentials
    return boto3.client(
        "s3", endpoint_url=endpoint.url, region_name=known.region, aws_access_key_id=known.access_key,
        aws_secret_access_key=known.secret_key, config=Config(signature_version=version, s3={"addressing_style": "path"}),
    )


def send(url, fields, body, filename="f.bin"):
    """As `requests` and others do, all of which use urllib3."""
    return urllib3.request("POST", url, fields={**fields, "file": (filename, body)}, retries=False, redirect=False)


# Swift knows no forms. s3s-fs answers before it has read the very end of one, and then closes the
# connection: as likely as not, one kept alive is gone when it is used again.
DOORS = [("s3s", "closing"), ("s3s", "closing, unbuffered"), ("ceph", "default"), ("ceph", "unbuffered"), ("ceph", "closing")]


@pytest.fixture(scope="module", params=DOORS, ids=", ".join)
def name_and_variant(request):
    return request.param


@pytest.fixture(scope="module")
def name(name_and_variant):
    return name_and_variant[0]


@pytest.fixture(scope="module")
def site(name, sites):
    return sites[name]


@pytest.fixture(scope="module")
def door(name_and_variant, site):
    return site.proxied[name_and_variant[1]]


@pytest.fixture
def direct(site, tmp_path):
    direct = Boto3(site.origin.url, site.origin.credentials, tmp_path)
    direct.create_bucket(BUCKET)
    yield direct
    site.origin.remove_bucket(BUCKET)


@pytest.mark.parametrize("body", [b"", b"hello", LARGE], ids=len)
def test_boto3(site, door, direct, body):
    post = signer(door).generate_presigned_post(
        BUCKET, "user/${filename}", Fields={"Content-Type": "image/png", "x-amz-meta-a": "b"},
        Conditions=[["starts-with", "$Content-Type", "image/"], {"x-amz-meta-a": "b"}, ["content-length-range", 0, len(LARGE)]],
    )
    answer = send(post["url"], post["fields"], body, "a b+c%.png")
    assert (answer.status, answer.data) == (204, b"")
    assert direct.get(BUCKET, "user/a b+c%.png") == body
    head = signer(site.direct).head_object(Bucket=BUCKET, Key="user/a b+c%.png")
    assert (head["ContentType"], head["Metadata"]) == ("image/png", {"a": "b"})


@pytest.mark.parametrize("size", [4, 6, len(LARGE)])
def test_of_another_length_than_allowed(site, door, direct, size):
    post = signer(door).generate_presigned_post(BUCKET, "key", Conditions=[["content-length-range", 5, 5]])
    answer = send(post["url"], post["fields"], LARGE[:size])
    assert answer.status == 400 and (b"EntityTooSmall" if size < 5 else b"EntityTooLarge") in answer.data
    assert signer(site.direct).list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    assert send(post["url"], post["fields"], LARGE[:5]).status == 204
    assert direct.get(BUCKET, "key") == LARGE[:5]


@pytest.mark.parametrize("behind", [b"send", b"x" * 50_000], ids=len)
def test_fields_behind_the_file(door, direct, behind):
    """As a browser sends a button's that is there; they stay here."""
    post = signer(door).generate_presigned_post(BUCKET, "key")
    answer = urllib3.request("POST", post["url"], fields=[*post["fields"].items(), ("file", ("f.bin", LARGE)), ("submit", behind)],
                             retries=False)
    assert answer.status == 204, answer.data
    assert direct.get(BUCKET, "key") == LARGE


@pytest.mark.parametrize("name_and_variant", [("ceph", "v2")], ids=", ".join, indirect=True)
def test_boto3_v2(site, door, direct):
    post = signer(door, "s3").generate_presigned_post(BUCKET, "old.txt")
    assert "AWSAccessKeyId" in post["fields"]
    answer = send(post["url"], post["fields"], b"old")
    assert answer.status == 204, answer.data
    assert direct.get(BUCKET, "old.txt") == b"old"
    assert send(f"{site.proxy.url}/{BUCKET}", post["fields"], b"old").status == 400


def test_minio(door, direct):
    known = door.credentials
    client = minio.Minio(door.url.removeprefix("http://"), access_key=known.access_key,
                         secret_key=known.secret_key, secure=False, region=known.region)
    policy = PostPolicy(BUCKET, datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5))
    policy.add_starts_with_condition("key", "mine/")
    policy.add_content_length_range_condition(1, 1 << 20)
    fields = client.presigned_post_policy(policy)
    answer = send(f"{door.url}/{BUCKET}", {"key": "mine/a", **fields}, b"minio")
    assert answer.status == 204, answer.data
    assert direct.get(BUCKET, "mine/a") == b"minio"
    assert send(f"{door.url}/{BUCKET}", {"key": "yours/a", **fields}, b"minio").status == 403


@pytest.mark.parametrize("announced", ["announced", "chunked"])
def test_curl(door, direct, tmp_path, announced):
    """Which escapes names in its own way, and need not tell the length ahead."""
    head = ["-H", "Transfer-Encoding: chunked"] if announced == "chunked" else []
    (tmp_path / "it's; a=1, \"file\".bin").write_bytes(LARGE)
    post = signer(door).generate_presigned_post(
        BUCKET, "curl/file", Fields={"success_action_status": "201"}, Conditions=[{"success_action_status": "201"}])
    fields = [word for name, value in post["fields"].items() for word in ("--form-string", f"{name}={value}")]
    answer = subprocess.run(
        ["curl", "-sS", *head, "-w", "\n%{http_code}", *fields,
         "-F", 'file=@"it\'s; a=1, \\"file\\".bin"', post["url"]],
        cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60).stdout
    assert answer.endswith("\n201") and "<Key>curl/file</Key>" in answer, answer
    assert direct.get(BUCKET, "curl/file") == LARGE


@pytest.mark.parametrize("spoil, code", [
    (lambda fields: {**fields, "key": "other"}, b"AccessDenied"),
    (lambda fields: {**fields, "acl": "public-read"}, b"AccessDenied"),
    (lambda fields: {**fields, "x-amz-signature": "0" * 64}, b"SignatureDoesNotMatch"),
    (lambda fields: {**fields, "policy": base64.b64encode(json.dumps(
        {"expiration": "2099-01-01T00:00:00Z", "conditions": [{"bucket": BUCKET}]}).encode()).decode()}, b"SignatureDoesNotMatch"),
], ids=["key", "acl", "signature", "policy"])
def test_what_is_tampered_with_is_refused(site, door, direct, spoil, code):
    post = signer(door).generate_presigned_post(BUCKET, "key")
    answer = send(post["url"], spoil(post["fields"]), b"hello")
    assert answer.status == 403 and code in answer.data
    assert signer(site.direct).list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_the_origin_goes_by_the_policy_too(site, direct):
    """Or else that it takes what was written for it would show nothing."""
    post = signer(site.direct).generate_presigned_post(BUCKET, "key")
    for more in {"acl": "private"}, {"key": "other"}, {"x-amz-signature": "0" * 64}:
        assert send(post["url"], {**post["fields"], **more}, b"hello").status in (400, 403)
    assert send(post["url"], post["fields"], b"hello").status == 204


def form_page(post):
    hidden = "".join(f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
                     for name, value in post["fields"].items())
    return (f'<!DOCTYPE html><form action="{html.escape(post["url"])}" method="post" enctype="multipart/form-data">{hidden}'
            '<input type="file" name="file"><input type="submit" name="submit" value="send"></form>')


def test_a_browser(site, door, direct, tmp_path):
    photo = tmp_path / "Grüße 1+1% “so”.jpg"
    photo.write_bytes(LARGE)
    pages = {"/done": "<p>thank you</p>"}
    with serving(pages) as (url, asked), Browser(tmp_path) as browser:
        redirect = {"success_action_redirect": f"{url}/done"}
        post = signer(door).generate_presigned_post(
            BUCKET, "photos/${filename}", Fields=redirect, Conditions=[redirect, ["content-length-range", 1, 5 << 20]])
        pages["/form"] = form_page(post)
        browser.open(f"{url}/form")
        browser.choose_file("[type=file]", photo)
        browser.click("[type=submit]")
        address, text = browser.page()
        assert address.startswith(f"{url}/done?") and text == "thank you"
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
        assert query["bucket"] == BUCKET and query["key"] == f"photos/{photo.name}"
        assert direct.get(BUCKET, f"photos/{photo.name}") == LARGE

        post["fields"]["key"] = "elsewhere/${filename}"
        pages["/form"] = form_page(post)
        asked.clear()
        browser.open(f"{url}/form")
        browser.choose_file("[type=file]", photo)
        browser.click("[type=submit]")
        address, text = browser.page()
        assert address == post["url"] and "AccessDenied" in text and "Policy Condition failed" in text
        assert not [path for path in asked if path.startswith("/done")]
        assert signer(site.direct).list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


@pytest.fixture(params=["on", "off"])
def buffering(request):
    return request.param


def test_a_large_file(folder, buffering):
    """As large as 64 MiB: without buffering, neither memory nor a file holds more of it than of a small one."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with S3sFs(folder / f"s3s-form-{buffering}", Credentials("AKIDORIGIN", "originSecret", "us-west-2")) as origin, Nginx(
            folder / f"nginx-form-{buffering}", f"""
            client_max_body_size 0;
            s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
            upstream u {{ server {origin.address}; {origin.s3_origin()} }}
            server {{
                listen 127.0.0.1:{port};
                location / {{ s3_resign on; proxy_pass http://u; proxy_request_buffering {buffering}; }}
            }}""", port, workers=1) as nginx:
        (origin.data / BUCKET).mkdir()
        post = signer(Endpoint(url, CLIENT)).generate_presigned_post(BUCKET, "key")
        peaks = []
        # The first, so that the worker has started, and has what it needs for any form.
        for pieces in (0, 1, 64):
            data = [bytes([64 + n]) * (1 << 20) for n in range(pieces)]
            body, content_type = urllib3.encode_multipart_formdata({**post["fields"], "file": ("f.bin", b"<file>")})
            start, end = body.split(b"<file>")
            answer = urllib3.request(
                "POST", post["url"], body=iter([start, *data, end]), retries=False,
                headers={"Content-Type": content_type, "Content-Length": str(len(start) + len(end) + (pieces << 20))})
            assert answer.status == 204, answer.data
            with (origin.data / BUCKET / "key").open("rb") as stored:
                assert all(stored.read(1 << 20) == piece for piece in data) and stored.read(1) == b""
            peaks += nginx.memory("VmHWM")
        log = nginx.error_log.read_text()
    idle, small, large = peaks
    assert large < idle + (2 << 20) and large < small + (1 << 18)
    assert ("is buffered to a temporary file" in log) == (buffering == "on")
