"""A client of HTTP/3, which sends the requests that `handmade` and `uploads` make for HTTP/1.1."""

import asyncio
import dataclasses
import re
import ssl

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamReset

# What belongs to a connection of HTTP/1.1 (RFC 9114, 4.2), and what `:authority` says.
NOT_IN_HTTP3 = {"connection", "transfer-encoding", "keep-alive", "host"}


@dataclasses.dataclass
class Answer:
    status: int = 0
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    was_reset: bool = False

    @property
    def code(self):
        code = re.search(rb"<Code>(\w+)</Code>", self.body)
        return code and code[1].decode()


def parsed(request):
    """The header block and the body of a request as HTTP/1.1 has it."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    fields = [re.split(": ?", line, maxsplit=1) for line in lines]
    authority = next(value for name, value in fields if name.lower() == "host")
    block = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", target)]
    block += [(name.lower(), value) for name, value in fields if name.lower() not in NOT_IN_HTTP3]
    return [(name.encode(), value.encode()) for name, value in block], body


class Streams(H3Connection):
    """aioquic's, but for answers to HEAD, whose Content-Length is not that of what they have."""

    def __init__(self, quic):
        super().__init__(quic)
        self.heads = set()

    def _check_content_length(self, stream):
        if stream.stream_id not in self.heads:
            super()._check_content_length(stream)


class Connection(QuicConnectionProtocol):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.http = Streams(self._quic)
        self.answers = {}
        self.waiting = {}

    def quic_event_received(self, event):
        if isinstance(event, StreamReset):
            self.end(event.stream_id, was_reset=True)
        if isinstance(event, ConnectionTerminated):
            for stream in list(self.waiting):
                self.end(stream, was_reset=True)
        for received in self.http.handle_event(event):
            answer = self.answers.get(getattr(received, "stream_id", None))
            if answer is None:
                continue
            if isinstance(received, HeadersReceived):
                fields = {name.decode(): value.decode() for name, value in received.headers}
                answer.status = int(fields.pop(":status", 0)) or answer.status
                answer.headers.update(fields)
            elif isinstance(received, DataReceived):
                answer.body += received.data
            if received.stream_ended:
                self.end(received.stream_id)

    def end(self, stream, was_reset=False):
        waiting = self.waiting.pop(stream, None)
        if waiting and not waiting.done():
            self.answers[stream].was_reset = was_reset
            waiting.set_result(self.answers[stream])

    def send(self, request, cut=0):
        """Starts a request, all but the last `cut` bytes of its body; then its stream is reset."""
        block, body = parsed(request)
        stream = self._quic.get_next_available_stream_id()
        self.answers[stream] = Answer()
        if (b":method", b"HEAD") in block:
            self.http.heads.add(stream)
        self.waiting[stream] = asyncio.get_running_loop().create_future()
        ended = self.waiting[stream]
        self.http.send_headers(stream, block, end_stream=not body)
        if body:
            self.http.send_data(stream, body[:len(body) - cut], end_stream=not cut)
        self.transmit()
        return stream, ended

    async def give_up(self, stream):
        await asyncio.sleep(0.3)
        self._quic.reset_stream(stream, 0x10C)  # H3_REQUEST_CANCELLED
        self.transmit()


def ask(port, *requests, cut=0, timeout=40):
    """The answers to all of these, which go over one connection at the same time. With `cut`, the first of them ends
    so many bytes too early."""

    async def asked():
        configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE)
        async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Connection) as connection:
            sent = [connection.send(request, cut if number == 0 else 0) for number, request in enumerate(requests)]
            if cut:
                await connection.give_up(sent[0][0])
                connection.end(sent[0][0], was_reset=True)
            return await asyncio.wait_for(asyncio.gather(*(ended for _, ended in sent)), timeout)

    return asyncio.run(asked())
