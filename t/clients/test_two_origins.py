"""Two origins that have other names for the buckets, other keys and other regions: clients see one endpoint.

All that is answered is kept, and searched for what is only the origins' business."""

import base64
import binascii
import contextlib
import itertools
import os
import re
import time
from urllib.parse import quote, unquote, urlsplit

import boto3
import pytest
import urllib3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import CLIENT
from servers import Credentials, Minio, Nginx, S3sFs, free_port

pytestmark = pytest.mark.skipif(not Minio.binary(), reason="MinIO is not built")

REGION = "eu-proxy-1"
DOMAIN = "s3.two.test"  # which needs no name server here
KNOWN = Credentials(CLIENT.access_key, CLIENT.secret_key, REGION)
PART = 5 << 20  # the least that MinIO takes
KEY = "a dir/\u00e4+b&c"
BODY = os.urandom(1000)
A_KNOWN = Credentials("AKIDALPHA", "alphaSecret123", "ap-alpha-7")
B_KNOWN = Credentials("AKIDBETA", "betaSecret123", "sa-beta-9")


class Name:
    """What the origins call a bucket of this name."""

    def __init__(self, name):
        self.client = name
        self.a = "alphaentirely" if name == "whole" else f"alpha-{name}"
        self.b = "betaentirely" if name == "whole" else f"{name}.beta"


class Record:
    """All answers to clients, each as (what was asked, status, headers, body)."""

    def __init__(self, *origins):
        self.answers = []
        known = [origin.credentials for origin in origins]
        self.secrets = [
            "alpha-", "alphaentirely", ".beta", "betaentirely", *(f":{origin.port}" for origin in origins),
            *(word for one in known for word in (one.access_key, one.region)),
        ]

    def keep(self, asked, status, headers, body):
        self.answers.append((asked, status, list(headers), body))
        self.check(self.answers[-1])

    def check(self, answer):
        asked, status, headers, body = answer
        whole = b"\n".join([*(f"{name}: {value}".encode() for name, value in headers), body])
        for text in forms(whole):
            found = [secret for secret in self.secrets if secret.lower() in text.lower()]
            assert not found, f"{asked}: {status} tells of {found}: {whole[:2000]}"


def forms(whole):
    """The text as it is, and what can be read in its escapes and in what may be base64."""
    text = whole.decode("utf-8", "replace")
    yield text
    yield unquote(text)
    for word in set(re.findall(r"[A-Za-z0-9+/_-]{16,}", text)):
        word = word.replace("-", "+").replace("_", "/")
        with contextlib.suppress(binascii.Error):
            yield base64.b64decode(word + "=" * (-len(word) % 4)).decode("utf-8", "replace")


class Client:
    """boto3's, whose answers are kept as they come over the connection."""

    def __init__(self, port, record, style="path", attempts=1):
        self.s3 = boto3.client(
            "s3", endpoint_url=f"http://{DOMAIN}:{port}", region_name=REGION, aws_access_key_id=KNOWN.access_key,
            aws_secret_access_key=KNOWN.secret_key,
            config=Config(s3={"addressing_style": style}, retries={"total_max_attempts": attempts}, read_timeout=20))
        self.record = record
        self.last = None
        session = self.s3._endpoint.http_session
        send = session.send

        def recorded(request):
            address = urlsplit(request.url)
            request.headers["Host"] = address.netloc
            request.url = address._replace(netloc=f"127.0.0.1:{port}").geturl()
            answer = send(request)
            # The bytes of an object are the client's own.
            is_object = request.stream_output
            body = b"" if is_object and answer.status_code < 300 else answer.content
            self.last = (answer.status_code, dict(answer.headers), body)
            record.keep(f"{request.method} {request.url}", answer.status_code, answer.headers.items(), body)
            return answer

        session.send = recorded

    def __getattr__(self, operation):
        return getattr(self.s3, operation)

    def refused(self, operation, code, **arguments):
        """Asks, and returns what the error document says."""
        with pytest.raises(ClientError) as error:
            getattr(self.s3, operation)(**arguments)
        said = error.value.response["Error"]
        assert said["Code"] in (code if isinstance(code, tuple) else (code,)), error.value.response
        return said


def direct(origin):
    known = origin.credentials
    return boto3.client("s3", endpoint_url=origin.url, region_name=known.region, aws_access_key_id=known.access_key,
                        aws_secret_access_key=known.secret_key, config=Config(s3={"addressing_style": "path"}))


class Pair:
    """MinIO as A, s3s-fs as B, and ports of one nginx: `a` and `b` for the one of them with the other as a
    backup, `both` for both in turn."""

    def __init__(self, a, b, folder):
        self.a, self.b = a, b
        self.record = Record(a, b)
        self.ports = {name: free_port() for name in ("a", "b", "both")}
        self.log = folder / "two.log"
        maps = [f"s3_bucket_map * alpha-* origin={a.address}; s3_bucket_map whole alphaentirely origin={a.address};",
                f"s3_bucket_map * *.beta origin={b.address}; s3_bucket_map whole betaentirely origin={b.address};"]
        order = {"a": (a, b, "backup"), "b": (b, a, "backup"), "both": (a, b, "")}
        blocks = [
            "client_max_body_size 0;", f"log_format two '$upstream_addr $upstream_status $request_uri'; access_log {self.log} two;",
            f"s3_client {KNOWN.access_key} secret_key={KNOWN.secret_key}; s3_domain {DOMAIN}; s3_region {REGION};",
        ]
        for name, (first, second, backup) in order.items():
            blocks.append(f"""
                upstream {name} {{
                    zone {name} 64k;
                    server {first.address} fail_timeout=1s; server {second.address} fail_timeout=1s {backup};
                    {a.s3_origin()} {b.s3_origin()} {' '.join(maps)}
                }}
                server {{
                    listen 127.0.0.1:{self.ports[name]};
                    location / {{ s3_resign on; proxy_next_upstream error timeout http_503; proxy_pass http://{name}; }}
                }}""")
        self.nginx = Nginx(folder / "nginx", "\n".join(blocks), self.ports["a"])

    def client(self, name, **more):
        return Client(self.ports[name], self.record, **more)

    def asked(self, since=0):
        """The origins of each request, and what was asked for."""
        self.nginx.settle()
        return [line.rsplit(" ", 2) for line in self.log.read_text()[since:].splitlines()]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    with contextlib.ExitStack() as stack:
        a = stack.enter_context(Minio(folder / "a", A_KNOWN))
        b = stack.enter_context(S3sFs(folder / "b", B_KNOWN))
        pair = Pair(a, b, folder)
        stack.enter_context(pair.nginx)
        for name in ("shared", "whole"):
            names = Name(name)
            direct(a).create_bucket(Bucket=names.a, CreateBucketConfiguration={"LocationConstraint": A_KNOWN.region})
            direct(b).create_bucket(Bucket=names.b)
        yield pair
        for answer in pair.record.answers:
            pair.record.check(answer)
        said = pair.nginx.error_log.read_text(errors="replace")
        assert not [line for line in said.splitlines() if "[alert]" in line or "exited on signal" in line]


@pytest.fixture(params=["a", "b"])
def first(request):
    return request.param


@pytest.fixture(params=["path", "virtual"])
def style(request):
    return request.param


@pytest.fixture
def s3(pair, first, style):
    """With a bucket of its own."""
    client = pair.client(first, style=style)
    client.bucket = f"own-{first}-{style}"
    client.create_bucket(Bucket=client.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    client.first, client.style = first, style
    client.url = (f"http://{DOMAIN}:{pair.ports[first]}/{client.bucket}" if style == "path"
                  else f"http://{client.bucket}.{DOMAIN}:{pair.ports[first]}")
    yield client
    origin = pair.a if first == "a" else pair.b
    at = direct(origin)
    name = getattr(Name(client.bucket), first)
    if first == "b":
        origin.remove_bucket(name)
        return
    for item in at.list_object_versions(Bucket=name).get("Versions", []) + at.list_object_versions(Bucket=name).get("DeleteMarkers", []):
        at.delete_object(Bucket=name, Key=item["Key"], VersionId=item["VersionId"])
    at.delete_bucket(Bucket=name)


def test_buckets(s3, pair):
    at = direct(getattr(pair, s3.first)).list_buckets()["Buckets"]
    assert getattr(Name(s3.bucket), s3.first) in {bucket["Name"] for bucket in at}
    listed = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert {s3.bucket, "shared", "whole"} <= set(listed)
    assert [bucket["Name"] for bucket in s3.list_buckets(Prefix="who")["Buckets"]] == ["whole"]
    assert s3.head_bucket(Bucket=s3.bucket)["BucketRegion"] == REGION
    assert s3.get_bucket_location(Bucket=s3.bucket)["LocationConstraint"] == REGION
    said = s3.refused("create_bucket", ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"), Bucket=s3.bucket,
                      CreateBucketConfiguration={"LocationConstraint": REGION})
    assert said.get("BucketName", s3.bucket) == s3.bucket
    said = s3.refused("list_objects_v2", "NoSuchBucket", Bucket="nowhere")
    assert said.get("BucketName", "nowhere") == "nowhere"
    s3.refused("get_bucket_policy", "NotImplemented", Bucket=s3.bucket)
    s3.refused("get_bucket_replication", "NotImplemented", Bucket=s3.bucket)
    new = f"new-{s3.first}-{s3.style}"
    made = s3.create_bucket(Bucket=new, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert new in made.get("Location", new)
    s3.put_object(Bucket=new, Key="k", Body=b"")
    if s3.first == "a":  # s3s-fs deletes what is in it too
        s3.refused("delete_bucket", "BucketNotEmpty", Bucket=new)
    s3.delete_object(Bucket=new, Key="k")
    s3.delete_bucket(Bucket=new)
    s3.refused("head_bucket", "404", Bucket=new)
    for operation, more in (("put_bucket_tagging", {"Tagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}), ("delete_bucket_tagging", {}),
                            ("put_bucket_cors", {"CORSConfiguration": {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}})):
        with contextlib.suppress(ClientError):
            getattr(s3, operation)(Bucket=s3.bucket, **more)
    for operation in ("get_bucket_cors", "get_bucket_tagging", "get_bucket_lifecycle_configuration", "get_bucket_encryption",
                      "get_bucket_acl", "get_bucket_notification_configuration", "get_object_lock_configuration",
                      "get_bucket_versioning", "get_bucket_website", "get_public_access_block", "get_bucket_ownership_controls",
                      "get_bucket_accelerate_configuration", "get_bucket_request_payment"):
        with contextlib.suppress(ClientError):  # that an origin does not know, or that is not set
            getattr(s3, operation)(Bucket=s3.bucket)


def test_objects(s3, pair):
    where = {"Bucket": s3.bucket, "Key": KEY}
    put = s3.put_object(**where, Body=BODY, Metadata={"of": "mine"})
    assert s3.get_object(**where)["Body"].read() == BODY
    assert s3.head_object(**where)["ContentLength"] == len(BODY)
    s3.copy_object(Bucket="shared", Key=f"copy-{s3.style}", CopySource=where)
    s3.copy_object(Bucket=s3.bucket, Key="back", CopySource={"Bucket": "shared", "Key": f"copy-{s3.style}"})
    assert s3.get_object(Bucket=s3.bucket, Key="back")["Body"].read() == BODY
    s3.refused("get_object", "NoSuchKey", Bucket=s3.bucket, Key="no")
    s3.refused("head_object", "404", Bucket=s3.bucket, Key="no")
    if s3.first == "a":  # s3s-fs knows no conditions
        s3.refused("get_object", "PreconditionFailed", **where, IfMatch='"0"')
    s3.refused("copy_object", ("NoSuchKey", "NoSuchBucket"), **where, CopySource={"Bucket": s3.bucket, "Key": "no"})
    s3.refused("copy_object", ("NoSuchKey", "NoSuchBucket"), **where, CopySource={"Bucket": "nowhere", "Key": "no"})
    for operation, more in (("get_object_attributes", {"ObjectAttributes": ["ETag", "ObjectSize"]}), ("get_object_tagging", {}),
                            ("put_object_tagging", {"Tagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}), ("get_object_acl", {}),
                            ("get_object_retention", {}), ("get_object_legal_hold", {}), ("delete_object_tagging", {})):
        with contextlib.suppress(ClientError):
            getattr(s3, operation)(**where, **more)
    done = s3.delete_objects(Bucket=s3.bucket, Delete={"Objects": [{"Key": KEY}, {"Key": "back"}, {"Key": "no"}]})
    assert {KEY, "back"} <= {one["Key"] for one in done["Deleted"]}
    s3.put_object(**where, Body=b"")
    s3.delete_object(**where)
    assert put["ETag"]


def test_lists(s3):
    keys = [f"d{n}/k" for n in range(5)]
    for key in keys:
        s3.put_object(Bucket=s3.bucket, Key=key, Body=b"x")
    for operation in ("list_objects", "list_objects_v2"):
        pages = list(s3.get_paginator(operation).paginate(Bucket=s3.bucket, PaginationConfig={"PageSize": 2}))
        assert len(pages) == 3
        assert {page["Name"] for page in pages} == {s3.bucket}
        assert [item["Key"] for page in pages for item in page["Contents"]] == keys
    if s3.first == "b":
        s3.delete_objects(Bucket=s3.bucket, Delete={"Objects": [{"Key": key} for key in keys]})
        return
    s3.put_bucket_versioning(Bucket=s3.bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=s3.bucket)["Status"] == "Enabled"
    for key in keys[:2]:
        s3.put_object(Bucket=s3.bucket, Key=key, Body=b"y")
    s3.delete_object(Bucket=s3.bucket, Key=keys[0])
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=s3.bucket, PaginationConfig={"PageSize": 2}))
    assert {page["Name"] for page in pages} == {s3.bucket} and len(pages) > 2
    assert sum(len(page.get("Versions", [])) for page in pages) == 7
    version = s3.get_object(Bucket=s3.bucket, Key=keys[1])["VersionId"]
    assert s3.get_object(Bucket=s3.bucket, Key=keys[1], VersionId=version)["Body"].read() == b"y"


def test_multipart(s3, pair):
    key = f"parts/{KEY}"  # of its own: s3s-fs forgets no checksum with the bucket
    where = {"Bucket": s3.bucket, "Key": key}
    s3.put_object(Bucket=s3.bucket, Key="source", Body=bytes(PART))
    began = s3.create_multipart_upload(**where)
    assert (began["Bucket"], began["Key"]) == (s3.bucket, key)
    upload = {**where, "UploadId": began["UploadId"]}
    parts = [
        s3.upload_part_copy(**upload, PartNumber=1, CopySource={"Bucket": s3.bucket, "Key": "source"})["CopyPartResult"]["ETag"],
        s3.upload_part(**upload, PartNumber=2, Body=BODY)["ETag"],
    ]
    listed = list(s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 1}))
    assert {(page["Bucket"], page["Key"], page["UploadId"]) for page in listed} == {(s3.bucket, key, began["UploadId"])}
    s3.refused("list_parts", "NoSuchUpload", Bucket=s3.bucket, Key="another", UploadId=began["UploadId"])
    s3.refused("upload_part", "NoSuchUpload", Bucket="shared", Key=key, UploadId=began["UploadId"], PartNumber=1, Body=b"")
    if s3.first == "a":  # s3s-fs looks at no ETag
        s3.refused("complete_multipart_upload", "InvalidPart", **upload,
                   MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"' + "0" * 32 + '"'}]})
    whole = {"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(parts, 1)]}
    done = s3.complete_multipart_upload(**upload, MultipartUpload=whole)
    assert (done["Bucket"], done["Key"]) == (s3.bucket, key)
    assert done.get("Location", f"{s3.url}/{quote(key)}").startswith(s3.url)
    assert s3.get_object(**where)["Body"].read() == bytes(PART) + BODY
    if s3.first == "a":  # s3s-fs lists none
        pages_of_uploads(s3)
    other = s3.create_multipart_upload(**where)
    s3.abort_multipart_upload(**where, UploadId=other["UploadId"])
    if s3.first == "a":  # s3s-fs lists none
        s3.refused("list_parts", "NoSuchUpload", **where, UploadId=other["UploadId"])


def pages_of_uploads(s3):
    """By their markers; MinIO lists those of one key only."""
    begun = [s3.create_multipart_upload(Bucket=s3.bucket, Key="many")["UploadId"] for _ in range(3)]
    pages = list(s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=s3.bucket, Prefix="many", PaginationConfig={"PageSize": 1}))
    assert {page["Bucket"] for page in pages} == {s3.bucket} and len(pages) > 1
    assert sorted(upload["UploadId"] for page in pages for upload in page.get("Uploads", [])) == sorted(begun)
    for upload in begun:
        s3.abort_multipart_upload(Bucket=s3.bucket, Key="many", UploadId=upload)


@pytest.mark.parametrize("status", ["201", "204", "303"])
def test_forms(s3, pair, status):
    fields = {"success_action_redirect": "http://page.test/done"} if status == "303" else {"success_action_status": status}
    post = s3.generate_presigned_post(s3.bucket, f"form-{status}", Fields=fields, Conditions=[fields])
    address = urlsplit(post["url"])
    answer = urllib3.request("POST", address._replace(netloc=f"127.0.0.1:{pair.ports[s3.first]}").geturl(),
                             headers={"Host": address.netloc}, fields={**post["fields"], "file": ("f", BODY)},
                             retries=False, redirect=False)
    pair.record.keep(f"form {status}", answer.status, answer.headers.items(), answer.data)
    assert answer.status == int(status), answer.data
    if status == "201":
        assert f"<Bucket>{s3.bucket}</Bucket>".encode() in answer.data
    if status == "303":
        assert f"bucket={s3.bucket}&" in answer.headers["Location"]


def test_presigned(s3, pair):
    s3.put_object(Bucket=s3.bucket, Key=KEY, Body=BODY)
    for key, status in ((KEY, 200), ("no", 404)):
        address = urlsplit(s3.generate_presigned_url("get_object", Params={"Bucket": s3.bucket, "Key": key}))
        answer = urllib3.request("GET", address._replace(netloc=f"127.0.0.1:{pair.ports[s3.first]}").geturl(),
                                 headers={"Host": address.netloc}, retries=False)
        assert answer.status == status
        pair.record.keep("presigned", status, answer.headers.items(), b"" if status == 200 else answer.data)


def test_uploads_in_turn(pair, tmp_path):
    """What a client sends by itself in parts, from several threads."""
    s3 = pair.client("both")
    body = os.urandom(2 * PART + 77)
    (tmp_path / "file").write_bytes(body)
    began = pair.log.stat().st_size
    for number in range(5):
        s3.upload_file(str(tmp_path / "file"), "whole", f"turn-{number}",
                       Config=TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4,
                                             preferred_transfer_client="classic"))
    kept = [asked for asked, status, _, _ in pair.record.answers if status == 200 and "partNumber=" in asked and "/whole/turn-" in asked]
    assert len(kept) == 15
    origins = {address for address, _, _ in pair.asked(began)}
    assert origins == {pair.a.address, pair.b.address}
    at = [(direct(pair.a), "alphaentirely"), (direct(pair.b), "betaentirely")]
    for number in range(5):
        found = []
        for origin, bucket in at:
            with contextlib.suppress(ClientError):
                found.append(origin.get_object(Bucket=bucket, Key=f"turn-{number}")["Body"].read())
        assert found == [body]


def test_versions_in_turn(pair, tmp_path):
    """A list of versions goes on where it has begun: the other origin's versions are other ones."""
    names, port, versions = Name("versions"), free_port(), []
    with Minio(tmp_path / "other", B_KNOWN) as other:
        for one, bucket in ((pair.a, names.a), (other, names.b)):
            at = direct(one)
            at.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": one.credentials.region})
            at.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
            for key in "k1", "k1", "k1", "k2":
                at.put_object(Bucket=bucket, Key=key, Body=b"x")
            versions.append({item["VersionId"] for item in at.list_object_versions(Bucket=bucket)["Versions"]})
        nginx = Nginx(tmp_path / "nginx", f"""
            s3_client {KNOWN.access_key} secret_key={KNOWN.secret_key}; s3_domain {DOMAIN}; s3_region {REGION};
            upstream both {{
                server {pair.a.address}; server {other.address}; {pair.a.s3_origin()} {other.s3_origin()}
                s3_bucket_map versions {names.a} origin={pair.a.address}; s3_bucket_map versions {names.b} origin={other.address};
            }}
            server {{ listen 127.0.0.1:{port}; location / {{ s3_resign on; proxy_pass http://both; }} }}""", port, workers=1)
        with nginx:
            for _ in range(2):
                pages = Client(port, pair.record).get_paginator("list_object_versions").paginate(
                    Bucket="versions", PaginationConfig={"PageSize": 1})
                # Without end where each goes on at the other one.
                listed = [item["VersionId"] for page in itertools.islice(pages, 9) for item in page.get("Versions", [])]
                assert len(listed) == 4 and set(listed) in versions


def test_an_id_that_is_not_sealed(pair, first):
    """An upload that was begun at the origin goes on here. Before an origin fails below: nobody knows whose it is, so it
    goes to the backup for as long as nginx leaves the first one out."""
    origin, names = (pair.a if first == "a" else pair.b), Name("shared")
    key = f"direct-{first}"
    began = direct(origin).create_multipart_upload(Bucket=getattr(names, first), Key=key)
    s3 = pair.client(first)
    upload = {"Bucket": "shared", "Key": key, "UploadId": began["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=BODY)["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert s3.get_object(Bucket="shared", Key=key)["Body"].read() == BODY


def until_it_goes(ask):
    """nginx leaves out for a second what has failed."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return ask()
        except ClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_failover_in_the_middle(pair, first):
    """Of a multipart upload and of a listing: what one origin has begun, only this one goes on with."""
    origin, other = (pair.a, pair.b) if first == "a" else (pair.b, pair.a)
    for one, bucket in ((pair.a, Name("shared").a), (pair.b, Name("shared").b)):
        for number in range(4):
            direct(one).put_object(Bucket=bucket, Key=f"listed/{number}", Body=b"x")
    s3 = pair.client("both")
    s3_first = pair.client(first)  # begins there; what follows comes in turn
    where = {"Bucket": "shared", "Key": f"big-{first}"}
    upload = {**where, "UploadId": s3_first.create_multipart_upload(**where)["UploadId"]}
    listing = {"Bucket": "shared", "Prefix": "listed/", "MaxKeys": 2}
    token = s3_first.list_objects_v2(**listing)["NextContinuationToken"]
    parts = [os.urandom(PART), os.urandom(PART), os.urandom(10)]
    since = pair.log.stat().st_size
    etags = [s3.upload_part(**upload, PartNumber=1, Body=parts[0])["ETag"]]
    assert [item["Key"] for item in s3.list_objects_v2(**listing, ContinuationToken=token)["Contents"]] == ["listed/2", "listed/3"]
    origin.kill()
    try:
        for client in (s3, s3_first):
            for ask in (lambda: client.upload_part(**upload, PartNumber=2, Body=parts[1]),
                        lambda: client.list_objects_v2(**listing, ContinuationToken=token)):
                with pytest.raises(ClientError) as refused:
                    ask()
                assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (500, 502, 503, 504)
    finally:
        origin.__enter__()
    etags += [until_it_goes(lambda: s3.upload_part(**upload, PartNumber=number, Body=parts[number - 1]))["ETag"] for number in (2, 3)]
    s3.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]})
    names = Name("shared")
    got = direct(origin).get_object(Bucket=getattr(names, first), Key=where["Key"])["Body"].read()
    assert got == b"".join(parts)
    assert len(s3.list_objects_v2(**listing, ContinuationToken=token)["Contents"]) == 2
    assert not [line for line in pair.asked(since) if other.address in line[0]]
