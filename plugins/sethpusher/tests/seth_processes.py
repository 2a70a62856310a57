"""Programs in processes of their own."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Final

from support.timing import UNIT

__all__ = ["PATIENCE", "Program"]

PATIENCE: Final = 4 * UNIT
"""Seconds for a whole process."""


class Program:
    """A program that runs while the ``with`` block lasts, and is then stopped by SIGTERM.

    Attributes:
        lines: What it has written so far, both streams together.
        code: Its exit code, once it has ended.
    """

    def __init__(self, *command: str, cwd: str | None = None, environment: Mapping[str, str] | None = None) -> None:
        self.lines: list[str] = []
        self.code: int | None = None
        self._process = subprocess.Popen(
            command, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, pattern: str) -> str:
        """Waits for a line that a regular expression is found in; gives its first group, or all of what matched."""
        for line in self.lines:
            if match := re.search(pattern, line):
                return match[match.re.groups and 1]
        while True:
            try:
                line = self._queue.get(timeout=PATIENCE)
            except queue.Empty:
                line = None
            assert line is not None, f"no line like {pattern!r} in:\n" + "\n".join(self.lines)
            self.lines.append(line)
            if match := re.search(pattern, line):
                return match[match.re.groups and 1]

    @property
    def address(self) -> str:
        """Where it listens, ``host:port``."""
        return self.wait_for(r"listens on http://(\S+)/")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal, waits for the end, and gives the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Waits for the end, and gives the exit code."""
        self.code = self._process.wait(PATIENCE)
        self._reader.join(UNIT)
        while not self._queue.empty():
            line = self._queue.get()
            self.lines += [line] if line is not None else []
        return self.code

    def __enter__(self) -> Program:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if self.code is None:
                self.stop()
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait(UNIT)
            self._reader.join(UNIT)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            for line in pipe:
                self._queue.put(line.rstrip("\n"))
        self._queue.put(None)
