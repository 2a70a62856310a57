"""Command lines that the documentation shows: what is installed exists, what is started takes its flags, and what a
sub-command is shown to say it says. README, tutorial, HTTP API and example plugins have
tests of their own.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"README.md", "docs/plugins.md", "docs/testing.md", "docs/http-api.md"}
PLACES = ("docs/*.md", "plugins/*/*.md", "examples/*/*.md")
PAGES = [page for place in PLACES for page in sorted(ROOT.glob(place)) if str(page.relative_to(ROOT)) not in ELSEWHERE]
WAIT = 30.0
NEEDS_MORE = re.compile(r"seth-pusher .*\boutbox\b")
"""What needs files of a server: the tests of sethpusher-persist-http run it, and compare what it says."""


def commands(page: Path) -> list[tuple[str, str]]:
    """Each command of the page's console blocks, with what it is shown to say."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:] or block.splitlines()
        found += [(command, output) for command, _, output in (part.partition("\n") for part in parts)]
    return found


LINES = [
    pytest.param(command, output, id=f"{page.relative_to(ROOT)}: {command}")
    for page in PAGES
    for command, output in commands(page)
    if not NEEDS_MORE.match(command)
]


def projects() -> dict[str, set[str]]:
    """The distributions of this project, by name, with their extras."""
    found = {}
    for path in (ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")):
        project = tomllib.loads(path.read_text())["project"]
        found[project["name"]] = set(project.get("optional-dependencies", {}))
    return found


@pytest.mark.parametrize(("command", "output"), LINES)
def test_command_line(command: str, output: str, tmp_path: Path) -> None:
    words = shlex.split(command.removeprefix("export ").split("=$(")[-1].rstrip(")"), comments=True)
    if words[:2] == ["pip", "install"]:
        installed([word for word in words[2:] if not word.startswith("-")])
    elif words[0] == "seth-pusher":
        started(words[1:], output, tmp_path)
    else:
        assert words[:3] == ["python", "-m", "http.server"], f"nobody tries: {command}"


def installed(names: list[str]) -> None:
    """Everything that a page says to install is there to be installed."""
    for name in names:
        if name.startswith("./"):
            assert (ROOT / name / "pyproject.toml").exists(), name
            continue
        wanted = Requirement(name)
        assert wanted.name in projects(), f"{name} is not ours"
        assert wanted.extras <= projects()[wanted.name], name


def started(words: list[str], output: str, folder: Path) -> None:
    """A command takes the words of its line; a sub-command says what it is shown to say."""
    (folder / "seth.toml").write_text("")
    words = [word.replace("/var/lib/seth-pusher", str(folder)) for word in itertools.takewhile(">".__ne__, words)]
    subcommand = next((word for word in words if not word.startswith("-")), None)
    if subcommand is None:
        words.append("--show-config")
    place = ROOT if any("examples/" in word for word in words) else folder
    key = {"SETHPUSHER_AUTH_JWT__KEY": "k" * 43} if subcommand == "token" and words[-1] != "key" else {}
    done = subprocess.run(
        [sys.executable, "-m", "sethpusher_core", *words],
        capture_output=True,
        text=True,
        cwd=place,
        env={**os.environ, **key},
        timeout=WAIT,
    )
    refused = output.startswith("denied: ")  # the answer of `explain access` is no
    assert done.returncode == refused, done.stderr
    assert "Traceback" not in done.stderr
    if output.strip():
        pattern = re.sub(r"(\\\.){3,}", r"\\S*", re.escape(output.strip()))
        assert re.fullmatch(pattern, done.stdout.strip()), done.stdout + done.stderr
