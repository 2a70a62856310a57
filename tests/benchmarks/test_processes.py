"""Programs that the benchmarks start do not outlive who started them."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from support.timing import UNIT

from benchmarks.peers.nchan import Nchan
from benchmarks.processes import PORTS, free_port, started

STARTER = """
import sys
from pathlib import Path
from benchmarks.processes import started

with started(["sleep", "600"], Path(sys.argv[1])) as process:
    print(process.pid, flush=True)
    sys.stdin.read()
"""


NGINX = """
import sys
import time
from pathlib import Path
from benchmarks.peers.nchan import Nchan

with Nchan().running(Path(sys.argv[1])) as running:
    children = Path(f"/proc/{running.pids[0]}/task/{running.pids[0]}/children")
    until = time.monotonic() + float(sys.argv[2])
    while not children.read_text().strip() and time.monotonic() < until:  # it listens before it has one
        time.sleep(0.01)
    print(children.read_text(), flush=True)
    sys.stdin.read()
"""


def test_a_free_port_is_none_that_is_taken_nor_one_that_a_connection_is_given() -> None:
    port = free_port()
    assert port in PORTS
    with (
        socket.create_server(("127.0.0.1", port)),
        patch.object(random, "sample", lambda ports, count: [port]),
        pytest.raises(RuntimeError, match="no port is free"),
    ):
        free_port()


def test_a_program_ends_when_who_started_it_is_killed(tmp_path: Path) -> None:
    assert ends_with_its_starter(STARTER, tmp_path)


def test_so_does_the_worker_of_one_that_has_a_worker(tmp_path: Path) -> None:
    if missing := Nchan().missing():
        pytest.skip(f"{missing} is not here: {Nchan.install}")
    assert ends_with_its_starter(NGINX, tmp_path)


def ends_with_its_starter(script: str, folder: Path) -> bool:
    """Whether the process that the script prints the number of ends when the one that runs the script is killed."""
    command = [sys.executable, "-c", script, str(folder), str(UNIT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        program = os.pidfd_open(int(starter.stdout.readline()))
        starter.kill()
    return has_ended(program)


def has_ended(program: int) -> bool:
    """Whether a process ends within a bounded time; closes its descriptor."""
    try:
        return bool(select.select([program], [], [], UNIT)[0])
    finally:
        os.close(program)


@pytest.mark.parametrize("deaf", ["", "trap '' TERM;"], ids=["told to end", "deaf to it"])
def test_what_a_program_started_ends_with_it(deaf: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.processes.STOP_SECONDS", 0.2)
    told = tmp_path / "child"
    os.mkfifo(told)
    script = f"{deaf} sleep 600 & echo $! > {told}; wait; wait"
    with started(["sh", "-c", script], tmp_path) as process:
        child = os.pidfd_open(int(told.read_text()))
    assert has_ended(child)
    assert process.returncode == -(signal.SIGKILL if deaf else signal.SIGTERM)
