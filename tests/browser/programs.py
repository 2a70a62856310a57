"""The programs that the tests start: the push server, Node, and the browser that it drives. None outlives the tests."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from subprocess import PIPE
from typing import IO, Any, Final

from support.timing import UNIT

__all__ = ["PATIENCE", "Chromium", "SethPusher", "ask_node"]

HERE: Final = Path(__file__).parent
PATIENCE: Final = 4 * UNIT
"""Seconds for a whole conversation, or the start of a browser."""


def needed(command: str, install: str) -> str:
    """Where a program is.

    Raises:
        AssertionError: It is not there; says what installs it.
    """
    path = shutil.which(command)
    assert path is not None, f"there is no {command} here; run: {install}"
    return path


def node() -> str:
    """Where Node is; what the tests need of its packages is there, too, in the versions that package.json names."""
    install = "npm --prefix tests/browser install --no-package-lock"
    path = needed("node", "apt-get install nodejs npm (it must be 20 or newer)")
    for name, version in json.loads((HERE / "package.json").read_text())["dependencies"].items():
        manifest = HERE / "node_modules" / name / "package.json"
        found = json.loads(manifest.read_text())["version"] if manifest.exists() else "missing"
        assert found == version, f"{name} {version} is needed, it is {found}; run: {install}"
    return path


def ask_node(about: Mapping[str, Any]) -> Any:
    """Has a conversation from Node; see conversation.js."""
    done = subprocess.run(
        [node(), HERE / "node.js"], input=json.dumps(about), capture_output=True, text=True, timeout=PATIENCE + UNIT
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Program:
    """A program in a process of its own, ended when its ``with`` block is left."""

    def __init__(self, *command: str | Path, stdin: int | None = None, speaks_on_stderr: bool = False) -> None:
        """Starts it.

        Args:
            command: The program and its arguments.
            stdin: As for Popen.
            speaks_on_stderr: Whether the lines that :meth:`line` gives come from there, and not from stdout.
        """
        stdout, stderr = (None, PIPE) if speaks_on_stderr else (PIPE, None)
        self.process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, text=True)
        pipe = self.process.stderr if speaks_on_stderr else self.process.stdout
        assert pipe is not None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=[pipe], daemon=True)
        self._reader.start()

    def line(self) -> str:
        """The next line; an empty text once there are no more."""
        try:
            return self._lines.get(timeout=PATIENCE + UNIT)
        except queue.Empty:
            raise AssertionError("the program says nothing") from None

    def end(self) -> None:
        """Asks it to end."""
        self.process.terminate()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.end()
            self.process.wait(UNIT)
        finally:
            self.process.kill()  # which does nothing to one that has ended
            self.process.wait(UNIT)
            self._reader.join(UNIT)

    def _read(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                self._lines.put(line)
        self._lines.put("")


class SethPusher(Program):
    """The command ``seth-pusher``.

    Attributes:
        port: Where it listens.
        log: The lines that it has written, as far as they were waited for.
    """

    def __init__(self, *flags: str, port: int = 0) -> None:
        # Should the tests be killed, it goes with them.
        leash = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        super().__init__(
            *leash,
            sys.executable,
            "-m",
            "sethpusher_core",
            "--no-plugins",
            f"--port={port}",
            *flags,
            speaks_on_stderr=True,
        )
        self.log: list[str] = []
        try:
            self.port = int(self._wait_for(r"listens on http://[^/]+:(\d+)/"))
        except BaseException:
            self.__exit__()
            raise

    def stop(self) -> None:
        """Stops it in good order, and checks that it had nothing to complain of."""
        self.end()
        assert self.process.wait(PATIENCE) == 0
        while line := self.line():
            self.log.append(line)
        assert not [line for line in self.log if " INFO " not in line], "".join(self.log)

    def _wait_for(self, pattern: str) -> str:
        while line := self.line():
            self.log.append(line)
            if match := re.search(pattern, line):
                return match[1]
        raise AssertionError("".join(self.log))


class Chromium(Program):
    """A headless Chromium with one page; see chromium.js for what its methods do."""

    def __init__(self) -> None:
        install = "apt-get install chromium"
        chromium = needed(os.environ.get("CHROMIUM", "chromium"), install)
        super().__init__(node(), HERE / "chromium.js", chromium, str(PATIENCE), stdin=PIPE)
        self._numbers = itertools.count()
        try:
            first = self.line()
            assert first, f"{chromium} does not start"
            self._browser = int(first)
        except BaseException:
            super().__exit__()
            raise

    def open(self, url: str, replace: Mapping[str, Path] | None = None) -> None:
        self._call("open", url=url, replace={address: str(path) for address, path in (replace or {}).items()})

    def converse(self, about: Mapping[str, Any]) -> Any:
        return self._call("converse", about=about)

    def see(self, selector: str, text: str) -> None:
        self._call("see", selector=selector, text=text)

    def complaints(self) -> list[str]:
        return list(self._call("complaints"))

    def close(self) -> None:
        self._call("close")

    def end(self) -> None:
        """Asks the driver to end, and the browser with it."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def __exit__(self, *_: object) -> None:
        try:
            super().__exit__()
        finally:
            if self.process.returncode != 0:  # else the driver has seen the browser's end
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._browser, signal.SIGKILL)

    def _call(self, command: str, **arguments: Any) -> Any:
        number = next(self._numbers)
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"number": number, "command": command, **arguments}) + "\n")
        self.process.stdin.flush()
        while line := self.line():
            answer = json.loads(line)
            if answer["number"] == number:  # not the late one to a call that was given up
                assert "error" not in answer, answer["error"]
                return answer["value"]
        raise AssertionError("the browser's driver has ended")
