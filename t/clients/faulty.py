"""Origins that fail as each request tells them to, and remember what has reached them.

They verify no signature. A request says what is to happen in `X-Fault: NAME=FAULT,...`, one for each origin's name:

    FAULT             the origin
    none              does what is asked, and answers 200
    leave-N           closes once it has N bytes of the body: 0 is right behind the head
    whole             closes when it has done what was asked, without an answer
    cut-N             the same, after N bytes of an answer
    say-STATUS        answers so, with an S3 error, when it has the head; then it closes
    keep-STATUS       the same, but reads the body and goes on with the connection
    wait-STATUS       the same, and says that it will close, but leaves that to nginx for a while
    trickle-STATUS    answers so when it has the head, but takes TRICKLE seconds for it, and reads no more
    early             answers 200 when it has the head, then reads the body and does what is asked
    liar              answers 200 when it has the head; then it closes
    interim           answers 100 when it has the head; then it closes
    noise             answers something that is not HTTP when it has the head; then it closes
    slow              does what is asked, and answers 200 a while later
    silent            does what is asked, and does not answer

`close` and `slam` are words of a listener, for all of its connections: none is read from.

How it closes is in `X-Ending`: `end` (over TLS with a close_notify), `bare` (without), `reset`, or `linger`, which reads
until nginx has closed.
"""

import contextlib
import hashlib
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections import defaultdict

ENDINGS = ("end", "bare", "reset", "linger")
TRICKLE = 1.5  # more than the proxy_send_timeout that it is for
NO_WAIT = struct.pack("ii", 1, 0)
CREATE, COMPLETE = "InitiateMultipartUpload", "CompleteMultipartUpload"
LAST = "Connection: close\r\n"


class Gone(Exception):
    """nginx has closed the connection."""


class Request:
    """A head, and what is done at its end."""

    def __init__(self, head, name):
        line, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = line.split(" ")
        self.headers = {}
        for header in lines:
            key, _, value = header.partition(":")
            self.headers[key.lower()] = value.strip()
        self.length = int(self.headers.get("content-length", 0))
        self.is_chunked = self.headers.get("transfer-encoding") == "chunked"
        faults = dict(part.split("=") for part in self.headers["x-fault"].split(","))
        self.fault, _, argument = faults.get(name, "none").partition("-")
        self.argument = int(argument or 0)
        self.ending = self.headers["x-ending"]
        self.serial = self.headers["x-serial"]

    @property
    def operation(self):
        return "delete" if self.method == "DELETE" else "complete" if self.is_complete else "write"

    @property
    def is_complete(self):
        return self.method == "POST" and "uploadId=" in self.target

    @property
    def is_create(self):
        return self.target.endswith("?uploads=") or self.target.endswith("?uploads")

    def data(self, body):
        """What is to be stored, out of the framing that it has come in."""
        if self.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            data = unframed(body)
            assert len(data) == int(self.headers["x-amz-decoded-content-length"])
            return data
        boundary = re.search(r"boundary=\"?([^\";]+)", self.headers.get("content-type", ""))
        return body if boundary is None else file_of(body, boundary[1].encode())


def unframed(body):
    """The data of aws-chunked framing."""
    pieces, at = [], 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].partition(b";")[0], 16)
        if size == 0:
            return b"".join(pieces)
        pieces.append(body[end + 2:end + 2 + size])
        at = end + 2 + size
        assert body[at:at + 2] == b"\r\n"
        at += 2


def file_of(body, boundary):
    """The file of a form: its part of that name."""
    for part in body.split(b"--" + boundary):
        head, _, data = part.partition(b"\r\n\r\n")
        if b'name="file"' in head:
            assert data.endswith(b"\r\n")
            return data[:-2]
    raise AssertionError("a form without a file")


class Origin:
    """One store, with a port for plain and one for TLS, and one each where nothing is read."""

    def __init__(self, name, certificate):
        self.name = name
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate / "server.crt", certificate / "server.key")
        self.arrivals = defaultdict(list)  # by serial number, how many requests its connection had had with it
        self.stored = defaultdict(list)  # by serial number, the operation and digest of what was done
        self.present = set()
        self.wrong = []
        self.lock = threading.Lock()
        self.listeners = {}

    def __enter__(self):
        for door in (None, "close", "slam"):
            for is_tls in (False, True):
                listener = socket.create_server(("127.0.0.1", 0), backlog=256)
                # So that much of a body cannot have been sent before it is read.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                self.listeners[door, is_tls] = listener
                threading.Thread(target=self.accept, args=[listener, door, is_tls], daemon=True).start()
        return self

    def __exit__(self, *_):
        for listener in self.listeners.values():
            # close() would not wake the thread up.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def port(self, door=None, is_tls=False):
        return self.listeners[door, is_tls].getsockname()[1]

    def accept(self, listener, door, is_tls):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                if door:
                    if door == "slam":
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_WAIT)
                    client.close()
                else:
                    connection = Connection(self, client, is_tls)
                    threading.Thread(target=connection.serve, daemon=True).start()

    def heard(self, connection, request):
        with self.lock:
            self.arrivals[request.serial].append(connection.requests)

    def do(self, request, body):
        """What is asked; False if the condition does not hold."""
        with self.lock:
            if request.headers.get("if-none-match") == "*":
                if request.serial in self.present:
                    return False
            self.present.add(request.serial)
            digest = hashlib.sha256(request.data(body)).digest()
            self.stored[request.serial].append((request.operation, digest))
            return True


class Connection:
    def __init__(self, origin, client, is_tls):
        self.origin = origin
        self.socket = client
        self.is_tls = is_tls
        self.buffer = bytearray()
        self.requests = 0
        self.serial = None
        self.is_spoiled = False

    def serve(self):
        try:
            self.socket.settimeout(60)
            # Or else what is said may wait here for an acknowledgement, and be gone with the connection.
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.is_tls:
                self.socket = self.origin.context.wrap_socket(self.socket, server_side=True)
            while self.answer():
                pass
        except (Gone, OSError):
            pass
        except Exception as error:  # the test shows it
            self.origin.wrong.append(repr(error))
        finally:
            self.socket.close()

    def fill(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise Gone
        self.buffer += data

    def read(self, length):
        while len(self.buffer) < length:
            self.fill()
        data = bytes(self.buffer[:length])
        del self.buffer[:length]
        return data

    def body(self, request):
        if not request.is_chunked:
            return self.read(request.length)
        pieces = []
        while True:
            while (end := self.buffer.find(b"\r\n")) < 0:
                self.fill()
            size = int(self.read(end + 2), 16)
            pieces.append(self.read(size + 2)[:-2])
            if size == 0:
                return b"".join(pieces)

    def answer(self):
        """Reads a request and does what it says; False when the connection is over."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self.fill()
        head = self.read(end + 4)[:-4]
        self.requests += 1
        request = Request(head, self.origin.name)
        if self.is_spoiled:
            self.origin.wrong.append(f"{request.serial}: a connection that gave a 499 was used again")
        self.serial = request.serial
        self.origin.heard(self, request)
        return getattr(self, request.fault)(request)

    def close(self, request):
        ending = request.ending
        raw = self.socket
        if self.is_tls and ending in ("end", "linger"):
            raw.settimeout(0)
            with contextlib.suppress(OSError, ValueError):  # it does not wait for nginx's
                raw.unwrap()
        if ending == "reset":
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_WAIT)
        if ending == "linger":
            raw = socket.socket(fileno=raw.detach())
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_WR)
                raw.settimeout(20)
                while raw.recv(1 << 18):
                    pass
        raw.close()
        return False

    def send(self, status, body=b"", more="", length=None):
        """An answer, and so much of its body."""
        head = (f"HTTP/1.1 {status} Said\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
                f"ETag: \"0\"\r\nX-By: {self.origin.name}\r\nX-Serial: {self.serial}\r\n{more}\r\n")
        self.socket.sendall(head.encode() + body[:length])

    def refuse(self, status, more=""):
        self.send(status, b"<Error><Code>Said%d</Code><Message>No.</Message></Error>" % status, more)
        return True

    def say(self, request):
        self.refuse(request.argument, LAST)
        return self.close(request)

    def keep(self, request):
        self.refuse(request.argument)
        self.is_spoiled = request.argument == 499
        self.body(request)
        return True

    def wait(self, request):
        self.refuse(request.argument, LAST)
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        poll.poll(2000)  # nginx's end comes after what is not read
        return False

    def trickle(self, request):
        error = b"<Error><Code>Said%d</Code><Message>No.</Message></Error>" % request.argument
        self.send(request.argument, error, LAST, length=10)
        time.sleep(TRICKLE)
        self.socket.sendall(error[10:])
        return self.close(request)

    def leave(self, request):
        self.read(request.argument if request.is_chunked else min(request.argument, request.length))
        return self.close(request)

    def whole(self, request):
        self.origin.do(request, self.body(request))
        return self.close(request)

    def cut(self, request):
        self.origin.do(request, self.body(request))
        self.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: \"0\"\r\n\r\n"[:request.argument])
        return self.close(request)

    def none(self, request):
        body = self.body(request)
        if request.is_create:
            self.send(200, f"<{CREATE}Result><UploadId>upload-id-of-{self.origin.name}</UploadId></{CREATE}Result>".encode())
            return True
        if not self.origin.do(request, body):
            return self.refuse(412)
        if request.operation == "complete":
            self.send(200, f"<{COMPLETE}Result><Bucket>b</Bucket><Key>k</Key><ETag>0</ETag></{COMPLETE}Result>".encode())
        else:
            self.send(200)
        return True

    def slow(self, request):
        time.sleep(0.05)
        return self.none(request)

    def early(self, request):
        self.send(200)
        self.origin.do(request, self.body(request))
        return True

    def liar(self, request):
        self.send(200, more=LAST)
        return self.close(request)

    def interim(self, request):
        self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self.close(request)

    def noise(self, request):
        self.socket.sendall(b"What is this?\r\n\r\n")
        return self.close(request)

    def silent(self, request):
        self.origin.do(request, self.body(request))
        with contextlib.suppress(Gone, OSError):
            self.fill()
        return False
