"""A million clients in a file: how long nginx takes to read it, what memory they need, and that no request waits for it
or fails while it is replaced.

Times are those that a process or a thread has been on a processor, so that they hold on a busy machine.
"""

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import subprocess
import threading
import time
import urllib.request

import pytest
from servers import Credentials, Nginx, free_port
from uploads import Answer, Connection, Signer

MANY = 1_000_000
WORKERS = 3
LOAD_SECONDS = 2
STALL_SECONDS = 0.005
SECONDS = int(os.environ.get("REPLACE_SECONDS", 8))


def key(number):
    return f"AKID{number:016}"


def secret(number, age=0):
    return f"{age:04}{number:036}"


def text(clients, age=0):
    return "".join(f"{key(n)} secret_key={secret(n, age)}\n" for n in range(clients))


@dataclasses.dataclass
class Door:
    """nginx, and the file of its clients."""

    nginx: Nginx
    file: pathlib.Path

    @property
    def url(self):
        return f"http://127.0.0.1:{self.nginx.port}"

    def replace(self, content):
        new = self.file.with_suffix(".new")
        new.write_text(content)
        new.rename(self.file)

    def status(self):
        """Of several workers one is asked, but all know the same."""
        with urllib.request.urlopen(f"{self.url}/s3_status?format=json", timeout=60) as answer:
            return json.load(answer)["client_files"][0]

    def wait_for(self, loads):
        deadline = time.monotonic() + 60
        while self.status()["loads"] < loads:
            assert time.monotonic() < deadline, self.status()
            time.sleep(0.05)

    def ask(self, number, age=0, connection=None):
        """Asks as that client; the status of the answer."""
        asked = connection or Connection(self.url)
        signer = Signer(self.url, Credentials(key(number), secret(number, age), "us-east-1"))
        lines, _ = signer.head("GET", "/bucket/key")
        asked.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        status = Answer(asked.socket).status
        if not connection:
            asked.close()
        return status


@contextlib.contextmanager
def door(folder, name, content, more=""):
    port, origin = free_port(), free_port()
    file = folder / f"{name}-clients"
    file.write_text(content)
    with Nginx(folder / name, f"""
        upstream u {{ server 127.0.0.1:{origin}; s3_origin default access_key=K secret_key=S region=us-east-1; }}
        server {{ listen 127.0.0.1:{origin}; location / {{ return 200; }} }}
        server {{
            listen 127.0.0.1:{port};
            keepalive_requests 1000000;
            s3_client_file {file};
            location / {{ s3_resign on; proxy_pass http://u; }}
            location = /s3_status {{ s3_status; }}
            {more}
        }}""", port, workers=WORKERS) as nginx:
        yield Door(nginx, file)


@pytest.fixture(scope="module")
def many(folder):
    with door(folder, "many", text(MANY)) as many:
        yield many


def processor_seconds(nginx, *more):
    """Of `nginx -t`, in all."""
    process = subprocess.Popen([*nginx.command(), "-t", *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    out = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, out
    return usage.ru_utime + usage.ru_stime


def test_a_million_clients_are_read_in_time(many):
    """By nginx's master, before it starts; by a worker it is the same code."""
    seconds = min(processor_seconds(many.nginx) for _ in range(3))
    print(f"read in {seconds:.2f} s")
    assert seconds < LOAD_SECONDS


def private_memory(pid):
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith(("Pss:")))


def test_workers_share_one_copy(many):
    """However many workers have looked something up."""
    assert many.status()["clients"] == MANY
    for number in range(0, MANY, MANY // 300):
        assert many.ask(number) == 200
    processes = [many.nginx.process.pid, *many.nginx.worker_pids()]
    in_all = sum(private_memory(pid) for pid in processes)
    image = max(path.stat().st_size for path in pathlib.Path(f"/proc/{processes[0]}/fd").iterdir()
                if "s3_resign_clients" in os.readlink(path))
    print(f"{image / MANY:.0f} bytes for each client; {in_all >> 20} MiB for {WORKERS} workers and their master")
    assert image < 90 * MANY
    # What nginx needs without any clients is some MiB for each of them.
    assert in_all < image + (len(processes) << 24)


def on_processor(pid):
    """Seconds that the thread which serves requests has been on a processor."""
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def test_no_request_waits_while_it_is_read(many):
    """The threads that serve requests do next to nothing, in all of the time that a worker reads, and so do the
    first requests afterwards."""
    workers = many.nginx.worker_pids()
    loads = many.status()["loads"]
    many.replace(text(MANY, age=1))
    before = [on_processor(worker) for worker in workers]
    # No request: they would count too.
    deadline = time.monotonic() + 60
    log = many.nginx.error_log
    told = f"{MANY} clients read in"
    while told not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    reading = [after - then for after, then in zip(map(on_processor, workers), before, strict=True)]
    print("on a processor meanwhile:", [f"{seconds * 1000:.2f} ms" for seconds in reading])
    assert max(reading) < STALL_SECONDS
    assert many.status()["loads"] == loads + 1
    for number in range(20):
        assert many.ask(number, age=1) == 200
        assert many.ask(number, age=0) == 403


class Load(threading.Thread):
    """A client that asks again and again, over a connection that it keeps."""

    def __init__(self, door, number, over):
        super().__init__()
        self.door, self.number, self.over = door, number, over
        self.answers, self.slowest = {}, 0

    def run(self):
        connection = Connection(self.door.url)
        while not self.over.is_set():
            began = time.monotonic()
            try:
                status = self.door.ask(self.number, connection=connection)
            except (OSError, http.client.HTTPException) as error:
                status = repr(error)
                connection = Connection(self.door.url)
            self.answers[status] = self.answers.get(status, 0) + 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.002)
        connection.close()


def test_a_file_that_is_replaced_each_second_fails_no_request(folder):
    """Of clients that are in all of them, while others come and go, and broken files come between."""
    some = 50_000
    stays = text(some)
    with door(folder, "replaced", stays) as replaced:
        over = threading.Event()
        loads = [Load(replaced, number * 1000, over) for number in range(6)]
        for load in loads:
            load.start()
        for age in range(1, SECONDS + 1):
            time.sleep(1)
            guests = "".join(f"GUEST{n} secret_key={age}\n" for n in range(age * 1000))
            replaced.replace(stays + guests + ("half a li" if age % 3 == 0 else ""))
        time.sleep(2.5)
        over.set()
        for load in loads:
            load.join(30)
        answers = {}
        for load in loads:
            for status, count in load.answers.items():
                answers[status] = answers.get(status, 0) + count
        print(f"answers: {answers}; the slowest after {max(load.slowest for load in loads) * 1000:.0f} ms")
        assert set(answers) == {200} and answers[200] > 100 * SECONDS
        assert replaced.status()["loads"] > SECONDS // 3


def test_a_client_that_is_gone_is_rejected_by_all_workers(folder):
    with door(folder, "revoked", text(3)) as revoked:
        connections = [Connection(revoked.url) for _ in range(4 * WORKERS)]
        assert [revoked.ask(2, connection=connection) for connection in connections] == [200] * len(connections)
        revoked.replace(text(2))
        revoked.wait_for(2)
        assert [revoked.ask(2, connection=connection) for connection in connections] == [403] * len(connections)
        assert [revoked.ask(1, connection=connection) for connection in connections] == [200] * len(connections)


def test_files_outlive_the_worker_that_reads_them(folder):
    """Another one goes on."""
    with door(folder, "killed", text(1)) as killed:
        for age in range(1, 4):
            killed.replace(text(1, age))
            killed.wait_for(age + 1)
            assert killed.ask(0, age) == 200
            for worker in killed.nginx.worker_pids()[:-1]:
                os.kill(worker, 9)
            deadline = time.monotonic() + 20
            while len(killed.nginx.worker_pids()) < WORKERS:
                assert time.monotonic() < deadline
                time.sleep(0.05)


def test_no_secret_of_it_is_in_what_a_worker_leaves(many):
    """The memory is marked as none of a core dump's, and open in no other program."""
    for pid in many.nginx.worker_pids():
        maps = pathlib.Path(f"/proc/{pid}/smaps").read_text().split("VmFlags:")
        images = [flags.split("\n")[0] for before, flags in zip(maps, maps[1:], strict=False)
                  if "s3_resign_clients" in before and int(before.split("Size:")[1].split()[0]) > 1000]
        assert all(" dd" in flags for flags in images)
        for number in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            if "s3_resign_clients" in os.readlink(number):
                info = pathlib.Path(f"/proc/{pid}/fdinfo/{number.name}").read_text()
                assert int(info.split("flags:")[1].split()[0], 8) & os.O_CLOEXEC
