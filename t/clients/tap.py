"""A server in front of an origin, or in its place, that keeps what it hears."""

import contextlib
import re
import socket
import socketserver
import threading

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: \"0\"\r\nConnection: close\r\n\r\n"


class Loopback(socketserver.ThreadingTCPServer):
    """Listens on a free port of loopback while it is entered."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def address(self):
        return f"127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Tap(Loopback):
    """Takes one request with each connection, and passes it to `origin`, or answers it where there is none.

    `heard` has what came with each connection, as far as its head; a connection that brought nothing counts.
    """

    def __init__(self, origin=None):
        super().__init__(Listener)
        self.origin = origin
        self.heard = []


class Listener(socketserver.BaseRequestHandler):
    def handle(self):
        heard = b""
        while b"\r\n\r\n" not in heard and (piece := self.request.recv(65536)):
            heard += piece
        head, _, body = heard.partition(b"\r\n\r\n")
        self.server.heard.append(head)
        with contextlib.suppress(OSError):
            if self.server.origin:
                self.relay(heard)
            else:
                self.answer(head, body)

    def answer(self, head, body):
        length = re.search(rb"\ncontent-length: *(\d+)", head, re.IGNORECASE)
        missing = int(length[1]) - len(body) if length else 0
        while missing > 0 and (piece := self.request.recv(65536)):
            missing -= len(piece)
        self.request.sendall(ANSWER)

    def relay(self, heard):
        with socket.create_connection(self.server.origin) as origin:
            origin.sendall(heard)
            threading.Thread(target=copy, args=(self.request, origin), daemon=True).start()
            copy(origin, self.request)


def copy(source, sink):
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
