"""The tutorial on writing a plugin: its commands are run in an environment of their own, and say what the page says."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plugins_ux.venvs import OFFLINE, WAIT, VirtualEnvironment

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/plugins.md"
BLOCK = re.compile(r"^```(console|diff|sh|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROJECT = "sethpusher-team-badge"


class Tutorial:
    """Somebody who follows the page."""

    def __init__(self, folder: Path) -> None:
        self.place = VirtualEnvironment(folder)
        self.server: subprocess.Popen[str] | None = None
        self.address = ""
        self.badge = ""

    def console(self, block: str) -> None:
        """Types the commands of a block, and compares what they say: each line of the page is said, in order."""
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            command = command.replace("pip install", f"pip install {' '.join(OFFLINE)}")
            command = command.replace("-m build", "-m build --no-isolation").replace("curl", "curl -s")
            command = command.replace("localhost:8080", self.address)
            if assigned := re.fullmatch(r"BADGE=\$\((.+)\)", command):
                self.badge = self.place.run("sh", "-c", assigned[1]).strip()
                continue
            told = self.place.run("sh", "-c", command, BADGE=self.badge)
            said = iter(_plain(told))
            for line in _plain(expected):
                assert line in said, f"$ {command}\n{told}\nwhere the page has: {line}"

    def diff(self, block: str) -> None:
        """Changes a file."""
        done = subprocess.run(
            ["git", "apply", "--whitespace=nowarn", "-"],
            input=block,
            cwd=self.place.folder / PROJECT,
            env={**self.place.variables, "GIT_CEILING_DIRECTORIES": str(self.place.folder)},
            capture_output=True,
            text=True,
            timeout=WAIT,
            check=False,
        )
        assert done.returncode == 0, f"{done.stderr}\n{block}"

    def sh(self, block: str) -> None:
        """Starts the server."""
        script = block.replace("seth-pusher ", "exec seth-pusher --port=0 ")
        self.server = subprocess.Popen(
            ["sh", "-c", script], env=self.place.variables, cwd=self.place.folder, stderr=subprocess.PIPE, text=True
        )
        assert self.server.stderr is not None
        found = (re.search(r"listens on http://(\S+?)/", line) for line in self.server.stderr)
        self.address = next(match[1] for match in found if match)

    def text(self, block: str) -> None:
        """Compares the server's log, and stops the server."""
        assert self.server is not None
        self.server.send_signal(signal.SIGTERM)
        log = self.server.communicate(timeout=WAIT)[1]
        said = iter([line.partition(" INFO ")[2].strip() for line in _plain(log)])
        for line in _plain(block):
            assert line in said, f"{log}\nwhere the page has: {line}"

    def end(self) -> None:
        """Sees to it that no server is left."""
        if self.server is not None and self.server.poll() is None:
            self.server.kill()
            self.server.communicate()


def _plain(text: str) -> list[str]:
    """Lines, without what differs from run to run."""
    text = re.sub(r"\bin [0-9.]+s\b", "in Ns", text)
    text = re.sub(r"\b[0-9]+ us\b", "N us", text)
    text = re.sub(r"[0-9a-f]{12}-[0-9a-f]+", "ID", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@pytest.fixture
def tutorial(tmp_path: Path) -> Iterator[Tutorial]:
    tutorial = Tutorial(tmp_path)
    yield tutorial
    tutorial.end()


@pytest.mark.slow
def test_the_tutorial(tutorial: Tutorial) -> None:
    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) == 11
    for language, block in blocks:
        act: Callable[[str], None] = getattr(tutorial, language)
        act(block)
