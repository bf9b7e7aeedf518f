"""Browsers' forms: made by real clients, sent by others and by a real browser, to a real origin."""

import base64
import contextlib
import datetime
import html
import http.server
import json
import os
import subprocess
import threading
import urllib.parse

import boto3
import minio
import pytest
import urllib3
from adapters import Boto3
from botocore.config import Config
from browser import Browser
from minio.datatypes import PostPolicy

BUCKET = "posted"
LARGE = os.urandom(3 << 20)


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
DOORS = {"s3s": ["closing", "closing, unbuffered"], "ceph": ["default", "unbuffered", "closing"]}


@pytest.fixture(scope="module", params=DOORS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def site(name, sites):
    return sites[name]


@pytest.fixture(scope="module")
def door(name, site):
    return site.proxied[DOORS[name][0]]


@pytest.fixture
def direct(site, tmp_path):
    direct = Boto3(site.origin.url, site.origin.credentials, tmp_path)
    direct.create_bucket(BUCKET)
    yield direct
    site.origin.remove_bucket(BUCKET)


@pytest.mark.parametrize("body", [b"", b"hello", LARGE], ids=len)
def test_boto3(name, site, direct, body):
    for variant in DOORS[name]:
        post = signer(site.proxied[variant]).generate_presigned_post(
            BUCKET, "user/${filename}", Fields={"Content-Type": "image/png", "x-amz-meta-a": "b"},
            Conditions=[["starts-with", "$Content-Type", "image/"], {"x-amz-meta-a": "b"}, ["content-length-range", 0, len(LARGE)]],
        )
        answer = send(post["url"], post["fields"], body, "a b+c%.png")
        assert (answer.status, answer.data) == (204, b"")
        assert direct.get(BUCKET, "user/a b+c%.png") == body
        head = signer(site.direct).head_object(Bucket=BUCKET, Key="user/a b+c%.png")
        assert (head["ContentType"], head["Metadata"]) == ("image/png", {"a": "b"})
        signer(site.direct).delete_object(Bucket=BUCKET, Key="user/a b+c%.png")


@pytest.mark.parametrize("name", ["ceph"], scope="module")
def test_boto3_v2(site, direct):
    post = signer(site.proxied["v2"], "s3").generate_presigned_post(BUCKET, "old.txt")
    assert "AWSAccessKeyId" in post["fields"]
    assert send(post["url"], post["fields"], b"old").status == 204
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


def test_curl(door, direct, tmp_path):
    """Which escapes names in its own way, and here does not know the length ahead."""
    (tmp_path / "it's; a=1, \"file\".bin").write_bytes(LARGE)
    post = signer(door).generate_presigned_post(
        BUCKET, "curl/file", Fields={"success_action_status": "201"}, Conditions=[{"success_action_status": "201"}])
    fields = [word for name, value in post["fields"].items() for word in ("--form-string", f"{name}={value}")]
    answer = subprocess.run(
        ["curl", "-sS", "-H", "Transfer-Encoding: chunked", "-w", "\n%{http_code}", *fields,
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


@contextlib.contextmanager
def serving(pages):
    """HTML by path, from a server of its own; gives its URL and, as they come, the paths asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            page = pages.get(self.path.split("?")[0])
            self.send_response(200 if page else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((page or "none").encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


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
