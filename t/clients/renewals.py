"""Services that give keys, an origin that takes only those, nginx in front of it, and clients that never stop.

The origin takes only keys that have been given and have not expired, and says `ExpiredToken` else. Each of its addresses
is an origin of its own, with a provider of its own, so that keys are replaced often.
"""

import contextlib
import hashlib
import hmac
import json
import os
import socket
import socketserver
import threading
import time
import urllib.request
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

from conftest import CLIENT
from servers import Nginx, free_port
from uploads import Connection, Signer

ADDRESSES = int(os.environ.get("KEY_ORIGINS", 40))
REGION = "eu-north-1"
BODY = os.urandom(20_000)


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

    @contextlib.contextmanager
    def gone(self):
        """Connections are refused meanwhile."""
        self.__exit__()
        try:
            yield
        finally:
            self.socket = socket.socket(self.address_family, self.socket_type)
            self.server_bind()
            self.server_activate()
            self.__enter__()

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

    def __init__(self, url, number, over, pause):
        super().__init__()
        self.url, self.number, self.over, self.pause = url, number, over, pause
        self.answered, self.slowest, self.wrong = 0, 0, []

    def run(self):
        while not self.over.is_set():
            began = time.monotonic()
            told = ask(self.url, "PUT" if self.number % 2 else "GET")
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.answered += 1
            if told != 200:
                self.wrong.append(told)
            time.sleep(self.pause)


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
def load(nginx, clients=4, pause=0.005):
    over = threading.Event()
    threads = [Client(nginx.url, number, over, pause) for number in range(clients)]
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
