"""One of two origins dies in the middle: no client sees a request fail."""

import contextlib
import os
import threading

import pytest
from adapters import Boto3
from botocore.exceptions import ResponseStreamingError
from conftest import CLIENT, Endpoint
from servers import Credentials, Nginx, S3sFs, free_port

BUCKET = "both"
KEY = "same object/ä+b"
BODY = os.urandom(100_000)
REQUESTS = 200


@pytest.fixture(params=["round robin", "backup"])
def pair(request, tmp_path):
    """Two origins with their own keys and regions, the object on both, and nginx in front."""
    with contextlib.ExitStack() as stack:
        a = stack.enter_context(S3sFs(tmp_path / "a", Credentials("AKIDA", "secretA", "us-east-1")))
        b = stack.enter_context(S3sFs(tmp_path / "b", Credentials("AKIDB", "secretB", "eu-west-1")))
        for origin in (a, b):
            direct = Boto3(origin.url, origin.credentials, None)
            direct.create_bucket(BUCKET)
            direct.put(BUCKET, KEY, BODY)
        port = free_port()
        backup = "backup" if request.param == "backup" else ""
        stack.enter_context(Nginx(tmp_path / "nginx", f"""
            client_max_body_size 0;
            s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
            upstream both {{
                zone both 64k;
                server {b.address};
                server {a.address} {backup};
                keepalive 8;
                {a.s3_origin()}
                {b.s3_origin()}
            }}
            log_format origins "$upstream_addr $upstream_status";
            access_log {tmp_path}/origins.log origins;
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    s3_resign on;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_pass http://both;
                }}
            }}
            """, port))
        yield Endpoint(f"http://127.0.0.1:{port}", CLIENT), a, b, tmp_path / "origins.log"


def loop(endpoint, work):
    """Two threads share the requests; returns what went wrong."""
    wrong = []
    numbers = iter(range(REQUESTS))
    lock = threading.Lock()

    def run():
        s3 = Boto3(endpoint.url, endpoint.credentials, None)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                work(s3, number)
            except Exception as error:  # the test counts them, of whatever kind
                wrong.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
        assert not thread.is_alive()
    return wrong


def test_reading_goes_on(pair):
    endpoint, a, b, log = pair
    cut = []

    def read(s3, number):
        if number == REQUESTS // 3:
            b.kill()
        try:
            body = s3.get(BUCKET, KEY)
        except ResponseStreamingError:
            # The head of this answer was out before B died: no other origin can go on with it,
            # so that a client reads again, as every download manager does.
            cut.append(number)
            body = s3.get(BUCKET, KEY)
        assert body == BODY

    assert loop(endpoint, read) == []
    assert len(cut) <= 1  # what the other thread was in the middle of
    served = log.read_text()
    assert f"{b.address} 200" in served and f"{a.address} 200" in served  # both took part
    assert f"{b.address}, {a.address}" in served  # and one request was passed on


@pytest.mark.parametrize("size", [1000, 1 << 20])  # in memory, in a temporary file
def test_writing_goes_on(pair, size):
    endpoint, a, b, _ = pair
    body = os.urandom(size)
    is_dead = threading.Event()
    after = []

    def write(s3, number):
        if number == REQUESTS // 3:
            b.kill()
            is_dead.set()
        # What began earlier may be stored at either: the other thread may go on while this one kills.
        if is_dead.is_set():
            after.append(number)
        s3.put(BUCKET, f"written/{number}", body)

    assert loop(endpoint, write) == []
    direct = Boto3(a.url, a.credentials, None)
    assert REQUESTS // 3 in after
    assert all(direct.get(BUCKET, f"written/{number}") == body for number in after)
