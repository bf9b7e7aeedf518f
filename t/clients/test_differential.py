"""Requests of random keys, queries, headers and payloads, signed by botocore and by the signers of the AWS SDKs for Rust and
for JavaScript: each is accepted. Each with one byte changed is rejected, or the same to the origin."""

import concurrent.futures
import itertools
import multiprocessing
import os

import differential
import pytest
import signers
from conftest import CLIENT
from differential import Echo, settings
from handmade import ask, in_header
from servers import Nginx, free_port
from signers import SIGNERS
from test_oracle import ORIGIN
from uploads import Signer

REQUESTS = int(os.environ.get("DIFFERENTIAL_REQUESTS", 2000))
CHANGED = int(os.environ.get("DIFFERENTIAL_CHANGED", 6))  # requests
WAYS = int(os.environ.get("DIFFERENTIAL_WAYS", 2))  # in which each of their bytes is changed
SEED = int(os.environ.get("DIFFERENTIAL_SEED", 20261129))
BATCH = 500
PROCESSES = 2


@pytest.fixture(scope="module")
def host(folder):
    port = free_port()
    with Echo() as echo, Nginx(folder / "differential", settings(echo.address, ORIGIN, port), port, workers=1) as nginx:
        yield f"127.0.0.1:{port}"
    assert "[alert]" not in nginx.error_log.read_text(errors="replace")


@pytest.fixture(scope="module")
def pool():
    # Forks would have the threads' locks.
    with concurrent.futures.ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        yield pool


def test_all_are_accepted(host, pool):
    batches = [min(BATCH, REQUESTS // len(SIGNERS) - done) for done in range(0, REQUESTS // len(SIGNERS), BATCH)]
    seeds = itertools.count(SEED)
    tasks = [pool.submit(differential.check_all, name, next(seeds), count, host) for count in batches for name in SIGNERS]
    wrong = [one for task in tasks for one in task.result()]
    assert not wrong, (len(wrong), wrong[:3])


def test_a_changed_byte_is_rejected_or_changes_nothing(host, pool):
    tasks = [pool.submit(differential.check_mutations, name, SEED + number, max(1, CHANGED // len(SIGNERS)), WAYS, host)
             for number, name in enumerate(SIGNERS)]
    results = [task.result() for task in tasks]
    wrong = [one for result in results for one in result[0]]
    accepted, rejected = (sum(result[index] for result in results) for index in (1, 2))
    print(f"{accepted} accepted, {rejected} rejected")
    assert not wrong, (len(wrong), wrong[:3])
    assert rejected > 10 * accepted > 0


def test_a_tab_inside_a_value_is_no_space(host):
    """On which signers do not agree: botocore signs a space."""
    asked = signers.Asked("GET", "/bucket/k", [("x-amz-meta-a", "b\tc")])
    [signed] = signers.signed("botocore", [(asked, CLIENT)], host, CLIENT.region)
    assert ask(f"http://{host}", signed.head("Connection: close")).code == "SignatureDoesNotMatch"
    signer = Signer(f"http://{host}", CLIENT)
    assert ask(f"http://{host}", in_header(signer, "GET", "/bucket/k", dict(asked.headers))).status == 200
