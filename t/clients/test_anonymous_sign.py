"""Private buckets for those who have no key (s3_anonymous sign): a website as browsers see it, SDKs that sign nothing, and
what nginx has asked for otherwise. The origins take only what is signed with their key."""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import boto3
import pytest
from adapters import BIN
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import CLIENT
from servers import Credentials, Minio, Nginx, S3sFs, certify, free_port

ORIGIN = Credentials("AKIDANON", "anonSecret123", "eu-anon-1")
MARK = b"for everybody " * 400
PART = 5 << 20  # the least of an upload's
LARGE = os.urandom(PART + 1000)
PAGES = {
    "index.html": b"<h1>home</h1>", "docs/index.html": b"<h1>docs</h1>", "404.html": b"<h1>lost</h1>",
    "style.css": b"h1 { color: teal }", "with space/\u00fc.txt": b"odd", "files/tool.bin": MARK,
}
SECRET = "the secret of links"

DOORS = {
    "website": """
        s3_anonymous sign allow=GetObject,HeadObject buckets=website;
        s3_cors origin=* methods=GET,HEAD;
        proxy_cache c; proxy_cache_valid 200 1m; proxy_force_ranges on;
        add_header X-Cache $upstream_cache_status always;
        proxy_intercept_errors on; error_page 403 404 =404 /404.html;
        location / { rewrite ^(.*)/$ $1/index.html; rewrite ^(.*)$ /website$1? break; proxy_pass http://o; }
        location /downloads/ { rewrite ^/downloads/(.*)$ /website/files/$1? break; proxy_pass http://o; }
        location = /404.html { internal; rewrite ^ /website/404.html? break; proxy_pass http://o; }
    """,
    "read": "location / { s3_anonymous sign buckets=website,inbox; proxy_pass http://o; }",
    "objects": "location / { s3_anonymous sign allow=GetObject,HeadObject buckets=website/docs/*; proxy_pass http://o; }",
    "write": "location / { s3_anonymous sign allow=read,write buckets=inbox; auth_basic s3; auth_basic_user_file USERS; "
             "proxy_pass http://o; }",
    "on": "location / { s3_anonymous on; proxy_pass http://o; }",
    "link": f"""
        location /website/ {{
            secure_link $arg_md5,$arg_expires; secure_link_md5 "$secure_link_expires$uri {SECRET}";
            if ($secure_link = "") {{ return 403; }}
            if ($secure_link = "0") {{ return 410; }}
            rewrite ^(.*)$ $1? break;
            s3_anonymous sign buckets=website; proxy_pass http://o;
        }}
    """,
    "login": """
        location = /login { internal; if ($cookie_session = good) { return 204; } return 401; }
        location / { auth_request /login; s3_anonymous sign buckets=website; proxy_pass http://o; }
    """,
}


class Site:
    def __init__(self, origin, ports, tls, ca, nginx):
        self.origin, self.tls, self.ca, self.nginx = origin, tls, ca, nginx
        self.urls = {door: f"http://127.0.0.1:{port}" for door, port in ports.items()}
        self.direct = boto3.client("s3", endpoint_url=origin.url, aws_access_key_id=ORIGIN.access_key,
                                   aws_secret_access_key=ORIGIN.secret_key, region_name=ORIGIN.region, config=config())

    def unsigned(self, door, authorization=None):
        """boto3 without a key; with it, each request has that header."""
        s3 = boto3.client("s3", endpoint_url=self.urls[door], region_name="us-east-1", config=config(signature_version=UNSIGNED))
        if authorization:
            s3.meta.events.register("before-send.s3", lambda request, **_: request.headers.update({"Authorization": authorization}))
        return s3

    def signed(self, door):
        return boto3.client("s3", endpoint_url=self.urls[door], aws_access_key_id=CLIENT.access_key,
                            aws_secret_access_key=CLIENT.secret_key, region_name=CLIENT.region, config=config())

    def get(self, door, path="/", method="GET", body=None, **headers):
        return fetch(self.urls[door] + path, method, body, headers)


def config(**more):
    return Config(**{"s3": {"addressing_style": "path"}, "signature_version": "s3v4", "retries": {"total_max_attempts": 1}, **more})


def fetch(url, method="GET", body=None, headers=(), context=None):
    request = urllib.request.Request(url, body, dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def code(call, **asked):
    with pytest.raises(ClientError) as error:
        call(**asked)
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"]


BASIC = "Basic " + base64.b64encode(b"user:pass").decode()


@pytest.fixture(scope="module", params=[S3sFs, Minio], ids=["s3s-fs", "minio"])
def site(request, tmp_path_factory):
    if request.param is Minio and not Minio.binary():
        pytest.skip("MinIO is not built")
    folder = tmp_path_factory.mktemp("anonymous")
    folder.chmod(0o755)
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(request.param(folder / "origin", ORIGIN))
        ports, tls = {door: free_port() for door in DOORS}, free_port()
        (folder / "users").write_text("user:{PLAIN}pass\n")
        certs = folder / "certs"
        certs.mkdir()
        certify(certs, "DNS:localhost", "IP:127.0.0.1")
        servers = "\n".join(
            f"server {{ listen 127.0.0.1:{port}; {DOORS[door].replace('USERS', str(folder / 'users'))} }}"
            for door, port in ports.items())
        http_block = f"""
            s3_resign on; s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
            proxy_cache_path {folder}/cache keys_zone=c:1m;
            upstream o {{ server {origin.address}; keepalive 8; {origin.s3_origin()} }}
            {servers}
            server {{
                listen 127.0.0.1:{tls} ssl; ssl_certificate {certs}/server.crt; ssl_certificate_key {certs}/server.key;
                ssl_client_certificate {certs}/ca.crt; ssl_verify_client on;
                location / {{ s3_anonymous sign allow=read,write buckets=inbox; proxy_pass http://o; }}
            }}
        """
        nginx = stack.enter_context(Nginx(folder / "nginx", http_block, next(iter(ports.values()))))
        site = Site(origin, ports, tls, certs, nginx)
        for bucket in ("website", "inbox", "secret"):
            site.direct.create_bucket(Bucket=bucket)
            site.direct.put_object(Bucket=bucket, Key="k", Body=MARK)
        for key, body in PAGES.items():
            site.direct.put_object(Bucket="website", Key=key, Body=body, ContentType="text/html" if key.endswith("html") else "text/plain")
        yield site
        log = nginx.error_log.read_text(errors="replace")
    assert ORIGIN.secret_key not in log and "panicked" not in log


def test_origin_is_private(site):
    assert fetch(f"{site.origin.url}/website/index.html")[0] == 403
    assert site.get("on", "/website/index.html")[0] == 403


def test_website(site):
    for path, key in [("/", "index.html"), ("/docs/", "docs/index.html"), ("/style.css", "style.css"),
                      ("/style.css?v=3&utm_source=x", "style.css"), ("/downloads/tool.bin", "files/tool.bin"),
                      ("/docs/../style.css", "style.css"), ("//docs//index.html", "docs/index.html")]:
        status, headers, body = site.get("website", path)
        assert (status, body) == (200, PAGES[key]), path
        status, headers, body = site.get("website", path, "HEAD")
        assert (status, body, headers["Content-Length"]) == (200, b"", str(len(PAGES[key]))), path
    for path in ("/none", "/secret/", "/docs/none/"):
        status, headers, body = site.get("website", path)
        assert (status, body) == (404, PAGES["404.html"]), path
        assert headers["Content-Type"] == "text/html"
    for method in ("PUT", "DELETE", "POST"):
        assert site.get("website", "/style.css", method, b"x")[0] in (403, 404), method
    assert site.get("website", "/style.css")[2] == PAGES["style.css"]


def test_odd_names(site):
    assert site.get("website", "/with%20space/%C3%BC.txt")[::2] == (200, b"odd")
    assert site.get("read", "/website/with%20space/%C3%BC.txt")[::2] == (200, b"odd")


def test_cache(site):
    path = "/index.html"
    assert site.get("website", path)[0] == 200
    answers = [site.get("website", path), site.get("website", path, "HEAD"), site.get("website", path, Range="bytes=1-2"),
               site.get("website", path, Cookie="a=b", Authorization="Basic eDp5")]
    assert [answer[1]["X-Cache"] for answer in answers] == ["HIT"] * 4
    assert (answers[2][0], answers[2][2]) == (206, PAGES["index.html"][1:3])
    etag = answers[0][1]["ETag"]
    assert site.get("website", path, **{"If-None-Match": etag})[0] == 304
    # A client with a key has entries of its own.
    answer = site.signed("read").get_object(Bucket="website", Key="index.html")
    assert answer["Body"].read() == PAGES["index.html"]


def test_as_browsers_ask(site):
    status, headers, body = site.get("read", "/website/k", Range="bytes=10-19")
    assert (status, body) == (206, MARK[10:20])
    etag = headers["ETag"]
    if isinstance(site.origin, Minio):  # s3s-fs knows no conditions
        assert site.get("read", "/website/k", **{"If-None-Match": etag})[0] == 304
        assert site.get("read", "/website/k", **{"If-Match": '"other"'})[0] == 412
    status, headers, body = site.get("website", "/style.css", Origin="https://app.example")
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    assert site.get("website", "/style.css", "OPTIONS", **asked)[0] in (200, 204)
    if shutil.which("curl"):
        said = subprocess.run(["curl", "-sS", "--compressed", "-r", "0-4", "-A", "Mozilla/5.0", "-b", "a=b", "-u", "x:y",
                               f"{site.urls['read']}/website/k"], capture_output=True, check=True).stdout
        assert said == MARK[:5]


def test_nobody_gets_more(site):
    for door, method, path in [
        ("read", "GET", "/secret/k"), ("read", "GET", "/secret"), ("read", "PUT", "/website/k"), ("read", "DELETE", "/website/k"),
        ("read", "POST", "/website?delete"), ("read", "PUT", "/website?policy"), ("read", "GET", "/website/k?unknown"),
        ("read", "GET", "/website/../secret/k"), ("read", "GET", "/website/%2e%2e/secret/k"), ("read", "GET", "/website/k?session"),
        ("objects", "GET", "/website/k"), ("objects", "GET", "/website"), ("objects", "GET", "/website?list-type=2&prefix=docs/"),
        ("objects", "GET", "/"), ("objects", "GET", "/website/docs/index.html?acl"), ("objects", "GET", "/website/docs/../k"),
        ("read", "GET", "/minio/admin/v3/info"),
    ]:
        status, _, body = site.get(door, path, method, b"x" if method in ("PUT", "POST") else None)
        assert status in (400, 403) and MARK[:5] not in body, (door, method, path)
    assert site.get("objects", "/website/docs/index.html")[0] == 200
    for name, value in [("x-amz-copy-source", "/secret/k"), ("x-amz-acl", "public-read"), ("x-amz-security-token", "t"),
                        ("X-Minio-Extract", "true"), ("x-amz-request-payer", "requester")]:
        assert site.get("read", "/website/k", **{name: value})[0] == 403, name
    assert site.get("read", "/website/k?response-content-type=text/html")[0] == 400
    assert site.direct.get_object(Bucket="website", Key="k")["Body"].read() == MARK


def test_signatures_are_verified(site):
    s3 = site.signed("read")
    assert s3.get_object(Bucket="secret", Key="k")["Body"].read() == MARK
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "website", "Key": "k"}, ExpiresIn=60)
    assert fetch(url)[::2] == (200, MARK)
    assert fetch(url[:-1] + ("0" if url[-1] != "0" else "1"))[0] == 403
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "website", "Key": "k"}, ExpiresIn=1)
    time.sleep(2.1)
    assert fetch(url)[0] == 403
    other = boto3.client("s3", endpoint_url=site.urls["read"], aws_access_key_id=CLIENT.access_key,
                         aws_secret_access_key="wrong", region_name="us-east-1", config=config())
    assert code(other.get_object, Bucket="website", Key="k") == 403


def test_boto3_without_a_key(site, tmp_path):
    s3 = site.unsigned("read")
    assert s3.get_object(Bucket="website", Key="k")["Body"].read() == MARK
    assert s3.get_object(Bucket="website", Key="k", ChecksumMode="ENABLED", Range="bytes=0-3")["Body"].read() == MARK[:4]
    assert s3.head_object(Bucket="website", Key="k")["ContentLength"] == len(MARK)
    s3.head_bucket(Bucket="website")
    assert {each["Key"] for each in s3.list_objects_v2(Bucket="website")["Contents"]} == {*PAGES, "k"}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="website", PaginationConfig={"PageSize": 2})
    assert sum(page["KeyCount"] for page in pages) == len(PAGES) + 1
    assert {each["Name"] for each in s3.list_buckets()["Buckets"]} == {"website", "inbox"}
    s3.download_file("website", "k", str(tmp_path / "k"))
    assert (tmp_path / "k").read_bytes() == MARK
    assert code(s3.get_object, Bucket="secret", Key="k") == 403
    assert code(s3.put_object, Bucket="inbox", Key="x", Body=b"x") == 403
    assert code(s3.delete_object, Bucket="inbox", Key="k") == 403


def test_boto3_with_a_password(site, tmp_path):
    """It writes, with checksums and in parts, and signs nothing."""
    assert code(site.unsigned("write").get_object, Bucket="inbox", Key="k") == 401
    assert code(site.unsigned("write", "Basic eDp5").put_object, Bucket="inbox", Key="x", Body=b"x") == 401
    s3 = site.unsigned("write", BASIC)
    s3.put_object(Bucket="inbox", Key="small", Body=MARK, Metadata={"a": "b"}, ContentType="text/x")
    found = site.direct.get_object(Bucket="inbox", Key="small")
    assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (MARK, {"a": "b"}, "text/x")
    (tmp_path / "large").write_bytes(LARGE)
    s3.upload_file(str(tmp_path / "large"), "inbox", "large", Config=TransferConfig(multipart_threshold=PART, multipart_chunksize=PART))
    assert site.direct.get_object(Bucket="inbox", Key="large")["Body"].read() == LARGE
    s3.copy_object(Bucket="inbox", Key="copy", CopySource="inbox/small")
    assert s3.get_object(Bucket="inbox", Key="copy")["Body"].read() == MARK
    assert code(s3.copy_object, Bucket="inbox", Key="stolen", CopySource="secret/k") == 403
    assert code(s3.put_object, Bucket="website", Key="k", Body=b"x") == 403
    s3.delete_objects(Bucket="inbox", Delete={"Objects": [{"Key": "copy"}, {"Key": "small"}]})
    s3.delete_object(Bucket="inbox", Key="large")
    assert {each["Key"] for each in s3.list_objects_v2(Bucket="inbox")["Contents"]} == {"k"}


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_curl_with_a_password(site, tmp_path):
    """As a file, which waits for 100 Continue, and without a length."""
    (tmp_path / "file").write_bytes(LARGE)
    for more in ([], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect:"]):
        curl = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-T", str(tmp_path / "file"), *more]
        url = f"{site.urls['write']}/inbox/by-curl"
        for user, expected in [("user:wrong", "401"), ("user:pass", "200")]:
            assert run(*curl, "-u", user, url).stdout.decode() == expected, (more, user)
        assert site.direct.get_object(Bucket="inbox", Key="by-curl")["Body"].read() == LARGE
        assert site.get("write", "/inbox/by-curl", "DELETE", Authorization=BASIC)[0] == 204


def test_framed_uploads_are_rejected(site):
    """What has no signature to begin a chain with is not stored with its framing in it."""
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    for headers in ({"Content-Encoding": "aws-chunked"}, {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
                    {"x-amz-trailer": "x-amz-checksum-crc32"}):
        assert site.get("write", "/inbox/framed", "PUT", body, Authorization=BASIC, **headers)[0] == 501
    assert code(site.direct.head_object, Bucket="inbox", Key="framed") == 404


def test_links(site):
    def link(path, expires):
        digest = hashlib.md5(f"{expires}{path} {SECRET}".encode()).digest()
        return f"{path}?md5={base64.urlsafe_b64encode(digest).decode().rstrip('=')}&expires={expires}"

    now = int(time.time())
    assert site.get("link", link("/website/k", now + 60))[::2] == (200, MARK)
    assert site.get("link", link("/website/k", now - 60))[0] == 410
    assert site.get("link", link("/website/k", now + 60).replace("/k?", "/style.css?"))[0] == 403
    assert site.get("link", "/website/k")[0] == 403


def test_login(site):
    assert site.get("login", "/website/k")[0] == 401
    assert site.get("login", "/website/k", Cookie="session=good")[::2] == (200, MARK)
    assert site.get("login", "/secret/k", Cookie="session=good")[0] == 403


def test_certificates(site):
    context = ssl.create_default_context(cafile=str(site.ca / "ca.crt"))
    url = f"https://localhost:{site.tls}/inbox/by-certificate"
    assert fetch(url, "PUT", MARK, context=context)[0] == 400
    context.load_cert_chain(site.ca / "server.crt", site.ca / "server.key")
    assert fetch(url, "PUT", MARK, {"Content-Type": "a/b"}, context)[0] == 200
    assert fetch(url, context=context)[::2] == (200, MARK)
    assert fetch(f"https://localhost:{site.tls}/secret/k", context=context)[0] == 403
    assert fetch(url, "DELETE", context=context)[0] == 204


def test_connections_are_kept(site):
    """Rejected and accepted requests in turn, on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", int(site.urls["read"].rsplit(":", 1)[1]), timeout=30)
    for path, status in [("/website/k", 200), ("/secret/k", 403), ("/website/k", 200), ("/website/none", 404), ("/website/k", 200)]:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == status
        assert status != 200 or body == MARK


def run(*command, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(command, env={**kept, **environment}, capture_output=True, timeout=60)


def test_aws_cli_without_a_key(site, tmp_path):
    common = [str(BIN / "aws"), "--no-sign-request", "--endpoint-url", site.urls["read"], "--region", "us-east-1"]
    where = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    said = run(*common, "s3", "cp", "s3://website/k", str(tmp_path / "k"), **where)
    assert said.returncode == 0, said.stderr
    assert (tmp_path / "k").read_bytes() == MARK
    listed = run(*common, "--output", "json", "s3api", "list-objects-v2", "--bucket", "website", **where)
    assert {each["Key"] for each in json.loads(listed.stdout)["Contents"]} == {*PAGES, "k"}
    assert run(*common, "s3", "cp", str(tmp_path / "k"), "s3://website/x", **where).returncode != 0


def test_rclone_without_a_key(site, tmp_path):
    (tmp_path / "conf").write_text(f"[s3]\ntype = s3\nprovider = Other\nendpoint = {site.urls['read']}\nforce_path_style = true\n")
    rclone = [str(BIN / "rclone"), "--config", str(tmp_path / "conf"), "--retries=1"]
    said = run(*rclone, "cat", "s3:website/k")
    assert said.stdout == MARK, said.stderr
    said = run(*rclone, "lsf", "-R", "s3:website")
    assert "docs/index.html" in said.stdout.decode()


@pytest.mark.skipif(not os.access(os.environ.get("MC", ""), os.X_OK), reason="mc is not built")
def test_mc_without_a_key(site, tmp_path):
    mc = [os.environ["MC"], "--config-dir", str(tmp_path / "mc"), "--quiet"]
    host = {"MC_HOST_site": site.urls["read"]}
    said = run(*mc, "cat", "site/website/k", **host)
    assert said.stdout == MARK, said.stderr
    said = run(*mc, "ls", "--recursive", "site/website", **host)
    # mc sends an empty delimiter, at which s3s-fs cuts every name.
    assert ("docs/index.html" if isinstance(site.origin, Minio) else " d\n") in said.stdout.decode(), said.stderr
    (tmp_path / "x").write_bytes(MARK)
    assert run(*mc, "cp", str(tmp_path / "x"), "site/inbox/x", **host).returncode != 0
