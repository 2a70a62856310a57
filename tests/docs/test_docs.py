"""The documentation holds: links lead somewhere, generated parts are current, what is shown is what happens."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ROOT = Path(__file__).parents[2]
PLACES = ("*.md", "docs/*.md", "benchmarks/*.md", "plugins/*/*.md", "examples/**/*.md", "clients/**/*.md")
PAGES = sorted(page for place in PLACES for page in ROOT.glob(place))
WAIT = 20.0


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}"


def test_generated_pages_are_current() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_readme_names_the_lines_that_make_runs() -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    for line in (
        "python3 -m venv .venv",
        ".venv/bin/pip install -r requirements-dev.txt",
        ".venv/bin/python -m pytest -n auto",
    ):
        assert line in readme
        assert line in makefile


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def session(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block with the output that follows each."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


@pytest.fixture
def tour() -> Iterator[tuple[str, list[str]]]:
    """A server with the listener of the README on it: its address, and the listener's command line."""
    server = subprocess.Popen(
        [sys.executable, "-m", "sethpusher_core", "--port=0", "--debug"], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert server.stderr is not None
        said = []
        for line in server.stderr:
            if "debug pages" not in line:
                said.append(line)
            if "everybody who reaches" in line:
                break
        address = next(match[1] for line in said if (match := re.search(r"listens on http://(\S+?)/", line)))
        shown = blocks(ROOT / "README.md", "text")[0].splitlines()
        assert [without_time(line.replace(address, "127.0.0.1:8080")) for line in said] == list(
            map(without_time, shown)
        )
        yield address, [sys.executable, str(ROOT / "examples/listen.py"), "news", address]
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=WAIT)


def without_time(line: str) -> str:
    """A line of the log behind its date and time."""
    return line.rstrip().split(" ", 2)[2]


def without_ids(text: str) -> str:
    return re.sub(r"[0-9a-f]{12}-[0-9a-f]+", "ID", text)


def test_the_tour_of_the_readme(tour: tuple[str, list[str]]) -> None:
    address, listen = tour
    subscribe, publish = blocks(ROOT / "README.md", "console")[2:4]
    received = blocks(ROOT / "README.md", "text")[1].splitlines()
    listener = subprocess.Popen(listen, stdout=subprocess.PIPE, text=True)
    try:
        assert listener.stdout is not None
        [(_, shown)] = session(subscribe)
        assert [listener.stdout.readline() for _ in range(2)] == shown.splitlines(keepends=True)
        for command, output in session(publish):
            told = subprocess.run(
                ["sh", "-c", command.replace("curl", "curl -s").replace("localhost:8080", address)],
                capture_output=True,
                text=True,
                timeout=WAIT,
            )
            assert without_ids(told.stdout) == without_ids(output)
        assert [listener.stdout.readline().rstrip("\n") for _ in received] == received
    finally:
        listener.kill()
        listener.communicate()


def test_the_calls_of_the_http_api(tour: tuple[str, list[str]]) -> None:
    address, listen = tour
    listener = subprocess.Popen(listen, stdout=subprocess.PIPE, text=True)
    try:
        assert listener.stdout is not None
        assert listener.stdout.readline()  # the ack: it is subscribed
        calls = [call for block in blocks(ROOT / "docs/http-api.md", "console") for call in session(block)]
        assert len(calls) == 4
        for command, output in calls:
            told = subprocess.run(
                ["sh", "-c", command.replace("curl", "curl -s").replace("localhost:8080", address)],
                capture_output=True,
                text=True,
                timeout=WAIT,
            )
            assert json.loads(without_ids(told.stdout)) == json.loads(without_ids(output))
    finally:
        listener.kill()
        listener.communicate()


def test_the_embedding_example() -> None:
    """The program runs as it is, and a client hears what the application's own handler publishes."""
    program = subprocess.Popen(
        [sys.executable, ROOT / "examples/embedding.py", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs this in the background has SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert program.stdout is not None
        address = program.stdout.readline().strip().removeprefix("http://")
        with connect(f"ws://{address}connect/websocket") as client:
            client.send(json.dumps({"type": "subscribe", "channel": "orders", "id": 1}))
            assert json.loads(client.recv(WAIT))["type"] == "ack"
            assert json.loads(client.recv(WAIT))["message"]["type"] == "subscribe"
            with urlopen(Request(f"http://{address}orders/7/ship", b"", method="POST"), timeout=WAIT) as answer:
                assert json.load(answer) == {"shipped": "7"}
            assert json.loads(client.recv(WAIT))["message"] == {"order": "7", "state": "shipped"}
            program.send_signal(signal.SIGINT)
            assert json.loads(client.recv(WAIT))["type"] == "reconnect"
            with pytest.raises(ConnectionClosed):
                client.recv(WAIT)
            assert client.close_code == 3001
        assert program.wait(WAIT) == 0
    finally:
        program.kill()
        _, errors = program.communicate()
    assert errors == ""


def test_the_walk_through_a_grown_plugin() -> None:
    """The tutorial walks through every module of it, and nothing that it names is gone."""
    page = (ROOT / "docs/plugins.md").read_text()
    walk = page[page.index("## A grown one") : page.index("## What to know")]
    plugin = ROOT / "plugins/sethpusher_auth_jwt"
    files = {path.name for path in plugin.rglob("*.py")} | {"pyproject.toml"}
    named = set(re.findall(r"`([\w.]+\.(?:py|toml))`", walk))
    assert named <= files
    assert {path.name for path in plugin.glob("src/*/*.py")} - {"__init__.py"} <= named
    code = "".join(path.read_text() for path in plugin.glob("src/*/*.py"))
    for name in set(re.findall(r"`([A-Za-z_]{5,})`", walk)) - {"subscriber_id"}:
        assert name in code + (plugin / "pyproject.toml").read_text(), name
