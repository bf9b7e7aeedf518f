"""Three kinds of real origins, and one nginx with the module in front of them."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "origins")]

from servers import Ceph, Credentials, Nginx, Origin, S3sFs, Swift, free_port  # noqa: E402

# A region, a key and a secret that no origin here would take.
CLIENT = Credentials("AKIDCLIENT", "clientSecret/With+Signs=", "ap-south-1")


@dataclasses.dataclass
class Endpoint:
    """Where a client is pointed at, and the credentials it is given."""

    url: str
    credentials: Credentials


@dataclasses.dataclass
class Site:
    """One origin: reached directly with its own credentials, or through nginx with the client's."""

    origin: Origin
    proxied: dict[str, Endpoint]  # by variant

    @property
    def direct(self):
        return Endpoint(self.origin.url, self.origin.credentials)

    @property
    def proxy(self):
        return self.proxied["default"]


@pytest.fixture(scope="session")
def folder():
    """Below target/, since Swift needs extended attributes, which a /tmp in memory may lack.

    It is removed at the end; with CLIENTS_KEEP in the environment it stays, logs and all."""
    base = HERE.parents[1] / "target"
    base.mkdir(exist_ok=True)
    path = pathlib.Path(tempfile.mkdtemp(prefix="clients-", dir=base))
    yield path
    if "CLIENTS_KEEP" in os.environ:
        print("logs are left in", path)
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def origins(folder):
    """The real servers by name. `spare` is another s3s-fs, with a key and region of its own."""
    with contextlib.ExitStack() as stack:
        yield {
            "s3s": stack.enter_context(S3sFs(folder / "s3s", Credentials("AKIDORIGINA", "originSecretA", "us-west-2"))),
            "spare": stack.enter_context(S3sFs(folder / "spare", Credentials("AKIDORIGINB", "originSecretB", "eu-west-1"))),
            "swift": stack.enter_context(Swift(folder / "swift", Credentials("origin:swift", "originSecretC", "eu-swift-1"))),
            "ceph": stack.enter_context(Ceph(folder / "ceph", Credentials("AKIDORIGIND", "originSecretD", "default"))),
        }


VARIANTS = {
    "default": "keepalive",
    "unbuffered": "keepalive proxy_request_buffering off;",
    "closing": "plain",
    "closing, unbuffered": "plain proxy_request_buffering off;",
    "v2": "keepalive s3_signature_v2 on;",
}


def http_block(origins, ports):
    """An upstream for each origin, with keepalive and without, and a server for each variant of each origin."""
    blocks = [
        "client_max_body_size 0;",
        "underscores_in_headers on;",  # S3 metadata may have them, and nginx drops such headers by default
        f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};",
    ]
    for name, origin in origins.items():
        for kind in ("plain", "keepalive"):
            keepalive = "keepalive 8;" if kind == "keepalive" else ""
            blocks.append(f"upstream {name}_{kind} {{ server {origin.address}; {keepalive} {origin.s3_origin()} }}")
        for variant, settings in VARIANTS.items():
            kind, _, directives = settings.partition(" ")
            connection = 'proxy_http_version 1.1; proxy_set_header Connection "";' if kind == "keepalive" else ""
            blocks.append(
                f"server {{ listen 127.0.0.1:{ports[name, variant]}; location / {{ s3_resign on; {connection} {directives} "
                f"proxy_pass http://{name}_{kind}; }} }}"
            )
    return "\n".join(blocks)


@pytest.fixture(scope="session")
def sites(folder, origins):
    ports = {(name, variant): free_port() for name in origins for variant in VARIANTS}
    with Nginx(folder / "nginx", http_block(origins, ports), next(iter(ports.values()))) as nginx:
        yield {
            name: Site(origin, {v: Endpoint(f"http://127.0.0.1:{ports[name, v]}", CLIENT) for v in VARIANTS})
            for name, origin in origins.items()
        }
        log = nginx.error_log.read_text(errors="replace")
    marks = ("[alert]", "[emerg]", "[crit]", "exited on signal")
    wrong = [line for line in log.splitlines() if any(mark in line for mark in marks)]
    assert not wrong, "\n".join(wrong)
    for secret in [CLIENT.secret_key, *(origin.credentials.secret_key for origin in origins.values())]:
        assert secret not in log


@pytest.fixture(params=["s3s", "swift", "ceph"])
def site(request, sites):
    return sites[request.param]
