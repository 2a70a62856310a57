"""A real ``seth-pusher`` process with the plugin, which a test may kill at any moment; and publishers that go on."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.ports import hold_port
from support.timing import UNIT

__all__ = ["Process", "Publisher"]


class Process:
    """One server process, on the same port in all its lives. Used as ``with``: in the end it is killed.

    Attributes:
        lines: What it has written to standard error, over all its lives.
    """

    def __init__(self, state_dir: Path, api_url: str, *flags: str, limit: Callable[[], None] | None = None) -> None:
        self._flags = [
            f"--state-dir={state_dir}",
            f"--persist-http-api-url={api_url}",
            "--persist-http-retry-first=20ms",
            "--persist-http-retry-max=100ms",
            "--persist-http-batch-delay=2ms",
            "--load-plugins=persist_http,outbox",
            *flags,
        ]
        self._limit = limit
        self._holder = hold_port()
        self.port: int = self._holder.getsockname()[1]
        self.process: subprocess.Popen[str] | None = None
        self.lines: list[str] = []

    def start(self) -> Process:
        """Starts it and waits until it listens."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sethpusher_core", f"--port={self.port}", *self._flags],
            env={"PATH": os.environ["PATH"]},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=self._limit,
        )
        listens = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self.process, listens))
        self._reader.start()
        assert listens.wait(4 * UNIT), self.lines
        assert self.process.poll() is None, self.lines
        return self

    def __enter__(self) -> Process:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self._holder.close()

    def kill(self) -> None:
        """Ends it as nothing else does: it can do nothing any more."""
        assert self.process is not None
        self.process.kill()
        self._end()

    def terminate(self) -> int:
        """Stops it in good order; gives its exit code."""
        assert self.process is not None
        self.process.terminate()
        self._end()
        return self.process.returncode

    @property
    def pid(self) -> int:
        """Its number in this life."""
        assert self.process is not None
        return self.process.pid

    def details(self) -> dict[str, Any]:
        """What ``/health?details`` says of the plugin."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=UNIT)
        try:
            connection.request("GET", "/health?details")
            details: dict[str, Any] = json.loads(connection.getresponse().read())["details"]["persist_http"]
        finally:
            connection.close()
        return details

    def _end(self) -> None:
        assert self.process is not None
        self.process.wait(4 * UNIT)
        self._reader.join(UNIT)

    def _read(self, process: subprocess.Popen[str], listens: threading.Event) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self.lines.append(line.rstrip("\n"))
                if "listens on http://" in line:
                    listens.set()
        listens.set()


class Publisher(threading.Thread):
    """Publishes numbers in a channel, one call after the other, whatever becomes of the server.

    Attributes:
        channel: The channel.
        taken: Each number that was answered 200, with the id in the answer.
        last: The number that was published last.
    """

    def __init__(self, process: Process, channel: str, size: int) -> None:
        super().__init__(name=f"publisher of {channel}")
        self.channel = channel
        self.taken: dict[int, str] = {}
        self.last = 0
        self._process = process
        self._size = size
        self._end = threading.Event()

    def run(self) -> None:
        connection = None
        while not self._end.is_set():
            numbers = range(self.last + 1, self.last + 1 + self._size)
            self.last = numbers[-1]
            publications = [{"channel": self.channel, "message": number} for number in numbers]
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self._process.port, timeout=UNIT)
                connection.request("POST", "/api/batch/", json.dumps({"publications": publications}))
                results = json.loads(connection.getresponse().read())["results"]
            except (OSError, http.client.HTTPException):
                if connection is not None:
                    connection.close()
                connection = None
                self._end.wait(0.01)
                continue
            for number, result in zip(numbers, results, strict=True):
                if result["status"] == 200:
                    self.taken[number] = result["id"]
        if connection is not None:
            connection.close()

    def stop(self) -> None:
        """Publishes no more."""
        self._end.set()
        self.join(2 * UNIT)

    def check(self, arrived: list[dict[str, Any]]) -> int:
        """Checks what has come to the API; gives how many came more than once."""
        mine = [(one["message"], one["id"]) for one in arrived if one["channel"] == self.channel]
        first: dict[int, str] = {}
        for number, id in mine:
            assert first.setdefault(number, id) == id, f"{self.channel}: {number} came under two ids"
        lost = self.taken.keys() - first.keys()
        assert not lost, f"{self.channel}: answered 200 and lost: {sorted(lost)[:5]} of {len(self.taken)}"
        assert list(first) == sorted(first), f"{self.channel}: not in order"
        assert all(first[number] == id for number, id in self.taken.items())
        return len(mine) - len(first)
