"""Real processes: killed at any moment, with a full disk, a damaged outbox, and two of them on one outbox."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_processes import Process, Publisher
from support.endpoint import Endpoint, Post, Reply, running
from support.timing import SCALE, UNIT

LONG_KILLS = int(os.environ.get("SETHPUSHER_TEST_KILLS", "25"))


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with running() as endpoint:
        yield endpoint


class Trouble:
    """An API that fails, stalls and dies in turn, until it is told to be well."""

    def __init__(self, endpoint: Endpoint, seed: int) -> None:
        self._endpoint = endpoint
        self._chance = random.Random(seed)
        self._well = threading.Event()
        endpoint.answer = self._answer
        self._thread = threading.Thread(target=self._die_now_and_then)
        self._thread.start()

    def end(self) -> None:
        self._well.set()
        self._thread.join(UNIT)

    def _answer(self, post: Post) -> Reply:
        if self._well.is_set():
            return Reply()
        chance = self._chance.random()
        if chance < 0.1:
            self._well.wait(0.3)  # longer than it is waited for; and then it takes it after all
        if chance < 0.5:
            return Reply()
        if chance < 0.65:
            return Reply(cut=True)
        if chance < 0.75:
            return Reply(503, headers={"Retry-After": "0"})
        return Reply(500, cut=chance > 0.9)

    def _die_now_and_then(self) -> None:
        while not self._well.wait(0.1 + self._chance.random() * 0.4):
            self._endpoint.stop()
            self._well.wait(self._chance.random() * 0.2)
            self._endpoint.start()


def kill_again_and_again(tmp_path: Path, endpoint: Endpoint, kills: int, seed: int, *flags: str) -> dict[str, Any]:
    with Process(tmp_path, endpoint.url, "--persist-http-timeout=200ms", *flags) as process:
        return _kill_again_and_again(process, endpoint, kills, seed)


def _kill_again_and_again(process: Process, endpoint: Endpoint, kills: int, seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    trouble = Trouble(endpoint, seed + 1)
    publishers = [Publisher(process, f"channel {number}", size) for number, size in enumerate((1, 1, 20, 100))]
    for publisher in publishers:
        publisher.start()
    try:
        for _ in range(kills):
            time.sleep((0.05 + chance.random() * 0.5) * SCALE)  # the random moment
            process.kill()
            process.start()
        time.sleep(0.2 * SCALE)
    finally:
        for publisher in publishers:
            publisher.stop()
        trouble.end()
    deadline = time.monotonic() + 6 * UNIT
    while process.details()["waiting"] and time.monotonic() < deadline:
        time.sleep(0.01)
    details = process.details()
    assert details["waiting"] == details["dead_letters"] == 0, details
    assert process.terminate() == 0
    arrived = endpoint.publications
    repeats = sum(publisher.check(arrived) for publisher in publishers)
    taken = sum(len(publisher.taken) for publisher in publishers)
    assert taken > 100 * kills, "there was load"
    return {"kills": kills, "taken": taken, "arrived": len(arrived), "repeats": repeats}


def test_killed_at_any_moment_nothing_is_lost(tmp_path: Path, endpoint: Endpoint) -> None:
    kill_again_and_again(tmp_path, endpoint, 2, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags", [("--persist-http-durability=power",), ("--persist-http-durability=process", "--persist-http-parallel=1")]
)
def test_killed_many_times_nothing_is_lost(
    tmp_path: Path, endpoint: Endpoint, flags: tuple[str, ...], record_property: Any
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    figures = kill_again_and_again(tmp_path, endpoint, LONG_KILLS, seed, *flags)
    print(figures)


def all_come(endpoint: Endpoint, publisher: Publisher) -> None:
    """Waits until all that the publisher was told yes for has come."""
    taken = publisher.taken.keys()
    endpoint.wait_for(lambda: {one["message"] for one in endpoint.publications} >= taken, "all come", times=4)


def test_stopped_in_good_order_and_started_again(tmp_path: Path, endpoint: Endpoint) -> None:
    with Process(tmp_path, endpoint.url) as process:
        publisher = Publisher(process, "news", 10)
        publisher.start()
        endpoint.wait_for_taken(50)
        endpoint.stop()
        time.sleep(0.1 * SCALE)
        publisher.stop()
        assert process.terminate() == 0
        endpoint.start()
        process.start()
        all_come(endpoint, publisher)
        assert process.terminate() == 0
    publisher.check(endpoint.publications)
    assert any("the outbox holds" in line for line in process.lines)


def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path, endpoint: Endpoint) -> None:
    """A file may not grow beyond a size, which fails writes as a full disk does."""
    endpoint.stop()
    size = 600_000
    with Process(
        tmp_path, endpoint.url, limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    ) as process:
        publisher = Publisher(process, "news", 100)
        publisher.start()
        try:
            deadline = time.monotonic() + 4 * UNIT
            while publisher.last - len(publisher.taken) < 3000 and time.monotonic() < deadline:
                time.sleep(0.01)
        finally:
            publisher.stop()
        assert len(publisher.taken) > 500, process.lines
        assert len(publisher.taken) < publisher.last - 2000, "some were refused"
        errors = [line for line in process.lines if "ERROR" in line]
        assert any("the outbox cannot be used" in line for line in errors)
        assert len(errors) <= 4, "a line of each kind, not one for each failure"
        endpoint.start()
        all_come(endpoint, publisher)
        again = Publisher(process, "again", 10)
        again.start()
        deadline = time.monotonic() + 2 * UNIT
        while not again.taken and time.monotonic() < deadline:
            time.sleep(0.01)
        again.stop()
        assert again.taken, "what has left the outbox has made room"
        deadline = time.monotonic() + 2 * UNIT
        while process.details()["waiting"] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.details()["waiting"] == 0, "what was posted could be removed, though the disk was full"
        assert process.terminate() == 0
    publisher.check(endpoint.publications)


def run_to_its_end(tmp_path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sethpusher_core", "--port=0", "--load-plugins=persist_http", *flags],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=4 * UNIT,
    )


def test_two_servers_on_one_outbox(tmp_path: Path, endpoint: Endpoint) -> None:
    with Process(tmp_path, endpoint.url) as process:
        second = run_to_its_end(tmp_path, f"--state-dir={tmp_path}", f"--persist-http-api-url={endpoint.url}")
        assert second.returncode == 3
        line = second.stderr.splitlines()[-1]
        assert f"belongs to a running server (process {process.pid}); give each server a state_dir" in line
        assert "Traceback" not in second.stderr
        process.kill()
        assert process.start().terminate() == 0, "the lock went with its process"


def test_a_damaged_outbox(tmp_path: Path, endpoint: Endpoint) -> None:
    database = tmp_path / "persist-http.sqlite"
    database.write_bytes(b"no outbox " * 1000)
    flags = (f"--state-dir={tmp_path}", f"--persist-http-api-url={endpoint.url}")
    refused = run_to_its_end(tmp_path, *flags)
    assert refused.returncode == 3
    assert f"the outbox {database} is damaged: file is not a database" in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr
    with Process(tmp_path, endpoint.url, "--persist-http-on-corrupt=set_aside") as process:
        assert process.terminate() == 0
    [aside] = tmp_path.glob("*.damaged-*")
    assert aside.read_bytes() == b"no outbox " * 1000
    assert any(f"it was set aside as {aside}" in line and "ERROR" in line for line in process.lines)


@pytest.mark.parametrize("durability", ["power", "process"])
def test_without_a_folder_it_does_not_start(tmp_path: Path, durability: str) -> None:
    flags = ("--persist-http-api-url=http://127.0.0.1:1/", f"--persist-http-durability={durability}")
    done = run_to_its_end(tmp_path, *flags)
    assert done.returncode == 3
    assert "state_dir is required, because persist_http keeps publications on disk" in done.stderr.splitlines()[-1]
