"""A Docker engine of the tests' own: its images and layers stay in the cache, all else goes when it is left.

It has no default network and no firewall rules: builds use the machine's network, containers those that
the tests make.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
BASE = "debian:bookworm-slim"
SUITES = ["deb {0}/debian bookworm main", "deb {0}/debian bookworm-updates main",
          "deb {0}/debian-security bookworm-security main"]
MIRROR = "http://deb.debian.org"
CERTIFICATES = pathlib.Path("/usr/local/share/ca-certificates")  # those that this machine's admin trusts
NOT_IN_SLIM = ["usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists",
               "var/log"]


class Unavailable(Exception):
    """Why there can be no engine here."""


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Engine:
    def __init__(self, cache):
        if os.geteuid() != 0:
            raise Unavailable("not root, so no engine can be started")
        for command in ("dockerd", "docker", "docker-compose", "debootstrap", "iptables"):
            if not shutil.which(command):
                raise Unavailable(f"there is no {command}")
        version = subprocess.run(["dockerd", "--version"], check=True, capture_output=True).stdout
        self.data = pathlib.Path(cache) / f"docker-{hashlib.sha256(version).hexdigest()[:12]}"

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.data.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(open(f"{self.data}.lock", "w"))
            fcntl.flock(lock, fcntl.LOCK_EX)  # another checkout's tests use the same layers
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix="s3-image-"))
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.host = f"unix://{self.folder}/socket"
            self.bridges = set()
            stack.callback(self._stop)
            self._start()
            self._remove_what_ran()
            stack.callback(self._remove_what_ran)
            self._ensure_base()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        self._stack.__exit__(*error)

    def _start(self):
        self.log = self.folder / "log"
        (self.folder / "config").write_text("{}")  # not this machine's
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", self.data, "--exec-root", self.folder / "exec", "--pidfile", self.folder / "pid",
                 "--host", self.host, "--config-file", self.folder / "config", "--bridge=none", "--iptables=false",
                 "--ip6tables=false", "--ip-forward=false"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=_die_with_parent,
            )
        deadline = time.monotonic() + 60
        while subprocess.run(["docker", "version"], env=self.environment(), capture_output=True).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
                raise Unavailable(f"dockerd does not start here: {''.join(last)}")
            time.sleep(0.1)

    def _stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for mount in self._mounts():  # dockerd leaves its own network's namespace
            subprocess.run(["umount", "-l", mount], check=False)
        left = self._mounts() + sorted(self.bridges & set(os.listdir("/sys/class/net")))
        assert not left, f"dockerd left {left}"

    def _mounts(self):
        here = (str(self.folder), str(self.data))
        with open("/proc/self/mounts") as mounts:
            return [mount for mount in (line.split()[1] for line in mounts) if mount.startswith(here)]

    def _remove_what_ran(self):
        """Containers, networks, volumes, and images of earlier builds."""
        self.bridges |= {f"br-{network}" for network in self.docker("network", "ls", "-q", "--filter=type=custom").split()}
        if containers := self.docker("ps", "-aq").split():
            self.docker("rm", "-f", "-v", *containers)
        for what in ("network", "volume", "image"):
            self.docker(what, "prune", "-f")

    def _ensure_base(self):
        """Docker Hub's image is the same, as far as the tests go. Made here it needs no registry."""
        certificates = sorted(CERTIFICATES.glob("*.crt")) if CERTIFICATES.is_dir() else []
        recipe = "".join(SUITES + NOT_IN_SLIM).encode() + b"".join(path.read_bytes() for path in certificates)
        made = f"{BASE}-{hashlib.sha256(recipe).hexdigest()[:12]}"
        if not self.docker("images", "-q", made):
            root = self.folder / "root"
            self.run("debootstrap", "--variant=minbase", "bookworm", root, f"{MIRROR}/debian")
            (root / "etc/apt/sources.list").write_text("".join(line.format(MIRROR) + "\n" for line in SUITES))
            inside = root / CERTIFICATES.relative_to("/")
            inside.mkdir(parents=True)
            for path in certificates:
                shutil.copy(path, inside)
            for path in NOT_IN_SLIM:
                shutil.rmtree(root / path)
                (root / path).mkdir()
            archive = self.folder / "root.tar"
            self.run("tar", "-C", root, "-cf", archive, ".")
            self.docker("import", archive, made)
            shutil.rmtree(root)
            archive.unlink()
        self.docker("tag", made, BASE)

    def environment(self):
        """The client is the one beside the engine: another may build otherwise."""
        return {**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0", "PATH": f"/usr/bin:{os.environ['PATH']}"}

    def run(self, *command, **options):
        done = subprocess.run(
            [str(word) for word in command], **{"env": self.environment(), **options}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout[-4000:]}"
        return done.stdout.strip()

    def docker(self, *arguments, **options):
        return self.run("docker", *arguments, **options)
