"""Minted keys: every SDK uses them in every form, and each is told what is wrong with one."""

import base64
import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import boto3
import pytest
from adapters import AwsCli, Boto3, Boto3WhenRequired, Crt, Minio, Rclone, S3cmd, S3Error
from botocore.config import Config
from botocore.exceptions import ClientError
from programs import Go, Java, JavaCrt, JavaNetty, Js, JsStreams, Mc, MinioGo, Rust, parameter
from servers import Credentials, Nginx, S3sFs, certify, free_port
from test_presigned import ROOT, fetch
from uploads import KINDS, Connection, Signer, Upload

ORIGIN = Credentials("AKIDORIGIN", "originSecret", "us-west-2")
SECRET = "k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE"
OTHER = "another/secret/of/another/issuer/12345"
REGION = "eu-mint-1"
BUCKET = "media"
FILES = {"2026/empty": b"", "2026/small": os.urandom(1000), "2026/parts": os.urandom((12 << 20) + 1)}

CLIENTS = [Boto3, Boto3WhenRequired, Crt, AwsCli, S3cmd, Minio, Mc, Rclone, Js, JsStreams, Rust, Go, MinioGo, Java, JavaNetty,
           JavaCrt]
# All of an SDK's clients read an error alike.
TOLD = [Boto3, AwsCli, Js, Rust, Go, Java, Mc]

# The program around the SDK for Java tells what the SDK does of an error of S3's: its text.
MESSAGES = {
    "InvalidToken": "The provided token is (malformed|valid for longer)",
    "ExpiredToken": "The provided token has expired",
    "InvalidAccessKeyId": "The AWS Access Key Id you provided does not exist",
    "SignatureDoesNotMatch": "The request signature we calculated does not match",
    "AccessDenied": "Access Denied|The access key has been revoked",
}

REVOKED = "ABCDEFGHIJKLMNOP"
DOORS = {
    "all": f"s3_issuer ci secret={SECRET}; s3_issuer deploy secret={OTHER};",
    "unbuffered": f"s3_issuer ci secret={SECRET}; proxy_request_buffering off;",
    "narrow": f"s3_issuer ci secret={SECRET} allow=read buckets={BUCKET};",
    "revoked": f"s3_issuer ci secret={SECRET}; s3_revoke ci {REVOKED};",
    "ended": f"s3_issuer ci secret={SECRET}; s3_revoke ci before=2099-01-01T00:00:00Z;",
    "v2": f"s3_issuer ci secret={SECRET}; s3_signature_v2 on;",
}


def sign_s3(*arguments, **environment):
    return subprocess.run([ROOT / "target/release/sign_s3", *arguments], check=True, capture_output=True, text=True, timeout=10,
                          env={**os.environ, **environment}).stdout


def mint(*options, issuer="ci", secret=SECRET):
    said = sign_s3("mint", "--format", "json", *options, S3_ISSUER=issuer, S3_ISSUER_SECRET=secret)
    key = json.loads(said)
    assert key["Version"] == 1
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"], REGION, key["SessionToken"])


class Proxy:
    """An origin with nginx in front of it: over HTTP, and for uploads over HTTPS too."""

    def __init__(self, folder, origin):
        self.folder, self.origin = folder, origin
        self.ports = {(door, scheme): free_port() for door in DOORS for scheme in ("http", "https")}
        certify(folder, "DNS:localhost", "IP:127.0.0.1")
        self.log = folder / "minted.log"
        servers = [
            f"server {{ listen 127.0.0.1:{self.ports[door, 'http']}; listen 127.0.0.1:{self.ports[door, 'https']} ssl; {lines} "
            "location / { s3_resign on; proxy_pass http://origin; } }"
            for door, lines in DOORS.items()
        ]
        self.http = "\n".join([
            "client_max_body_size 0;",
            "log_format minted '$s3_issuer $s3_access_key $s3_auth $status';",
            f"access_log {self.log} minted;",
            f"ssl_certificate {folder}/server.crt; ssl_certificate_key {folder}/server.key;",
            f"upstream origin {{ server {origin.address}; keepalive 8; {origin.s3_origin()} }}",
            *servers,
        ])

    def nginx(self):
        return Nginx(self.folder / "nginx", self.http, self.ports["all", "http"])

    def logged(self, since=0):
        """What stands in the log from there on, of all that has been answered."""
        self.started.settle()
        return self.log.read_text()[since:]

    def url(self, door, scheme="http"):
        host = "localhost" if scheme == "https" else "127.0.0.1"
        return f"{scheme}://{host}:{self.ports[door, scheme]}"

    def open(self, client, credentials, folder, door="all", scheme="http"):
        return client(self.url(door, scheme), credentials, folder, str(self.folder / "ca.crt") if scheme == "https" else None)


@pytest.fixture(scope="module")
def proxy(folder):
    folder = folder / "minted"
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(S3sFs(folder / "s3s", ORIGIN))
        direct = Boto3(origin.url, ORIGIN, None)
        for bucket in (BUCKET, "other"):
            direct.create_bucket(bucket)
        direct.put(BUCKET, "2026/there", b"there")
        proxy = Proxy(folder, origin)
        proxy.direct = direct
        nginx = proxy.started = stack.enter_context(proxy.nginx())
        yield proxy
        log = nginx.error_log.read_text(errors="replace")
    assert not [line for line in log.splitlines() if "[alert]" in line or "exited on signal" in line]
    assert SECRET not in log


@pytest.fixture
def tree(tmp_path):
    for key, body in FILES.items():
        path = tmp_path / "tree" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return tmp_path / "tree"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("client", [parameter(client) for client in CLIENTS], ids=lambda client: client.__name__)
def test_every_client(proxy, client, scheme, tree, tmp_path):
    """Small files, parts and downloads, one with and one without buffering."""
    key = mint("--buckets", f"{BUCKET}*", "--expires", "10m")
    for number, door in enumerate(["all", "unbuffered"]):
        since = len(proxy.logged())
        uploader = proxy.open(client, key, tmp_path / f"client{number}", door, scheme)
        uploader.upload_tree(tree, BUCKET)
        for name, body in FILES.items():
            assert proxy.direct.get(BUCKET, name) == body
            proxy.direct.delete(BUCKET, name)
        lines = {tuple(line.split()) for line in proxy.logged(since).splitlines()}
        assert {line[:2] for line in lines} == {("ci", key.access_key)}
        assert {line[3][0] for line in lines} <= {"2", "4"} and any(line[3] == "200" for line in lines)


def codes(proxy, client, credentials, folder, door="all", bucket=BUCKET):
    try:
        proxy.open(client, credentials, folder, door).list(bucket)
    except S3Error as error:
        return error.code
    return "accepted"


@pytest.mark.parametrize("client", [parameter(client) for client in TOLD], ids=lambda client: client.__name__)
def test_what_is_wrong_with_a_key(proxy, client, tmp_path):
    def told(credentials, door="all", bucket=BUCKET):
        folder = tmp_path / os.urandom(4).hex()
        return codes(proxy, client, credentials, folder, door, bucket)

    good, ended = mint(), mint("--expires", "1s")
    second, narrow = mint(), mint("--allow", "read", "--buckets", f"{BUCKET}")
    revoked = mint("--id", REVOKED)
    changed = "A" if good.session_token[20] != "A" else "B"
    tampered = good.session_token[:20] + changed + good.session_token[21:]
    of = dataclasses.replace
    rows = [
        (of(good, session_token=tampered), "all", BUCKET, "InvalidToken"),
        # Under another issuer's name.
        (of(good, access_key=good.access_key.replace("ci", "deploy", 1)), "all", BUCKET, "InvalidToken"),
        (narrow, "all", "other", "AccessDenied"),
        (revoked, "revoked", BUCKET, "AccessDenied"),
    ]
    # A Java machine for each would take minutes.
    if client is not Java:
        assert told(good) == told(narrow) == told(revoked) == told(good, "revoked") == "accepted"
        assert told(mint(issuer="deploy", secret=OTHER)) == "accepted"
        rows += [
            (of(good, session_token=second.session_token), "all", BUCKET, "InvalidToken"),
            (of(good, session_token=None), "all", BUCKET, "InvalidAccessKeyId"),
            (of(good, secret_key=second.secret_key), "all", BUCKET, "SignatureDoesNotMatch"),
            # Of one that is not known here, and of another secret.
            (mint(issuer="stranger"), "all", BUCKET, "InvalidAccessKeyId"),
            (mint(issuer="deploy"), "all", BUCKET, "InvalidToken"),
            (mint(secret=OTHER), "all", BUCKET, "InvalidToken"),
            (mint("--expires", "24h", "--max-lifetime", "24h"), "all", BUCKET, "InvalidToken"),
            (good, "narrow", "other", "AccessDenied"),
            (good, "ended", BUCKET, "AccessDenied"),
        ]
    for key, door, bucket, code in rows:
        assert re.search(f"{code}|{MESSAGES[code]}", told(key, door, bucket)), (key.access_key, door)
    while time.time() < end_of(ended):
        time.sleep(0.2)
    assert re.search(f"ExpiredToken|{MESSAGES['ExpiredToken']}", told(ended))


def end_of(key):
    """When a key ends, by its access key."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    number = 0
    for digit in key.access_key[-23:-16]:
        number = number * 32 + digits.index(digit)
    return number


@pytest.mark.parametrize("kind", KINDS)
def test_framing(proxy, kind):
    key = mint("--allow", "PutObject")
    for door in ("all", "unbuffered"):
        body = [os.urandom(70_000), os.urandom(70_000), b"end"]
        upload = Upload(Signer(proxy.url(door), key), f"/{BUCKET}/framed", kind, body)
        connection = Connection(proxy.url(door))
        assert connection.ask(upload.request()).status == 200
        connection.close()
        assert proxy.direct.get(BUCKET, "framed") == b"".join(body)


def s3_of(proxy, key, door="all", **config):
    return Boto3(proxy.url(door), key, None, **config).s3


def test_presigned(proxy):
    key = mint("--expires", "1h")
    where = {"Bucket": BUCKET, "Key": "presigned"}
    s3 = s3_of(proxy, key, signature_version="s3v4")
    put = s3.generate_presigned_url("put_object", Params=where, ExpiresIn=60)
    get = s3.generate_presigned_url("get_object", Params=where, ExpiresIn=60)
    assert fetch(put, "PUT", b"body").status == 200
    assert fetch(get).body == b"body"
    token = re.sub("(X-Amz-Security-Token=)..", r"\1AA", get)
    assert fetch(token).code in ("InvalidToken", "SignatureDoesNotMatch")
    assert fetch(re.sub("&X-Amz-Security-Token=[^&]*", "", get)).code == "InvalidAccessKeyId"
    by_hand = sign_s3("--region", REGION, "--session-token", "env:TOKEN", proxy.url("all"), key.access_key, "env:KEY", BUCKET,
                      "presigned", TOKEN=key.session_token, KEY=key.secret_key)
    assert fetch(by_hand.strip()).body == b"body"


def test_a_url_ends_with_its_key(proxy):
    # As long as a busy machine needs to use it.
    for life in (2, 4, 8, 16, 32):
        key = mint("--expires", f"{life}s")
        s3 = s3_of(proxy, key, signature_version="s3v4")
        url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "2026/there"}, ExpiresIn=3600)
        if (answer := fetch(url)).body == b"there":
            break
        assert answer.code == "ExpiredToken"
    assert answer.body == b"there"
    while time.time() < end_of(key):
        time.sleep(0.2)
    answer = fetch(url)
    assert (answer.status, answer.code) == (400, "ExpiredToken")


def test_v2(proxy):
    s3 = s3_of(proxy, mint(), "v2", signature_version="s3")
    s3.put_object(Bucket=BUCKET, Key="v2", Body=b"by V2")
    assert s3.get_object(Bucket=BUCKET, Key="v2")["Body"].read() == b"by V2"
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "v2"}, ExpiresIn=60)
    assert fetch(url).body == b"by V2"
    assert fetch(re.sub("(x-amz-security-token=)..", r"\1AA", url)).code == "InvalidToken"
    assert fetch(re.sub("&x-amz-security-token=[^&]*", "", url)).code == "InvalidAccessKeyId"
    assert "use AWS4-HMAC-SHA256" in fetch(url.replace(proxy.url("v2"), proxy.url("all"))).body.decode()


def post(form, file):
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in form["fields"].items()]
    body = "".join(parts).encode() + b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + file + b"\r\n--b--\r\n"
    asked = urllib.request.Request(form["url"], body, {"Content-Type": "multipart/form-data; boundary=b"})
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return re.search(r"<Code>(\w+)</Code>", error.read().decode())[1]


def test_a_form(proxy):
    for door in ("all", "unbuffered"):
        s3 = s3_of(proxy, mint("--allow", "PostObject", "--buckets", f"{BUCKET}/2026*"), door, signature_version="s3v4")
        form = s3.generate_presigned_post(BUCKET, "2026/form", ExpiresIn=60)
        assert "x-amz-security-token" in form["fields"]
        assert post(form, b"posted") == 204
        assert proxy.direct.get(BUCKET, "2026/form") == b"posted"
        assert post(s3.generate_presigned_post(BUCKET, "2025/form", ExpiresIn=60), b"posted") == "AccessDenied"
        form["fields"]["x-amz-security-token"] = mint().session_token
        # The policy lists the token that it was made with.
        assert post(form, b"posted") in ("AccessDenied", "InvalidToken")


def profile(folder, *options):
    """A configuration whose credentials are minted when they are needed."""
    command = f"{ROOT}/target/release/sign_s3 mint --issuer ci --secret file:{folder}/secret --format json {' '.join(options)}"
    (folder / "secret").write_text(SECRET + "\n")
    (folder / "config").write_text(f"[default]\nregion = {REGION}\ncredential_process = {command}\n")
    return {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}


def test_credential_process_of_boto3(proxy, tmp_path, monkeypatch):
    for name, value in profile(tmp_path, "--allow", "read", "--expires", "5m").items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    s3 = boto3.Session().client("s3", endpoint_url=proxy.url("all"),
                                config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}))
    keys = set()

    def note(request, **_):
        keys.add(str(request.headers["Authorization"]).partition("Credential=")[2].partition("/")[0])

    s3.meta.events.register("before-send.s3", note)
    for _ in range(3):
        assert s3.get_object(Bucket=BUCKET, Key="2026/there")["Body"].read() == b"there"
    # So near its end, boto3 has another one minted for each request.
    assert len(keys) == 3
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=BUCKET, Key="2026/new", Body=b"")


def test_credential_process_of_the_aws_cli(proxy, tmp_path):
    class WithProfile(AwsCli):
        def configure(self):
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
                self.environment.pop(name)
            self.environment |= {**profile(self.folder), "AWS_EC2_METADATA_DISABLED": "true"}

    cli = proxy.open(WithProfile, mint(), tmp_path / "cli")
    cli.put(BUCKET, "2026/process", b"by the AWS CLI")
    assert cli.get(BUCKET, "2026/process") == b"by the AWS CLI"


def test_environments_and_profiles(proxy, tmp_path):
    """As a shell, an env file and ~/.aws/credentials take them."""
    sign = f"{ROOT}/target/release/sign_s3 mint --issuer ci --secret env:MINT_SECRET"
    aws = f"aws --region {REGION} --endpoint-url {proxy.url('all')} s3 cp s3://{BUCKET}/2026/there -"
    start = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MINT_SECRET": SECRET, "AWS_EC2_METADATA_DISABLED": "true"}
    start["PATH"] = f"{os.path.dirname(sys.executable)}:{start['PATH']}"
    for script in [
        f'eval "$({sign})"; {aws}',
        f"eval $({sign}); {aws}",
        f"env $({sign} --format env-no-export) {aws}",
        f"mkdir .aws; {sign} --format profile > .aws/credentials; {aws}",
        f"{sign} --format profile --profile ci >> .aws/credentials; {aws} --profile ci",
    ]:
        done = subprocess.run(["sh", "-c", script], env=start, cwd=tmp_path, capture_output=True, timeout=60)
        assert done.stdout == b"there", (script, done.stderr)


def test_tokens_are_short(proxy):
    """A key without a scope costs a request some 60 bytes."""
    assert len(base64.urlsafe_b64decode(mint().session_token + "==")) == 22
