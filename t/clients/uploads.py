"""Uploads in aws-chunked framing, made by hand after AWS's description, so that they can lie; and the
raw connections that they go over.
"""

import base64
import hashlib
import hmac
import http.client
import re
import socket
import time
import zlib
from urllib.parse import urlsplit

KINDS = {
    "signed": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "signed-trailer": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "unsigned": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
}
CHECKSUM = "x-amz-checksum-crc32"
EMPTY = hashlib.sha256().hexdigest()


def crc32(*chunks):
    state = 0
    for chunk in chunks:
        state = zlib.crc32(chunk, state)
    return crc32_text(state)


def crc32_text(state):
    return in_base64(state.to_bytes(4, "big"))


def in_base64(digest):
    return base64.b64encode(digest).decode()


class Signer:
    """Signs with one key, for one host, as of now."""

    def __init__(self, url, credentials, service="s3"):
        self.host = urlsplit(url).netloc
        self.access_key = credentials.access_key
        self.token = {"x-amz-security-token": credentials.session_token} if credentials.session_token else {}
        self.stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        parts = (self.stamp[:8], credentials.region, service, "aws4_request")
        self.scope = "/".join(parts)
        self.key = b"AWS4" + credentials.secret_key.encode()
        for part in parts:
            self.key = hmac.digest(self.key, part.encode(), "sha256")

    def sign(self, what, *lines):
        text = "\n".join((f"AWS4-HMAC-SHA256{what}", self.stamp, self.scope, *lines))
        return hmac.digest(self.key, text.encode(), "sha256").hex()

    def head(self, method, target, payload=EMPTY, headers=()):
        """The lines of a head, without the empty one, and its signature. A query must be canonical."""
        path, _, query = target.partition("?")
        headers = {"host": self.host, "x-amz-content-sha256": payload, "x-amz-date": self.stamp, **self.token, **dict(headers)}
        lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
        names = ";".join(sorted(headers))
        canonical = "\n".join((method, path, query, *lines, "", names, payload))
        signature = self.sign("", hashlib.sha256(canonical.encode()).hexdigest())
        credential = f"{self.access_key}/{self.scope}"
        lines.append(f"authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}")
        return [f"{method} {target} HTTP/1.1", *lines], signature


class Framing:
    """The head of an upload, and what goes before and behind its chunks."""

    def __init__(self, signer, path, kind, length, trailer=CHECKSUM):
        self.signer = signer
        self.has_signatures = kind != "unsigned"
        self.has_trailer = kind != "signed"
        headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(length)}
        if self.has_trailer:
            headers["x-amz-trailer"] = trailer
        self.lines, self.previous = signer.head("PUT", path, KINDS[kind], headers)

    def head(self, *lines):
        return "\r\n".join((*self.lines, *lines, "", "")).encode()

    def chunk(self, length, digest):
        """The line before a chunk of that SHA-256."""
        if not self.has_signatures:
            return b"%x\r\n" % length
        self.previous = self.signer.sign("-PAYLOAD", self.previous, EMPTY, digest)
        return f"{length:x};chunk-signature={self.previous}\r\n".encode()

    def trailer(self, line):
        """What goes behind the last chunk."""
        text = f"{line}\r\n" if self.has_trailer else ""
        if self.has_trailer and self.has_signatures:
            digest = hashlib.sha256(f"{line}\n".encode()).hexdigest()
            text += f"x-amz-trailer-signature:{self.signer.sign('-TRAILER', self.previous, digest)}\r\n"
        return f"{text}\r\n".encode()


class Upload:
    """A small upload in parts: framing and data by turns. The last but one is the zero chunk, with the line
    break before it, and the last all that is behind it."""

    def __init__(self, signer, path, kind, chunks, announced=None, trailer=CHECKSUM, line=None):
        length = sum(map(len, chunks)) if announced is None else announced
        self.framing = Framing(signer, path, kind, length, trailer)
        self.parts = []
        end = b""
        for chunk in chunks:
            self.parts += [end + self.framing.chunk(len(chunk), hashlib.sha256(chunk).hexdigest()), chunk]
            end = b"\r\n"
        self.parts.append(end + self.framing.chunk(0, EMPTY))
        self.parts.append(self.framing.trailer(line or f"{CHECKSUM}:{crc32(*chunks)}"))

    @property
    def body(self):
        return b"".join(self.parts)

    def request(self, body=None, transfer_chunks=0):
        """With the true Content-Length, or in chunks of HTTP's own of that size."""
        body = self.body if body is None else body
        if not transfer_chunks:
            return self.framing.head(f"content-length: {len(body)}") + body
        return self.framing.head("transfer-encoding: chunked") + in_transfer_chunks(body, transfer_chunks)


def in_transfer_chunks(body, size):
    pieces = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(transfer_chunk(piece) for piece in (*pieces, b""))


def transfer_chunk(data):
    """An empty one is the last."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Answer:
    def __init__(self, connection):
        response = http.client.HTTPResponse(connection)
        response.begin()
        self.status = response.status
        self.body = response.read()
        self.closes = response.will_close
        self.headers = response.headers
        code = re.search(rb"<Code>(\w+)</Code>", self.body)
        self.code = code and code[1].decode()


class Connection:
    def __init__(self, url, timeout=20):
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout)

    def ask(self, request, late=0):
        """So many bytes of the request come late."""
        end = len(request) - late
        self.socket.sendall(request[:end])
        if late:
            time.sleep(0.003)
            self.socket.sendall(request[end:])
        return Answer(self.socket)

    def is_closed(self):
        """Whether the server ends it without another byte."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()
