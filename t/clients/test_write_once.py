"""Writes over kind x size x moment at which an origin fails: each is answered right, done once, and equal.

What is right is said by `Model`, after nginx/README.md ("When an origin fails"), for two origins of which A is asked
first. UPLOADS says how many writes there are in all; the same ones each time.
"""

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import itertools
import json
import os
import random
import re
import threading
import time

import pytest
from conftest import CLIENT
from faulty import ENDINGS, Origin
from handmade import UNSIGNED, presigned
from servers import Nginx, certify, free_port
from uploads import KINDS, Answer, Connection, Signer, Upload, in_transfer_chunks

UPLOADS = int(os.environ.get("UPLOADS", 640))
DOORS = list(itertools.product(("http", "https"), ("buffered", "unbuffered"), ("keep", "decode"), ("keepalive", "closing")))
DATA = random.Random(0).randbytes(6 << 20)
SIZES = {0: 10, 1: 10, 100: 15, 8 << 10: 20, 64 << 10: 22, 1 << 20: 20, 5 << 20: 3}
BUFFER = 64 << 10  # client_body_buffer_size
# What a location has for an origin that stands still, in seconds.
TIMEOUTS = {"": "", "silent": "proxy_read_timeout 4s;", "trickle": "proxy_send_timeout 500ms;"}
STATUSES = (412, 403, 404, 409, 500, 503, 499, 408, 429)
PLAIN = (412, 409)  # that no setting makes a failure
# With these settings more than the defaults are failures.
NEXT = {"default": set(), "statuses": {403, 404, 429, 500, 503}}
WAYS = ("signed", "unsigned payload", "chunked", *KINDS, "presigned", "form", "complete", "delete", "part", "sealed part")
KINDS_OF_PUT = WAYS[:WAYS.index("presigned") + 1]
CONDITIONS = ("", "if-none-match: *", 'if-match: "0"')
SEALED = "/bucket/sealed"
BOUNDARY = "----a-boundary"
FIRST = ("there", "dead", "close", "slam")


@dataclasses.dataclass
class Write:
    serial: str
    way: str
    size: int
    offset: int
    condition: str
    first: str  # what is at A's address
    next: str
    faults: dict
    ending: str
    is_late: bool  # the client waits in the middle of the body
    outcome: tuple | None = None  # what it was answered

    @property
    def data(self):
        return b"" if self.way == "delete" else DATA[self.offset:self.offset + self.size]

    @property
    def is_post(self):
        return self.way in ("form", "complete")

    def fault(self, name):
        return self.faults[name].partition("-")[0]

    def status(self, name):
        """That an origin says early."""
        return int(self.faults[name].partition("-")[2]) if self.fault(name) in ("say", "keep", "wait", "trickle") else 0


def faults(dice, size):
    """At a moment of a body of that size."""
    at = dice.choice([0, size // 2, max(size - 1, 0)])
    early = f"{dice.choice(['say', 'say', 'keep', 'wait'])}-{dice.choice(STATUSES)}"
    return dice.choices(
        ["none", f"leave-{at}", "whole", f"cut-{dice.randrange(1, 40)}", early, "early", "liar", "interim", "noise", "slow",
         "silent", f"trickle-{dice.choice(PLAIN)}"],
        [6, 20, 8, 8, 42, 6, 3, 2, 2, 4, 0.4, 0.6])[0]


# What is there in every sample, with more than the sockets hold.
CORNERS = ("say-412", "early", "liar", "wait-403", f"leave-{1 << 20}")


def writes(number, count):
    dice = random.Random(number)
    corners = CORNERS if number % 3 else (*CORNERS, "trickle-409")
    for serial, fault in enumerate(corners):
        yield Write(f"{number}-corner-{serial}", dice.choice(KINDS_OF_PUT), 5 << 20, 0, "", "there", "default",
                    {"a": fault, "b": "none"}, dice.choice(ENDINGS), False)
    for serial in range(count - len(corners)):
        way = dice.choice(WAYS)
        size = dice.choices([*SIZES], [*SIZES.values()])[0]
        if way == "complete":
            size = min(size, 8 << 10)
        condition = "" if way in ("form", "part", "sealed part") else dice.choice(CONDITIONS)
        if way == "delete":
            size, condition = 0, condition.replace("none-", "").replace("*", '"0"')
        first = dice.choices(FIRST, [85, 5, 5, 5])[0] if way != "sealed part" else "there"
        yield Write(
            f"{number}-{serial}", way, size, dice.randrange(len(DATA) - size), condition, first, dice.choice([*NEXT]),
            {"a": faults(dice, size), "b": faults(dice, size) if dice.random() < 0.15 else "none"}, dice.choice(ENDINGS),
            dice.random() < 0.1)


class Model:
    """What may become of a write."""

    def __init__(self, write, is_tls, is_buffered):
        self.write = write
        self.is_tls = is_tls
        self.is_buffered = is_buffered

    def may_repeat(self):
        """Whether the next origin is asked after one that has heard of it: yes, no, or either."""
        write = self.write
        if write.condition or write.way == "sealed part":
            return {False}
        if write.is_post and write.next == "default":
            return {False}
        if self.is_buffered or write.way == "delete":
            return {True}
        # What has all come by the time that nginx looks for it does not stream.
        return {True, False} if write.size <= BUFFER else {False}

    def outcomes(self):
        """Pairs of a status and the name of the origin that gave it, or None: nginx did."""
        write = self.write
        if write.first == "dead" or write.first != "there" and self.is_tls:
            return self.outcomes_at_last()
        if write.first != "there":
            # It may be found before anything is sent, or after.
            return self.outcomes_at_last() | self.failed(502, {True, False} if False in self.may_repeat() else {True})
        return set().union(*(self.outcomes_after(*end) for end in self.ends("a")))

    def outcomes_at_last(self):
        return {(status, "b" if is_said else None) for status, is_said, _ in self.ends("b")}

    def outcomes_after(self, status, is_said, may_fail):
        if may_fail:
            return self.failed(status, self.may_repeat(), "a" if is_said else None)
        return {(status, "a" if is_said else None)}

    def failed(self, status, may_repeat, by=None):
        outcomes = set()
        if True in may_repeat:
            outcomes |= self.outcomes_at_last()
        if False in may_repeat:
            outcomes.add((status, by))
        return outcomes

    def ends(self, name):
        """How a try may end: the status, whether an origin said it, and whether another may be asked."""
        write = self.write
        fault, status = write.fault(name), write.status(name)
        if status:
            return {(status, True, status in NEXT[write.next])}
        if fault in ("none", "slow"):
            return {(200, True, False)}
        if fault in ("leave", "whole", "cut"):
            return {(502, False, True)}
        if fault == "silent":
            return {(504, False, True)}
        if fault in ("interim", "noise"):
            return {(502, False, False)}
        # An answer of 200 counts if nginx had sent all of the body by then.
        assert fault in ("early", "liar")
        return {(200, True, False), (502, False, False)}


class Site:
    """Two origins, and one nginx with a port for each thing that may be at A's address, and for each setting."""

    def __init__(self, stack, folder, door):
        transport, buffering, framing, connections = door
        self.is_tls = transport == "https"
        self.is_buffered = buffering == "buffered"
        folder.mkdir()
        certify(folder, "DNS:a.test", "DNS:b.test")
        self.origins = {name: stack.enter_context(Origin(name, folder)) for name in "ab"}
        a, b = self.origins.values()
        dead = free_port()
        addresses = {"there": a.port(None, self.is_tls), "dead": dead,
                     "close": a.port("close", self.is_tls), "slam": a.port("slam", self.is_tls)}
        self.ports = {key: free_port() for key in [*itertools.product(FIRST, NEXT, TIMEOUTS)]}
        blocks = []
        for first, port in addresses.items():
            addresses_of_two = f"127.0.0.1:{port}", f"127.0.0.1:{b.port(None, self.is_tls)}"
            lines = [f"s3_origin {address} access_key=AKID{name} secret_key=secret{name} host={name}.test framing={framing};"
                     for address, name in zip(addresses_of_two, "ab")]
            blocks.append(f"""upstream {first} {{
                server {addresses_of_two[0]} max_fails=0;
                server {addresses_of_two[1]} max_fails=0 backup;
                {"keepalive 4;" if connections == "keepalive" else ""}
                {" ".join(lines)}
            }}""")
        for (first, setting, stands), port in self.ports.items():
            statuses = " ".join(f"http_{status}" for status in NEXT[setting])
            more = f"proxy_next_upstream error timeout non_idempotent {statuses};" if statuses else ""
            blocks.append(f"""server {{
                listen 127.0.0.1:{port};
                location / {{
                    s3_resign on;
                    proxy_pass {transport}://{first};
                    proxy_request_buffering {"on" if self.is_buffered else "off"};
                    {TIMEOUTS[stands]}
                    {more}
                }}
            }}""")
        connection = 'proxy_set_header Connection "";' if connections == "keepalive" else ""
        self.nginx = stack.enter_context(Nginx(folder / "nginx", f"""
            s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
            client_body_buffer_size {BUFFER};
            proxy_http_version 1.1;
            {connection}
            {"".join(blocks)}
            """, self.ports["there", "default", ""]))

    def url(self, write):
        stands = next((fault for name in "ab" if (fault := write.fault(name)) in TIMEOUTS), "")
        return f"http://127.0.0.1:{self.ports[write.first, write.next, stands]}"


class Client(threading.Thread):
    """Sends writes one after the other, over connections that it keeps."""

    def __init__(self, site, writes):
        super().__init__()
        self.site = site
        self.writes = writes
        self.connections = {}
        self.signers = {}
        self.upload_ids = {}
        self.wrong = []
        self.count = 0

    def run(self):
        while write := next(self.writes, None):
            try:
                self.judge(write, self.ask(write))
            except Exception as error:  # the test shows it
                self.wrong.append((write, repr(error)))
                self.forget(self.site.url(write))
            self.count += 1
        for connection in self.connections.values():
            connection.close()

    def forget(self, url):
        if connection := self.connections.pop(url, None):
            connection.close()

    def ask(self, write):
        url = self.site.url(write)
        request = self.request(write, url)
        return self.exchange(url, request, len(request) // 2 if write.is_late else 0)

    def exchange(self, url, request, late=0):
        if url not in self.connections:
            self.connections[url] = Connection(url, timeout=60)
        connection = self.connections[url]
        # Where nginx answers before it has all, and closes, there is an answer to read all the same.
        with contextlib.suppress(ConnectionError):
            connection.socket.sendall(request[:len(request) - late])
            time.sleep(0.03 if late else 0)
            connection.socket.sendall(request[len(request) - late:])
        answer = Answer(connection.socket)
        if answer.closes:
            self.forget(url)
        return answer

    def signer(self, url):
        return self.signers.setdefault(url, Signer(url, CLIENT))

    def request(self, write, url):
        """The bytes of it."""
        signer, data = self.signer(url), write.data
        more = [f"x-fault: {','.join(f'{name}={fault}' for name, fault in write.faults.items())}",
                f"x-ending: {write.ending}", f"x-serial: {write.serial}", *filter(None, [write.condition])]
        target = SEALED if write.way == "sealed part" else f"/bucket/{write.serial}"
        if write.way in KINDS:
            chunks = [data[at:at + 65536] for at in range(0, len(data), 65536)]
            upload = Upload(signer, target, write.way, chunks)
            return upload.framing.head(*more, f"content-length: {len(upload.body)}") + upload.body
        if write.way == "form":
            kind, data = form(signer, write.serial, data)
            lines = ["POST /bucket HTTP/1.1", f"host: {signer.host}", f"content-type: {kind}"]
        elif write.way == "presigned":
            lines = [f"PUT {presigned(signer, 'PUT', target)} HTTP/1.1", f"host: {signer.host}"]
        else:
            method = {"complete": "POST", "delete": "DELETE"}.get(write.way, "PUT")
            if write.way == "complete":
                target += "?uploadId=unsealed"
            elif write.way == "part":
                target += "?partNumber=1&uploadId=unsealed"
            elif write.way == "sealed part":
                target += f"?partNumber=1&uploadId={self.sealed(url)}"
            payload = UNSIGNED if write.way in ("unsigned payload", "chunked") else hashlib.sha256(data).hexdigest()
            lines, _ = signer.head(method, target, payload)
        if write.way == "chunked":
            more.append("transfer-encoding: chunked")
            data = in_transfer_chunks(data, 60_000)
        elif write.way != "delete":
            more.append(f"content-length: {len(data)}")
        return "\r\n".join((*lines, *more, "", "")).encode() + data

    def sealed(self, url):
        """An upload id of A's, as nginx gives it away, for `SEALED`."""
        if url not in self.upload_ids:
            lines, _ = self.signer(url).head("POST", f"{SEALED}?uploads=")
            faults = ["x-fault: a=none,b=none", "x-ending: end", "x-serial: create", "content-length: 0"]
            answer = self.exchange(url, "\r\n".join((*lines, *faults, "", "")).encode())
            self.upload_ids[url] = re.search(rb"<UploadId>(.+)</UploadId>", answer.body)[1].decode()
        return self.upload_ids[url]

    def judge(self, write, answer):
        """What an answer says. What is stored is looked at when all is over."""
        by, model = answer.headers["x-by"], Model(write, self.site.is_tls, self.site.is_buffered)
        write.outcome = answer.status, by
        assert write.outcome in model.outcomes(), f"{write.outcome}, not {model.outcomes()}: {answer.body}"
        if by is None:
            assert answer.code == "InternalError"
        else:
            assert answer.headers["x-serial"] == write.serial
            assert answer.status == 200 or answer.code == f"Said{answer.status}"


def form(signer, key, data):
    """The type and the body of a browser's form."""
    policy = base64.b64encode(json.dumps({
        "expiration": "2099-01-01T00:00:00Z",
        "conditions": [{"bucket": "bucket"}, {"key": key}, ["starts-with", "$x-amz-credential", ""],
                       ["starts-with", "$x-amz-date", ""], ["starts-with", "$x-amz-algorithm", ""]],
    }).encode())
    fields = {"key": key, "policy": policy.decode(), "x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-date": signer.stamp,
              "x-amz-credential": f"{signer.access_key}/{signer.scope}",
              "x-amz-signature": hmac.digest(signer.key, policy, "sha256").hex()}
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    file = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    body = "".join((*parts, file)).encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    return f"multipart/form-data; boundary={BOUNDARY}", body


def look(site, write):
    """What has become of a write at the origins, once it has been answered."""
    status, by = write.outcome
    operation = {"complete": "complete", "delete": "delete"}.get(write.way, "write")
    expected = operation, hashlib.sha256(write.data).digest()
    model = Model(write, site.is_tls, site.is_buffered)
    stored = {name: origin.stored[write.serial] for name, origin in site.origins.items()}
    arrivals = {name: origin.arrivals[write.serial] for name, origin in site.origins.items()}
    if status == 200 and write.fault(by) != "liar":
        assert stored[by], "lost"
    for name in "ab":
        assert all(done == expected for done in stored[name]), "not equal"
        # A connection that was kept may have been closed before the origin has heard of it.
        assert all(number > 1 for number in arrivals[name][:-1]), "asked twice"
        if (status, by) != (200, name):
            assert not stored[name] or write.fault(name) in ("whole", "cut", "silent"), "done, and told otherwise"
    if write.condition == "if-none-match: *":
        assert len(stored["a"] + stored["b"]) <= 1, "the condition did not hold twice"
    if arrivals["a"] and model.may_repeat() == {False}:
        assert not arrivals["b"], "done elsewhere"


@pytest.mark.parametrize("door", DOORS, ids="-".join)
def test_each_write_is_done_once(door, tmp_path):
    with contextlib.ExitStack() as stack:
        site = Site(stack, tmp_path / "site", door)
        number = DOORS.index(door)
        all_writes = list(writes(number, UPLOADS // len(DOORS)))
        queue = Queue(all_writes)
        clients = [Client(site, queue) for _ in range(6)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(600)
            assert not client.is_alive()
        wrong = [found for client in clients for found in client.wrong]
        answered = [write for write in all_writes if write.outcome]
        # What an origin does after its answer may still be under way.
        wait_for(lambda: all(site.origins[write.outcome[1]].stored[write.serial] for write in answered
                             if write.outcome[0] == 200 and write.fault(write.outcome[1]) == "early"))
        for write in answered:
            try:
                look(site, write)
            except AssertionError as error:
                wrong.append((write, repr(error)))
        log = site.nginx.error_log.read_text(errors="replace")
        print(log, *wrong, sep="\n")
        assert not wrong
        assert not [origin.wrong for origin in site.origins.values() if origin.wrong]
        assert len(answered) == len(all_writes)
    marks = ("[alert]", "[emerg]", "[crit]", "exited on signal")
    assert not [line for line in log.splitlines() if any(mark in line for mark in marks)]


def wait_for(condition, seconds=10):
    """Until it holds, or for so long."""
    for _ in range(seconds * 20):
        if condition():
            return
        time.sleep(0.05)


class Queue:
    """An iterator for several threads."""

    def __init__(self, items):
        self.items = iter(items)
        self.lock = threading.Lock()

    def __next__(self):
        with self.lock:
            return next(self.items)
