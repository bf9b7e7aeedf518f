"""`s3_verify_payload on`: over HTTP boto3 signs the hash of each body, and another body gets nowhere."""

import os

import pytest
from adapters import Boto3, S3Error
from conftest import CLIENT
from servers import Nginx, free_port

BUCKET = "hashed"
BODIES = {"empty": b"", "small": os.urandom(1000), "large": os.urandom(3 << 20)}
MULTIPART = os.urandom(12 << 20)

BUFFERING = {"buffered": "", "unbuffered": "proxy_request_buffering off;"}


@pytest.fixture(scope="module")
def doors(folder, origins):
    """By buffering."""
    origin = origins["s3s"]
    blocks = [
        "client_max_body_size 0; s3_verify_payload on;",
        "log_format kinds '$http_x_amz_content_sha256'; access_log kinds.log kinds;",
        f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};",
        f"upstream u {{ server {origin.address}; keepalive 4; {origin.s3_origin()} }}",
    ]
    ports = {buffering: free_port() for buffering in BUFFERING}
    blocks += [
        f"server {{ listen 127.0.0.1:{port}; location / {{ s3_resign on; proxy_http_version 1.1; "
        f'proxy_set_header Connection ""; {BUFFERING[buffering]} proxy_pass http://u; }} }}'
        for buffering, port in ports.items()
    ]
    with Nginx(folder / "nginx-hashed", "\n".join(blocks), ports["buffered"]) as nginx:
        yield {buffering: f"http://127.0.0.1:{port}" for buffering, port in ports.items()}
        log = nginx.error_log.read_text(errors="replace")
        kinds = (nginx.folder / "kinds.log").read_text().split()
    assert not [line for line in log.splitlines() if "[alert]" in line or "exited on signal" in line]
    # Or else nothing was tried here.
    assert kinds and all(len(kind) == 64 for kind in kinds)


@pytest.mark.parametrize("buffering", BUFFERING)
def test_only_what_was_signed_is_stored(origins, doors, buffering, tmp_path):
    origin = origins["s3s"]
    direct = Boto3(origin.url, origin.credentials, tmp_path)
    direct.create_bucket(BUCKET)
    try:
        through = Boto3(doors[buffering], CLIENT, tmp_path)
        for key, body in BODIES.items():
            through.put(BUCKET, key, body)
            assert direct.get(BUCKET, key) == body
        through.multipart(BUCKET, "parts", MULTIPART)
        assert direct.get(BUCKET, "parts") == MULTIPART

        def tamper(request, **_):
            """On its way, after it was signed."""
            request.body = bytes(len(BODIES["large"]))

        through.s3.meta.events.register("before-send.s3.PutObject", tamper)
        with pytest.raises(S3Error) as refused:
            through.put(BUCKET, "tampered", BODIES["large"])
        assert (refused.value.code, refused.value.status) == ("XAmzContentSHA256Mismatch", 400)
        with pytest.raises(S3Error) as missing:
            direct.get(BUCKET, "tampered")
        assert missing.value.code == "NoSuchKey"
    finally:
        origin.remove_bucket(BUCKET)
