"""Requests that are meant to harm: each gets the answer that it deserves, no origin hears of it, and meanwhile others are
served as before. What each may cost is in test_costs.py."""

import contextlib
import os
import re
import socket
from urllib.parse import urlsplit

import http2
import pytest
from conftest import CLIENT
from handmade import ask, in_header, in_query, request
from http2 import END_HEADERS, END_STREAM, frame
from servers import Credentials, Nginx, free_port
from tap import Tap
from test_shield import form
from uploads import Connection, Signer, Upload

ORIGIN = Credentials("AKIDORIGIN", "originSecret", "eu-west-1")
PARAMETERS = 100_000
ROUNDS = int(os.environ.get("ABUSE_ROUNDS", 4))
MAX_GROWTH = 8 << 20  # bytes of a worker's memory


class Door:
    def __init__(self, url, tap, nginx):
        self.url = url
        self.tap = tap
        self.nginx = nginx
        self.known = CLIENT

    @property
    def signer(self):
        return Signer(self.url, CLIENT)

    def serves_others(self, count=20):
        """A client of its own asks so many times, over one connection."""
        connection = Connection(self.url)
        for number in range(count):
            answer = connection.ask(in_header(self.signer, "GET", f"/bucket/other{number}").replace(b"connection: close\r\n", b""))
            assert answer.status == 200, answer.body
        connection.close()

    @property
    def heard(self):
        """The heads that came to the origin, but those of others."""
        return [head for head in list(self.tap.heard) if b"/bucket/other" not in head]

    def rejects(self, request, *expected):
        """The answer is one of these pairs of status and code, and no origin has heard of it."""
        answer = ask(self.url, request)
        assert (answer.status, answer.code) in expected, (request[:200], answer.body)
        assert self.heard == []


@pytest.fixture(scope="module")
def doors(folder):
    """Where heads are as long as the README has it, where they may have megabytes, and where bodies are not buffered."""
    buffers = {"usual": "4 16k", "wide": "8 1m", "unbuffered": "4 16k"}
    with Tap() as tap:
        ports = {f"{name}{kind}": free_port() for name in buffers for kind in ("", " http2")}
        servers = "\n".join(f"""
        server {{
            listen 127.0.0.1:{ports[name]};
            listen 127.0.0.1:{ports[f'{name} http2']} http2;
            large_client_header_buffers {size};
            location / {{
                {'proxy_request_buffering off; proxy_http_version 1.1;' if name == 'unbuffered' else ''}
                proxy_pass http://{tap.address};
            }}
        }}""" for name, size in buffers.items())
        block = f"""
        ignore_invalid_headers off;
        client_header_timeout 5s;
        client_body_timeout 5s;
        s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
        s3_origin access_key={ORIGIN.access_key} secret_key={ORIGIN.secret_key} region={ORIGIN.region};
        s3_resign on;
        {servers}
        """
        with Nginx(folder / "nginx-abuse", block, ports["usual"], workers=1) as nginx:
            workers = nginx.worker_pids()
            yield {name: Door(f"http://127.0.0.1:{port}", tap, nginx) for name, port in ports.items()}
            assert nginx.worker_pids() == workers
        log = nginx.error_log.read_text(errors="replace")
        assert not re.search(r"\[(alert|emerg|crit)\]|panic", log), log[-2000:]


@pytest.fixture(autouse=True)
def nothing_heard(doors):
    doors["usual"].tap.heard.clear()


def opened(door, data):
    address = urlsplit(door.url)
    connection = socket.create_connection((address.hostname, address.port), 30)
    connection.sendall(data)
    return connection


def ended(connection):
    """All that comes until the server closes."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            said += piece
    connection.close()
    return said


def test_those_who_send_slowly_or_nothing_more(doors):
    slow, rejected = [], []
    for name in ("usual", "unbuffered"):
        door = doors[name]
        head = in_header(door.signer, "GET", "/bucket/slow")
        put = in_header(door.signer, "PUT", f"/bucket/slow-{name}", body=b"x" * 1000)
        upload = Upload(door.signer, f"/bucket/slow-{name}", "signed-trailer", [b"x" * 1000]).request()
        post = form(door, [{"key": "slow"}], {"key": "slow"}, b"x" * 1000)
        halves = (head[:3], head[:100], head[:-2], put[:-500], put[:-1], upload[:-900], upload[:-20], post[:-990], post[:-30], post[:-1])
        slow += [opened(door, half) for half in halves for _ in range(10)]
        forged = [half.replace(b"Signature=", b"Signature=0") for half in (put[:-500], upload[:-900])]
        rejected += [opened(door, half) for half in forged for _ in range(10)]
    doors["usual"].serves_others(100)
    # nginx closes them without a word, but for what is rejected by its head.
    assert {ended(connection) for connection in slow} == {b""}
    assert {ended(connection)[9:12] for connection in rejected} == {b"403"}
    lines = [head.partition(b" HTTP/")[0] for head in doors["usual"].heard]
    assert set(lines) <= {b"PUT /bucket/slow-unbuffered", b"POST /mine"} and lines.count(b"POST /mine") <= 30, lines
    doors["usual"].serves_others()


CONTROLS = [*range(0x20), 0x7F]


def with_byte(place, byte):
    """What is asked for with this byte in it, headers included, and what an origin has to hear of that."""
    raw, encoded = chr(byte), f"%{byte:02X}"
    return {
        "path": (f"/bucket/a{raw}b", {}, f"GET /bucket/a{encoded}b "),
        "encoded in path": (f"/bucket/a{encoded.lower()}b", {}, f"GET /bucket/a{encoded}b "),
        "name": (f"/bucket/k?a{raw}b=c", {}, f"/bucket/k?a{encoded}b=c "),
        "encoded in name": (f"/bucket/k?a{encoded.lower()}b=c", {}, f"/bucket/k?a{encoded}b=c "),
        "value": (f"/bucket/k?a=b{raw}c", {}, f"/bucket/k?a=b{encoded}c "),
        "encoded in value": (f"/bucket/k?a=b{encoded.lower()}c", {}, f"/bucket/k?a=b{encoded}c "),
        "header": ("/bucket/k", {f"x-amz-meta-a{raw}b": "c"}, None),
        "value of a header": ("/bucket/k", {"x-amz-meta-a": f"b{raw}c"}, f"x-amz-meta-a: b{raw}c\r\n"),
    }[place]


@pytest.mark.parametrize("place", ["path", "name", "value", "header"])
def test_control_bytes(doors, place):
    door = doors["usual"]
    for byte in CONTROLS:
        target, headers, _ = with_byte(place, byte)
        said = ended(opened(door, in_header(door.signer, "GET", target, headers)))
        # With a line break it is a request of HTTP/0.9, whose answer has no head.
        assert said.startswith(b"HTTP/1.1 400 ") or byte == ord("\n") and b"<Code>AccessDenied</Code>" in said, (byte, said)
        assert door.heard == []


@pytest.mark.parametrize("place", ["encoded in path", "encoded in name", "encoded in value", "value of a header"])
def test_control_bytes_that_a_signature_covers(doors, place):
    """They are passed on as they were signed, or not at all."""
    door = doors["usual"]
    passed = []
    for byte in CONTROLS:
        door.tap.heard.clear()
        target, headers, expected = with_byte(place, byte)
        answer = ask(door.url, in_header(door.signer, "GET", target, headers))
        if answer.status == 200:
            [head] = door.heard
            assert expected.encode() in head + b"\r\n", (byte, head)
            passed.append(byte)
        else:
            assert answer.status in (400, 403) and answer.code and door.heard == [], (byte, answer.body)
    # nginx has no NUL in a path, and what ends a line ends a header. What others it takes in a header is its affair.
    assert set(passed) >= set(CONTROLS) - {0} if "encoded" in place else not {0, 10, 13} & set(passed)


TOO_LONG = (400, "RequestHeaderSectionTooLarge")


def test_a_hundred_thousand_parameters(doors):
    names = [f"p{number}=v" for number in range(PARAMETERS)]
    target = "/bucket/k?" + "&".join(names)
    for name, expected in [("usual", TOO_LONG), ("wide", (400, "InvalidArgument"))]:
        door = doors[name]
        door.rejects(in_query(door.signer, "GET", target), expected)
        # Nothing but separators, and parameters of a signature, the last of which might be the one that counts.
        door.rejects(request("GET", f"/bucket/k?{'&' * PARAMETERS}", [("host", door.signer.host)]), expected)
        door.rejects(in_query(door.signer, "GET", f"/bucket/k?{'&'.join(['X-Amz-Date=1'] * 5000)}"), expected)
        door.serves_others()
    # As many as there may be, and one more.
    door.tap.heard.clear()
    for count, status in [(128, 200), (129, 400)]:
        assert ask(door.url, in_header(door.signer, "GET", "/bucket/k?" + "&".join(names[:count]))).status == status
    assert len(door.heard) == 1


def flood(count):
    return {f"x-flood-{number}": "v" for number in range(count)}


def test_floods_of_headers(doors):
    usual, wide = doors["usual"], doors["wide"]
    # Debian's nginx has a limit of its own by now, whose answer is a plain 400.
    expected = (TOO_LONG, (400, "BadRequest"))
    for door, count in [(usual, 300), (usual, PARAMETERS), (wide, 900), (wide, PARAMETERS)]:
        # Signed, and not.
        door.rejects(in_header(door.signer, "GET", "/bucket/k", flood(count)), *expected)
        door.rejects(in_query(door.signer, "GET", "/bucket/k", unsigned=flood(count)), *expected)
        door.serves_others()
    door = wide
    door.rejects(in_header(door.signer, "GET", "/bucket/k", unsigned={f"x-amz-{n}": "v" for n in range(200)}), (403, "AccessDenied"))
    # Signed names without a header.
    names = ";".join(f"x-flood-{number:06}" for number in range(50_000))
    right = in_header(door.signer, "GET", "/bucket/k")
    door.rejects(right.replace(b"x-amz-date, ", f"x-amz-date;{names}, ".encode()), (400, "AuthorizationHeaderMalformed"), (403, "SignatureDoesNotMatch"))
    door.rejects(right.replace(b"SignedHeaders=", b"SignedHeaders=" + b"a;" * 50_000), (400, "AuthorizationHeaderMalformed"))


def kept(request):
    return request.replace(b"connection: close\r\n", b"")


@pytest.mark.parametrize("name", ["usual", "unbuffered"])
@pytest.mark.parametrize("expect", ["", "expect: 100-continue\r\n"])
def test_what_follows_a_rejected_upload(doors, name, expect):
    """A body that is a request, and rightly signed, is none."""
    door = doors[name]
    signer = door.signer
    smuggled = kept(in_header(signer, "DELETE", "/bucket/smuggled"))
    following = in_header(signer, "GET", "/bucket/following")
    framed = Upload(signer, "/bucket/k", "signed", [smuggled])
    rejected = {
        "signature": (403, in_header(signer, "PUT", "/bucket/k", body=smuggled).replace(b"Signature=", b"Signature=0")),
        "key": (403, in_header(Signer(door.url, Credentials("AKIDNOBODY", "x")), "PUT", "/bucket/k", body=smuggled)),
        "payload": (400, in_header(signer, "PUT", "/bucket/k", body=smuggled, payload="NONE")),
        "policy": (403, form(door, [{"key": "a"}], {"key": "b"}, smuggled)),
        "chunk": (400, framed.request(smuggled)),
        "after the chunks": (400, framed.request(framed.body + smuggled)),
        "in transfer chunks": (403, Upload(signer, "/bucket/k", "unsigned", [smuggled]).request(transfer_chunks=50)
                               .replace(b"Signature=", b"Signature=0")),
    }
    for kind, (status, upload) in rejected.items():
        head, body = kept(upload).split(b"\r\n\r\n", 1)
        head += f"\r\n{expect}\r\n".encode()
        for cut in (0, 1, len(body)):
            door.tap.heard.clear()
            said = ended(opened(door, head + body[cut:] + following if cut < len(body) else head + smuggled + following))
            first, *others = re.findall(rb"HTTP/1.1 (\d{3})[^\r]*\r\n(?=Server)", said)
            assert int(first) == status or cut and first in (b"400", b"403"), (kind, said)
            heard = [line.split(b"\r\n")[0] for line in door.heard if not line.startswith(b"PUT /bucket/k ")]
            # A body that is cut takes as much of what follows.
            assert all(b"/bucket/following" in line for line in heard), (kind, cut, heard)
            assert len(others) <= 1, (kind, said)
    door.serves_others()


def test_streams_that_are_reset_at_once(doors):
    """Rapid reset (CVE-2023-44487) of requests that are signed, forged, and uploads of which all or a part has come."""
    memory = []
    for _ in range(ROUNDS):
        for name in ("usual http2", "unbuffered http2"):
            door = doors[name]
            get = in_header(door.signer, "GET", "/bucket/reset")
            put = Upload(door.signer, "/bucket/reset", "signed", [b"x" * 100]).request()
            connections = []
            for fields, body in map(http2.block, (get, get.replace(b"Signature=", b"Signature=0"), put, put[:-60])):
                connection = http2.Connection(door.url)
                connections.append(connection)
                connection.send(b"".join(
                    frame(http2.HEADERS, END_HEADERS | (0 if body else END_STREAM), stream, fields)
                    + (frame(http2.DATA, 0, stream, body) if body else b"")
                    + frame(http2.RST_STREAM, 0, stream, http2.CANCEL) for stream in range(1, 200, 2)))
            doors["usual"].serves_others(5)
            for connection in connections:
                connection.settled()
                connection.close()
        memory.append(door.nginx.memory("VmRSS")[0])
    assert memory[-1] - memory[1] < MAX_GROWTH, memory
    # Of what was reset an origin may have heard, but of nothing else.
    lines = {head.partition(b" HTTP/")[0] for head in doors["usual"].heard}
    assert lines <= {b"", b"GET /bucket/reset", b"PUT /bucket/reset"}


def test_frames_without_an_end(doors):
    door = doors["usual http2"]
    fields, _ = http2.block(in_header(door.signer, "GET", "/bucket/frames"))
    filler = http2.literal(b"x-flood", b"v" * 4000)
    entry = http2.literal(b"x-flood", b"v" * 4000, first=0x40)
    attacks = {
        # Header blocks that go on (CVE-2024-27316 and others), with something in them, and with nothing.
        "continued": frame(http2.HEADERS, END_STREAM, 1, fields) + frame(http2.CONTINUATION, 0, 1, filler) * 1000,
        "empty": frame(http2.HEADERS, END_STREAM, 1, fields) + frame(http2.CONTINUATION, 0, 1) * 20_000,
        # One byte that stands for 4,000 (CVE-2016-6581).
        "bomb": frame(http2.HEADERS, END_STREAM | END_HEADERS, 1, fields + entry + b"\xbe" * 8000),
        "settings": frame(http2.SETTINGS) * 20_000,
        "data for nobody": frame(http2.DATA, 0, 1, b"x" * 100) * 1000,
    }
    for attack in attacks.values():
        connection = http2.Connection(door.url)
        connection.send(attack)
        doors["usual"].serves_others()
        connection.settled()
        connection.close()
        assert door.heard == []


def test_control_bytes_over_http2(doors):
    """Where no line ends a header, what could end one for an origin goes nowhere."""
    door = doors["usual http2"]
    passed = []
    for byte in CONTROLS:
        for header in ({f"x-amz-meta-a{chr(byte)}b": "c"}, {"x-amz-meta-a": f"b{chr(byte)}c"}):
            door.tap.heard.clear()
            # Which in HTTP/1.1 would be several lines: the signature of such a header, and it.
            fields, _ = http2.block(in_header(door.signer, "GET", "/bucket/k", header).replace(
                "".join(f"{name}: {value}\r\n" for name, value in header.items()).encode(), b""))
            fields += b"".join(http2.literal(name.encode(), value.encode()) for name, value in header.items())
            connection = http2.Connection(door.url)
            connection.send(frame(http2.HEADERS, END_STREAM | END_HEADERS, 1, fields))
            connection.answer(1)
            connection.close()
            for head in door.heard:
                [line] = (f"\r\n{name}: {value}\r\n" for name, value in header.items())
                assert line.encode() in head + b"\r\n", (byte, head)
                passed.append(byte)
    assert not {0, 10, 13} & set(passed)
