from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sethpusher_core.errors import SettingsError
from sethpusher_core.settings import Resolved, SettingsFile, Unloaded, load_file

Read = Callable[..., Resolved]
Problem = Callable[..., str]


def test_a_file_sets_core_and_plugins(read: Read) -> None:
    resolved = read(
        toml="""
        port = 9000
        log-format = "json"
        [plugins.redis]
        url = "redis://x"
        timeout = "500ms"
        max-body = "2MB"
        ratio = 1
        names = ["a,b", "c"]
        mode = "MANY"
        fast = true
        [plugins.redis.tls]
        ca = "ca.pem"
        [[plugins.redis.keys]]
        name = "one"
        secret = "s"
        """
    )
    core, redis = resolved.of(""), resolved.of("redis")
    assert (core.port, core.log_format) == (9000, "json")
    assert (redis.timeout, redis.max_body, redis.ratio, redis.fast) == (0.5, 2_000_000, 1.0, True)
    assert type(redis.ratio) is float
    assert redis.names == ("a,b", "c")
    assert redis.mode == "many"
    assert redis.tls.ca == "ca.pem"
    assert [(key.name, key.secret.reveal(), key.scopes) for key in redis.keys] == [("one", "s", ("publish",))]
    assert resolved.given("redis") == {"url", "timeout", "max_body", "ratio", "names", "mode", "fast", "tls", "keys"}


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("port = 1\nx y\n", "line 2, column 3"),
        ("port = ", "line 1"),
        ("a = 1\nb = [\n", "line 2"),
        ("port = 1\nport = 2", "line 2"),
        ("x = " + "[" * 5000, "nested too deeply"),
        ("x = " + "9" * 5000, "a number in it is too large"),
        ('x = "a\nb"', "line 1"),
    ],
)
def test_bad_toml_is_named_by_path_and_line(tmp_path: Path, toml: str, words: str) -> None:
    path = tmp_path / "seth.toml"
    path.write_text(toml)
    with pytest.raises(SettingsError) as refused:
        load_file(str(path), "--config")
    text = str(refused.value)
    assert text.startswith(f"file {path} (named by --config) is not TOML: ")
    assert words in text
    assert "\n" not in text


def test_the_wrong_line_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "seth.toml"
    path.write_text('[plugins.redis]\npassword = hunter2\nurl = "redis://:hunter2@x" oops')
    with pytest.raises(SettingsError) as refused:
        load_file(str(path), "--config")
    assert "hunter2" not in str(refused.value)
    assert "line 2" in str(refused.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(SettingsError, match=rf"\(named by environment X\) cannot be read: {reason}"):
            load_file(str(path), "environment X")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_file("a\0b", "--config")


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "seth.toml"
    path.write_bytes(b'host = "a"\nname = "\xff"\n')
    with pytest.raises(SettingsError, match="line 2: is not UTF-8"):
        load_file(str(path), "--config")


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "seth.toml"
    path.write_bytes(b'\xef\xbb\xbfhost = "a"\r\nport = 1\r\n')
    file = load_file(str(path), "--config")
    assert file.table == {"host": "a", "port": 1}
    assert "host" not in repr(file)


@pytest.mark.parametrize(
    ("toml", "refusal"),
    [
        ('port = "9000"', "port ({}): '9000' is not a whole number such as 100; write it without quotes"),
        ("port = 1.5", "port ({}): 1.5 is not a whole number such as 100"),
        ("port = true", "port ({}): true is not a whole number such as 100"),
        ("port = 70000", "port ({}): 70000 is more than 65535, the most allowed"),
        ("port = -1", "port ({}): -1 is less than 0, the least allowed"),
        ("port = 0x" + "f" * 5000, "port ({}): a very large number is out of range: it needs more than 64 bits"),
        ("host = 1", "host ({}): 1 is not text in quotes"),
        ("host = 2020-01-01", "host ({}): 2020-01-01 is not text in quotes"),
        ('debug = "yes"', "debug ({}): 'yes' is neither true nor false; write one of these, without quotes"),
        ("debug = 1", "debug ({}): 1 is neither true nor false; write one of these, without quotes"),
        (
            'logging = "infos"',
            "logging ({}): 'infos' is not one of debug, info, warning, error, none; did you mean info?",
        ),
        ("logging = 5", "logging ({}): 5 is not one of debug, info, warning, error, none"),
        ("hook_timeout = 5", "hook_timeout ({}): 5 has no unit; write one such as 5s (units: ms, s, m, h, d)"),
        ("hook_timeout = nan", "hook_timeout ({}): nan is not a duration such as 5s (units: ms, s, m, h, d)"),
        ("hook_timeout = true", 'hook_timeout ({}): true is not a duration such as "5s"'),
        ('hook_timeout = "-5s"', "hook_timeout ({}): '-5s' is negative; write one such as 5s"),
        ("hook_timeout = 0", "hook_timeout ({}): 0s is less than 1ms, the least allowed"),
        ("outbound_limit = 65536", "outbound_limit ({}): 65536 has no unit; write one such as 1MiB"),
        ('no_plugin = "a"', 'no_plugin ({}): \'a\' is not an array such as ["a", "b"]'),
        ("no_plugin = [1]", "no_plugin[0] ({}): 1 is not text in quotes"),
        ("no_plugin = [['a']]", "no_plugin[0] ({}): an array is not text in quotes"),
        ("channels = 5", "channels ({}): 5 is not an array of tables"),
        ("channels = ['x']", "channels[0] ({}): 'x' is not a table"),
        ("[[channels]]\nhistory = 1", "channels[0].match ({}) is required; add it to its table"),
        ("[[channels]]\nmatch=''", "channels[0].match ({}) is required and may not be empty"),
        ("[[channels]]\nmatch='a'\nhistroy=1", "channels[0].histroy ({}) is unknown; did you mean history?"),
        ("[[channels]]\nmatch='a'\nhistory='1'", "channels[0].history ({}): '1' is not a whole number"),
        ("[[channels]]\nmatch='a'\nhistory=-1", "channels[0].history ({}): -1 is less than 0"),
        (
            "[[channels]]\nmatch='a'\non-slow='drop_oldest'\non_slow='disconnect'",
            "channels[0].on_slow ({}) is given twice",
        ),
        ("config = 'x.toml'", "config ({}) cannot stand in the file; use --config or SETHPUSHER_CONFIG"),
        ("prot = 1", "prot ({}) is unknown; did you mean port?"),
        ("max-body-size = '1B'\nmax_body_size = '2B'", "max_body_size ({}) is given twice, as max-body-size and as"),
        ("plugins = ['redis']", "plugins ({}) holds the plugins' tables, such as [plugins.redis], not an array"),
        ("plugins.redis = 5", "[plugins.redis] ({}) must be a table, not a single value"),
        ("[plugins.redsi]", "[plugins.redsi] ({}): no such plugin is installed; did you mean redis?"),
        ('[plugins.""]', "[plugins.] ({}): no such plugin is installed"),
        ("[redis]\nurl='x'", "redis ({}) is unknown; the settings of a plugin stand in [plugins.redis]"),
        (
            "[plugins.redis]\nmax_body = 1\nmax-body = 2",
            "redis.max_body ({}) is given twice, as max_body and as max-body",
        ),
        ("[plugins.redis]\ndbb = 1", "redis.dbb ({}) is unknown; did you mean db?"),
        ('[plugins.redis]\n"a\\nb" = 1', r"redis.'a\nb' ({}) is unknown"),
        ("[plugins.re-dis]\n[plugins.re_dis]", "plugins.re_dis ({}) is given twice, as re-dis and as re_dis"),
    ],
)
def test_a_refusal_names_key_file_and_remedy(problem: Problem, tmp_path: Path, toml: str, refusal: str) -> None:
    assert problem(toml=toml).startswith(refusal.format(f"file {tmp_path / 'seth.toml'}"))


@pytest.mark.parametrize(
    ("toml", "refusal"),
    [
        ("db = 16", "redis.db ({}): 16 is more than 15"),
        ("ratio = nan", "redis.ratio ({}): nan is not a finite number such as 0.5"),
        ("ratio = inf", "redis.ratio ({}): inf is not a finite number"),
        ("ratio = '1'", "redis.ratio ({}): '1' is not a finite number such as 0.5; write it without quotes"),
        ("ratio = 0x" + "f" * 2000, "redis.ratio ({}): "),
        ("user = 'a b'", "redis.user ({}): 'a b' is refused: may not contain a space"),
        ("tls = 'x'", "redis.tls ({}): a single value is not a table"),
        ("tls = { cert = 'x' }", "redis.tls.cert ({}) is unknown; valid here: ca, password"),
        ("keys = [{ name = 'a', secret = 'b', scopes = [5] }]", "redis.keys[0].scopes[0] ({}): 5 is not text"),
        ("keys = [{ name = 'a', secret = 'b' }, { name = 'c' }]", "redis.keys[1].secret ({}) is required"),
    ],
)
def test_a_refusal_names_the_key_within_a_plugin(problem: Problem, tmp_path: Path, toml: str, refusal: str) -> None:
    text = problem(toml=f"[plugins.redis]\nurl = 'redis://x'\n{toml}")
    assert text.startswith(refusal.format(f"file {tmp_path / 'seth.toml'}"))


def test_settings_of_plugins_that_are_not_loaded(problem: Problem, read: Read, tmp_path: Path) -> None:
    unloaded = Unloaded(
        absent={"auth-jwt": "pip install sethpusher-auth-jwt"},
        blocked={"outbox": "--no-plugin=outbox"},
        broken={"metrics": "no module named prometheus_client"},
    )
    where = f"(file {tmp_path / 'seth.toml'})"
    text = problem(toml="[plugins.auth_jwt]\nkey = 1", unloaded=unloaded)
    assert text == (
        f"[plugins.auth_jwt] {where}: the plugin auth-jwt is not installed; run: pip install sethpusher-auth-jwt"
    )
    text = problem(toml="[plugins.metrics]", unloaded=unloaded)
    assert text.startswith(f"[plugins.metrics] {where}: the plugin metrics cannot be used: no module named")
    assert "--no-plugin=metrics" in text
    assert problem(toml="[auth_jwt]", unloaded=unloaded).endswith(
        "the settings of a plugin stand in [plugins.auth_jwt]"
    )
    ignored = read(toml="[plugins.outbox]\nanything = { env = 'NOT_THERE' }", unloaded=unloaded)
    assert ignored.problems == ()
    assert ignored.warnings == ()


def test_a_long_value_is_shortened(problem: Problem) -> None:
    assert len(problem(toml=f"logging = '{'x' * 10_000}'")) < 300


def test_relative_paths_start_beside_the_file() -> None:
    assert SettingsFile("/etc/seth/seth.toml", {}).folder == "/etc/seth"
    assert SettingsFile("seth.toml", {}).folder == str(Path.cwd())
