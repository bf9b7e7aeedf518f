"""SSE-C by the proxy: clients that know nothing of it, and MinIO, which keeps what they store encrypted with the
operator's key and gives it to nobody without."""

import base64
import contextlib
import hashlib
import os
import ssl
import urllib.error
import urllib.request

import boto3
import pytest
from adapters import AwsCli, Boto3, Boto3WhenRequired, Minio as MinioPy, Rclone, S3cmd, S3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import CLIENT
from programs import Mc
from servers import Credentials, Minio, Nginx, S3sFs, Versitygw, certify, free_port

pytestmark = pytest.mark.skipif(not Minio.binary(), reason="MinIO is not built")

ORIGIN = Credentials("AKIDSSEC", "ssecSecret123", "eu-ssec-1")
BUCKETS = ("vault", "archive", "plain")
MARK = b"to be read by nobody " * 40
PART = 5 << 20  # the least that MinIO takes
LARGE = MARK + os.urandom(PART + 1000)
KEYS = {"vault": os.urandom(32), "archive": os.urandom(32), "mine": os.urandom(32)}


class MinioByTls(Minio):
    """MinIO with a certificate, since it takes keys by TLS only."""

    def command(self):
        certs = self.folder / "certs"
        if not certs.exists():
            certs.mkdir()
            certify(certs, "DNS:localhost", "IP:127.0.0.1")
            (certs / "server.crt").rename(certs / "public.crt")
            (certs / "server.key").rename(certs / "private.key")
        command = super().command()
        return [*command[:-1], "--certs-dir", str(certs), command[-1]]

    @property
    def ca(self):
        return self.folder / "certs" / "ca.crt"

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def ready(self):
        context = ssl.create_default_context(cafile=str(self.ca))
        with urllib.request.urlopen(f"{self.url}/minio/health/cluster", timeout=1, context=context) as answer:
            return answer.status == 200


def encoded(name):
    return base64.b64encode(KEYS[name]).decode()


def of_key(name, start=""):
    """The arguments of boto3 for a key."""
    return {f"{start}SSECustomerAlgorithm": "AES256", f"{start}SSECustomerKey": KEYS[name]}


LINES = f"s3_sse_c vault key={encoded('vault')}; s3_sse_c arch* key=env:ARCHIVE_KEY;"
DOORS = {
    "default": f"{LINES} proxy_pass https://kept;",
    "unbuffered": f"{LINES} proxy_request_buffering off; proxy_pass https://kept;",
    "decoded": f"{LINES} proxy_pass https://decoded;",
    "without": "proxy_pass https://kept;",
    "anonymous": f"{LINES} s3_anonymous on; proxy_pass https://kept;",
    # clients have other names for the buckets
    "mapped": f"s3_sse_c box key={encoded('vault')}; s3_bucket_map box vault; s3_bucket_map * *; proxy_pass https://kept;",
    # another key for the same objects
    "wrong": f"s3_sse_c vault key={encoded('mine')}; proxy_pass https://kept;",
    "by http": f"{LINES} proxy_pass http://clear;",
    "cached": f"s3_sse_c vault key={encoded('vault')} cache=on; s3_sse_c archive key=env:ARCHIVE_KEY; proxy_cache c; "
              "proxy_cache_valid 200 1h; add_header X-Cache $upstream_cache_status always; proxy_pass https://kept;",
}


class Site:
    """MinIO and nginx in front of it, with a port for each of DOORS."""

    def __init__(self, origin, clear, ports, nginx):
        self.origin, self.clear, self.nginx = origin, clear, nginx
        self.urls = {door: f"http://127.0.0.1:{port}" for door, port in ports.items()}
        self.direct = client(origin.url, ORIGIN, verify=str(origin.ca))

    def at(self, door):
        return client(self.urls[door], CLIENT)

    def stored(self):
        """All that is on the disk of the origin."""
        data = self.origin.folder / "data"
        return b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file() and ".minio.sys" not in path.parts)


def client(url, known, **more):
    return boto3.client("s3", endpoint_url=url, aws_access_key_id=known.access_key, aws_secret_access_key=known.secret_key,
                        region_name=known.region,
                        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4", retries={"total_max_attempts": 1}), **more)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ssec")
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(MinioByTls(folder / "minio", ORIGIN))
        clear = stack.enter_context(Minio(folder / "clear", ORIGIN))
        ports = {door: free_port() for door in DOORS}
        known = f"access_key={ORIGIN.access_key} secret_key={ORIGIN.secret_key} region={ORIGIN.region}"
        servers = "\n".join(
            f"server {{ listen 127.0.0.1:{port}; location / {{ s3_resign on; {DOORS[door]} }} }}" for door, port in ports.items())
        http = f"""
            client_max_body_size 0;
            proxy_ssl_verify on; proxy_ssl_trusted_certificate {origin.ca};
            proxy_cache_path {folder}/cache keys_zone=c:1m;
            s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
            upstream kept {{ server 127.0.0.1:{origin.port}; keepalive 8;
                s3_origin default {known} host=localhost:{origin.port}; }}
            upstream decoded {{ server 127.0.0.1:{origin.port}; keepalive 8;
                s3_origin default {known} host=localhost:{origin.port} framing=decode; }}
            upstream clear {{ server {clear.address}; s3_origin default {known}; }}
            {servers}
        """
        os.environ["ARCHIVE_KEY"] = encoded("archive")
        nginx = stack.enter_context(Nginx(folder / "nginx", http, next(iter(ports.values()))))
        site = Site(origin, clear, ports, nginx)
        for bucket in BUCKETS:
            site.direct.create_bucket(Bucket=bucket)
        yield site
        log = nginx.error_log.read_text(errors="replace")
    for name in KEYS:
        md5 = base64.b64encode(hashlib.md5(KEYS[name]).digest()).decode()
        assert encoded(name) not in log and md5 not in log
    # Its certificate is verified, and what is on this machine needs none.
    assert "whoever can pretend" not in log


def code(call, **arguments):
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return raised.value.response["Error"]["Code"], raised.value.response["ResponseMetadata"]["HTTPStatusCode"]


def check_stored(site, bucket, key, body, name=None):
    """At the origin it is readable with the key, and not without, nor with another one."""
    where = {"Bucket": bucket, "Key": key}
    name = name or bucket
    assert site.direct.get_object(**where, **of_key(name))["Body"].read() == body
    assert code(site.direct.get_object, **where)[1] == 400
    other = next(other for other in KEYS if other != name)
    assert code(site.direct.get_object, **where, **of_key(other))[1] in (400, 403)


def without_key(answer):
    """The answer, which must not tell of a key."""
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert not [name for name in headers if "customer" in name], headers
    return answer


@pytest.mark.parametrize("door", ["default", "unbuffered", "decoded"])
def test_objects(site, door):
    s3, where = site.at(door), {"Bucket": "vault", "Key": f"{door}/a b+c"}
    without_key(s3.put_object(**where, Body=MARK, Metadata={"a": "b"}))
    answer = without_key(s3.get_object(**where))
    assert answer["Body"].read() == MARK and answer["Metadata"] == {"a": "b"}
    assert without_key(s3.get_object(**where, Range="bytes=3-5"))["Body"].read() == MARK[3:6]
    assert without_key(s3.head_object(**where))["ContentLength"] == len(MARK)
    listed = s3.list_objects_v2(Bucket="vault", Prefix=door)["Contents"]
    assert [item["Size"] for item in listed] == [len(MARK)]
    without_key(s3.get_object_attributes(**where, ObjectAttributes=["ObjectSize", "Checksum"]))
    check_stored(site, **{"bucket": "vault", "key": where["Key"], "body": MARK})
    s3.put_object(Bucket="archive", Key=door, Body=MARK)
    check_stored(site, "archive", door, MARK)
    s3.put_object(Bucket="plain", Key=door, Body=door.encode())
    assert site.direct.get_object(Bucket="plain", Key=door)["Body"].read() == door.encode()
    s3.delete_object(**where)
    assert code(s3.get_object, **where) == ("NoSuchKey", 404)
    assert MARK[:40] not in site.stored()


def test_without_the_directive(site):
    """The same client stores in clear, and what is encrypted it cannot read."""
    s3 = site.at("without")
    s3.put_object(Bucket="plain", Key="clear", Body=b"in clear " * 40)
    assert b"in clear in clear" in site.stored()
    site.at("default").put_object(Bucket="vault", Key="closed", Body=MARK)
    assert code(s3.get_object, Bucket="vault", Key="closed")[1] == 400
    # What was stored before is not readable with a key.
    s3.put_object(Bucket="vault", Key="older", Body=MARK)
    assert code(site.at("default").get_object, Bucket="vault", Key="older")[1] == 400
    assert site.at("without").get_object(Bucket="vault", Key="older")["Body"].read() == MARK
    # The way to encrypt it: the client sends a key itself.
    s3.copy_object(Bucket="vault", Key="older", CopySource="vault/older", MetadataDirective="REPLACE", **of_key("vault"))
    assert site.at("default").get_object(Bucket="vault", Key="older")["Body"].read() == MARK


def test_another_key(site):
    site.at("default").put_object(Bucket="vault", Key="k", Body=MARK)
    error = code(site.at("wrong").get_object, Bucket="vault", Key="k")
    assert error[1] in (400, 403), error
    assert code(site.at("wrong").head_object, Bucket="vault", Key="k")[1] in (400, 403)


@pytest.mark.parametrize("target, source", [("vault", "vault"), ("archive", "vault"), ("plain", "vault"), ("vault", "plain")])
def test_copies(site, target, source):
    s3, names = site.at("default"), (f"from {source}", f"to {target}")
    s3.put_object(Bucket=source, Key=names[0], Body=MARK)
    answer = s3.copy_object(Bucket=target, Key=names[1], CopySource={"Bucket": source, "Key": names[0]})
    without_key(answer)
    assert s3.get_object(Bucket=target, Key=names[1])["Body"].read() == MARK
    if target != "plain":
        check_stored(site, target, names[1], MARK)
    for bucket, key in [(source, names[0]), (target, names[1])]:
        s3.delete_object(Bucket=bucket, Key=key)


@pytest.mark.parametrize("door", ["default", "unbuffered", "decoded"])
def test_parts(site, door):
    """MinIO copies no part into an upload with a checksum, so the part that is copied has an upload of its own."""
    s3, where = site.at(door), {"Bucket": "vault", "Key": f"parts {door}"}
    s3.put_object(Bucket="archive", Key="source", Body=LARGE)
    for more in ({"ChecksumAlgorithm": "CRC32"}, {}):
        upload = without_key(s3.create_multipart_upload(**where, **more))["UploadId"]
        asked, parts, expected = {**where, "UploadId": upload}, [], b""
        if not more:
            copied = without_key(s3.upload_part_copy(**asked, PartNumber=1, CopySource="archive/source"))
            parts.append({"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]})
            expected = LARGE
        last = without_key(s3.upload_part(**asked, PartNumber=2, Body=MARK, **more))
        assert [part["PartNumber"] for part in without_key(s3.list_parts(**asked))["Parts"]] == ([2] if more else [1, 2])
        parts.append({"PartNumber": 2, "ETag": last["ETag"], **({"ChecksumCRC32": last["ChecksumCRC32"]} if more else {})})
        without_key(s3.complete_multipart_upload(**asked, MultipartUpload={"Parts": parts}))
        expected += MARK
        assert s3.get_object(**where)["Body"].read() == expected
        check_stored(site, "vault", where["Key"], expected)


def test_transfers(site, tmp_path):
    """boto3's transfer manager, whose parts and ranges go in parallel."""
    s3, path = site.at("default"), tmp_path / "large"
    path.write_bytes(LARGE)
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    s3.upload_file(str(path), "vault", "large", Config=config)
    s3.download_file("vault", "large", str(tmp_path / "back"), Config=config)
    assert (tmp_path / "back").read_bytes() == LARGE
    check_stored(site, "vault", "large", LARGE)
    s3.copy({"Bucket": "vault", "Key": "large"}, "archive", "large", Config=config)
    check_stored(site, "archive", "large", LARGE)


def test_keys_of_clients(site):
    s3, where = site.at("default"), {"Bucket": "vault", "Key": "mine"}
    put = s3.put_object(**where, Body=MARK, **of_key("mine"))
    md5 = base64.b64encode(hashlib.md5(KEYS["mine"]).digest()).decode()
    got = s3.get_object(**where, **of_key("mine"))
    assert got["Body"].read() == MARK
    assert put["SSECustomerKeyMD5"] == got["SSECustomerKeyMD5"] == md5
    check_stored(site, "vault", "mine", MARK, "mine")
    assert code(s3.get_object, **where)[1] in (400, 403)
    # Each side of a copy by itself: from the client's key to the operator's, and back.
    without_key(s3.copy_object(Bucket="vault", Key="theirs", CopySource="vault/mine", **of_key("mine", "CopySource")))
    check_stored(site, "vault", "theirs", MARK)
    s3.copy_object(Bucket="archive", Key="mine", CopySource="vault/theirs", **of_key("mine"))
    check_stored(site, "archive", "mine", MARK, "mine")


def fetch(url, method="GET", body=None, headers=()):
    request = urllib.request.Request(url, body, dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def test_presigned(site):
    s3, where = site.at("default"), {"Bucket": "vault", "Key": "presigned"}
    status, headers, _ = fetch(s3.generate_presigned_url("put_object", Params=where), "PUT", MARK)
    assert status == 200 and "customer" not in str(headers).lower()
    assert fetch(s3.generate_presigned_url("get_object", Params=where))[::2] == (200, MARK)
    assert fetch(s3.generate_presigned_url("head_object", Params=where), "HEAD")[0] == 200
    check_stored(site, "vault", "presigned", MARK)
    # The client's own key, in headers that it has signed.
    params = {**where, **of_key("vault")}
    url = s3.generate_presigned_url("get_object", Params=params)
    status, headers, body = fetch(url, headers={
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": encoded("vault"),
        "x-amz-server-side-encryption-customer-key-MD5": base64.b64encode(hashlib.md5(KEYS["vault"]).digest()).decode(),
    })
    assert (status, body) == (200, MARK) and "customer" in str(headers).lower()


@pytest.mark.parametrize("door", ["default", "unbuffered"])
def test_forms(site, door):
    post = site.at(door).generate_presigned_post("vault", f"by form {door}", Fields={"success_action_status": "201"},
                                                 Conditions=[{"success_action_status": "201"}])
    boundary = "oOoBoundaryoOo"
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in post["fields"].items()]
    head = "".join(parts) + f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    body = head.encode() + MARK + f"\r\n--{boundary}--\r\n".encode()
    status, headers, body = fetch(post["url"], "POST", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    assert status == 201 and "customer" not in str(headers).lower(), body
    check_stored(site, "vault", f"by form {door}", MARK)


def test_unsigned(site):
    for method, body in [("GET", None), ("HEAD", None), ("PUT", b"x")]:
        assert fetch(f"{site.urls['anonymous']}/vault/k", method, body)[0] == 403
    assert b"not for unsigned requests" in fetch(f"{site.urls['anonymous']}/vault/k")[2]


def test_other_names(site):
    s3 = site.at("mapped")
    without_key(s3.put_object(Bucket="box", Key="mapped", Body=MARK))
    assert s3.get_object(Bucket="box", Key="mapped")["Body"].read() == MARK
    s3.copy_object(Bucket="plain", Key="mapped", CopySource="box/mapped")
    check_stored(site, "vault", "mapped", MARK)
    assert site.direct.get_object(Bucket="plain", Key="mapped")["Body"].read() == MARK
    site.direct.delete_object(Bucket="plain", Key="mapped")


def test_without_tls(site):
    """MinIO takes no key in clear, as S3."""
    direct = client(site.clear.url, ORIGIN)
    with contextlib.suppress(ClientError):
        direct.create_bucket(Bucket="vault")
    assert code(site.at("by http").put_object, Bucket="vault", Key="k", Body=MARK)[1] == 400
    assert code(direct.head_object, Bucket="vault", Key="k")[1] == 404


def test_caches(site):
    s3, cache = site.at("cached"), lambda answer: answer["ResponseMetadata"]["HTTPHeaders"].get("x-cache")
    for bucket, expected in [("vault", ["MISS", "HIT", "HIT"]), ("archive", [None, None, None])]:
        s3.put_object(Bucket=bucket, Key="cached", Body=MARK)
        answers = [without_key(s3.get_object(Bucket=bucket, Key="cached")) for _ in range(2)]
        assert all(answer["Body"].read() == MARK for answer in answers)
        answers.append(without_key(s3.head_object(Bucket=bucket, Key="cached", ChecksumMode="ENABLED")))
        assert [cache(answer) for answer in answers] == expected
    # Filled by HEAD, of which nginx makes a GET.
    s3.put_object(Bucket="vault", Key="headed", Body=MARK)
    assert cache(without_key(s3.head_object(Bucket="vault", Key="headed", ChecksumMode="ENABLED"))) == "MISS"
    answer = s3.get_object(Bucket="vault", Key="headed")
    assert (cache(answer), answer["Body"].read()) == ("HIT", MARK)


@pytest.mark.parametrize("kind", [Boto3, Boto3WhenRequired, MinioPy, AwsCli])
def test_clients(site, kind, tmp_path):
    s3 = kind(site.urls["default"], CLIENT, tmp_path)
    name = kind.__name__.lower()
    s3.put("vault", name, MARK)
    assert s3.get("vault", name) == MARK
    assert s3.get_range("vault", name, 3, 9) == MARK[3:10]
    s3.copy("vault", name, f"{name}-copy")
    s3.multipart("vault", f"{name}-large", LARGE)
    assert s3.get("vault", f"{name}-large") == LARGE
    for key, body in [(name, MARK), (f"{name}-copy", MARK), (f"{name}-large", LARGE)]:
        check_stored(site, "vault", key, body)
    s3.delete("vault", name)
    with pytest.raises(S3Error):
        s3.get("vault", name)


@pytest.mark.skipif(not os.access(os.environ.get("MC", ""), os.X_OK), reason="mc is not built")
def test_mc(site, tmp_path):
    s3 = Mc(site.urls["default"], CLIENT, tmp_path)
    for name, body in (("mc", MARK), ("mc-large", LARGE)):
        s3.mc("put", "--part-size=5MiB", str(s3.scratch(body)), f"proxy/vault/{name}")
        assert s3.mc("cat", f"proxy/vault/{name}") == body
        s3.copy("vault", name, f"{name}-copy")
        check_stored(site, "vault", name, body)
        check_stored(site, "vault", f"{name}-copy", body)


def test_clients_that_compare_md5(site, tmp_path):
    """The ETag is none; who takes it for one has to be told, as with S3."""
    s3cmd = S3cmd(site.urls["default"], CLIENT, tmp_path)
    with pytest.raises(S3Error):
        s3cmd.put("vault", "s3cmd", MARK)
    (tmp_path / "rclone").mkdir()
    rclone = Rclone(site.urls["default"], CLIENT, tmp_path / "rclone")
    with pytest.raises(S3Error, match="md5 hashes differ"):
        rclone.put("vault", "rclone", MARK)
    rclone.rclone("copyto", "--ignore-checksum", str(rclone.scratch(MARK)), "s3:vault/rclone")
    assert rclone.get("vault", "rclone") == MARK


@pytest.mark.parametrize("kind", [S3sFs, Versitygw])
def test_servers_without_keys(tmp_path, kind):
    """They store in clear, and do not say so: the first upload fails."""
    if kind is Versitygw and not Versitygw.binary():
        pytest.skip("versitygw is not built")
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(kind(tmp_path / "origin", ORIGIN))
        port = free_port()
        http = f"""
            s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
            upstream u {{ server {origin.address}; {origin.s3_origin()} }}
            server {{ listen 127.0.0.1:{port}; location / {{
                s3_resign on; s3_sse_c vault key={encoded('vault')}; proxy_pass http://u; }} }}
        """
        nginx = stack.enter_context(Nginx(tmp_path / "nginx", http, port))
        direct, s3 = client(origin.url, ORIGIN), client(f"http://127.0.0.1:{port}", CLIENT)
        for bucket in ("vault", "plain"):
            direct.create_bucket(Bucket=bucket)
        s3.put_object(Bucket="plain", Key="k", Body=MARK)
        assert code(s3.put_object, Bucket="vault", Key="k", Body=MARK) == ("InternalError", 502)
        upload = s3.create_multipart_upload(Bucket="vault", Key="parts")["UploadId"]
        part = {"Bucket": "vault", "Key": "parts", "UploadId": upload, "PartNumber": 1, "Body": MARK}
        assert code(s3.upload_part, **part) == ("InternalError", 502)
        assert direct.get_object(Bucket="vault", Key="k")["Body"].read() == MARK
        assert "it may have stored the object in clear" in nginx.error_log.read_text()
