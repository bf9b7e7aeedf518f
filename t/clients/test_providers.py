"""Origins' keys that renew themselves, under load: clients write and read all the while, and no request may fail.

The services that give keys and the origin are in this file. The origin takes only keys that have been given and have
not expired, and says `ExpiredToken` else. Each of its addresses is an origin of its own, with a provider of its own, so
that keys are replaced often: KEY_ROTATIONS of them in all.
"""

import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.request
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import boto3
import botocore.config
import pytest

from conftest import CLIENT
from servers import Credentials, Minio, Nginx, certify, free_port
from test_upgrades import Daemon, memories
from uploads import Connection, Signer

ROTATIONS = int(os.environ.get("KEY_ROTATIONS", 150))
ADDRESSES = int(os.environ.get("KEY_ORIGINS", 40))
REGION = "eu-north-1"
BODY = os.urandom(20_000)
MODES = ("", "status", "slow", "huge", "wrong", "cut")


class Vault:
    """The keys that have been given."""

    def __init__(self, life):
        self.life = life
        self.lock = threading.Lock()
        self.keys = {}
        self.revoked = set()
        self.count = 0

    def give(self):
        with self.lock:
            self.count += 1
            name = f"ASIA{self.count:012d}"
            secret, token = os.urandom(20).hex(), os.urandom(300).hex()
            # Services say whole seconds.
            expires = int(time.time()) + self.life
            self.keys[name] = (secret, token, expires)
        return name, secret, token, datetime.fromtimestamp(expires, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def secret(self, name, token):
        """None if the keys hold no longer."""
        secret, wanted, expires = self.keys.get(name, (None, None, 0))
        return secret if wanted == token and time.time() < expires and name not in self.revoked else None

    def revoke_all(self):
        with self.lock:
            self.revoked.update(self.keys)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, handler, address="127.0.0.1", port=None, **more):
        self.__dict__.update(more)
        super().__init__((address, port or free_port()), handler)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        pass

    @property
    def port(self):
        return self.server_address[1]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body, kind="text/plain"):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))


class Services(Handler):
    """IMDS below /imds, containers' at /container, STS at /sts. `server.mode` is how they are in trouble."""

    def do_PUT(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        body, mode = self.body(), self.server.mode
        if mode == "status":
            return self.say(500, "no")
        if mode == "slow":
            time.sleep(8)
        if mode == "wrong":
            return self.say(200, "<html>what?</html>")
        if self.path.startswith("/imds") and not self.path.endswith("/role"):
            return self.say(200, "token" if self.command == "PUT" else "role")
        name, secret, token, expires = self.server.vault.give()
        if self.path == "/sts":
            action = parse_qs(body.decode())["Action"][0]
            text = (f"<{action}Response><{action}Result><Credentials><AccessKeyId>{name}</AccessKeyId><SecretAccessKey>"
                    f"{secret}</SecretAccessKey><SessionToken>{token}</SessionToken><Expiration>{expires}</Expiration>"
                    f"</Credentials></{action}Result></{action}Response>")
            if action == "AssumeRoleWithWebIdentity" and parse_qs(body.decode())["WebIdentityToken"] != ["a.jwt"]:
                return self.say(400, "<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>")
        else:
            text = json.dumps({"AccessKeyId": name, "SecretAccessKey": secret, "Token": token, "Expiration": expires})
        if mode == "huge":
            text += " " * 1_000_000
        if mode == "cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text[:99].encode())
            self.close_connection = True
            return None
        return self.say(200, text)


class StrictOrigin(Handler):
    """Verifies each signature by itself."""

    def do_GET(self):
        self.judge()

    def do_PUT(self):
        self.judge()

    def judge(self):
        body, vault = self.body(), self.server.vault
        fields = dict(part.strip().split("=", 1) for part in self.headers["Authorization"].split(" ", 1)[1].split(","))
        name, *scope = fields["Credential"].split("/")
        secret = vault.secret(name, self.headers.get("X-Amz-Security-Token"))
        if secret is None:
            self.server.rejected += 1
            return self.say(400, "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>",
                            "application/xml")
        names = fields["SignedHeaders"].split(";")
        path, _, query = self.path.partition("?")
        payload = self.headers["X-Amz-Content-Sha256"]
        lines = [f"{header}:{' '.join(self.headers[header].split())}" for header in names]
        canonical = "\n".join((self.command, path, query, *lines, "", ";".join(names), payload))
        text = "\n".join(("AWS4-HMAC-SHA256", self.headers["X-Amz-Date"], "/".join(scope),
                          hashlib.sha256(canonical.encode()).hexdigest()))
        key = b"AWS4" + secret.encode()
        for part in scope:
            key = hmac.digest(key, part.encode(), "sha256")
        is_right = hmac.digest(key, text.encode(), "sha256").hex() == fields["Signature"]
        if not is_right or payload != hashlib.sha256(body).hexdigest():
            return self.say(403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", "application/xml")
        self.server.served += 1
        return self.say(200, BODY if self.command == "GET" else b"")


@contextlib.contextmanager
def setting(folder, life, lines, kind=Nginx, more="", addresses=ADDRESSES):
    """nginx in front of the origin's addresses; `lines` makes the keys' part of the line of a number."""
    vault = Vault(life)
    with contextlib.ExitStack() as stack:
        services = stack.enter_context(Server(Services, vault=vault, mode=""))
        origin = stack.enter_context(Server(StrictOrigin, "0.0.0.0", vault=vault, served=0, rejected=0))
        servers = [f"127.0.0.{number}:{origin.port}" for number in range(1, addresses + 1)]
        upstream = "\n".join(
            f"server {server} max_fails=0; s3_origin {server} {lines(number, services.port)} region={REGION};"
            for number, server in enumerate(servers))
        port = free_port()
        http = f"""
            upstream s3 {{ zone s3 256k; {upstream} s3_seal_key 0123456789abcdef0123456789abcdef; {more} }}
            server {{
                listen 127.0.0.1:{port};
                s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
                location / {{ s3_resign on; proxy_pass http://s3; proxy_http_version 1.1; proxy_set_header Connection ""; }}
                location = /s3_status {{ s3_status; }}
            }}"""
        nginx = stack.enter_context(kind(folder / "nginx", http, port))
        nginx.url, nginx.services, nginx.origin, nginx.vault = f"http://127.0.0.1:{port}", services, origin, vault
        wait(lambda: all(row["usable"] for row in status(nginx)), 20)
        yield nginx
    wrong = [line for line in nginx.error_log.read_text(errors="replace").splitlines()
             if any(mark in line for mark in ("[alert]", "[emerg]", "[crit]", "panicked", "exited on signal"))]
    assert not wrong, "\n".join(wrong)
    log = nginx.error_log.read_text(errors="replace")
    assert not [secret for secret, token, _ in vault.keys.values() if secret in log or token in log]


def imds(number, port):
    return f"credentials=imds endpoint=http://127.0.0.1:{port}/imds/{number}"


def status(nginx):
    with urllib.request.urlopen(f"{nginx.url}/s3_status?format=json", timeout=20) as answer:
        return json.load(answer)["origin_keys"]


def wait(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


class Client(threading.Thread):
    """Reads and writes, and notes each answer that is not 200, and the slowest."""

    def __init__(self, url, number, over):
        super().__init__()
        self.url, self.number, self.over = url, number, over
        self.answered, self.slowest, self.wrong = 0, 0, []

    def run(self):
        while not self.over.is_set():
            began = time.monotonic()
            told = ask(self.url, "PUT" if self.number % 2 else "GET")
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.answered += 1
            if told != 200:
                self.wrong.append(told)
            time.sleep(0.005)


def ask(url, method="GET"):
    signer = Signer(url, CLIENT)
    body = BODY if method == "PUT" else b""
    lines, _ = signer.head(method, "/bucket/key", hashlib.sha256(body).hexdigest())
    lines += ["connection: close", *([f"content-length: {len(body)}"] if body else [])]
    connection = Connection(url)
    try:
        answer = connection.ask("\r\n".join((*lines, "", "")).encode() + body)
        return answer.status
    finally:
        connection.close()


@contextlib.contextmanager
def load(nginx, clients=4):
    over = threading.Event()
    threads = [Client(nginx.url, number, over) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        over.set()
        for thread in threads:
            thread.join()


def no_failure(threads):
    assert sum(thread.answered for thread in threads) > 50
    assert not [wrong for thread in threads for wrong in thread.wrong]


def test_keys_are_replaced_again_and_again(tmp_path):
    """They are asked for at half of their life; the rest is for a busy machine."""
    with setting(tmp_path, 12, imds) as nginx:
        before = nginx.vault.count
        with load(nginx) as threads:
            wait(lambda: nginx.vault.count >= before + ROTATIONS, 60 + ROTATIONS)
        no_failure(threads)
        assert sum(row["failed"] for row in status(nginx)) == 0


def test_keys_that_the_origin_revokes(tmp_path):
    """Each time nobody knows of it before the origin says so."""
    with setting(tmp_path, 3600, imds, addresses=1) as nginx:
        with load(nginx) as threads:
            for _ in range(3):
                count, served = nginx.vault.count, nginx.origin.served
                nginx.vault.revoke_all()
                wait(lambda: nginx.vault.count > count and nginx.origin.served > served + 20)
        no_failure(threads)
        assert nginx.origin.rejected


@pytest.mark.parametrize("mode", MODES[1:])
def test_services_in_trouble(tmp_path, mode):
    """The old keys are used while they hold, and no request waits for the others; at last there are new ones.

    They are asked for at half of the keys' life, and a service may be given up after 5 s: the rest of their life is for
    a busy machine.
    """
    with setting(tmp_path, 40, imds, addresses=2) as nginx:
        with load(nginx) as threads:
            nginx.services.mode = mode
            wait(lambda: all(row["failed"] for row in status(nginx)))
            assert all(row["usable"] and row["last_error"] for row in status(nginx))
            nginx.services.mode = ""
            count = nginx.vault.count
            wait(lambda: nginx.vault.count >= count + 2 and not any(row["last_error"] for row in status(nginx)))
        no_failure(threads)
        assert max(thread.slowest for thread in threads) < 4


def test_no_service_for_the_life_of_the_keys(tmp_path):
    with setting(tmp_path, 4, imds, addresses=1) as nginx:
        nginx.services.mode = "status"
        wait(lambda: ask(nginx.url) == 503, 20)
        began = time.monotonic()
        for _ in range(5):
            assert ask(nginx.url) == 503
        assert time.monotonic() - began < 5 * 4
        nginx.services.mode = ""
        wait(lambda: ask(nginx.url) == 200, 70)


def test_reload_and_upgrade_keep_the_keys(tmp_path):
    """With nobody to give new ones."""
    with setting(tmp_path, 3600, imds, kind=Daemon, addresses=3) as nginx:
        count = nginx.vault.count
        nginx.services.mode = "status"
        with load(nginx) as threads:
            for _ in range(3):
                os.kill(nginx.master(), signal.SIGHUP)
                time.sleep(0.7)
            new = nginx.upgrade()
            time.sleep(1)
            assert "s3_resign_keys" in memories(new)
            assert all(row["usable"] for row in status(nginx))
        no_failure(threads)
        assert nginx.vault.count == count
        # Whoever can read a core dump of a worker has not got this memory.
        for worker in [new, *map(int, pathlib.Path(f"/proc/{new}/task/{new}/children").read_text().split())]:
            about = pathlib.Path(f"/proc/{worker}/smaps").read_text().split("/memfd:s3_resign_keys")[1]
            assert " dd" in next(line for line in about.splitlines() if line.startswith("VmFlags:"))


def test_every_provider(tmp_path, monkeypatch):
    """As their environments have them."""
    tmp_path.chmod(0o755)
    (tmp_path / "jwt").write_text("a.jwt\n")
    (tmp_path / "token").write_text("a token\n")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "jwt"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/pod")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))

    def lines(number, port):
        at = f"http://127.0.0.1:{port}"
        return (
            f"credentials=imds endpoint={at}/imds/0",
            f"credentials=ecs endpoint={at}/container",
            f"credentials=pod_identity endpoint={at}/container",
            f"credentials=web_identity sts_endpoint={at}/sts",
            f"assume_role=arn:aws:iam::1:role/r access_key=AKID secret_key=s sts_endpoint={at}/sts",
            f"credentials=imds endpoint={at}/imds/1 assume_role=arn:aws:iam::1:role/r sts_endpoint={at}/sts",
        )[number]

    with setting(tmp_path, 12, lines, addresses=6) as nginx:
        count = nginx.vault.count
        with load(nginx) as threads:
            wait(lambda: nginx.vault.count > count + 18)
        no_failure(threads)
        assert [row["failed"] for row in status(nginx)] == [0] * 6


def test_sts_over_tls(tmp_path):
    """A certificate counts that is for the name, and of an authority that is trusted."""
    certify(tmp_path, "DNS:localhost")
    vault = Vault(3600)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    with Server(Services, vault=vault, mode="") as services, Server(StrictOrigin, vault=vault, served=0, rejected=0) as origin:
        services.socket = context.wrap_socket(services.socket, server_side=True)

        def status_with(folder, words):
            port = free_port()
            http = f"""
                server {{
                    listen 127.0.0.1:{port};
                    s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
                    s3_origin assume_role=arn:aws:iam::1:role/r access_key=AKID secret_key=s region={REGION} {words};
                    location / {{ s3_resign on; proxy_pass http://127.0.0.1:{origin.port}; }}
                    location = /s3_status {{ s3_status; }}
                }}"""
            with Nginx(folder, http, port) as nginx:
                nginx.url = f"http://127.0.0.1:{port}"
                wait(lambda: any(row["usable"] or row["failed"] for row in status(nginx)), 20)
                return ask(nginx.url), status(nginx)[0]["last_error"]

        url = f"sts_endpoint=https://localhost:{services.port}/sts"
        assert status_with(tmp_path / "good", f"{url} credentials_ca={tmp_path}/ca.crt") == (200, "")
        answered, why = status_with(tmp_path / "stranger", url)
        assert answered == 502 and why.startswith("TLS certificate: ")
        other = url.replace("localhost", "localhost.localdomain")
        with contextlib.suppress(OSError):
            socket.getaddrinfo("localhost.localdomain", 1)
            answered, why = status_with(tmp_path / "name", f"{other} credentials_ca={tmp_path}/ca.crt")
            assert (answered, why) == (502, "TLS certificate: it is for another name")


class OwnHosts(Nginx):
    """With a file of its own in the place of /etc/hosts, which can change."""

    def command(self):
        mount = 'mount --bind "$0" /etc/hosts && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", mount, str(self.folder.parent / "hosts"), *super().command()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_service_that_moves(tmp_path):
    """As AWS's do from time to time: its name leads to another address, and at the old one there is nobody."""
    certify(tmp_path, "DNS:sts.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    vault = Vault(20)

    @contextlib.contextmanager
    def service(address, port=None):
        with Server(Services, address, port, vault=vault, mode="") as services:
            services.socket = context.wrap_socket(services.socket, server_side=True)
            (tmp_path / "hosts").write_text(f"127.0.0.1 localhost\n{address} sts.example\n")
            yield services

    port = free_port()
    with contextlib.ExitStack() as first, Server(StrictOrigin, vault=vault, served=0, rejected=0) as origin:
        services = first.enter_context(service("127.0.0.1"))
        http = f"""
            server {{
                listen 127.0.0.1:{port};
                s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
                s3_origin assume_role=arn:aws:iam::1:role/r access_key=AKID secret_key=s region={REGION}
                          sts_endpoint=https://sts.example:{services.port}/sts credentials_ca={tmp_path}/ca.crt;
                location / {{ s3_resign on; proxy_pass http://127.0.0.1:{origin.port}; }}
                location = /s3_status {{ s3_status; }}
            }}"""
        with OwnHosts(tmp_path / "nginx", http, port) as nginx:
            nginx.url = f"http://127.0.0.1:{port}"
            wait(lambda: status(nginx)[0]["usable"], 20)
            first.close()
            with service("127.0.0.2", services.port):
                count = vault.count
                wait(lambda: vault.count > count + 1 and not status(nginx)[0]["last_error"])
                assert ask(nginx.url) == 200


MC = os.environ.get("MC", "")


@pytest.mark.skipif(not Minio.binary() or not os.access(MC, os.X_OK), reason="MinIO or mc is not built")
def test_sts_of_a_real_server(tmp_path):
    """MinIO gives a session of a user's, and its keys alone get to the bucket."""
    with Minio(tmp_path / "minio", Credentials("rootuser", "rootsecret", REGION)) as minio:
        def mc(*words):
            subprocess.run([MC, "--config-dir", tmp_path / "mc", "--quiet", *words], check=True, capture_output=True)

        mc("alias", "set", "m", minio.url, "rootuser", "rootsecret")
        mc("admin", "user", "add", "m", "appuser", "appsecret1")
        mc("admin", "policy", "attach", "m", "readwrite", "--user", "appuser")
        mc("mb", "--region", REGION, "m/bucket")
        port = free_port()
        http = f"""
            client_max_body_size 0;
            server {{
                listen 127.0.0.1:{port};
                s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
                s3_origin assume_role=arn:minio:iam:::role/any access_key=appuser secret_key=appsecret1
                          sts_endpoint={minio.url} region={REGION};
                location / {{ s3_resign on; proxy_pass {minio.url}; }}
                location = /s3_status {{ s3_status; }}
            }}"""
        with Nginx(tmp_path / "nginx", http, port) as nginx:
            nginx.url = f"http://127.0.0.1:{port}"
            wait(lambda: status(nginx)[0]["usable"], 20)
            assert 3000 < status(nginx)[0]["expires"] - time.time() < 3700
            s3 = boto3.client("s3", endpoint_url=nginx.url, region_name="us-east-1", aws_access_key_id=CLIENT.access_key,
                              aws_secret_access_key=CLIENT.secret_key, config=botocore.config.Config(retries={"max_attempts": 1}))
            s3.put_object(Bucket="bucket", Key="a", Body=BODY)
            assert s3.get_object(Bucket="bucket", Key="a")["Body"].read() == BODY
            upload = s3.create_multipart_upload(Bucket="bucket", Key="b")["UploadId"]
            part = s3.upload_part(Bucket="bucket", Key="b", UploadId=upload, PartNumber=1, Body=BODY)
            s3.complete_multipart_upload(Bucket="bucket", Key="b", UploadId=upload,
                                         MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
            assert s3.head_object(Bucket="bucket", Key="b")["ContentLength"] == len(BODY)
            # The user, and with it all of its sessions: MinIO says InvalidAccessKeyId or InvalidTokenId.
            mc("admin", "user", "disable", "m", "appuser")
            with pytest.raises(s3.exceptions.ClientError) as told:
                s3.get_object(Bucket="bucket", Key="a")
            assert told.value.response["Error"]["Code"] in ("ServiceUnavailable", "InvalidTokenId", "AccessDenied"), told.value
