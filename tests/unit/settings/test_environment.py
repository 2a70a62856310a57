from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sethpusher_core.settings import Component, Resolved, Unloaded

Read = Callable[..., Resolved]
Problem = Callable[..., str]


def test_variables_set_core_and_plugins(read: Read) -> None:
    resolved = read(
        environ={
            "SETHPUSHER_PORT": "9000",
            "SETHPUSHER_DEBUG": "Yes",
            "SETHPUSHER_REDIS__URL": "redis://x",
            "SETHPUSHER_REDIS__MAX_BODY": "2MiB",
            "SETHPUSHER_REDIS__NAMES": "a, b,,c,",
            "SETHPUSHER_REDIS__POOL": "5",
            "OTHER": "x",
            "sethpusher_port": "1",
        }
    )
    core, redis = resolved.of(""), resolved.of("redis")
    assert (core.port, core.debug) == (9000, True)
    assert (redis.url.reveal(), redis.max_body, redis.names, redis.pool) == ("redis://x", 2 << 20, ("a", "b", "c"), 5)
    assert resolved.warnings == ()
    assert resolved.provenance["redis", "max_body"].source == "environment SETHPUSHER_REDIS__MAX_BODY"


@pytest.mark.parametrize("word", ["true", "TRUE", "yes", "on", "1", " true "])
def test_words_for_true(read: Read, word: str) -> None:
    assert read(environ={"SETHPUSHER_DEBUG": word}).of("").debug is True


@pytest.mark.parametrize("word", ["false", "False", "no", "off", "0"])
def test_words_for_false(read: Read, word: str) -> None:
    assert read(toml="debug = true", environ={"SETHPUSHER_DEBUG": word}).of("").debug is False


@pytest.mark.parametrize(
    ("variable", "text", "why"),
    [
        ("DEBUG", "maybe", "debug (environment SETHPUSHER_DEBUG): 'maybe' is neither true nor false"),
        ("DEBUG", "2", "debug (environment SETHPUSHER_DEBUG): '2' is neither true nor false"),
        ("DEBUG", "", "debug (environment SETHPUSHER_DEBUG): '' is neither true nor false"),
        ("PORT", "", "port (environment SETHPUSHER_PORT): '' is not a whole number"),
        ("PORT", "80 80", "port (environment SETHPUSHER_PORT): '80 80' is not a whole number"),
        ("PORT", "9" * 5000, "port (environment SETHPUSHER_PORT): '999"),
        ("PORT", "9" * 30, "port (environment SETHPUSHER_PORT): '9999"),
        ("PORT", "8_0", "port (environment SETHPUSHER_PORT): '8_0' is not a whole number"),
        ("PORT", "٨٠", "port (environment SETHPUSHER_PORT): '٨٠' is not a whole number"),
        ("HOST", "\udcff", "host (environment SETHPUSHER_HOST) is not UTF-8 text"),
        ("HOOK_TIMEOUT", "5", "hook_timeout (environment SETHPUSHER_HOOK_TIMEOUT): '5' has no unit"),
        ("HOOK_TIMEOUT", "nan", "hook_timeout (environment SETHPUSHER_HOOK_TIMEOUT): 'nan' is not a duration"),
        ("REDIS__RATIO", "nan", "redis.ratio (environment SETHPUSHER_REDIS__RATIO): 'nan' is not a finite number"),
        (
            "REDIS__RATIO",
            "-1e999",
            "redis.ratio (environment SETHPUSHER_REDIS__RATIO): '-1e999' is not a finite number",
        ),
        (
            "REDIS__MODE",
            "mny",
            "redis.mode (environment SETHPUSHER_REDIS__MODE): 'mny' is not one of one, many; did you",
        ),
        ("REDIS__USER", "a b", "redis.user (environment SETHPUSHER_REDIS__USER): 'a b' is refused"),
        ("CHANNELS", "x", "channels (environment SETHPUSHER_CHANNELS) is a table, which a variable cannot hold"),
    ],
)
def test_a_refusal_names_key_and_variable(problem: Problem, variable: str, text: str, why: str) -> None:
    assert problem(environ={f"SETHPUSHER_{variable}": text}, chosen={"redis"}).startswith(why)


def test_a_huge_number_does_not_fill_the_screen(problem: Problem) -> None:
    assert len(problem(environ={"SETHPUSHER_PORT": "9" * 100_000})) < 200


def test_an_empty_variable_is_an_empty_text_list_or_none(read: Read) -> None:
    resolved = read(
        toml="host = 'a'\nstate_dir = 'b'\nno_plugin = ['c']\nload_plugins = ['d']",
        environ={f"SETHPUSHER_{name}": "" for name in ("HOST", "STATE_DIR", "NO_PLUGIN", "LOAD_PLUGINS")},
    )
    core = resolved.of("")
    assert (core.host, core.state_dir, core.no_plugin, core.load_plugins) == ("", None, (), ())
    assert resolved.given("") == {"host", "state_dir", "no_plugin", "load_plugins"}


def test_an_unknown_variable_warns_with_the_nearest(read: Read) -> None:
    resolved = read(environ={"SETHPUSHER_PROT": "secret-value", "SETHPUSHER_REDIS__ULR": "x", "SETHPUSHER_Zzz": ""})
    assert resolved.warnings == (
        "environment SETHPUSHER_PROT is unknown and ignored; did you mean SETHPUSHER_PORT?",
        "environment SETHPUSHER_REDIS__ULR is unknown and ignored; did you mean SETHPUSHER_REDIS__URL?",
        "environment SETHPUSHER_Zzz is unknown and ignored",
    )
    assert resolved.given("redis") == frozenset()


def test_an_action_is_no_variable(read: Read) -> None:
    resolved = read(environ={"SETHPUSHER_VERSION": "1"})
    assert resolved.actions == frozenset()
    assert "SETHPUSHER_VERSION is unknown" in resolved.warnings[0]


def test_what_kubernetes_injects_is_ignored_with_one_warning(read: Read) -> None:
    resolved = read(
        environ={
            "SETHPUSHER_PORT": "tcp://10.0.0.1:8080",
            "SETHPUSHER_PORT_8080_TCP": "tcp://10.0.0.1:8080",
            "SETHPUSHER_PORT_8080_TCP_ADDR": "10.0.0.1",
            "SETHPUSHER_PORT_8080_TCP_PORT": "8080",
            "SETHPUSHER_PORT_8080_TCP_PROTO": "tcp",
            "SETHPUSHER_SERVICE_HOST": "10.0.0.1",
            "SETHPUSHER_SERVICE_PORT": "8080",
            "SETHPUSHER_SERVICE_PORT_HTTP": "8080",
            "SETHPUSHER_REDIS_PORT": "tcp://10.0.0.2:6379",
            "SETHPUSHER_REDIS_SERVICE_HOST": "10.0.0.2",
        }
    )
    assert resolved.of("").port == 8080
    assert resolved.provenance["", "port"].source == "default"
    assert "port" not in resolved.given("")
    [warning] = resolved.warnings
    assert warning.startswith(
        "ignored SETHPUSHER_PORT, SETHPUSHER_PORT_8080_TCP, SETHPUSHER_PORT_8080_TCP_ADDR and 7 more"
    )
    assert "Kubernetes" in warning


def test_a_setting_whose_name_looks_like_a_service_still_counts(read: Read) -> None:
    @dataclass(frozen=True, slots=True)
    class Proxy:
        service_host: str = ""
        port: str = ""

    resolved = read(
        environ={"SETHPUSHER_PROXY__SERVICE_HOST": "x", "SETHPUSHER_PROXY__PORT": "tcp://y"},
        components=(Component("proxy", Proxy),),
    )
    assert (resolved.of("proxy").service_host, resolved.of("proxy").port) == ("x", "tcp://y")


def test_both_spellings_of_one_variable_are_refused(problem: Problem) -> None:
    text = problem(environ={"SETHPUSHER_LOG_FORMAT": "json", "SETHPUSHER_LOG-FORMAT": "text"})
    assert text == "log_format is given twice, as SETHPUSHER_LOG-FORMAT and as SETHPUSHER_LOG_FORMAT"


def test_variables_of_plugins_that_are_not_loaded(problem: Problem, read: Read) -> None:
    unloaded = Unloaded({"jwt": "pip install x"}, {"outbox": "--no-plugin=outbox"}, {"metrics": "broken"})
    text = problem(environ={"SETHPUSHER_JWT__KEY": "k"}, unloaded=unloaded)
    assert text == "environment SETHPUSHER_JWT__KEY: the plugin jwt is not installed; run: pip install x"
    assert "the plugin metrics cannot be used: broken" in problem(
        environ={"SETHPUSHER_METRICS__X": ""}, unloaded=unloaded
    )
    resolved = read(environ={"SETHPUSHER_OUTBOX__X": "1"}, unloaded=unloaded)
    assert resolved.warnings == ()
