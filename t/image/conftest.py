"""The images, built once for all tests, on an engine of their own."""

import os
import pathlib
import signal
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "origins")]

from engine import Engine, Unavailable  # noqa: E402

ROOT = HERE.parents[1]


def pytest_configure():
    """A test that is told to end removes what it has started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def engine():
    try:
        with Engine(os.environ["CACHE"]) as engine:
            yield engine
    except Unavailable as reason:
        pytest.exit(f"skipped, no container engine: {reason}", returncode=0)


@pytest.fixture(scope="session")
def image(engine):
    """Its build stage has a name too, or the layers of the dependencies would go with it. Without a profile,
    which takes minutes and is made for the package too; `make image-test PGO=1` has one made."""
    more, profile = (os.environ.get(name, "") for name in ("BUILD_FLAGS", "PGO"))
    build = f"s3-resign-build-{os.environ.get('BASE', 'debian')}"
    for name, target in ((build, "--target=build"), ("s3-resign", "")):
        engine.run("make", "image", f"IMAGE={name}", "ENGINE=docker", f"PGO={profile}",
                   f"BUILD_FLAGS=--network=host {target} {more}", cwd=ROOT)
    return "s3-resign"


@pytest.fixture(scope="session")
def origin_image(engine):
    for name, flags in (("s3-resign-origin-build", ["--target=build"]), ("s3-resign-origin", [])):
        engine.docker("build", "--network=host", *flags, "-t", name, "-f", ROOT / "docker/Dockerfile.origin", ROOT)
    return "s3-resign-origin"


@pytest.fixture(scope="session")
def haproxy_image(engine, tmp_path_factory):
    """As Docker Hub's, of Debian's package."""
    folder = tmp_path_factory.mktemp("haproxy")
    (folder / "Dockerfile").write_text("""\
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/*
USER haproxy
ENTRYPOINT ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
""")
    engine.docker("build", "--network=host", "-t", "haproxy:debian", folder)
    return "haproxy:debian"
