"""Every way to lie about an upload in aws-chunked framing, to nginx in front of a real s3s-fs.

Each is answered as S3 would. Nothing of it is stored, neither connection goes on in a wrong place, and
the worker's memory comes back.
"""

import dataclasses
import os
import re
import time
from collections.abc import Callable

import pytest
from conftest import CLIENT
from servers import Nginx, free_port
from uploads import CHECKSUM, KINDS, Connection, Signer, Upload, crc32, in_base64

BUCKET = "lies"
DOORS = [(framing, buffering) for framing in ("keep", "decode") for buffering in ("on", "off")]
# In nginx's first buffer with the head, or in many and in a file. What looks like a request is data.
SMALL = [b"GET /a HTTP/1.1\r", b"\nHost: example\r\n", b"\r\n45678\r"]
LARGE = [os.urandom(16384), os.urandom(16384), os.urandom(9000)]
# In one chunk, longer than any that goes out: most of it is signed for the origin before the client's signature comes.
HUGE = [os.urandom(17 << 20) + b"."]

MISMATCH = (403, "SignatureDoesNotMatch")
INCOMPLETE = (400, "IncompleteBody")
TRAILER = (400, "MalformedTrailerError")
DIGEST = (400, "BadDigest")
REQUEST = (400, "InvalidRequest")
TOO_LARGE = (400, "EntityTooLarge")
NO_LENGTH = (411, "MissingContentLength")

# The bytes of every checksum that S3 has.
SIZES = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "md5": 16, "sha1": 20, "sha256": 32, "sha512": 64, "xxhash3": 8,
         "xxhash64": 8, "xxhash128": 16}
SUM = "x-amz-checksum"


@dataclasses.dataclass
class Lie:
    name: str
    refusals: dict[str, tuple[int, str]]  # by kind
    change: Callable[[list[bytes]], None] = lambda parts: None
    announced: Callable[[int], object] = lambda length: length
    more: dict[str, str] = dataclasses.field(default_factory=dict)
    is_in_head: bool = False

    def upload(self, signer, path, kind, chunks):
        announced = self.announced(sum(map(len, chunks)))
        upload = Upload(signer, path, kind, chunks, announced=announced, **self.more)
        self.change(upload.parts)
        return upload


def every(refusal):
    return dict.fromkeys(KINDS, refusal)


def signed(refusal):
    return dict.fromkeys(("signed", "signed-trailer"), refusal)


def trailing(refusal):
    return dict.fromkeys(("signed-trailer", "unsigned"), refusal)


def replaced(at, old, new):
    """A change of the text in one part."""
    def change(parts):
        changed = re.sub(old, lambda _: new, parts[at], count=1)
        assert changed != parts[at]
        parts[at] = changed

    return change


def resized(at, size):
    """The size field of a chunk, of which `size` makes another text."""
    def change(parts):
        digits = re.match(rb"(?:\r\n)?([0-9a-f]+)", parts[at])
        parts[at] = parts[at].replace(digits[1], size(int(digits[1], 16)), 1)

    return change


def spoiled(at):
    """Another last digit of a signature."""
    def change(parts):
        end = re.search(rb"signature[=:][0-9a-f]{64}", parts[at]).end()
        digit = b"1" if parts[at][end - 1:end] == b"0" else b"0"
        parts[at] = parts[at][:end - 1] + digit + parts[at][end:]

    return change


def garbled(at):
    def change(parts):
        parts[at] = parts[at][:3] + bytes([parts[at][3] ^ 1]) + parts[at][4:]

    return change


def without(*parts_lost):
    def change(parts):
        parts[:] = [part for at, part in enumerate(parts) if at - len(parts) not in parts_lost]

    return change


def swap(parts):
    parts[1], parts[3] = parts[3], parts[1]


def repeat(parts):
    parts[4:4] = [parts[2], parts[3]]


def replay(parts):
    parts[2:4] = [b"\r\n" + parts[0], parts[1]]


def doubled(parts):
    line = re.match(rb"x-amz-checksum.*\r\n", parts[-1])[0]
    parts[-1] = line + parts[-1]


def appended(text):
    return lambda parts: parts.append(text)


FIRST, MIDDLE, LAST, ZERO, END = 0, 2, 4, 6, 7
PLACES = {"first": FIRST, "middle": MIDDLE, "last": LAST}
SIGNED_OR_NOT = {**signed(MISMATCH), "unsigned": INCOMPLETE}
LATE = {"signed": INCOMPLETE, **trailing(TRAILER)}

LIES = [
    # Signatures, and the data under them.
    *(Lie(f"signature of the {name} chunk", signed(MISMATCH), spoiled(at)) for name, at in PLACES.items()),
    Lie("signature of the zero chunk", signed(MISMATCH), spoiled(ZERO)),
    *(Lie(f"data of the {name} chunk", {**signed(MISMATCH), "unsigned": DIGEST}, garbled(at + 1)) for name, at in PLACES.items()),
    Lie("the data of two chunks swapped", {**signed(MISMATCH), "unsigned": DIGEST}, swap),
    Lie("a chunk in the place of another", {**signed(MISMATCH), "unsigned": DIGEST}, replay),
    Lie("a chunk more", every(INCOMPLETE), repeat),
    *(Lie(f"{name} signature", signed(INCOMPLETE), replaced(FIRST, rb";chunk-signature=\w", text)) for name, text in [
        ("no", b""), ("a long", b";chunk-signature=00"), ("a short", b";chunk-signature="), ("another", b";chunk-Signature=0")]),

    # Sizes.
    *(Lie(f"{name} chunk one longer", SIGNED_OR_NOT if at != LAST else every(INCOMPLETE), resized(at, lambda n: b"%x" % (n + 1)))
      for name, at in PLACES.items()),
    *(Lie(f"{name} chunk one shorter", SIGNED_OR_NOT, resized(at, lambda n: b"%x" % (n - 1))) for name, at in PLACES.items()),
    *(Lie(f"{name} chunk empty", SIGNED_OR_NOT, resized(at, lambda n: b"0")) for name, at in PLACES.items()),
    *(Lie(f"size {size.decode()} of the {name} chunk", every(refusal), resized(at, lambda n, size=size: size))
      for name, at in PLACES.items() for size, refusal in [
          (b"-10", INCOMPLETE), (b"+10", INCOMPLETE), (b"0x10", INCOMPLETE), (b" 10", INCOMPLETE), (b"g", INCOMPLETE),
          (b"", INCOMPLETE), (b"1000001", INCOMPLETE), (b"7fffffffffffffff", INCOMPLETE), (b"ffffffffffffffff", INCOMPLETE),
          (b"10000000000000000", INCOMPLETE)]),
    Lie("size of 20,000 digits", every(INCOMPLETE), resized(FIRST, lambda n: b"1" * 20000)),

    # Framing.
    *(Lie(f"junk in the {name} chunk's line", every(INCOMPLETE), replaced(at, rb"(?<=\w)\r\n", b";junk\r\n")) for name, at in PLACES.items()),
    Lie("junk before the signature", every(INCOMPLETE), replaced(FIRST, rb"(?<=[0-9a-f])(?=[;\r])", b";a=b")),
    Lie("a signature unasked", {"unsigned": INCOMPLETE}, replaced(FIRST, rb"\r", b";chunk-signature=" + b"0" * 64 + b"\r")),
    Lie("a bare line feed", every(INCOMPLETE), replaced(FIRST, rb"\r\n", b"\n")),
    Lie("no line break behind data", every(INCOMPLETE), replaced(MIDDLE, rb"^\r\n", b"")),
    Lie("two line breaks behind data", every(INCOMPLETE), replaced(MIDDLE, rb"^\r\n", b"\r\n\r\n")),
    Lie("a byte behind data", every(INCOMPLETE), replaced(MIDDLE, rb"^", b"x")),

    # The end.
    Lie("nothing from the zero chunk on", every(INCOMPLETE), without(-1, -2)),
    Lie("no zero chunk", every(INCOMPLETE), replaced(ZERO, rb"(?s)^.*", b"\r\n")),
    Lie("nothing behind the zero chunk", every(INCOMPLETE), without(-1)),
    *(Lie(f"{name} behind the end", LATE, appended(text)) for name, text in [
        ("a line break", b"\r\n"), ("a byte", b"x"), ("a chunk", b"0\r\n\r\n"),
        ("a request", b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")]),

    # Lengths.
    *(Lie(f"length off by {change:+}", every(INCOMPLETE), announced=lambda n, change=change: n + change) for change in (-1, 1)),
    Lie("length 0", every(INCOMPLETE), announced=lambda n: 0),
    Lie("length of 2 to the 62", every(INCOMPLETE), announced=lambda n: 1 << 62),
    Lie("length beyond any", every(TOO_LARGE), announced=lambda n: (1 << 62) + 1, is_in_head=True),
    *(Lie(f"length {length}", every(NO_LENGTH), announced=lambda n, length=length: length, is_in_head=True)
      for length in ("-1", "", "1x", "18446744073709551616")),

    # Trailers.
    Lie("no trailer", trailing(TRAILER), replaced(END, rb"x-amz-checksum.*\r\n", b"")),
    Lie("a trailer twice", trailing(TRAILER), doubled),
    Lie("a trailer before", trailing(TRAILER), replaced(END, rb"^", b"x-amz-meta-a:b\r\n")),
    Lie("a trailer behind", trailing(TRAILER), replaced(END, rb"\r\n", b"\r\nx-amz-meta-a:b\r\n")),
    Lie("a trailer unasked", {"signed": INCOMPLETE}, replaced(END, rb"^", b"x-amz-checksum-crc32:AAAAAA==\r\n")),
    Lie("a trailer renamed", trailing(TRAILER), replaced(END, rb"crc32:", b"crc32c:")),
    Lie("a trailer renamed and signed", trailing(TRAILER), more={"line": "x-amz-checksum-crc32c:AAAAAA=="}),
    Lie("another trailer announced", trailing(TRAILER), more={"trailer": "x-amz-checksum-crc32c"}),
    Lie("an unknown trailer announced", trailing(REQUEST), more={"trailer": "x-amz-checksum-md4"}, is_in_head=True),
    Lie("a wrong checksum", {"signed-trailer": MISMATCH, "unsigned": DIGEST}, replaced(END, rb":.{6}", b":AAAAAA")),
    Lie("a wrong checksum, signed", trailing(DIGEST), more={"line": f"{CHECKSUM}:{crc32(b'other data')}"}),
    *(Lie(f"a wrong {name}", trailing(DIGEST), more={"trailer": f"{SUM}-{name}", "line": f"{SUM}-{name}:{in_base64(bytes(size))}"})
      for name, size in SIZES.items()),
    *(Lie(f"a {name} too short", trailing(REQUEST), more={"trailer": f"{SUM}-{name}", "line": f"{SUM}-{name}:{in_base64(bytes(size - 1))}"})
      for name, size in SIZES.items()),
    Lie("no checksum at all", trailing(REQUEST), more={"line": f"{CHECKSUM}:AAAA"}),
    Lie("signature of the trailer", {"signed-trailer": MISMATCH}, spoiled(END)),
    Lie("no signature of the trailer", {"signed-trailer": TRAILER}, replaced(END, rb"x-amz-trailer-signature.*\r\n", b"")),
    Lie("a signature of the trailer unasked", {"unsigned": TRAILER},
        replaced(END, rb"\r\n$", b"x-amz-trailer-signature:" + b"0" * 64 + b"\r\n\r\n")),
]

HUGE_ZERO, HUGE_END = 2, 3
HUGE_LIES = [
    Lie("signature of the chunk", signed(MISMATCH), spoiled(FIRST)),
    Lie("data of the chunk", {**signed(MISMATCH), "unsigned": DIGEST}, garbled(FIRST + 1)),
    Lie("last byte of the chunk", {**signed(MISMATCH), "unsigned": DIGEST},
        lambda parts: parts.__setitem__(1, parts[1][:-1] + bytes([parts[1][-1] ^ 1]))),
    Lie("signature of the zero chunk", signed(MISMATCH), spoiled(HUGE_ZERO)),
    Lie("chunk one longer", every(INCOMPLETE), resized(FIRST, lambda n: b"%x" % (n + 1))),
    Lie("chunk one shorter", SIGNED_OR_NOT, resized(FIRST, lambda n: b"%x" % (n - 1))),
    Lie("chunk of 2 to the 62", every(INCOMPLETE), resized(FIRST, lambda n: b"%x" % (1 << 62))),
    Lie("chunk and length of 2 to the 62", every(INCOMPLETE), resized(FIRST, lambda n: b"%x" % (1 << 62)), lambda n: 1 << 62),
    Lie("chunk less one byte", SIGNED_OR_NOT, lambda parts: parts.__setitem__(1, parts[1][:-1])),
    Lie("nothing behind the chunk", every(INCOMPLETE), without(-1, -2)),
    Lie("nothing behind the zero chunk", every(INCOMPLETE), without(-1)),
    Lie("a wrong checksum, signed", trailing(DIGEST), more={"line": f"{CHECKSUM}:{crc32(b'other data')}"}),
    Lie("signature of the trailer", {"signed-trailer": MISMATCH}, spoiled(HUGE_END)),
]
for lies in (LIES, HUGE_LIES):
    assert len({lie.name for lie in lies}) == len(lies)


@pytest.fixture(scope="module")
def nginx(folder, origins):
    """One worker, so that connections to the origin and memory are those of all requests."""
    origin = origins["s3s"]
    line = origin.s3_origin()
    ports = {door: free_port() for door in DOORS}
    upstreams = "".join(
        f"upstream {framing} {{ server {origin.address}; keepalive 4; {line.replace(';', f' framing={framing};')} }}\n"
        for framing in ("keep", "decode"))
    servers = "".join(
        f"server {{ listen 127.0.0.1:{port}; location / {{ s3_resign on; proxy_pass http://{framing}; proxy_http_version 1.1; "
        f'proxy_set_header Connection ""; client_body_buffer_size 8k; proxy_request_buffering {buffering}; }} }}\n'
        for (framing, buffering), port in ports.items())
    known = f"client_max_body_size 0; s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};\n"
    with Nginx(folder / "nginx-lies", known + upstreams + servers, ports["keep", "on"], workers=1) as nginx:
        nginx.urls = {door: f"http://127.0.0.1:{port}" for door, port in ports.items()}
        yield nginx
        log = nginx.error_log.read_text(errors="replace")
    assert not [line for line in log.splitlines() if "[alert]" in line or "[crit]" in line or "exited on signal" in line]


@pytest.fixture
def bucket(origins):
    """Its folder at the origin, new for each test."""
    origin = origins["s3s"]
    (origin.data / BUCKET).mkdir()
    yield origin.data / BUCKET
    origin.remove_bucket(BUCKET)


@pytest.fixture(params=DOORS, ids=lambda door: f"{door[0]}, buffering {door[1]}")
def url(request, nginx):
    return nginx.urls[request.param]


def is_empty(bucket):
    """Nothing is in the bucket, nor does anything stay of what the origin has begun to write."""
    deadline = time.monotonic() + 20
    while any(bucket.iterdir()) or any(bucket.parent.glob(".tmp*")):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def tell(lie, kind, chunks, signer, url, transfer_chunks=0):
    """Tells one lie, and asks for the object over the same connection, or another where that ends.

    The end of a large upload that is let in comes when the origin may have the rest."""
    path = f"/{BUCKET}/{re.sub(r'[^a-z0-9]', '-', lie.name.lower())}.{kind}"
    connection = Connection(url)
    try:
        upload = lie.upload(signer, path, kind, chunks)
        has_late_end = chunks is not SMALL and not transfer_chunks and not lie.is_in_head
        late = len(upload.parts[-2] + upload.parts[-1]) if has_late_end else 0
        answer = connection.ask(upload.request(transfer_chunks=transfer_chunks), late)
        assert (answer.status, answer.code) == lie.refusals[kind]
        if answer.closes:
            assert connection.is_closed()
            connection.close()
            connection = Connection(url)
        answer = connection.ask(get(signer, path))
        assert (answer.status, answer.code) == (404, "NoSuchKey")
    finally:
        connection.close()


def get(signer, path):
    lines, _ = signer.head("GET", path)
    return "\r\n".join((*lines, "", "")).encode()


def tell_the_truth(signer, url, chunks):
    """Uploads arrive as ever."""
    for kind in KINDS:
        path = f"/{BUCKET}/truth"
        connection = Connection(url)
        assert connection.ask(Upload(signer, path, kind, chunks).request()).status == 200
        assert connection.ask(get(signer, path)).body == b"".join(chunks)
        connection.close()


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_a_lie(lie, url, bucket):
    signer = Signer(url, CLIENT)
    for kind in lie.refusals:
        for chunks in (SMALL, LARGE):
            for transfer_chunks in (0, 5000):
                tell(lie, kind, chunks, signer, url, transfer_chunks)
    assert is_empty(bucket)


@pytest.mark.parametrize("lie", HUGE_LIES, ids=lambda lie: lie.name)
def test_a_lie_about_a_huge_chunk(lie, url, bucket):
    signer = Signer(url, CLIENT)
    for kind in lie.refusals:
        tell(lie, kind, HUGE, signer, url)
    assert is_empty(bucket)


@pytest.mark.parametrize("kind", KINDS)
def test_a_huge_chunk_cut(kind, url, bucket):
    """The client leaves in its middle, at its last byte, or before what proves it."""
    signer = Signer(url, CLIENT)
    path = f"/{BUCKET}/cut"
    upload = Upload(signer, path, kind, HUGE)
    request = upload.request()
    behind = sum(map(len, upload.parts[2:]))
    for late in (len(HUGE[0]) // 2, behind + 1, behind, len(upload.parts[-1])):
        connection = Connection(url)
        connection.socket.sendall(request[:-late])
        time.sleep(0.05)  # the origin may have its part
        connection.close()
    connection = Connection(url)
    answer = connection.ask(get(signer, path))
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    connection.close()
    assert is_empty(bucket)


@pytest.mark.parametrize("kind", KINDS)
def test_cut_at_every_byte(kind, url, bucket):
    """The client leaves there, or sends no more than that and says so."""
    signer = Signer(url, CLIENT)
    path = f"/{BUCKET}/cut"
    small, large = (Upload(signer, path, kind, chunks) for chunks in (SMALL, LARGE))
    request = small.request()
    optional = 0 if kind == "signed" else 2  # the last line break
    for length in range(len(small.body) - optional):
        connection = Connection(url)
        connection.socket.sendall(request[:length - len(small.body)])
        connection.close()
        connection = Connection(url)
        answer = connection.ask(small.request(small.body[:length]))
        assert (answer.status, answer.code, length) == (*INCOMPLETE, length)
        assert connection.is_closed()
        connection.close()
    request = large.request()
    for length in range(1000, len(request), 1000):
        connection = Connection(url)
        connection.socket.sendall(request[:length])
        time.sleep(0.002)  # the origin may have its part
        connection.close()
    connection = Connection(url)
    answer = connection.ask(get(signer, path))
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    connection.close()
    assert is_empty(bucket)


def test_memory_comes_back(url, nginx, bucket):
    def round_of_lies():
        signer = Signer(url, CLIENT)
        for lie in LIES:
            for kind in lie.refusals:
                tell(lie, kind, SMALL, signer, url)
                tell(lie, kind, LARGE, signer, url)
        tell_the_truth(signer, url, LARGE)
        tell_the_truth(signer, url, HUGE)

    round_of_lies()
    [before] = nginx.memory("VmRSS")
    for _ in range(2):
        round_of_lies()
    [after] = nginx.memory("VmRSS")
    assert after < before + (128 << 10)
