from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sethpusher_core.errors import SettingsError, UsageError
from sethpusher_core.settings import Registry, Resolved, Unloaded, core_component, read_switches
from sethpusher_core.settings.commandline import split

Read = Callable[..., Resolved]
Problem = Callable[..., str]


@pytest.mark.parametrize(
    ("argv", "key", "value"),
    [
        (["--debug"], "debug", True),
        (["--debug=true"], "debug", True),
        (["--debug=false"], "debug", False),
        (["-debug"], "debug", True),
        (["--debug", "--debug=no"], "debug", False),
        (["--port=8003"], "port", 8003),
        (["--port", "8003"], "port", 8003),
        (["--port=1", "--port=2"], "port", 2),
        (["--logging=debug"], "logging", "debug"),
        (["--logging=DEBUG"], "logging", "debug"),
        (["--log_format=json"], "log_format", "json"),
        (["--log-format=json"], "log_format", "json"),
        (["--no-plugin=a", "--no_plugin=b,c", "--no-plugin", "d"], "no_plugin", ("a", "b", "c", "d")),
        (["--load-plugins="], "load_plugins", ()),
        (["--app=a=b"], "app", "a=b"),
        (["--host=", "--port=1"], "host", ""),
        (["--port=1", "--", "--port=2"], "port", 1),
    ],
)
def test_flag_forms(read: Read, argv: list[str], key: str, value: object) -> None:
    resolved = read(*argv)
    assert getattr(resolved.of(""), key) == value
    assert resolved.provenance["", key].source == "command line"


def test_flags_of_plugins(read: Read) -> None:
    resolved = read(
        "--redis-timeout=2s", "--redis-max-body", "3MB", "--redis-fast", environ={"SETHPUSHER_REDIS__URL": "x"}
    )
    redis = resolved.of("redis")
    assert (redis.timeout, redis.max_body, redis.fast) == (2.0, 3_000_000, True)


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--port"], "--port needs a value: --port=NUMBER"),
        (["--port", "--debug"], "--port needs a value: --port=NUMBER"),
        (["--port", "-5"], "port (command line): -5 is less than 0"),
        (["--port="], "port (command line): '' is not a whole number"),
        (["--port=-5"], "port (command line): -5 is less than 0"),
        (["--port=99999999999999999999"], "port (command line): '99999999999999999999' is out of range"),
        (["--debug=maybe"], "debug (command line): 'maybe' is neither true nor false"),
        (["--version=maybe"], "--version: 'maybe' is neither true nor false"),
        (["--hook-timeout=-5s"], "hook_timeout (command line): '-5s' is negative"),
        (["--host=\udcff"], "host (command line) is not UTF-8 text"),
        (["--prot=1"], "--prot is not a flag; did you mean --port?"),
        (["--qqqqqq"], "--qqqqqq is not a flag; --help lists all flags"),
        (["-p", "8003"], "-p is not a flag"),
        (["--a\nb"], r"'--a\nb' is not a flag"),
        (["--channels=x"], "--channels is no flag: channels is a table; set channels in the top of the settings file"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(read: Read, problem: Problem, argv: list[str], why: str) -> None:
    assert problem(*argv).startswith(why)
    with pytest.raises(UsageError) as refused:
        read(*argv)
    assert refused.value.exit_code == 2


def test_a_secret_has_no_flag_and_is_not_repeated(problem: Problem) -> None:
    for argv in (["--redis-url=redis://:hunter2@x"], ["--redis-url", "redis://:hunter2@x"]):
        text = problem(*argv)
        assert text.startswith("--redis-url is no flag: redis.url is a secret")
        assert "SETHPUSHER_REDIS__URL or url in [plugins.redis] of the settings file" in text
        assert "hunter2" not in text
    assert "hunter2" not in problem("--redis-urll=hunter2")


def test_a_secret_is_never_proposed_as_a_flag(problem: Problem) -> None:
    assert problem("--redis-ur") == "--redis-ur is not a flag; did you mean --redis-user?"


def test_flags_of_plugins_that_are_not_loaded(problem: Problem) -> None:
    unloaded = Unloaded(
        {"auth_jwt": "pip install sethpusher-auth-jwt", "auth": "pip install a", "red": "pip install red"},
        {"outbox": "--no-plugins"},
        {"metrics": "no module named x"},
    )
    assert problem("--auth-jwt-key=hunter2", unloaded=unloaded) == (
        "--auth-jwt-key: the plugin auth_jwt is not installed; run: pip install sethpusher-auth-jwt"
    )
    assert problem("--redis-dbb=1", unloaded=unloaded) == "--redis-dbb is not a flag; did you mean --redis-db?"
    assert problem("--red-is=1", unloaded=unloaded) == "--red-is: the plugin red is not installed; run: pip install red"
    assert "the plugin auth is not installed" in problem("--auth_x=1", unloaded=unloaded)
    assert problem("--outbox-rows=1", unloaded=unloaded) == (
        "--outbox-rows: the plugin outbox is switched off by --no-plugins; remove one of the two"
    )
    assert "the plugin metrics cannot be used: no module named x" in problem("--metrics-path=/", unloaded=unloaded)


def test_the_sub_command_and_what_is_left_to_it(read: Read) -> None:
    resolved = read(
        "--debug", "explain", "channel", "news", "--user=U", "-x", "--port=1", "--json", "--", "--host=a", "b"
    )
    assert resolved.command == "explain"
    assert resolved.rest == ("channel", "news", "--user=U", "-x", "--host=a", "b")
    assert resolved.of("").port == 1
    assert resolved.of("").host == "127.0.0.1"
    assert resolved.actions == {"json"}


def test_no_sub_command(read: Read) -> None:
    resolved = read("--debug", "--version")
    assert resolved.command is None
    assert resolved.rest == ()
    assert resolved.actions == {"version"}
    assert read("--", "check", "x").command == "check"
    assert read("-").command == "-"


@pytest.mark.parametrize(
    ("argv", "actions"),
    [
        (["-h"], {"help"}),
        (["--list_plugins", "--json"], {"list_plugins", "json"}),
        (["--version=true"], {"version"}),
        (["--version", "--version=false"], set()),
    ],
)
def test_actions(read: Read, argv: list[str], actions: set[str]) -> None:
    assert read(*argv).actions == actions


def test_the_command_line_is_told_before_anything_else(read: Read) -> None:
    with pytest.raises(UsageError, match=r"^--prot is not a flag; did you mean --port\? \(2 more: `seth-pusher check`"):
        read("--prot", environ={"SETHPUSHER_PORT": "x", "SETHPUSHER_HOOK_TIMEOUT": "x"})
    with pytest.raises(SettingsError) as refused:
        read(environ={"SETHPUSHER_PORT": "x"})
    assert refused.value.exit_code == 3
    assert "more" not in str(refused.value)


WORDS = st.lists(st.sampled_from(["--debug", "--port=1", "-debug", "--nope", "--nope=1", "-", "--", "word", "", "-1"]))


@given(WORDS)
def test_no_word_of_a_command_line_is_lost(argv: list[str]) -> None:
    words = split(argv, Registry([core_component()]))
    kept = len(words.flags) + len(words.unknown) + len(words.rest) + (words.command is not None)
    assert kept + ("--" in argv) == len(argv)


@given(WORDS)
def test_the_first_reading_takes_any_command_line(argv: list[str]) -> None:
    assert read_switches(core_component(), argv, {}).sources.argv == tuple(argv)
