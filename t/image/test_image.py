"""The image, as a container engine runs it: docker run, docker stop, docker-compose."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from servers import Credentials, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIENT = Credentials("AKIDCLIENT", "client's $ecret; \"with\" #signs", "eu-central-1")
ORIGIN = Credentials("AKIDORIGIN", "originSecret", "us-east-1")
BUCKET = "demo"

# docker/README.md's commands, which the tests run.
RUN = "docker run -p 8080:8080 --env-file .env --read-only --tmpfs /tmp s3-resign"
MAKE_KEYS = "make docker/.env"
COMPOSE = "docker compose -f docker/compose.yaml up -d"
COMPOSE_HAPROXY = "docker compose -f docker/compose.haproxy.yaml up -d"


def s3(port, credentials=CLIENT):
    return boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name=credentials.region,
        aws_access_key_id=credentials.access_key, aws_secret_access_key=credentials.secret_key,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60),
    )


def until(what, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        assert time.monotonic() < deadline, f"{what} after {seconds} s"
        time.sleep(0.2)


def state(engine, container):
    return json.loads(engine.docker("inspect", "--format={{json .State}}", container))


def healthy(engine, container):
    until(f"{container} is not healthy", lambda: state(engine, container)["Health"]["Status"] == "healthy")


@pytest.fixture(scope="module")
def origin(engine, origin_image):
    """A S3 server on the network s3: its port on this machine."""
    port = free_port()
    engine.docker("network", "create", "s3")
    engine.docker("run", "-d", "--init", "--name=origin", "--network=s3", f"--publish=127.0.0.1:{port}:9000",
                  f"--env=ACCESS_KEY={ORIGIN.access_key}", f"--env=SECRET_KEY={ORIGIN.secret_key}", origin_image)
    yield port
    engine.docker("rm", "-f", "-v", "origin")
    engine.docker("network", "rm", "s3")


SETTINGS = {
    "CLIENT_ACCESS_KEY": CLIENT.access_key, "CLIENT_SECRET_KEY": CLIENT.secret_key,
    "ORIGIN_ACCESS_KEY": ORIGIN.access_key, "ORIGIN_SECRET_KEY": ORIGIN.secret_key,
    "ORIGIN_DOMAIN": "origin:9000", "ORIGIN_SCHEME": "http",
}


@contextlib.contextmanager
def running(engine, folder, *options, **settings):
    """A proxy with these settings, None for none: its port on this machine. Its name is proxy."""
    port = free_port()
    chosen = {name: value for name, value in {**SETTINGS, **settings}.items() if value is not None}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in chosen.items()))
    command = RUN.replace("8080:8080", f"127.0.0.1:{port}:8080").split()
    engine.run(*command[:2], "-d", "--name=proxy", "--network=s3", "--cap-drop=ALL", "--security-opt=no-new-privileges:true",
               *options, *command[2:], cwd=folder)
    try:
        until("the proxy does not answer", lambda: answers(port) or not state(engine, "proxy")["Running"])
        assert state(engine, "proxy")["Running"], engine.docker("logs", "proxy")
        yield port
    except BaseException:
        print(engine.docker("logs", "--tail=20", "proxy"))
        raise
    finally:
        engine.docker("rm", "-f", "-v", "proxy")


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_no_engine():
    done = subprocess.run(["make", "-s", "image", "ENGINE="], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0 and done.stderr.startswith("image: there is no docker, podman or buildah here: ")


def test_readme():
    """Its commands are those that are run here, but for Helm's, which test_helm.py runs."""
    readme = (ROOT / "docker" / "README.md").read_text()
    commands = "".join(re.findall("^```console\n(.*?)^```$", readme, re.S | re.M)).splitlines()
    others = [command for command in commands if not command.startswith(("helm ", "  "))]
    assert sorted(others) == sorted([RUN, MAKE_KEYS, COMPOSE, COMPOSE_HAPROXY])


@pytest.mark.parametrize("base, name", [
    ("debian", "debian:bookworm-slim"),
    ("openresty", r"docker\.io/openresty/openresty:[0-9.]+-bookworm"),
])
def test_bases(base, name):
    """One Dockerfile makes both images."""
    done = subprocess.run(["make", "-s", "image", "ENGINE=echo", f"BASE={base}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(rf" -f docker/Dockerfile --build-arg BASE={name} ", done.stdout), done.stdout


def test_no_base():
    done = subprocess.run(["make", "-s", "image", "ENGINE=echo", "BASE=none"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0 and done.stderr.startswith("image: there is no BASE=none: "), done.stderr


def test_what_is_in_it(engine, image):
    [known] = json.loads(engine.docker("image", "inspect", image))
    assert known["Size"] < 200e6
    config = known["Config"]
    uid = config["User"].partition(":")[0]
    assert uid.isdigit() and int(uid) > 0, "a user that Kubernetes can tell from root"
    assert config["StopSignal"] == "SIGTERM" and list(config["ExposedPorts"]) == ["8080/tcp"]
    version = next(line.split('"')[1] for line in (ROOT / "Cargo.toml").open() if line.startswith("version = "))
    assert config["Labels"]["org.opencontainers.image.version"] == version
    assert not config["Env"] or all(line.startswith("PATH=") for line in config["Env"])
    found = engine.docker("run", "--rm", "--user=0", "--network=none", image, "sh", "-c",
                          "for name in cargo rustc gcc cc make; do command -v $name; done; find / -xdev -name '*.rs' -o -xdev -name '*.rlib'")
    assert found == "", "nothing of the build"


def test_a_client_works_through_it(engine, image, origin, tmp_path):
    with running(engine, tmp_path) as port:
        client = s3(port)
        client.put_object(Bucket=BUCKET, Key="a key & more.txt", Body=b"some bytes", Metadata={"kind": "test"})
        answer = client.get_object(Bucket=BUCKET, Key="a key & more.txt")
        assert answer["Body"].read() == b"some bytes" and answer["Metadata"] == {"kind": "test"}
        assert s3(origin, ORIGIN).get_object(Bucket=BUCKET, Key="a key & more.txt")["Body"].read() == b"some bytes"
        big = os.urandom(11 << 20)
        (tmp_path / "big").write_bytes(big)
        client.upload_file(str(tmp_path / "big"), BUCKET, "big")
        assert client.get_object(Bucket=BUCKET, Key="big")["Body"].read() == big
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            s3(port, Credentials(CLIENT.access_key, "another", CLIENT.region)).get_object(Bucket=BUCKET, Key="big")
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            s3(port, ORIGIN).get_object(Bucket=BUCKET, Key="big")

        url = engine.docker("exec", "proxy", "sign_s3", "-v", "4", "--region", "", f"http://127.0.0.1:{port}", CLIENT.access_key,
                            CLIENT.secret_key, BUCKET, "a key & more.txt")
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.read() == b"some bytes"

        healthy(engine, "proxy")
        users = engine.docker("top", "proxy", "-eo", "pid,uid,comm").splitlines()[1:]
        assert len(users) >= 3 and not [line for line in users if line.split()[1] == "0"], "no process is root's"
        with pytest.raises(AssertionError, match="Read-only file system"):
            engine.docker("exec", "--user=0", "proxy", "touch", "/usr/written")
        log = engine.docker("logs", "proxy")
        assert f"{CLIENT.access_key} " in log, "requests are logged"
        for secret in (CLIENT.secret_key, ORIGIN.secret_key):
            assert secret not in log


def shared(folder):
    """One that the container's user may read."""
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def test_secrets_in_files(engine, image, origin, tmp_path):
    settings = {}
    secrets = shared(tmp_path / "secrets")
    for name in ("CLIENT_ACCESS_KEY", "CLIENT_SECRET_KEY", "ORIGIN_ACCESS_KEY", "ORIGIN_SECRET_KEY"):
        (secrets / name).write_text(SETTINGS[name] + "\n")
        settings |= {name: None, f"{name}_FILE": f"/run/secrets/{name}"}
    with running(engine, tmp_path, f"--volume={secrets}:/run/secrets:ro", **settings) as port:
        s3(port).put_object(Bucket=BUCKET, Key="by files", Body=b"some bytes")
        assert SETTINGS["CLIENT_SECRET_KEY"] not in engine.docker("inspect", "proxy")


def test_directives_of_ones_own_and_lua(engine, image, origin, tmp_path):
    own = shared(tmp_path / "own")
    (own / "own.conf").write_text('header_filter_by_lua_block { ngx.header["X-By"] = "Lua" }\n')
    with running(engine, tmp_path, f"--volume={own}:/etc/nginx/s3.d:ro") as port:
        answer = s3(port).list_objects_v2(Bucket=BUCKET)
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-by"] == "Lua"


@pytest.mark.parametrize("name, value, words", [
    ("CLIENT_SECRET_KEY", None, "CLIENT_SECRET_KEY is missing"),
    ("ORIGIN_SECRET_KEY", "your_origin_secret_key_here", "ORIGIN_SECRET_KEY is still a placeholder"),
    ("ORIGIN_DOMAIN", "origin:9000; } server {", "ORIGIN_DOMAIN is not a host"),
])
def test_a_wrong_environment_is_refused(engine, image, origin, tmp_path, name, value, words):
    with pytest.raises(AssertionError) as refused:
        with running(engine, tmp_path, **{name: value}):
            pass
    assert words in str(refused.value)


def test_a_stop_loses_nothing(engine, image, origin, tmp_path):
    """docker stop in the middle of 1 GiB: it ends, and so does the container."""
    size = 1 << 30
    engine.docker("exec", "origin", "truncate", "-s", size, f"/data/{BUCKET}/large")
    with running(engine, tmp_path) as port:
        body = s3(port).get_object(Bucket=BUCKET, Key="large")["Body"]
        received = len(body.read(1 << 20))
        stopped = threading.Thread(target=engine.docker, args=("stop", "--time=120", "proxy"))
        stopped.start()
        until("new clients are let in", lambda: not answers(port))
        assert state(engine, "proxy")["Running"], "it waits for the download"
        for chunk in body.iter_chunks(1 << 20):
            received += len(chunk)
        assert received == size
        stopped.join()
        ended = state(engine, "proxy")
        assert ended["Status"] == "exited" and ended["ExitCode"] == 0, ended


class Composed:
    """The services of one of docker/'s compose files, from a copy of that folder and with keys made for it."""

    def __init__(self, engine, folder, command, **settings):
        self.engine, self.folder = engine, folder
        self.compose = ["docker-compose", "-p", "test", *command.removeprefix("docker compose").removesuffix("up -d").split()]
        self.port = free_port()
        self.environment = {**engine.environment(), "PORT": str(self.port), **settings}

    def __enter__(self):
        shutil.copytree(ROOT / "docker", self.folder / "docker", ignore=shutil.ignore_patterns(".env"))
        shutil.copy(ROOT / "Makefile", self.folder)
        (self.folder / "nginx").mkdir()
        shutil.copy(ROOT / "nginx/build.mk", self.folder / "nginx")
        self.engine.run(*MAKE_KEYS.split(), cwd=self.folder)
        keys = dict(line.split("=", 1) for line in (self.folder / "docker/.env").read_text().splitlines())
        self.client = Credentials(keys["CLIENT_ACCESS_KEY"], keys["CLIENT_SECRET_KEY"])
        try:
            self("up", "-d")
            until("nothing answers", lambda: answers(self.port))
        except BaseException:
            print(self("logs", "--tail=20"))
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self("down", "-v", "-t", "5")

    def __call__(self, *arguments):
        return self.engine.run(*self.compose, *arguments, cwd=self.folder, env=self.environment)

    def put_on_both(self, key, content):
        for origin in ("origin-a", "origin-b"):
            self("exec", "-T", origin, "sh", "-c", f"printf %s '{content}' >/data/{BUCKET}/{key}")


def test_compose(engine, image, origin_image, tmp_path):
    with Composed(engine, tmp_path, COMPOSE) as composed:
        client = s3(composed.port, composed.client)
        client.put_object(Bucket=BUCKET, Key="a key", Body=b"some bytes")
        assert client.get_object(Bucket=BUCKET, Key="a key")["Body"].read() == b"some bytes"
        composed.put_on_both("both", "on both")
        composed("kill", "origin-a")
        assert client.get_object(Bucket=BUCKET, Key="both")["Body"].read() == b"on both"


class Load:
    """Clients that read and write without a pause, and never try again."""

    def __init__(self, port, credentials, clients=4):
        self.over = threading.Event()
        self.done, self.failures = 0, []
        self.threads = [threading.Thread(target=self._run, args=(s3(port, credentials), number)) for number in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _run(self, client, number):
        while not self.over.is_set():
            try:
                client.put_object(Bucket=BUCKET, Key=f"by {number}", Body=bytes(2000))
                client.get_object(Bucket=BUCKET, Key=f"by {number}")["Body"].read()
                self.done += 2
            except (BotoCoreError, ClientError) as failure:
                self.failures.append(failure)

    def goes_on(self):
        """Waits for more of it."""
        enough = self.done + 200
        until("clients do not go on", lambda: self.done > enough)


def test_haproxy_and_a_proxy_that_dies(engine, image, origin_image, haproxy_image, tmp_path):
    with Composed(engine, tmp_path, COMPOSE_HAPROXY, HAPROXY_IMAGE=haproxy_image) as composed:
        with Load(composed.port, composed.client) as load:
            load.goes_on()
            for proxy in ("proxy-1", "proxy-2"):
                assert composed.client.access_key in composed("logs", proxy), f"{proxy} has its share"
            composed("kill", "proxy-1")
            load.goes_on()
            composed("start", "proxy-1")
            until("HAProxy uses it again", lambda: "Server proxies/proxy-1 is UP" in composed("logs", "haproxy"))
            composed("stop", "proxy-2")
            load.goes_on()
        assert not load.failures, load.failures
