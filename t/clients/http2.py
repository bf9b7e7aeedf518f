"""HTTP/2 by the frame (RFC 9113), as no client library would send it."""

import socket
from urllib.parse import urlsplit

from http3 import parsed

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
CANCEL = (8).to_bytes(4, "big")


def frame(kind, flags=0, stream=0, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def number(value):
    """Of 7 bits and more (RFC 7541, 5.1)."""
    if value < 127:
        return bytes((value,))
    out, value = bytearray((127,)), value - 127
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def literal(name, value, first=0x10):
    """A header as it is; `first` 0x40 adds it to the table of those that can be named by a number."""
    return bytes((first,)) + number(len(name)) + name + number(len(value)) + value


def block(request):
    """The header block of a request as HTTP/1.1 has it, and its body."""
    fields, body = parsed(request)
    return b"".join(literal(*field) for field in fields), body


class Connection:
    def __init__(self, url, timeout=20):
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout)
        self.socket.sendall(PREFACE + frame(SETTINGS))

    def send(self, frames):
        """Returns whether the server took them all, and has not closed the connection."""
        try:
            self.socket.sendall(frames)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def frames(self):
        """Yields kind, flags, stream and payload of each frame, until the server closes the connection."""
        held = b""
        while True:
            while len(held) >= 9 and len(held) >= (end := 9 + int.from_bytes(held[:3], "big")):
                yield held[3], held[4], int.from_bytes(held[5:9], "big"), held[9:end]
                held = held[end:]
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                return
            if not piece:
                return
            held += piece

    def settled(self):
        """Waits until the server has read all that was sent. Returns the payloads of RST_STREAM and HEADERS by stream, and
        whether the server goes on with the connection."""
        found = {}
        if not self.send(frame(PING, payload=b"settled?")):
            return found, False
        for kind, flags, stream, payload in self.frames():
            if kind in (HEADERS, RST_STREAM):
                found.setdefault(stream, []).append(payload)
            if kind == PING and flags & ACK:
                return found, True
            if kind == GOAWAY:
                return found, False
        return found, False

    def answer(self, stream):
        """Waits for what the server says of a stream: HEADERS, RST_STREAM, or the end of the connection (None)."""
        said = (kind for kind, _, number, _ in self.frames() if number == stream and kind in (HEADERS, RST_STREAM))
        return next(said, None)

    def close(self):
        self.socket.close()
