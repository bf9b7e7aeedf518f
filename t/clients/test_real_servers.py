"""Random requests, signed by three signers, go to real servers: through nginx, which signs them again, and straight to the
server, signed for it. Both get the same answers."""

import contextlib
import dataclasses
import hashlib
import os
import random

import pytest
import signers
from conftest import CLIENT
from differential import Loader
from handmade import fetch
from servers import Credentials, Minio, Nginx, Versitygw, free_port

OBJECTS = int(os.environ.get("REAL_OBJECTS", 4))  # for each server and signer
SEED = int(os.environ.get("DIFFERENTIAL_SEED", 20261129))
BUILT = {  # where there is a Go
    "minio": (Minio, Credentials("AKIDMINIO", "minioSecret", "eu-west-3")),
    "versitygw": (Versitygw, Credentials("AKIDVERSITY", "versitySecret", "eu-west-3")),
}
SERVERS = ["s3s", "ceph", "swift", *(pytest.param(name, marks=pytest.mark.skipif(not kind.binary(), reason=f"{name} is not built here"))
                                     for name, (kind, _) in BUILT.items())]


@pytest.fixture(scope="module")
def hosts(folder, origins):
    """By the name of a server: itself, and the host of nginx in front of it."""
    with contextlib.ExitStack() as stack:
        servers = {name: origins[name] for name in ("s3s", "ceph", "swift")}
        for name, (kind, known) in BUILT.items():
            if kind.binary():
                servers[name] = stack.enter_context(kind(folder / f"real-{name}", known))
        ports = {name: free_port() for name in servers}
        block = f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};\nkeepalive_requests 100000;\n" + "\n".join(f"""
        upstream {name} {{ server {server.address}; keepalive 4; {server.s3_origin()} }}
        server {{
            listen 127.0.0.1:{ports[name]};
            location / {{ s3_resign on; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://{name}; }}
        }}""" for name, server in servers.items())
        with Nginx(folder / "nginx-real", block, next(iter(ports.values()))) as nginx:
            yield {name: (server, f"127.0.0.1:{ports[name]}") for name, server in servers.items()}
        assert "[alert]" not in nginx.error_log.read_text(errors="replace")


def key(chance):
    """One that any server takes, and that is none of another's folder."""
    def segment():
        return "k" + "".join(chance.choice("aZ09+%~*!'()-_. &=?#:;@$,éß日本😀") for _ in range(chance.randint(1, 12))) + "e"
    return f"{chance.getrandbits(64):x}{'/'.join(segment() for _ in range(chance.randint(1, 3)))}"


def steps(chance, payloads):
    """Stores an object in some way, and asks for it in others."""
    path, body = "/BUCKET/" + signers.canonical(key(chance), "/"), signers.text(chance, 300).encode()
    ways = chance.choice((*payloads, "presigned"))
    put = signers.Asked("PUT", path, [(f"x-amz-meta-{number}", signers.value(chance).strip()) for number in range(chance.randint(0, 3))], body=body)
    if ways == "presigned":
        put.expires = 3_600
    elif ways in signers.KIND_OF:
        put.payload = ways
        put.headers += [("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", str(len(body)))]
        put.headers += [("x-amz-trailer", signers.CHECKSUM)] if "TRAILER" in ways else []
    elif ways == "hash":
        put.payload = hashlib.sha256(body).hexdigest()
    prefix = signers.canonical(path.rpartition("/")[2][:1])
    return [
        put, signers.Asked("GET", path, []), signers.Asked("GET", path, [], expires=3_600), signers.Asked("HEAD", path, [("range", "bytes=0-0")]),
        signers.Asked("GET", f"/BUCKET?delimiter=%2F&list-type=2&prefix={prefix}", []), signers.Asked("DELETE", path, []),
    ]


def answers(signer, asked, host, known, bucket):
    loader = Loader(host)
    asked = [dataclasses.replace(one, target=one.target.replace("BUCKET", bucket)) for one in asked]
    for one in asked:
        one.odd = one.target
    made = signers.signed(signer, ((one, known) for one in asked), host, known.region)
    for one in made:
        status, _, body = loader.ask(one.head() + one.body)
        yield status, body
    loader.close()


@pytest.mark.parametrize("signer", signers.SIGNERS)
@pytest.mark.parametrize("name", SERVERS)
def test_answers_are_those_without_nginx(name, signer, hosts):
    server, host = hosts[name]
    known, buckets = server.credentials, ("through-nginx", "straight")
    for bucket in buckets:
        assert fetch(server.url, known, "PUT", f"/{bucket}").status in (200, 409)
    chance = random.Random(SEED)
    asked = [step for _ in range(OBJECTS) for step in steps(chance, signers.SIGNERS[signer].payloads)]
    through = list(answers(signer, asked, host, CLIENT, buckets[0]))
    straight = list(answers(signer, asked, server.address, known, buckets[1]))
    wrong = [(one.method, one.target, one.payload, *pair) for one, *pair in zip(asked, through, straight, strict=True)
             if pair[0][0] != pair[1][0] or one.method == "GET" and "list-type" not in one.target and 200 in pair[0] and pair[0] != pair[1]]
    assert not wrong, (len(wrong), wrong[:5])
    refused = [one for one, (status, _) in zip(asked, through) if status >= 300 and one.payload not in signers.KIND_OF]
    assert len(refused) < len(asked) / 2, refused[:5]
