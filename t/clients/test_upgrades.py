"""nginx's binary is replaced: what it knows of origins and what it has counted is kept.

The new binary has the old one's memory, and both go on with it until one of them ends.
"""

import contextlib
import json
import mmap
import os
import pathlib
import random
import re
import signal
import struct
import subprocess
import sys
import time
import urllib.request

import pytest
from servers import Nginx
from test_resilience import (
    BODY, BUCKET, FALL, INTERVAL, LEASE, SLACK, TIMEOUT, Client, Load, State, proxy, start_origin, wait, wait_for,
)

NEVER = 86400  # as an interval, in seconds
FOLLOW = 1 + SLACK  # until workers of the other binary have heard, which they ask for twice a second
NAMES = {"s3_resign_health", "s3_resign_totals", "s3_resign_origins"}
HEAD = "QQI4xQQ"  # magic, layout, lock, present, former


class Daemon(Nginx):
    """In the background, as nginx must be for its binary to be replaced."""

    def configuration(self, http):
        return super().configuration(http).replace("daemon off;", "daemon on;")

    def _wait(self):
        # Then it listens already.
        assert self.process.wait(30) == 0, self.log.read_text()

    def master(self, suffix=""):
        """The process, which may be about to come or to go."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int((self.folder / f"nginx.pid{suffix}").read_text())

    def start_new(self):
        """Starts the new binary beside the old one: both masters."""
        old = self.master()
        os.kill(old, signal.SIGUSR2)
        wait(lambda: self.master() not in (None, old) and len(children(self.master())) == self.workers)
        return old, self.master()

    def retire(self, old, new):
        """Ends the old one's workers; it could start others."""
        os.kill(old, signal.SIGWINCH)
        wait(lambda: children(old) == [new])

    def upgrade(self):
        """Replaces the binary: the new master."""
        old, new = self.start_new()
        self.retire(old, new)
        end(old)
        return new

    def stop(self):
        masters = {self.master(".oldbin"), self.master()} - {None}
        for master in masters:
            os.kill(master, signal.SIGTERM)
        wait(lambda: not any(map(is_there, masters)))


def end(master):
    os.kill(master, signal.SIGQUIT)
    wait(lambda: not is_there(master))


def children(process):
    return [int(child) for child in pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_there(process):
    try:
        return ") Z " not in pathlib.Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def memories(process):
    """Its shared memory, by name: what to open."""
    found = []
    for fd in pathlib.Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(fd)
            if target.startswith("/memfd:"):
                found.append((target.split(":")[1].removesuffix(" (deleted)"), fd))
    assert len(found) == len(dict(found))
    return dict(found)


def is_kept_from_programs(process, fd):
    flags = int(pathlib.Path(f"/proc/{process}/fdinfo/{fd.name}").read_text().split("flags:")[1].split()[0], 8)
    return bool(flags & os.O_CLOEXEC)


@contextlib.contextmanager
def two_origins(folder, kind=Daemon, interval=INTERVAL):
    """nginx in front of a, which is well, and b, which was when it was asked last."""
    with contextlib.ExitStack() as stack:
        a, b = (start_origin(stack, folder, name) for name in "ab")
        nginx = stack.enter_context(proxy(folder / "nginx", [a, b], kind, interval))
        for origin in a, b:
            wait_for(nginx, origin, "up")
        yield nginx, a, b


def asks(nginx):
    """What reads the object: the answer."""
    client = Client(f"http://127.0.0.1:{nginx.port}", 0, None)

    def ask():
        answer = client.ask("GET", f"/{BUCKET}/read", b"")
        assert (answer.status, answer.body) == (200, BODY), client.broken
        return answer

    return ask


def ask_all(ask, workers, origins):
    """Asks until each of the workers has tried each of the origins, and none else: how often that was."""
    tried, asked = tries(ask, workers, origins)
    assert all(of == {origin.address for origin in origins} for of in tried.values()), tried
    return asked


def follow(ask, workers, origins):
    """Waits until each of the workers tries each of the origins, and none else."""
    expected = {origin.address for origin in origins}
    wait(lambda: all(of == expected for of in tries(ask, workers, origins)[0].values()), FOLLOW)


def tries(ask, workers, origins):
    """Asks until each of the workers has tried each of the origins: what each has tried, and how often that was."""
    expected = {origin.address for origin in origins}
    tried = {str(worker): [] for worker in workers}
    for asked in range(1, 5000):
        answer = ask()
        tried[answer.headers["x-worker"]].append(answer.headers["x-origin"])
        if all(len(of) >= 8 and set(of) >= expected for of in tried.values()):
            return {worker: set(of) for worker, of in tried.items()}, asked
    raise AssertionError(f"in vain: {tried}")


def test_binary_upgraded_under_load(tmp_path):
    with two_origins(tmp_path) as (nginx, a, b):
        b.kill()
        wait_for(nginx, b, "down")
        before = State(nginx)
        with Load(f"http://127.0.0.1:{nginx.port}") as load:
            # The new binary is tried, and taken back.
            old, new = nginx.start_new()
            nginx.retire(old, new)
            wait(lambda: State(nginx).of(b)["failed"] > before.of(b)["failed"])
            os.kill(old, signal.SIGHUP)
            wait(lambda: len(children(old)) > 1)
            end(new)
            tried = State(nginx)
            wait(lambda: State(nginx).of(b)["failed"] > tried.of(b)["failed"])

            # And comes to stay.
            nginx.upgrade()
            down = State(nginx)
            b.__enter__()
            wait_for(nginx, b, "up")
            wait(lambda: State(nginx).tries_at(b) > down.tries_at(b))
        wait(lambda: State(nginx).let_in - before.let_in >= load.count("answered"))
        after = State(nginx)
        assert load.all("broken") == load.all("wrong") == load.lost([a, b]) == []
        assert all(client.answered > 20 for client in load.clients)
        # Each request has been counted once, whichever binary had it.
        assert after.started == before.started
        assert after.let_in - before.let_in == after.good - before.good == load.count("answered")
        assert after.tries - before.tries == load.count("answered") + after.retries - before.retries
        # What was down stayed so for all workers of both.
        assert before.tries_at(b) == tried.tries_at(b) == down.tries_at(b)
        assert after.changes_of(a) == ["up"] and after.changes_of(b) == ["up", "down", "up"]


def test_nothing_is_asked_anew(tmp_path):
    """What was known holds, since nobody asks again for a day."""
    with contextlib.ExitStack() as stack:
        a, b = (start_origin(stack, tmp_path, name) for name in "ab")
        b.kill()
        nginx = stack.enter_context(proxy(tmp_path / "nginx", [a, b], Daemon, NEVER))
        wait_for(nginx, a, "up")
        wait_for(nginx, b, "down")
        before = State(nginx)
        ask = asks(nginx)
        asked = 0
        shared = []
        for upgrades in 1, 2, 3:
            master = nginx.upgrade()
            asked += ask_all(ask, children(master), [a])
            wait(lambda: State(nginx).let_in >= before.let_in + asked)
            after = State(nginx)
            assert after.let_in == before.let_in + asked
            assert after.all["health"] == before.all["health"]
            assert (after.started, after.reloads) == (before.started, upgrades)
            assert after.tries_at(b) == before.tries_at(b)
            # No program that a worker starts gets it, only the next binary does.
            assert memories(master).keys() == NAMES
            assert not any(is_kept_from_programs(master, fd) for fd in memories(master).values())
            for worker in children(master):
                assert all(is_kept_from_programs(worker, fd) for fd in memories(worker).values())
            shared.append([os.stat(fd).st_size for _, fd in sorted(memories(master).items())])
        assert shared[0] == shared[1] == shared[2]


def test_what_is_no_longer_needed_goes(tmp_path):
    with two_origins(tmp_path, interval=NEVER) as (nginx, a, b):
        file = nginx.folder / "nginx.conf"
        with_status = file.read_text()
        file.write_text(with_status.replace("s3_status;", "return 404;"))
        assert memories(nginx.upgrade()).keys() == {"s3_resign_health"}
        asks(nginx)()
        file.write_text(with_status)
        assert memories(nginx.upgrade()).keys() == NAMES
        after = State(nginx)
        assert (after.let_in, after.reloads) == (0, 0)
        assert after.changes_of(a) == after.changes_of(b) == ["up"]


def test_both_binaries_obey(tmp_path):
    """While both are at work, and when the new one has come to grief."""
    with two_origins(tmp_path) as (nginx, a, b):
        ask = asks(nginx)
        old, new = nginx.start_new()
        both = [*children(old), *children(new)]
        both.remove(new)
        assert len(both) == 4
        # Whichever binary's worker asks, the others hear of it.
        b.kill()
        wait_for(nginx, b, "down")
        follow(ask, both, [a])
        [(worker, told)] = re.findall(r" \[warn\] (\d+)#\d+: s3_resign: (.*) is down", nginx.error_log.read_text())
        assert b.address in told and int(worker) in children(new)
        b.__enter__()
        wait_for(nginx, b, "up")
        follow(ask, both, [a, b])
        for process in [new, *children(new)]:
            os.kill(process, signal.SIGKILL)
        wait(lambda: children(old) == both[:2])
        b.kill()
        out = wait_for(nginx, b, "down")
        follow(ask, both[:2], [a])
        assert out < 2 * LEASE + FALL * INTERVAL + TIMEOUT + SLACK
        assert State(nginx).changes_of(b) == ["up", "down", "up", "down"]


LAUNCHER = """
import fcntl, os, sys
how, *files, binary = sys.argv[1].split(",")
for path in files:
    fd = os.memfd_create(os.path.basename(path), os.MFD_ALLOW_SEALING)
    os.write(fd, open(path, "rb").read())
    if how != "may shrink":
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
if how != "by a stranger":
    os.environ["NGINX"] = ""  # the sockets that it inherits
os.execv(binary, [binary, *sys.argv[2:]])
"""


class Heir(Nginx):
    """Takes files for what an old binary has left."""

    how, files = "", ()

    def command(self):
        binary, *arguments = super().command()
        return [sys.executable, "-c", LAUNCHER, ",".join([self.how, *map(str, self.files), binary]), *arguments]

    def notices(self):
        return [name for name in sorted(NAMES) if f'"{name}" begins again: another version' in self.log.read_text()]


@pytest.fixture(scope="module")
def legacy(tmp_path_factory):
    """What a binary with three requests counted leaves, by name; and its origins."""
    folder = tmp_path_factory.mktemp("legacy")
    with two_origins(folder, Nginx, NEVER) as (nginx, a, b):
        ask = asks(nginx)
        for _ in range(3):
            ask()
        wait(lambda: State(nginx).let_in == 3)
        state = State(nginx)
        left = {name: fd.read_bytes() for name, fd in memories(nginx.process.pid).items()}
        yield left, [a, b], state


@pytest.fixture
def heir(tmp_path, legacy):
    left, origins, _ = legacy

    @contextlib.contextmanager
    def heir(change=lambda content: content, how="as ever"):
        nginx = proxy(tmp_path / "nginx", origins, Heir, NEVER)
        nginx.how = how
        nginx.files = [nginx.folder / name for name in left]
        for file in nginx.files:
            file.write_bytes(change(left[file.name]))
        with nginx:
            yield nginx
            log = nginx.error_log.read_text()
            assert not any(mark in log for mark in ("[alert]", "[emerg]", "[crit]", "exited on signal"))

    return heir


def test_as_it_was_left(heir, legacy):
    _, _, before = legacy
    with heir() as nginx:
        after = State(nginx)
        assert nginx.notices() == []
        assert (after.let_in, after.started) == (3, before.started)
        assert after.all["health"] == before.all["health"]


def other_header(**changed):
    def change(content):
        fields = dict(zip(["magic", "layout", "lock", "present", "former"], struct.unpack_from(HEAD, content)))
        assert fields["magic"].to_bytes(8).decode() == "s3resign"
        return struct.pack(HEAD, *{**fields, **changed}.values()) + content[struct.calcsize(HEAD):]

    return change


@pytest.mark.parametrize("change, how", [
    (other_header(layout=1), "as ever"),
    (other_header(magic=1), "as ever"),
    (lambda content: content[:63], "as ever"),
    (lambda content: b"", "as ever"),
    (lambda content: content, "may shrink"),
], ids=["another layout", "another magic", "too short", "empty", "may shrink"])
def test_another_version(heir, change, how):
    with heir(change, how) as nginx:
        after = State(nginx)
        assert nginx.notices() == sorted(NAMES)
        assert (after.let_in, after.reloads) == (0, 0)
        assert memories(nginx.process.pid).keys() == NAMES
        asks(nginx)()
        wait(lambda: State(nginx).let_in == 1)


def test_no_new_binary(heir):
    """Whoever has started it, no nginx."""
    with heir(how="by a stranger") as nginx:
        assert State(nginx).let_in == 0
        assert nginx.notices() == []


def numbers(file):
    """Of the configurations that were in use last."""
    return struct.unpack(HEAD, os.pread(file.fileno(), struct.calcsize(HEAD), 0))[3:]


def test_a_look_at_the_configuration(heir):
    """nginx -t leaves the memory alone, wherever it may run."""
    with heir() as nginx, contextlib.ExitStack() as stack:
        files = [stack.enter_context(fd.open("r+b")) for fd in memories(nginx.process.pid).values()]
        before = [numbers(file) for file in files]
        binary, *arguments = super(Heir, nginx).command()
        subprocess.run([binary, "-t", *arguments], pass_fds=[file.fileno() for file in files],
                       env={**os.environ, "NGINX": ""}, check=True)
        assert [numbers(file) for file in files] == before


@pytest.mark.parametrize("known", [64, 80], ids=["nothing", "the keys"])
def test_garbage(heir, known):
    """Where the header is right: nothing that follows can harm."""
    seed = random.randrange(1 << 32)
    print(f"{seed=}")
    noise = random.Random(seed)

    def change(content):
        header = other_header(lock=1, present=noise.getrandbits(64), former=noise.getrandbits(64))(content)
        return header[:known] + noise.randbytes(len(content) - known)

    with heir(change) as nginx:
        assert nginx.notices() == []
        ask = asks(nginx)
        for _ in range(20):
            ask()
        for face in "json", "prometheus", "html":
            with urllib.request.urlopen(f"http://127.0.0.1:{nginx.port}/s3_status?format={face}") as answer:
                assert answer.status == 200
        workers = nginx.worker_pids()
        nginx.process.send_signal(signal.SIGHUP)
        wait(lambda: not set(workers) & set(nginx.worker_pids()))
        ask()


def test_killed_with_the_lock(heir):
    with heir() as nginx, memories(nginx.process.pid)["s3_resign_totals"].open("r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
        stranger = Client(f"http://127.0.0.1:{nginx.port}", 0, None)
        stranger.signer.access_key = "AKIDNOBODY"
        memory[16:20] = struct.pack("I", 1)
        began = time.monotonic()
        assert stranger.ask("GET", f"/{BUCKET}/read", b"").status == 403
        took = time.monotonic() - began
        wait(lambda: memory[16:20] == bytes(4))
        assert 0.1 <= took < 0.1 + SLACK
        assert json.dumps("AKIDNOBODY") in json.dumps(State(nginx).all)
