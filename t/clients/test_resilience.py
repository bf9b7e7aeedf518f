"""nginx itself under load: it is reloaded, loses workers, and has a balancer in front.

Clients read and write all the while, over connections that they keep and over new ones. As HTTP has it
(RFC 9110 section 9.2.2), they repeat a request only where a connection that was kept has been closed
before a byte of its answer, since nginx closes idle ones when a worker ends.
"""

import contextlib
import csv
import dataclasses
import hashlib
import http.client
import io
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import threading
import time
import urllib.request

from adapters import Boto3
from conftest import CLIENT
from servers import Credentials, Nginx, S3sFs, Server, free_port, memory_of
from uploads import Answer, Connection, Signer

BUCKET = "resilience"
BODY = os.urandom(50_000)
INTERVAL, TIMEOUT, RISE, FALL = 0.3, 1, 2, 2
LEASE = 2  # until another worker checks
SLACK = 3  # for a busy machine
SECONDS = int(os.environ.get("RELOAD_SECONDS", 12))
RELOADS = int(os.environ.get("RELOADS", 60))


@dataclasses.dataclass
class Broken:
    """A request that had no answer, or not all of it."""

    began: float
    ended: float
    worker: str | None
    error: Exception


class Client(threading.Thread):
    """Sends one request after the other. What has become of them is counted."""

    def __init__(self, url, number, over):
        super().__init__()
        self.url = url
        self.number = number
        self.over = over
        self.keeps, self.writes = bool(number & 1), bool(number & 2)
        self.signer = Signer(url, CLIENT)
        self.connection = None
        self.answered = 0
        self.repeated = 0
        self.worker = None  # behind the connection, once it has answered
        self.broken = []
        self.wrong = []
        self.written = {}

    def run(self):
        number = 0
        while not self.over.is_set():
            number += 1
            if self.writes:
                self.write(f"{self.number}-{number}")
            else:
                self.read()
            time.sleep(0.01)
        self.close()

    def read(self):
        answer = self.ask("GET", f"/{BUCKET}/read", b"")
        if answer and (answer.status, answer.body) != (200, BODY):
            self.wrong.append(("read", answer.status, len(answer.body)))

    def write(self, name):
        body = os.urandom(8_000)
        answer = self.ask("PUT", f"/{BUCKET}/{name}", body)
        if answer and answer.status != 200:
            self.wrong.append(("write", answer.status, answer.body))
        elif answer:
            self.written[name] = body

    def ask(self, method, path, body):
        """The answer; None where the connection broke, or nobody took it."""
        lines, _ = self.signer.head(method, path, hashlib.sha256(body).hexdigest())
        head = [*lines, f"content-length: {len(body)}", *([] if self.keeps else ["connection: close"]), "", ""]
        request = "\r\n".join(head).encode() + body
        began = time.monotonic()
        try:
            while True:
                is_new = self.connection is None
                if is_new:
                    self.connection = Connection(self.url)
                    self.worker = None
                if self.is_answered(request):
                    break
                self.close()
                if is_new:
                    raise ConnectionError("no answer")
                self.repeated += 1
            answer = Answer(self.connection.socket)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self.broken.append(Broken(began, time.monotonic(), self.worker, error))
            return None
        self.worker = answer.headers["x-worker"]
        if not self.keeps or answer.closes:
            self.close()
        self.answered += 1
        return answer

    def is_answered(self, request):
        """Whether there is a byte of an answer."""
        connection = self.connection.socket
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        try:
            return connection.recv(1, socket.MSG_PEEK) != b""
        except ConnectionError:
            return False

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None


class Load:
    """Clients of each kind at work, until it is left."""

    def __init__(self, url):
        self.over = threading.Event()
        self.clients = [Client(url, number, self.over) for number in range(8)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for client in self.clients:
            client.join(30)
            assert not client.is_alive()
        kinds = [(c.keeps, c.writes, c.answered, c.repeated, len(c.broken)) for c in self.clients]
        print("keeps, writes, answered, repeated, broken:", *kinds, sep="\n  ")

    def count(self, of):
        return sum(getattr(client, of) for client in self.clients)

    def all(self, of):
        return [item for client in self.clients for item in getattr(client, of)]

    def lost(self, origins):
        """What is not stored as it was written."""
        def holds(origin, name, body):
            file = origin.data / BUCKET / name
            return file.exists() and file.read_bytes() == body

        return [name for client in self.clients for name, body in client.written.items()
                if not any(holds(origin, name, body) for origin in origins)]


def start_origin(stack, folder, name):
    """With a bucket, and an object to read."""
    origin = stack.enter_context(S3sFs(folder / name, Credentials(f"AKID{name}", f"secret{name}", "us-east-1")))
    direct = Boto3(origin.url, origin.credentials, None)
    direct.create_bucket(BUCKET)
    direct.put(BUCKET, "read", BODY)
    return origin


def proxy(folder, origins, kind=Nginx, interval=INTERVAL, more=""):
    """nginx in front of them. Only checks take an origin out of use."""
    port = free_port()
    servers = "\n".join(f"server {origin.address} max_fails=0; {origin.s3_origin()}" for origin in origins)
    return kind(folder, f"""
        s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
        client_body_buffer_size 64k;
        proxy_connect_timeout 2s;
        upstream origins {{
            zone origins 64k;
            {servers}
            keepalive 8;
            s3_health_check bucket={BUCKET} interval={interval * 1000:.0f}ms timeout={TIMEOUT * 1000:.0f}ms
                            rise={RISE} fall={FALL};
        }}
        server {{
            listen 127.0.0.1:{port};
            add_header X-Worker $pid always;
            add_header X-Origin $upstream_addr always;
            location / {{
                s3_resign on;
                proxy_pass http://origins;
                proxy_http_version 1.1;
                proxy_set_header Connection "";
            }}
            location = /s3_status {{ s3_status; }}
            location = /healthz {{ s3_healthz; }}
            {more}
        }}
        """, port)


class State:
    """What nginx says of itself at one moment."""

    def __init__(self, nginx):
        self.nginx = nginx
        wait(self.is_read)
        self.started, self.reloads = self.all["started"], self.all["reloads"]
        self.let_in = self.all["requests"]["let_in"]
        self.good = self.all["requests"]["answers"]["2xx"]
        self.tries = sum(sum(origin["answers"].values()) for origin in self.all["origins"])
        self.retries = self.all["requests"]["retries"]

    def is_read(self):
        """A worker that is killed does not answer."""
        with (contextlib.suppress(OSError, http.client.HTTPException),
              urllib.request.urlopen(f"http://127.0.0.1:{self.nginx.port}/s3_status?format=json", timeout=20) as answer):
            self.all = json.load(answer)
            return True

    def of(self, origin):
        addresses = self.all["health"][0]["addresses"]
        return next((a for a in addresses if a["server"] == origin.address), {"state": "unknown", "passed": 0, "failed": 0})

    def tries_at(self, origin):
        return sum(next(o for o in self.all["origins"] if o["server"] == origin.address)["answers"].values())

    def changes_of(self, origin):
        return [change["state"] for change in reversed(self.of(origin)["changes"])]


def wait(condition, seconds=30):
    """Until it holds: how long that took. A machine that stands still meanwhile is borne with."""
    began = time.monotonic()
    for _ in range(seconds * 50):
        if condition():
            return time.monotonic() - began
        time.sleep(0.02)
    raise AssertionError("in vain")


def wait_for(nginx, origin, state):
    return wait(lambda: State(nginx).of(origin)["state"] == state)


@contextlib.contextmanager
def repeated(action, every):
    """Does it at that interval, until it is left. Yields what came of it."""
    results = []
    over = threading.Event()

    def work():
        while not over.wait(every):
            results.append(action())

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield results
    finally:
        over.set()
        thread.join()


def test_reloads_under_load(tmp_path):
    with contextlib.ExitStack() as stack:
        a, b = (start_origin(stack, tmp_path, name) for name in "ab")
        nginx = stack.enter_context(proxy(tmp_path / "nginx", [a, b]))
        wait_for(nginx, b, "up")
        b.kill()
        wait_for(nginx, b, "down")
        before = State(nginx)
        with Load(f"http://127.0.0.1:{nginx.port}") as load:
            with repeated(lambda: nginx.process.send_signal(signal.SIGHUP), 0.2):
                time.sleep(SECONDS / 2)
                down = State(nginx)
                b.__enter__()
                back = wait_for(nginx, b, "up")
                time.sleep(SECONDS / 2)
        wait(lambda: State(nginx).let_in - before.let_in >= load.count("answered"))
        after = State(nginx)
        print(f"{after.reloads} reloads, back after {back:.2f} s")
        print(nginx.error_log.read_text()[-3000:] if load.all("broken") else "")
        assert load.all("broken") == load.all("wrong") == load.lost([a, b]) == []
        assert all(client.answered > 2 * SECONDS for client in load.clients)
        assert after.reloads > SECONDS
        # Each request has been counted once, wherever it was.
        assert after.started == before.started
        assert after.let_in - before.let_in == after.good - before.good == load.count("answered")
        assert after.tries - before.tries == load.count("answered") + after.retries - before.retries
        # What was down stayed so for all new workers, and was found to be back.
        assert down.tries_at(b) == before.tries_at(b) < after.tries_at(b)
        assert down.of(b)["failed"] > before.of(b)["failed"]
        assert after.changes_of(a) == ["up"] and after.changes_of(b) == ["up", "down", "up"]
        assert back < RISE * INTERVAL + TIMEOUT + SLACK


@dataclasses.dataclass
class Kill:
    before: float
    after: float
    worker: str | None  # None where it was an origin

    @classmethod
    def of(cls, kill, worker=None):
        before = time.monotonic()
        kill()
        return cls(before, time.monotonic(), worker and str(worker))

    def explains(self, broken):
        is_there = broken.began <= self.after and self.before <= broken.ended
        return is_there and (self.worker is None or broken.worker in (None, self.worker))


def test_workers_killed_under_load(tmp_path):
    with contextlib.ExitStack() as stack:
        a, b = (start_origin(stack, tmp_path, name) for name in "ab")
        nginx = stack.enter_context(proxy(tmp_path / "nginx", [a, b]))

        def kill_worker():
            eldest = nginx.worker_pids()[0]  # so that none lives for more than two seconds
            return Kill.of(lambda: os.kill(eldest, signal.SIGKILL), eldest)

        wait_for(nginx, b, "up")
        before = State(nginx)
        with Load(f"http://127.0.0.1:{nginx.port}") as load:
            with repeated(kill_worker, 1) as kills:
                wait(lambda: len(kills) == 1)
                origin_kill = Kill.of(b.kill)
                out = wait_for(nginx, b, "down")
                time.sleep(0.2)  # for the tries under way
                down = State(nginx)
                wait(lambda: len(kills) >= 5)
                still_down = State(nginx)
                b.__enter__()
                back = wait_for(nginx, b, "up")
                time.sleep(1)
        broken = load.all("broken")
        print(f"{len(kills)} kills, out after {out:.2f} s, back after {back:.2f} s", *broken, sep="\n")
        assert load.all("wrong") == load.lost([a, b]) == []
        assert [b for b in broken if not any(kill.explains(b) for kill in [*kills, origin_kill])] == []
        assert all(client.answered > 5 * len(kills) for client in load.clients)

        # A worker may be killed between an answer's end and its being counted.
        wait(lambda: State(nginx).let_in - before.let_in >= load.count("answered") - len(kills))
        after = State(nginx)
        assert after.let_in - before.let_in <= load.count("answered") + len(broken)
        assert after.started == before.started
        assert down.tries_at(b) == still_down.tries_at(b) < after.tries_at(b)
        assert after.changes_of(a) == ["up"] and after.changes_of(b) == ["up", "down", "up"]
        # Whoever checks is killed too: another goes on.
        assert out < LEASE + FALL * INTERVAL + TIMEOUT + SLACK
        assert back < LEASE + RISE * INTERVAL + TIMEOUT + SLACK
        assert before.of(a)["passed"] < down.of(a)["passed"] < after.of(a)["passed"]


def mapped_by(pid):
    """But malloc's heap, which grows by more than it needs: what is used of that is resident."""
    regions = [line.split() for line in pathlib.Path(f"/proc/{pid}/maps").open() if not line.endswith("[heap]\n")]
    bounds = [[int(address, 16) for address in region[0].split("-")] for region in regions]
    return sum(end - start for start, end in bounds)


def test_memory_does_not_grow_with_reloads(tmp_path):
    with contextlib.ExitStack() as stack:
        a, b = (start_origin(stack, tmp_path, name) for name in "ab")
        more = f"location /other/ {{ s3_resign on; {a.s3_origin().replace(a.address, '')} proxy_pass https://{b.address}; }}"
        nginx = stack.enter_context(proxy(tmp_path / "nginx", [a, b], more=more))
        master = nginx.process.pid
        sizes = []
        for number in range(1, RELOADS + 1):
            nginx.process.send_signal(signal.SIGHUP)
            wait(lambda: State(nginx).reloads == number)
            # The last configuration goes when the next one is in use.
            wait(lambda: pathlib.Path(f"/proc/{master}/maps").read_text().count("/memfd:s3_resign_") == 3)
            sizes.append([memory_of(master, "VmRSS"), memory_of(master, "RssShmem"), mapped_by(master)])
        resident, shared, mapped = zip(*sizes)
        print("resident, shared, mapped, every tenth:", *sizes[::RELOADS // 10], sep="\n  ")
        # How much of a mapping counts as resident depends on where it is, so the least counts. The heap may take
        # some pages in one go, however late; what is lost with each reload is lost in each stretch.
        stretch = RELOADS // 6
        for series in (resident, shared, mapped):
            least = [min(series[start : start + stretch]) for start in range(stretch, 6 * stretch, stretch)]
            assert min(later - earlier for earlier, later in itertools.pairwise(least)) <= 8 << 10, least


class HAProxy(Server):
    """In front of proxies, which it asks for their health."""

    def __init__(self, folder, proxies):
        super().__init__(folder)
        self.status_port = free_port()
        servers = "\n".join(f"    server {name} 127.0.0.1:{proxy.port}" for name, proxy in proxies.items())
        (self.folder / "haproxy.cfg").write_text(f"""
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
    timeout check 1s
    retries 3
    retry-on all-retryable-errors
    option redispatch 1
listen s3
    bind 127.0.0.1:{self.port}
    balance roundrobin
    option httpchk GET /healthz
    http-check expect status 200
    default-server check inter 200ms rise 2 fall 2
{servers}
listen status
    bind 127.0.0.1:{self.status_port}
    stats enable
    stats uri /
""")

    def command(self):
        haproxy = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") or "haproxy"
        return [haproxy, "-db", "-f", str(self.folder / "haproxy.cfg")]

    def states(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}/;csv") as answer:
            rows = csv.DictReader(io.TextIOWrapper(answer))
            return {row["svname"]: row["status"] + " " + row["check_code"] for row in rows if row["# pxname"] == "s3"}


def test_behind_haproxy(tmp_path):
    with contextlib.ExitStack() as stack:
        origins = [start_origin(stack, tmp_path, name) for name in "abcd"]
        one = stack.enter_context(proxy(tmp_path / "one", origins[:2]))
        two = stack.enter_context(proxy(tmp_path / "two", origins[2:]))
        balancer = stack.enter_context(HAProxy(tmp_path / "haproxy", {"one": one, "two": two}))

        def wait_until_one(state):
            return wait(lambda: balancer.states()["one"] == state)

        wait_until_one("UP 200")
        with Load(f"http://127.0.0.1:{balancer.port}") as load:
            time.sleep(0.5)
            kills = [Kill.of(one.kill)]
            wait_until_one("DOWN ")
            time.sleep(0.5)
            one.__enter__()
            wait_until_one("UP 200")
            time.sleep(0.5)
            before = State(one)
            kills += [Kill.of(origin.kill) for origin in origins[:2]]
            out = wait_until_one("DOWN 450")
            without = State(one)
            time.sleep(0.5)
            still_without = State(one)
            for origin in origins[:2]:
                origin.__enter__()
            wait_until_one("UP 200")
            wait(lambda: State(one).good > without.good)
        print(f"out after {out:.2f} s")
        assert load.all("wrong") == load.lost(origins) == []
        assert [b for b in load.all("broken") if not any(kill.explains(b) for kill in kills)] == []
        assert all(client.answered > 20 for client in load.clients)
        # It had its share, and none without origins.
        assert before.let_in > 0
        assert still_without.let_in - without.let_in <= len(load.clients)
        assert out < FALL * INTERVAL + TIMEOUT + SLACK
