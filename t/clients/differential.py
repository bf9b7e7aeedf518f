"""Sends what `signers` makes to nginx in bulk, and compares it with what comes out: an origin echoes that."""

import base64
import contextlib
import dataclasses
import itertools
import random
import re
import socket
import socketserver
import traceback

import signers
from conftest import CLIENT
from tap import Loopback
from test_oracle import Received, check_signature, check_the_same

AT_ONCE = 16
SESSION = dataclasses.replace(CLIENT, access_key="AKIDSESSION", session_token="token+/=" * 9)


class Echo(Loopback):
    """An origin that answers with the request, as `Echo` in the head. Connections are kept."""

    def __init__(self):
        super().__init__(Echoing)


class Echoing(socketserver.BaseRequestHandler):
    def handle(self):
        held = b""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while piece := self.request.recv(65536):
                held += piece
                while (end := held.find(b"\r\n\r\n")) >= 0:
                    length = re.search(rb"\ncontent-length: *(\d+)", held[:end], re.IGNORECASE)
                    end += 4 + (int(length[1]) if length else 0)
                    if len(held) < end:
                        break
                    echo = base64.b64encode(held[:end])
                    self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nEcho: " + echo + b"\r\n\r\n")
                    held = held[end:]


def settings(address, origin, port):
    """Of nginx in front of an echo."""
    return f"""
    access_log off;
    ignore_invalid_headers off;
    keepalive_requests 1000000;
    large_client_header_buffers 4 32k;
    proxy_buffer_size 64k;
    proxy_buffers 8 64k;
    client_header_timeout 20s;
    client_body_timeout 20s;
    lingering_close off;
    s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
    s3_client {SESSION.access_key} secret_key={SESSION.secret_key} session_token={SESSION.session_token};
    upstream echo {{
        server {address};
        keepalive 16;
        s3_origin {address} access_key={origin.access_key} secret_key={origin.secret_key} region={origin.region} host=s3.example.com;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ s3_resign on; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://echo; }}
    }}
    """


def received(echo):
    head, _, body = base64.b64decode(echo).partition(b"\r\n\r\n")
    line, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    method, target, _ = line.split(" ")
    return Received(method, target, [tuple(line.split(": ", 1)) for line in lines], body)


class Loader:
    """Asks over one connection, as long as it is kept."""

    def __init__(self, host):
        self.host = host
        self.socket = None
        self.is_head = False

    def ask(self, request):
        self.send(request)
        return self.answer()

    def send(self, request):
        if not self.socket:
            name, port = self.host.split(":")
            self.socket = socket.create_connection((name, int(port)), 60)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_head = request.startswith(b"HEAD ")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(request)

    def answer(self):
        """The status (0 without an answer), what the origin has got, and the body of the answer."""
        said, end = b"", -1
        with contextlib.suppress(ConnectionResetError):
            while (end := said.find(b"\r\n\r\n")) < 0 and (piece := self.socket.recv(65536)):
                said += piece
        if end < 0 or not said.startswith(b"HTTP/1.1 "):
            self.close()
            return 0, None, said
        head, body = said[:end + 4], said[end + 4:]
        length = re.search(rb"\ncontent-length: *(\d+)", head, re.IGNORECASE)
        is_chunked = re.search(rb"\ntransfer-encoding: *chunked", head, re.IGNORECASE)
        if not self.is_head:
            while (length and len(body) < int(length[1]) or is_chunked and not body.endswith(b"0\r\n\r\n")) and (piece := self.socket.recv(65536)):
                body += piece
        if re.search(rb"\nconnection: *close", head, re.IGNORECASE):
            self.close()
        echo = re.search(rb"\nEcho: ([^\r]+)", head)
        return int(head[9:12]), received(echo[1]) if echo else None, body

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None


class Loaders:
    """Several at once: on a busy machine each waits for its turn."""

    def __init__(self, host, keeps=True):
        self.keeps = keeps
        self.loaders = [Loader(host) for _ in range(AT_ONCE)]

    def ask(self, requests):
        """Yields the answers in the order of the requests."""
        requests = iter(requests)
        while batch := list(itertools.islice(requests, len(self.loaders))):
            for loader, request in zip(self.loaders, batch):
                loader.send(request)
            for loader, _ in zip(self.loaders, batch):
                yield loader.answer()
                if not self.keeps:
                    loader.close()

    def close(self):
        for loader in self.loaders:
            loader.close()


def made(name, seed, count, host):
    chance = random.Random(seed)
    payloads = signers.SIGNERS[name].payloads
    pairs = [(signers.request(chance, payloads), chance.choice((CLIENT, CLIENT, SESSION))) for _ in range(count)]
    return signers.signed(name, pairs, host, CLIENT.region)


def check_all(name, seed, count, host):
    """Sends so many requests that were signed by one signer; tells which were not accepted, or came out as others."""
    loaders, wrong = Loaders(host), []
    requests = list(made(name, seed, count, host))
    answers = loaders.ask(signed.head() + signed.body for signed in requests)
    for number, (signed, (status, arrived, body)) in enumerate(zip(requests, answers, strict=True)):
        try:
            assert status == 200, (status, body)
            check(signed, arrived)
        except AssertionError:
            wrong.append((name, seed, number, signed.method, signed.target, signed.headers, signed.body, traceback.format_exc(limit=-1)))
    loaders.close()
    return wrong


def check(signed, arrived):
    check_signature(arrived)
    if signed.asked.payload in signers.KIND_OF:
        arrived.body, signed = plain(arrived), dataclasses.replace(signed, body=signed.asked.body)
    check_the_same(signed, arrived)


def plain(arrived):
    """The data of a framed body in chunks that came whole."""
    data, rest = b"", arrived.body
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            break
        data, rest = data + rest[:length], rest[length + 2:]
    return data


def on_the_wire(arrived):
    """What is the same each time that a request is made. A signature tells no run of spaces from one."""
    late = ("authorization", "x-amz-date")
    headers = sorted((name.lower(), re.sub(" +", " ", value.strip(" \t"))) for name, value in arrived.headers if name.lower() not in late)
    body = re.sub(rb"(chunk-signature=|x-amz-trailer-signature:)[0-9a-f]{64}", rb"\1", arrived.body)
    return arrived.method, arrived.target, headers, body


def mutations(chance, request, at, kinds):
    """The request with its byte at `at` changed in some of these ways."""
    before, byte, after = request[:at], request[at:at + 1], request[at + 1:]
    ways = {
        "flipped": bytes((byte[0] ^ 1 << chance.randrange(8),)), "other": chance.choice(b"aZ09%+/ ;,=&:\t\n\r\0").to_bytes(1, "big"),
        "case": byte.swapcase(), "away": b"", "twice": byte * 2, "more": chance.choice((b" ", b"%", b"/", b"x", b"\r\n", b";")) + byte,
    }
    for kind in chance.sample(sorted(ways), kinds):
        if ways[kind] != byte:
            yield kind, before + ways[kind] + after


def check_mutations(name, seed, count, kinds, host):
    """Changes each byte of the request line and of each signed header of so many requests; tells which changes were accepted
    and were not the same to the origin, and how many were accepted and rejected."""
    chance = random.Random(seed)
    loaders, wrong, accepted, rejected = Loaders(host, keeps=False), [], 0, 0
    for signed in made(name, seed, count, host):
        request = signed.head("Connection: close") + signed.body
        [(status, arrived, body)] = loaders.ask([request])
        assert status == 200, (status, body)
        expected = on_the_wire(arrived)
        changes = [(at, *change) for at in covered(request) for change in mutations(chance, request, at, kinds)]
        answers = loaders.ask(changed for _, _, changed in changes)
        for (at, kind, changed), (status, arrived, body) in zip(changes, answers, strict=True):
            if arrived is None and (status == 0 or status >= 400):
                rejected += 1
            elif arrived is not None and on_the_wire(arrived) == expected:
                accepted += 1
            else:
                wrong.append((name, seed, kind, at, request, changed, status, arrived, body))
    return wrong, accepted, rejected


def covered(request):
    """Where the bytes are of the request line, of signed headers and of the signature."""
    head, _, _ = request.partition(b"\r\n\r\n")
    [names] = re.findall(rb"SignedHeaders=([^, &]+)", head)
    names = {*re.split(b";|%3B", names), b"authorization"}
    at = 0
    for number, line in enumerate(head.split(b"\r\n")):
        if number == 0 or line.split(b":")[0].lower() in names:
            yield from range(at, at + len(line))
        at += len(line) + 2
