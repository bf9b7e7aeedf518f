"""Presigned URLs and raw requests: what a program without an S3 library sees."""

import dataclasses
import datetime
import http.client
import pathlib
import re
import subprocess
from urllib.parse import quote, urlsplit

import pytest
from adapters import Boto3, S3Error
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from conftest import CLIENT
from keys import PLAIN, SEGMENTS

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUCKET = "presigned"
KEY = "folder/ä b+c%41.txt"
BODY = b"signed, sent, delivered"


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def code(self):
        found = re.search(rb"<Code>(\w+)</Code>", self.body)
        return found and found.group(1).decode()


def fetch(url, method="GET", body=None, **headers):
    """Exactly this request: nothing is encoded, followed or added but Host and Content-Length."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.putrequest(method, url.split(parts.netloc, 1)[1], skip_accept_encoding=True)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


@pytest.fixture
def bucket(site):
    direct = Boto3(site.direct.url, site.direct.credentials, None)
    direct.create_bucket(BUCKET)
    direct.put(BUCKET, KEY, BODY)
    yield direct
    site.origin.remove_bucket(BUCKET)


def presign(endpoint, method="get_object", version="s3v4", seconds=60, **more):
    s3 = Boto3(endpoint.url, endpoint.credentials, None, signature_version=version).s3
    return s3.generate_presigned_url(method, Params={"Bucket": BUCKET, "Key": KEY, **more}, ExpiresIn=seconds)


def sign_s3(endpoint, *options, key=KEY, version="4"):
    said = subprocess.run(
        [ROOT / "target/release/sign_s3", "-v", version, *options, endpoint.url,
         endpoint.credentials.access_key, endpoint.credentials.secret_key, BUCKET, key],
        check=True, capture_output=True, text=True, timeout=10)
    return said.stdout.strip()


def test_get_answers_with_the_same_headers(site, bucket):
    ours, theirs = fetch(presign(site.proxy)), fetch(presign(site.direct))
    assert (ours.status, ours.body) == (theirs.status, theirs.body) == (200, BODY)
    for answer in (ours, theirs):  # these differ from one answer to the next, or are each server's own
        for name in ("date", "server", "connection", "x-amz-request-id", "x-amz-id-2", "x-trans-id", "x-openstack-request-id"):
            answer.headers.pop(name, None)
    assert ours.headers == theirs.headers


def test_range_and_response_headers(site, bucket):
    url = presign(site.proxy, ResponseContentType="text/x-asked+for; a=b")
    answer = fetch(url, Range="bytes=2-5")
    assert (answer.status, answer.body) == (206, BODY[2:6])
    assert answer.headers["content-type"] == "text/x-asked+for; a=b"
    assert answer.headers["content-range"] == f"bytes 2-5/{len(BODY)}"


@pytest.mark.parametrize("variant", ["default", "unbuffered", "closing"])
def test_put(site, bucket, variant):
    assert fetch(presign(site.proxied[variant], "put_object"), "PUT", b"new").status == 200
    assert bucket.get(BUCKET, KEY) == b"new"


def test_delete_and_head(site, bucket):
    head = fetch(presign(site.proxy, "head_object"), "HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(BODY)), b"")
    assert fetch(presign(site.proxy, "delete_object"), "DELETE").status == 204
    assert fetch(presign(site.proxy)).code == "NoSuchKey"


@pytest.mark.parametrize("key", [*PLAIN, *SEGMENTS])
def test_odd_keys(sites, key):
    swift = sites["swift"]
    direct = Boto3(swift.direct.url, swift.direct.credentials, None)
    direct.create_bucket(BUCKET)
    try:
        assert fetch(presign(swift.proxy, "put_object", Key=key), "PUT", BODY).status == 200
        assert direct.get(BUCKET, key) == BODY
        assert fetch(sign_s3(swift.proxy, key=key)).body == BODY
    finally:
        swift.origin.remove_bucket(BUCKET)


def test_sign_s3(site, bucket):
    assert fetch(sign_s3(site.proxy)).body == BODY
    assert fetch(sign_s3(site.proxy, "--region", "")).body == BODY
    assert fetch(sign_s3(site.proxy, "--method", "PUT"), "PUT", b"by hand").status == 200
    assert fetch(sign_s3(site.proxied["v2"], version="2")).body == b"by hand"
    assert fetch(sign_s3(site.proxy), "DELETE").code == "SignatureDoesNotMatch"


def test_curl(site, bucket, tmp_path):
    url = sign_s3(site.proxy)
    assert subprocess.run(["curl", "-fsS", "--max-time", "10", url], check=True, capture_output=True).stdout == BODY


def test_version_2(site, bucket):
    on, off = site.proxied["v2"], site.proxy
    url = presign(on, version="s3")
    assert "AWSAccessKeyId=" in url
    assert fetch(url).body == BODY
    assert fetch(url.replace("Signature=", "Signature=A")).code == "SignatureDoesNotMatch"
    refused = fetch(presign(off, version="s3"))
    assert (refused.status, refused.code) == (400, "InvalidRequest")
    library = Boto3(on.url, on.credentials, None, signature_version="s3")  # in the Authorization header
    library.put(BUCKET, KEY, b"two")
    assert library.get(BUCKET, KEY) == bucket.get(BUCKET, KEY) == b"two"
    assert BUCKET in [found["Name"] for found in library.s3.list_buckets()["Buckets"]]
    # Of a bucket it signs another path than it sends, which the origins do not take either.
    itself = Boto3(site.direct.url, site.direct.credentials, None, signature_version="s3")
    for either in (library, itself):
        with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
            either.list(BUCKET)


@pytest.mark.parametrize("change", [
    lambda url: url.replace("folder/", "folder./"),
    lambda url: url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"),
    lambda url: url + "&versionId=null",
    lambda url: url + "&acl",
    lambda url: re.sub("Signature=.", lambda found: "Signature=" + ("0" if found[0][-1] != "0" else "1"), url),
], ids=["key", "expiry", "version", "subresource", "signature"])
def test_tampered(site, bucket, change):
    url = presign(site.proxy)
    assert fetch(url).status == 200
    assert change(url) != url
    answer = fetch(change(url))
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert answer.headers["content-type"].startswith("application/xml")


def test_unsigned_header_that_copies(site, bucket):
    url = presign(site.proxy, "put_object", Key="target")
    answer = fetch(url, "PUT", b"", x_amz_copy_source=f"/{BUCKET}/{quote(KEY)}")
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert bucket.list(BUCKET, "target") == ([], [])


def test_expired(site, bucket):
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=120)
    answer = fetch(sign_at(then, "GET", f"{site.proxy.url}/{BUCKET}/{quote(KEY)}", seconds=60))
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"expired" in answer.body


def sign_at(when, method, url, seconds):
    """A URL presigned at another time than now."""
    signer = S3SigV4QueryAuth(
        BotoCredentials(CLIENT.access_key, CLIENT.secret_key), "s3", CLIENT.region, expires=seconds)
    request = AWSRequest(method, url)
    stamp = when.strftime("%Y%m%dT%H%M%SZ")
    request.context["timestamp"] = stamp
    signer._modify_request_before_signing(request)
    canonical = signer.canonical_request(request)
    return f"{request.url}&X-Amz-Signature={signer.signature(signer.string_to_sign(request, canonical), request)}"


def test_signed_long_ago_within_its_expiry(site, bucket):
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=2)
    assert fetch(sign_at(then, "GET", f"{site.proxy.url}/{BUCKET}/{quote(KEY)}", seconds=3 * 3600)).body == BODY


def test_unsigned(site, bucket):
    answer = fetch(f"{site.proxy.url}/{BUCKET}/{quote(KEY)}")
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert fetch(f"{site.proxy.url}/{BUCKET}/{quote(KEY)}", "HEAD").body == b""
