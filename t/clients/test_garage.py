"""Garage reads what current SDKs send, and what they sent before: it is an origin without a dialect, or with any."""

import contextlib
import os

import pytest
from adapters import Boto3, Crt
from conftest import CLIENT
from programs import Go, JsStreams, Rust, parameter
from servers import Credentials, Garage, Nginx, certify, free_port

pytestmark = pytest.mark.skipif(not Garage.binary(), reason="Garage is only built by make test-full")

BUCKET = "garage"
SMALL = os.urandom(100_000)
IN_PARTS = os.urandom(18 << 20)
DOORS = {"": "", "unbuffered": "proxy_request_buffering off;"}
DIALECTS = ("", " dialect=swift")


@pytest.fixture(scope="module")
def doors(folder):
    """By dialect and buffering, over HTTPS."""
    known = Credentials("GK" + "01" * 12, "a1" * 32, "garage")
    tls = folder / "garage-tls"
    tls.mkdir()
    certify(tls, "DNS:localhost")
    with contextlib.ExitStack() as stack:
        garage = stack.enter_context(Garage(folder / "garage", known))
        Boto3(garage.url, known, None).create_bucket(BUCKET)
        ports, blocks = {}, [
            "client_max_body_size 0;",
            f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};",
            f"ssl_certificate {tls}/server.crt; ssl_certificate_key {tls}/server.key;",
        ]
        for number, dialect in enumerate(DIALECTS):
            line = garage.s3_origin().replace(";", f"{dialect};")
            blocks.append(f"upstream g{number} {{ server {garage.address}; {line} }}")
            for door, settings in DOORS.items():
                port = ports[dialect, door] = free_port()
                blocks.append(f"server {{ listen 127.0.0.1:{port} ssl; location / {{ s3_resign on; {settings} "
                              f"proxy_http_version 1.1; proxy_pass http://g{number}; }} }}")
        port = free_port()
        blocks.append(f"server {{ listen 127.0.0.1:{port}; }}")
        stack.enter_context(Nginx(folder / "nginx-garage", "\n".join(blocks), port))
        yield {key: f"https://localhost:{port}" for key, port in ports.items()}, str(tls / "ca.crt")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("client", [Crt, *(parameter(client) for client in (Go, JsStreams, Rust))],
                         ids=lambda value: getattr(value, "__name__", value))
def test_trees(client, door, dialect, doors, tmp_path):
    urls, ca = doors
    tree, fetched = tmp_path / "tree", tmp_path / "fetched"
    tree.mkdir()
    (tree / "small").write_bytes(SMALL)
    (tree / "in parts").write_bytes(IN_PARTS)
    s3 = client(urls[dialect, door], CLIENT, tmp_path, ca)
    s3.upload_tree(tree, BUCKET)
    s3.download_tree(BUCKET, fetched)
    assert (fetched / "small").read_bytes() == SMALL
    assert (fetched / "in parts").read_bytes() == IN_PARTS


@pytest.mark.parametrize("dialect", DIALECTS)
def test_documents(dialect, doors, tmp_path):
    urls, ca = doors
    s3 = Boto3(urls[dialect, ""], CLIENT, tmp_path, ca)
    s3.put(BUCKET, "key", SMALL)
    assert s3.get(BUCKET, "key") == SMALL
    answer = s3._call("delete_objects", Bucket=BUCKET, Delete={"Objects": [{"Key": "key"}, {"Key": "none"}]})
    assert "Errors" not in answer
    assert "key" not in s3.list(BUCKET)[0]
