"""Real S3 servers and nginx, each a context manager: ready when entered, gone when left."""

import ctypes
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field

import boto3
import botocore.config
import botocore.exceptions

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PR_SET_PDEATHSIG = 1


# Below the range from which the kernel takes the ports of outgoing connections, and above those of t/*.t. Of the
# processes that pytest-xdist runs each has every so many-th.
PORTS = range(23000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]), 32000,
              int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)))
_ports_given = set()


def free_port():
    """One that nobody has been given: it may be long until it is listened on."""
    while True:
        port = random.choice(PORTS)
        if port in _ports_given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _ports_given.add(port)
        return port


def certify(folder, *names):
    """Makes a certificate `server.crt` for these names, as openssl writes them, by an authority `ca.crt`."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=Test CA",
            "-addext", "keyUsage=keyCertSign", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    (folder / "server.ext").write_text(f"subjectAltName={','.join(names)}\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "server.ext", "-out", "server.crt")


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Server:
    """A process group that listens on `self.port`; its output goes to `self.log`."""

    ready_within = 60.0  # seconds, on a machine that is busy
    tries = 1

    def __init__(self, folder, port=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.port = port or free_port()
        self.log = self.folder / "log"
        self.process = None

    def __enter__(self):
        for tries_left in reversed(range(self.tries)):
            try:
                self._start()
                return self
            except RuntimeError as failure:
                if not tries_left:
                    raise
                print(failure, "Once more.", sep="\n", file=sys.stderr)

    def _start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_die_with_parent,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def ready(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True

    def _wait(self):
        deadline = time.monotonic() + self.ready_within
        while True:
            try:
                if self.ready():
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self} did not start:\n{self._last_words()}")
            time.sleep(0.05)

    def _last_words(self):
        return self.log.read_text(errors="replace")[-2000:]

    def kill(self):
        """At once, as a crash would."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            pass
        self._signal(signal.SIGKILL)  # what is left of the group
        self.process.wait()

    def _signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def __str__(self):
        return f"{type(self).__name__} on 127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Credentials:
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    session_token: str | None = field(default=None, repr=False)


class Origin(Server):
    """An S3 server that knows one access key."""

    def __init__(self, folder, credentials, port=None):
        super().__init__(folder, port)
        self.credentials = credentials

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"http://{self.address}"

    def s3_origin(self):
        """Its line in an upstream block."""
        known = self.credentials
        return (f"s3_origin {self.address} access_key={known.access_key} "
                f"secret_key={known.secret_key} region={known.region};")


class S3sFs(Origin):
    """Objects are files below `self.data`."""

    def __init__(self, folder, credentials, port=None, data=None):
        super().__init__(folder, credentials, port)
        self.data = data or self.folder / "data"

    def command(self):
        self.data.mkdir(exist_ok=True)
        version = os.environ["S3S_FS"]
        return [
            f"{os.environ['CACHE']}/s3s-fs-{version}/bin/s3s-fs", "--host", "127.0.0.1", "--port", str(self.port),
            "--access-key", self.credentials.access_key, "--secret-key", self.credentials.secret_key, str(self.data),
        ]

    def remove_bucket(self, bucket):
        shutil.rmtree(self.data / bucket, ignore_errors=True)


class Cluster(Origin):
    """An S3 front of several servers."""

    def s3(self):
        known = self.credentials
        return boto3.client(
            "s3", endpoint_url=self.url, region_name=known.region,
            aws_access_key_id=known.access_key, aws_secret_access_key=known.secret_key,
            config=botocore.config.Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=5),
        )

    def ready(self):
        # Listening comes before the servers behind it do: wait for an answer that needs them.
        try:
            self.s3().list_buckets()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            return False
        return True

    def remove_bucket(self, bucket):
        s3 = self.s3()
        try:
            for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=item["Key"])
            for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
                s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            s3.delete_bucket(Bucket=bucket)
        except s3.exceptions.NoSuchBucket:
            pass


class Swift(Cluster):
    """OpenStack Swift with its S3 API, which checks region, dates and headers strictly."""

    @property
    def reads_current_sdks(self):
        """What they send beside the data: 2.30 in Debian 12 does not, 2.35 in Debian 13 does."""
        ask = "import importlib.metadata; print(importlib.metadata.version('swift'))"
        said = subprocess.run(["/usr/bin/python3", "-c", ask], check=True, capture_output=True, text=True).stdout
        return tuple(map(int, said.split(".")[:2])) >= (2, 35)

    def command(self):
        known = self.credentials
        storage_ports = [str(free_port()) for _ in range(3)]
        return ["/usr/bin/python3", str(HERE / "swift_server.py"), str(self.folder / "swift"), str(self.port),
                known.access_key, known.secret_key, known.region, *storage_ports]


class Ceph(Cluster):
    """Ceph's RGW. Version 16 takes signed chunks but no trailer, and no upload without Content-Length."""

    domain = "localhost"  # below it buckets are in the host
    tries = 3  # it takes two seconds; one start of some thousands never ended

    @property
    def version(self):
        """16 in Debian 12, 18 in Debian 13."""
        said = subprocess.run(["radosgw", "--version"], check=True, capture_output=True, text=True).stdout
        return int(re.search(r"ceph version (\d+)", said)[1])

    @property
    def reads_current_sdks(self):
        """What they send beside the data."""
        return self.version >= 18

    def command(self):
        missing = [name for name in ("radosgw", "ceph-mon", "ceph-osd", "ceph") if not shutil.which(name)]
        if missing:
            raise RuntimeError(f"Ceph is not installed (make ceph): there is no {', '.join(missing)}")
        known = self.credentials
        shutil.rmtree(self.folder / "ceph", ignore_errors=True)  # of a start that failed
        return [sys.executable, str(HERE / "ceph_server.py"), str(self.folder / "ceph"), str(self.port),
                known.access_key, known.secret_key, str(free_port())]

    def _last_words(self):
        logs = sorted((self.folder / "ceph").glob("*.log"))
        tails = [f"{log.name}:\n{log.read_text(errors='replace')[-1000:]}" for log in logs]
        return "\n".join([super()._last_words(), *tails])

    def admin(self, *arguments):
        """What `radosgw-admin` says."""
        environment = {**os.environ, "CEPH_CONF": str(self.folder / "ceph" / "ceph.conf")}
        return subprocess.run(["radosgw-admin", *arguments], env=environment, check=True, capture_output=True).stdout


class Built(Origin):
    """A server that the Makefile has built with Go, at the path that is in the environment by `name`."""

    name = ""

    @classmethod
    def binary(cls):
        """Empty where there was no Go that could build it."""
        path = os.environ.get(cls.name, "")
        return path if os.access(path, os.X_OK) else ""


class Minio(Built):
    """MinIO, whose access key is the one that may do anything."""

    name = "MINIO"

    def command(self):
        known = self.credentials
        settings = {
            "HOME": self.folder, "MINIO_ROOT_USER": known.access_key, "MINIO_ROOT_PASSWORD": known.secret_key,
            "MINIO_REGION": known.region, "MINIO_BROWSER": "off", "MINIO_UPDATE": "off",
            "MINIO_PROMETHEUS_AUTH_TYPE": "public",
        }
        return ["/usr/bin/env", *(f"{name}={value}" for name, value in settings.items()),
                self.binary(), "server", "--quiet", "--address", self.address, str(self.folder / "data")]

    def ready(self):
        with urllib.request.urlopen(f"{self.url}/minio/health/cluster", timeout=1) as answer:
            return answer.status == 200


class Versitygw(Built):
    """Versity's gateway to a folder, whose access key is the one that may do anything."""

    name = "VERSITYGW"

    def command(self):
        known = self.credentials
        for name in ("data", "iam"):
            (self.folder / name).mkdir(exist_ok=True)
        return [self.binary(), "--access", known.access_key, "--secret", known.secret_key, "--region", known.region,
                "--port", self.address, "--iam-dir", str(self.folder / "iam"), "--quiet", "posix", str(self.folder / "data")]


class Garage(Built):
    """Garage on one node. Its access keys are GK and 24 hexadecimal digits, its secrets 64 of them."""

    name = "GARAGE"

    def command(self):
        # The ports of its nodes and of the S3 API.
        (self.folder / "garage.toml").write_text(f"""
metadata_dir = "{self.folder}/meta"
data_dir = "{self.folder}/data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:{free_port()}"
rpc_secret = "{'0f' * 32}"
[s3_api]
s3_region = "{self.credentials.region}"
api_bind_addr = "{self.address}"
""")
        return [*self.program(), "server"]

    def program(self):
        return [self.binary(), "-c", str(self.folder / "garage.toml")]

    def __enter__(self):
        super().__enter__()
        known = self.credentials
        node = self.admin("node", "id", "-q").split("@")[0].strip()
        self.admin("layout", "assign", "-z", "zone", "-c", "1G", node)
        self.admin("layout", "apply", "--version", "1")
        self.admin("key", "import", "--yes", known.access_key, known.secret_key)
        self.admin("key", "allow", "--create-bucket", known.access_key)
        return self

    def admin(self, *arguments):
        run = subprocess.run([*self.program(), *arguments], check=True, capture_output=True, text=True)
        return run.stdout


class Nginx(Server):
    """nginx with the module, its `http` block given; logs in `error.log` and `access.log`. `build` is how
    the environment calls it."""

    def __init__(self, folder, http, port, workers=2, build="TEST_NGINX"):
        super().__init__(folder, port)
        self.workers = workers
        self.build = build
        self.error_log = self.folder / "error.log"
        (self.folder / "nginx.conf").write_text(self.configuration(http))

    def configuration(self, http):
        kinds = ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")
        paths = "\n".join(f"    {kind}_temp_path '{self.folder}/{kind}';" for kind in kinds)
        return f"""
load_module '{os.environ[f'{self.build}_S3_MODULE']}';
{'user root;' if os.geteuid() == 0 else ''}
daemon off;
worker_processes {self.workers};
pid '{self.folder}/nginx.pid';
error_log '{self.error_log}' info;
events {{ worker_connections 512; }}
http {{
{paths}
    access_log '{self.folder}/access.log';
{http}
}}
"""

    def command(self):
        return [os.environ[f"{self.build}_BINARY"], "-e", "stderr",
                "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def worker_pids(self):
        """The eldest first."""
        master = self.process.pid
        return [int(pid) for pid in pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()]

    def settle(self):
        """Waits until each worker waits for something to do: then the lines are written of all that has been answered."""
        deadline = time.monotonic() + 60
        for worker in self.worker_pids():
            while not pathlib.Path(f"/proc/{worker}/stat").read_text().rpartition(") ")[2].startswith("S"):
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def memory(self, field):
        """Of each worker, as of `memory_of`."""
        return [memory_of(worker, field) for worker in self.worker_pids()]


def memory_of(pid, field):
    """Of a process in bytes, by the kernel's name for it: VmRSS now, VmHWM at its highest."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) << 10
