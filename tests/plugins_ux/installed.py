"""Distributions installed into a throw-away environment, and the command ``seth-pusher`` as it finds them there."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from plugins_ux.sites import Site
from support.clients import Bare
from support.http import Http
from support.line import Line
from support.timing import UNIT

__all__ = ["EXAMPLES", "ROOT", "Environment", "Server", "project_of"]

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples" / "plugins"
PATIENCE: Final = 4 * UNIT
"""Seconds for a whole process."""


def project_of(name: str) -> dict[str, Any]:
    """The table ``[project]`` of an example."""
    project: dict[str, Any] = tomllib.loads((EXAMPLES / name / "pyproject.toml").read_text())["project"]
    return project


def _normal(name: str) -> str:
    return name.replace("-", "_").lower()


class Environment:
    """A place with some distributions and nothing else that is a plugin.

    Attributes:
        folder: For files of the test.
        site: Where the distributions are.
        python: The interpreter.
        left_out: Flags that leave out what the interpreter has installed of its own.
        command: What runs ``seth-pusher``.
        variables: The environment of the command.
    """

    def __init__(self, folder: Path, *examples: str) -> None:
        """Installs examples, as pip would: their modules, and from ``pyproject.toml`` their metadata."""
        self.folder = folder
        self.site = Site(folder / "site")
        self.site.root.mkdir()
        self.python = [sys.executable, "-W", "default"]  # what a plugin leaves open or unawaited is on standard error
        self.left_out = [f"--no-plugin={_normal(point.name)}" for point in entry_points(group="sethpusher")]
        self.command = [*self.python, "-m", "sethpusher_core", *self.left_out]
        self.variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(self.site.root), str(ROOT)]),
        }
        for name in examples:
            self.install(name)

    def install(self, name: str) -> None:
        """Installs an example."""
        project = project_of(name)
        modules: dict[str, Any] = {path.stem: path.read_text() for path in (EXAMPLES / name).glob("*.py")}
        readme = (EXAMPLES / name / project["readme"]).read_text()
        points = project["entry-points"]["sethpusher"].items()
        self.site.add(
            project["name"],
            project["version"],
            points="\n".join(f"{point} = {target}" for point, target in points),
            requires=project["dependencies"],
            fields=f"Summary: {project['description']}\nRequires-Python: {project['requires-python']}\n\n{readme}",
            **modules,
        )

    def configured(self, toml: str) -> str:
        """Writes a settings file, and gives the flag that names it."""
        path = self.folder / "settings.toml"
        path.write_text(toml)
        return f"--config={path}"

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs the command to its end."""
        return self._run([*self.command, *words], variables)

    def rows(self, *words: str, **variables: str) -> dict[str, dict[str, Any]]:
        """What ``--list-plugins --json`` says, by name; without what is left out."""
        done = self.run("--list-plugins", "--json", *words, **variables)
        assert (done.returncode, done.stderr) == (0, "")
        rows = {row["name"]: row for row in json.loads(done.stdout)}
        return {name: row for name, row in rows.items() if f"--no-plugin={name}" not in self.left_out}

    def modules(self, *words: str, **variables: str) -> frozenset[str]:
        """The modules that are imported once the command has run with these words to its end."""
        report = (
            "import sys; from sethpusher_core.cli import main; assert main(sys.argv[1:]) == 0; "
            "print(*sys.modules, file=sys.stderr)"
        )
        done = self._run([*self.python, "-c", report, *self.left_out, *words], variables)
        assert done.returncode == 0, done.stderr
        return frozenset(done.stderr.splitlines()[-1].split())

    @contextlib.contextmanager
    def serve(self, *words: str, expect: Iterable[str] = (), **variables: str) -> Iterator[Server]:
        """Runs a server while the ``with`` block lasts, and stops it in good order.

        Args:
            words: The command line.
            expect: Regular expressions for lines of its log that are no mere information; each is found in one.
            variables: The environment.
        """
        server = Server([*self.command, "--port=0", *words], self.variables | variables)
        try:
            server.wait()
            yield server
            server.stop(expect)
        finally:
            server.end()

    def _run(self, command: list[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        environment = {**self.variables, **variables}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)


class Server:
    """A server in a process of its own.

    Attributes:
        process: The process.
        log: What it has written to standard error so far.
        port: Where it listens.
        http: Calls to it.
    """

    port: int
    http: Http

    def __init__(self, command: list[str], variables: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command, env=variables, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self.log: list[str] = []
        self._clients: list[Bare] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self) -> None:
        """Waits until it listens and has said what it runs on."""
        self.port = int(self.wait_for(r"listens on http://127\.0\.0\.1:(\d+)/"))
        self.wait_for(r"backend: (.*)")
        self.http = Http(self.port)

    def wait_for(self, pattern: str) -> str:
        """Waits for a line of its log that comes from now on; gives what the first group matched."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"no line like {pattern!r} in:\n{self.text}") from None
            assert line is not None, f"it has ended:\n{self.text}"
            self.log.append(line)
            if match := re.search(pattern, line):
                return match[1]

    def client(self, name: str | None = None, *channels: str, headers: Mapping[str, str] | None = None) -> Bare:
        """A new client, connected and subscribed, with nothing in its inbox."""
        client = Bare(self.port, headers=headers)
        self._clients.append(client)
        if name is not None:
            client.connect(name)
        for channel in channels:
            client.subscribe(channel)
        client.take()
        return client

    def refusal(self, headers: Mapping[str, str] | None = None) -> tuple[int | None, str]:
        """With which code and reason the server ends a new connection, before it says anything else."""
        line = Line(self.port, "/connect/websocket", headers)
        with contextlib.closing(line.socket):
            assert line.frame() is None
        return line.close_code, line.close_reason

    def stop(self, expect: Iterable[str] = ()) -> None:
        """Stops it in good order, and checks that nothing in its log is unexpected."""
        for client in self._clients:
            client.close()
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0, self.text
        self._reader.join(UNIT)
        while (line := self._lines.get(timeout=UNIT)) is not None:
            self.log.append(line)
        # A record may have more than one line; one that is mere information has not, or something else stands below it.
        records = re.split(r"\n(?=[0-9]{4}-[0-9]{2}-[0-9]{2} )", self.text)
        odd = [record for record in records if not re.fullmatch(r"\S+ \S+ INFO .*", record)]
        for pattern in expect:
            found = [record for record in odd if re.search(pattern, record)]
            assert found, f"no line like {pattern!r} in:\n{self.text}"
            odd.remove(found[0])
        assert not odd, self.text

    def end(self) -> None:
        """Sees to it that nothing of it is left."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(UNIT)
        self._reader.join(UNIT)
        for client in self._clients:
            client.drop()

    @property
    def text(self) -> str:
        """Its log so far."""
        return "\n".join(self.log)

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as pipe:
            for line in pipe:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)
