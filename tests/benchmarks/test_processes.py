"""Programs that the benchmarks start do not outlive who started them."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.timing import UNIT

from benchmarks.processes import started

STARTER = """
import sys
from pathlib import Path
from benchmarks.processes import started

with started(["sleep", "600"], Path(sys.argv[1])) as process:
    print(process.pid, flush=True)
    sys.stdin.read()
"""


def test_a_program_ends_when_who_started_it_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        program = os.pidfd_open(int(starter.stdout.readline()))
        starter.kill()
    try:
        ended, _, _ = select.select([program], [], [], 50 * UNIT)
    finally:
        os.close(program)
    assert ended


@pytest.mark.parametrize("deaf", ["", "trap '' TERM;"], ids=["told to end", "deaf to it"])
def test_what_a_program_started_ends_with_it(deaf: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.processes.STOP_SECONDS", 0.2)
    told = tmp_path / "child"
    os.mkfifo(told)
    script = f"{deaf} sleep 600 & echo $! > {told}; wait; wait"
    with started(["sh", "-c", script], tmp_path) as process:
        child = os.pidfd_open(int(told.read_text()))
    try:
        ended, _, _ = select.select([child], [], [], 50 * UNIT)
    finally:
        os.close(child)
    assert ended
    assert process.returncode == -(signal.SIGKILL if deaf else signal.SIGTERM)
