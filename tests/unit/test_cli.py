"""The command as an operator meets it: what it answers, what it refuses, in which words and with which exit code."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from support.timing import UNIT

from sethpusher_core.cli import main
from sethpusher_core.errors import SettingsError
from sethpusher_core.plugins.loader import PluginLoader
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings


class Said(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the command without the plugins that happen to be installed; variables by keyword. It never serves."""

    async def started(server: PushServer) -> None:
        raise SettingsError("it would have started")

    monkeypatch.setattr(PushServer, "start", started)
    root, access = logging.getLogger(), logging.getLogger("sethpusher.access")
    for logger in (root, access):  # a start sets up logging for its process, which here goes on
        monkeypatch.setattr(logger, "handlers", [*logger.handlers])
        monkeypatch.setattr(logger, "level", logger.level)
        monkeypatch.setattr(logger, "propagate", logger.propagate)

    def run(*words: str, **variables: str) -> Said:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        code = main(["--no-plugins", "--port=0", *words])
        for name in variables:
            monkeypatch.delenv(name)
        return Said(code, *capsys.readouterr())

    return run


# ------------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["--prot=1"], 2, "--prot is not a flag; did you mean --port?"),
        (["--port=x"], 2, "port (command line): 'x' is not a whole number such as 100"),
        (["--json"], 2, "--json goes with --list-plugins"),
        (
            ["--trusted-proxies=10.0.0.0/8,abc"],
            2,
            "trusted_proxies (command line): its value is refused: 'abc' does not ",
        ),
        (["--origins=https://"], 2, "origins (command line): its value is refused: not an origin: 'https://' ("),
        (
            ["--disabled-transports=xhrr"],
            2,
            "disabled_transports (command line): its value is refused: xhrr is none of websocket, ",
        ),
        (["--no-plugin=memory"], 3, "no_plugin (command line): memory is built in and cannot be switched off"),
        (["--no-plugin=nobody"], 3, "no_plugin (command line): no plugin nobody is installed; "),
        (["--backend=memroy"], 3, "backend (command line): no plugin offers memroy; did you mean memory?"),
        (["--backend=reddis"], 3, "backend (command line): no plugin offers reddis; did you mean redis?"),
        (
            ["--backend=redis"],
            3,
            "backend (command line): redis is switched off by --no-plugins; remove one of the two",
        ),
        (["--app=nonsense"], 3, "app (command line): 'nonsense' is no dotted name; write package.module.Class"),
        (["--app=no_such_module.X"], 3, "app (command line): no_such_module.X: there is no module no_such_module; "),
        (["--config=/nowhere.toml"], 3, "file /nowhere.toml (named by --config) cannot be read: No such file"),
        (["--config=/dev/zero"], 3, "file /dev/zero (named by --config) is larger than 16MiB, "),
    ],
)
@pytest.mark.parametrize("after", [[], ["check"]], ids=["serve", "check"])
def test_refused_in_one_line(command: Command, after: list[str], words: list[str], code: int, line: str) -> None:
    """Whether it is to serve or to check: what would not start is refused by both, in the same words."""
    said = command(*words, *after)
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith(f"seth-pusher: {line}")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["chekc"], 2, "no command 'chekc'; did you mean check?"),
        (["check", "this"], 2, "check takes no words; 'this' is one too many"),
        (["explain"], 2, "explain: write seth-pusher explain channel NAME, or explain access "),
        (["explain", "channel"], 2, "explain channel: write seth-pusher explain channel NAME, or "),
    ],
)
def test_a_wrong_command(command: Command, words: list[str], code: int, line: str) -> None:
    said = command(*words)
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith(f"seth-pusher: {line}")
    assert said.err.count("\n") == 1


def test_a_refusal_names_the_source_wherever_that_is(command: Command, tmp_path: Path) -> None:
    said = command(SETHPUSHER_BACKEND="memroy")
    assert said.err == (
        "seth-pusher: backend (environment SETHPUSHER_BACKEND): no plugin offers memroy; did you mean memory?\n"
    )
    path = tmp_path / "seth.toml"
    path.write_text('plugin_order = ["nobody"]\n')
    said = command("check", f"--config={path}")
    assert said.err.startswith(f"seth-pusher: plugin_order (file {path}): no plugin nobody is installed; ")
    path.write_text('host = "no address"\n')
    said = command(f"--config={path}", "--port=0")
    assert (said.code, said.err.splitlines()[-1]) == (
        3,
        f"seth-pusher: host (file {path}): 'no address' is no address of this machine; 127.0.0.1 or 0.0.0.0 will do",
    )


# -------------------------------------------------------------------------------------------------------------- answers


def test_the_list_of_plugins(command: Command) -> None:
    said = command("--list-plugins", "--json")
    assert (said.code, said.err) == (0, "")
    rows = {row["name"]: row for row in json.loads(said.out)}
    assert rows["memory"]["status"] == "active"
    assert {row["status"] for row in rows.values() if row["distribution"] != "sethpusher-core"} <= {"disabled"}


def test_explain_channel(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "seth.toml"
    path.write_text('[[channels]]\nmatch = "a.*"\n[[channels]]\nmatch = "news.*"\nhistory = 9\nhistory_age = "90s"\n')
    said = command("explain", "channel", "news.one", f"--config={path}")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "'news.one' goes by channels[1], match = \"news.*\": the first that matches, after 1 that does not",
        '  match = "news.*"',
        "  history = 9",
        '  history_age = "90s"',
        '  history_bytes = "4MiB"',
        "  presence = false",
        "  announce = true",
        '  subscribe = "anyone"',
        '  publish = "nobody"',
        '  presence_read = "anyone"',
        '  history_read = "anyone"',
        '  on_slow = "disconnect"',
    ]


# ---------------------------------------------------------------------------------------------------------------- check


def test_check_says_what_would_run(command: Command) -> None:
    said = command("check")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "backend: memory"
    assert "  memory 1.0.0: active" in lines
    assert "  dispatch: client_messages, seed_messages" in lines
    assert lines[-1] == "ok"


def test_check_lists_every_problem(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "seth.toml"
    path.write_text('prot = 1\ndebug = "maybe"\n[[channels]]\nmatch = "a"\nhistroy = 3\n[plugins.nobody]\nx = 1\n')
    said = command("check", f"--config={path}", SETHPUSHER_MAX_SESSIONS="many")
    assert (said.code, said.out) == (3, "")
    wanted = [
        f"prot (file {path}) is unknown; did you mean port?",
        f"[plugins.nobody] (file {path}): no such plugin is installed",
        f"debug (file {path}): 'maybe' is neither true nor false; write one of these, without quotes",
        "max_sessions (environment SETHPUSHER_MAX_SESSIONS): 'many' is not a whole number such as 100",
        f"channels[0].histroy (file {path}) is unknown; did you mean history?",
    ]
    for line, words in zip(said.err.splitlines(), wanted, strict=True):
        assert line.startswith(f"seth-pusher: {words}")


def test_check_warns_of_rules_that_never_hold(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "seth.toml"
    path.write_text('[[channels]]\nmatch = "a*"\n[[channels]]\nmatch = "ab"\n')
    said = command("check", f"--config={path}")
    assert said.code == 0
    assert "warning: channels[1] is never used: channels[0] matches all that it does" in said.out.splitlines()


class Application:
    """As ``--app`` takes it."""

    made = 0

    @classmethod
    def for_server(cls, settings: CoreSettings) -> PushServer:
        cls.made += 1
        return PushServer(settings)


def test_check_makes_the_application(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    said = command("check", "--app=test_cli.Application")
    assert (said.code, said.err) == (0, "")
    import test_cli  # type: ignore[import-not-found]

    assert test_cli.Application.made == 1


# ---------------------------------------------------------------------------------------------------------- show-config


def test_show_config_needs_no_plugin_to_be_made(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for when one cannot be made, too."""

    def activate(*_: object) -> None:
        raise AssertionError("a plugin was made")

    monkeypatch.setattr(PluginLoader, "activate", activate)
    said = command("--show-config", SETHPUSHER_HOST="::1")
    assert (said.code, said.err) == (0, "")
    assert 'host = "::1"   # environment SETHPUSHER_HOST' in said.out.splitlines()


# --------------------------------------------------------------------------------------------------- in rare situations


def test_verbose_shows_where_a_refusal_came_from(command: Command) -> None:
    said = command("--verbose", "--backend=memroy")
    assert said.code == 3
    assert said.err.startswith("Traceback (most recent call last):\n")
    assert "_refuse_backend" in said.err
    assert said.err.splitlines()[-1].startswith("seth-pusher: backend (command line): no plugin offers memroy")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_read_enough(unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "sethpusher_core", "--no-plugins", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=4 * UNIT,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
