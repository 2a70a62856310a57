from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass

import pytest

from sethpusher_core.errors import SettingsError
from sethpusher_core.settings import Component, Resolved, Secret, Sources, resolve, setting

Read = Callable[..., Resolved]
Problem = Callable[..., str]


def test_file_below_environment_below_command_line(read: Read) -> None:
    resolved = read(
        "--host=c",
        toml="host = 'a'\nport = 1\nlogging = 'error'",
        environ={"SETHPUSHER_HOST": "b", "SETHPUSHER_PORT": "2"},
    )
    core = resolved.of("")
    assert (core.host, core.port, core.logging) == ("c", 2, "error")
    sources = {key: resolved.provenance["", key].source for key in ("host", "port", "debug")}
    assert sources == {"host": "command line", "port": "environment SETHPUSHER_PORT", "debug": "default"}
    assert resolved.provenance["", "logging"].source.startswith("file ")
    assert resolved.given("") == {"host", "port", "logging"}


def test_a_value_that_is_overridden_need_not_be_right(read: Read) -> None:
    assert read("--port=1", toml="port = 'x'", environ={"SETHPUSHER_PORT": "y"}).of("").port == 1


def test_nothing_is_read_but_the_sources(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETHPUSHER_PORT", "1")
    monkeypatch.setattr("sys.argv", ["seth-pusher", "--port=2"])
    assert read().of("").port == 8080


def test_without_any_of_its_settings_a_plugin_is_available(read: Read) -> None:
    resolved = read()
    assert resolved.of("redis") is None
    assert resolved.given("redis") == frozenset()
    assert resolved.missing("redis") == ("redis.url",)
    assert resolved.provenance["redis", "url"].value is MISSING
    assert resolved.missing("") == ()


def test_with_some_but_not_all_the_start_is_refused(problem: Problem) -> None:
    text = problem("--redis-timeout=1s")
    assert text == (
        "redis.url is required, because redis.timeout is set (command line); "
        "set SETHPUSHER_REDIS__URL or url in [plugins.redis] of the settings file"
    )


def test_a_plugin_chosen_by_name_has_its_chosen_default(read: Read) -> None:
    resolved = read(chosen={"redis"})
    assert resolved.of("redis").url == Secret("redis://localhost:6379")
    assert resolved.of("redis").timeout == 5.0
    assert resolved.given("redis") == frozenset()
    assert "chosen by name" in resolved.provenance["redis", "url"].source
    assert read(chosen={"redis"}, environ={"SETHPUSHER_REDIS__URL": "x"}).of("redis").url.reveal() == "x"


@dataclass(frozen=True, slots=True)
class Bare:
    api_url: str
    limit: int = 5


def test_a_field_without_default_is_required(read: Read, problem: Problem) -> None:
    bare = Component("auth-bare", Bare)
    assert read(components=(bare,)).of("auth_bare") is None
    resolved = read("--auth-bare-api-url=x", components=(bare,))
    assert resolved.of("auth-bare") == Bare("x")
    assert resolved.given("auth-bare") == {"api_url"}
    text = problem(chosen={"auth-bare"}, components=(bare,))
    assert text.startswith(
        "auth_bare.api_url is required, because auth_bare is chosen by name; set SETHPUSHER_AUTH_BARE__"
    )
    assert problem("--auth-bare-api-url=", components=(bare,)).endswith("is required and may not be empty")


@dataclass(frozen=True, slots=True)
class Either:
    keys: tuple[str, ...] = setting((), required="keys")
    keys_file: str | None = setting(None, required="keys")
    header: str = "X-Key"


def test_one_of_a_group_is_enough(read: Read, problem: Problem) -> None:
    either = (Component("either", Either),)
    assert read(components=either).of("either") is None
    assert read(components=either).missing("either") == ("either.keys or either.keys_file",)
    assert read("--either-keys-file=x", components=either).of("either").keys_file == "x"
    assert read("--either-keys=x", components=either).of("either").keys == ("x",)
    text = problem("--either-header=x", components=either)
    assert text.startswith(
        "either.keys or either.keys_file is required, because either.header is set (command line); set"
    )
    assert "is required and may not be empty" in problem("--either-keys=", components=either)
    text = problem("--either-keys-file=", components=either)
    assert "is required, because either.keys_file is empty (command line); set" in text


def test_a_plugin_without_settings_is_active(read: Read, problem: Problem) -> None:
    plain = (Component("plain", owner="plain 1"),)
    assert read(components=plain).of("plain") is not None
    assert problem(toml="[plugins.plain]\nx = 1", components=plain).endswith("is unknown; plain 1 has no settings")
    assert read(toml="[plugins.plain]", components=plain).problems == ()


@dataclass(frozen=True, slots=True)
class Crossed:
    low: int = 0
    high: int = 10

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low must not be above high")
        if self.high > 100:
            raise RuntimeError("odd")


def test_what_a_declaration_says_of_its_fields_together(problem: Problem) -> None:
    text = problem("--crossed-low=11", components=(Component("crossed", Crossed),))
    assert text == "crossed (command line): low must not be above high"
    text = problem("--crossed-high=101", components=(Component("crossed", Crossed),))
    assert text == "crossed (command line): RuntimeError: odd"


def test_every_problem_is_found_in_one_go(read: Read) -> None:
    resolved = read(
        "--prot=1",
        toml="hots = 'x'\nlogging = 'x'",
        environ={"SETHPUSHER_PORT": "x", "SETHPUSHER_REDIS__DB": "x"},
        strict=False,
    )
    assert [problem.usage for problem in resolved.problems] == [False, True, False, False, False]
    assert resolved.of("") is None
    assert resolved.of("redis") is None
    assert resolved.missing("") == ()
    assert ("", "port") not in resolved.provenance


def test_components_that_do_not_exist(read: Read) -> None:
    for call in (read().of, read().given, read().missing):
        with pytest.raises(KeyError):
            call("nobody")


def test_a_check_that_breaks_is_told_beside_its_key(problem: Problem) -> None:
    def broken(value: object) -> str | None:
        raise LookupError("oh\nno")

    @dataclass(frozen=True, slots=True)
    class Settings:
        x: int | None = setting(None, check=broken)

    text = problem("--p-x=5", components=(Component("p", Settings),))
    assert text == "p.x (command line): 5 is refused: its check raised LookupError: oh no"


def test_the_core_alone(core: Component) -> None:
    resolved = resolve([core], Sources())
    assert resolved.of("").port == 8080
    with pytest.raises(SettingsError, match="both have settings under the name of the core"):
        resolve([core, core], Sources())
