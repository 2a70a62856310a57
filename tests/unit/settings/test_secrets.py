from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sethpusher_core.errors import SettingsError
from sethpusher_core.settings import Component, Resolved, Secret, setting, show_config

Read = Callable[..., Resolved]
Problem = Callable[..., str]
TOLD = "hunter2"


def redis(line: str) -> str:
    return f"[plugins.redis]\n{line}\n"


def test_references_are_followed_at_any_depth(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{TOLD}\n")
    resolved = read(
        toml=f"""
        host = {{ env = "BIND" }}
        no_plugin = [{{ env = "BIND" }}, "x"]
        [plugins.redis]
        url = {{ file = "{tmp_path}/secret" }}
        tls = {{ password = {{ env = "PW" }} }}
        keys = [{{ name = {{ env = "BIND" }}, secret = {{ file = "secret" }}, scopes = [{{ env = "PW" }}] }}]
        """,
        environ={"BIND": "0.0.0.0", "PW": TOLD},
    )
    core, plugin = resolved.of(""), resolved.of("redis")
    assert core.host == "0.0.0.0"
    assert core.no_plugin == ("0.0.0.0", "x")
    assert plugin.url == plugin.tls.password == plugin.keys[0].secret == Secret(TOLD)
    assert plugin.keys[0].scopes == (TOLD,)
    assert resolved.provenance["redis", "url"].source.endswith(f"seth.toml via file {tmp_path}/secret")
    assert resolved.provenance["", "host"].source.endswith("seth.toml via environment BIND")


def test_what_came_by_reference_is_shown_nowhere(read: Read) -> None:
    resolved = read(
        toml=redis(
            "url = { env = 'PW' }\nuser = { env = 'PW' }\n"
            "keys = [{ name = 'a', secret = 'other', scopes = [{ env = 'PW' }] }]\ntls = { password = 'other' }"
        ),
        environ={"PW": TOLD},
    )
    assert resolved.of("redis").user == TOLD
    shown = "\n".join(show_config(resolved)) + repr(resolved) + repr(resolved.provenance)
    assert TOLD not in shown
    assert "other" not in shown
    assert 'user = "***"' in shown


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"hunter2\n\n", "hunter2"),
        (b" hunter2 \n", " hunter2 "),
        (b"one\ntwo\n", "one\ntwo"),
        ("schlüssel\n".encode(), "schlüssel"),
    ],
)
def test_only_line_ends_at_the_end_are_no_part_of_a_secret(
    read: Read, tmp_path: Path, content: bytes, secret: str
) -> None:
    (tmp_path / "s").write_bytes(content)
    assert read(toml=redis("url = { file = 's' }")).of("redis").url.reveal() == secret


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{ env = 'GONE' }", "environment GONE, which it refers to, is not set"),
        ("{ env = 'EMPTY' }", "environment EMPTY, which it refers to, is empty"),
        ("{ env = 'BYTES' }", "environment BYTES, which it refers to, is not UTF-8 text"),
        ("{ file = 'gone' }", "file gone, which it refers to, cannot be read: No such file"),
        ("{ file = '.' }", "file ., which it refers to, cannot be read: Is a directory"),
        ("{ file = 'empty' }", "file empty, which it refers to, is empty"),
        ("{ file = 'latin' }", "file latin, which it refers to, is not UTF-8 text"),
        ("{ file = 'large' }", "file large, which it refers to, is larger than 64 KiB"),
        ('{ file = "a\\u0000b" }', r"file 'a\x00b', which it refers to, cannot be read: not a valid path"),
        ("{ env = '' }", "env = '' must name a variable"),
        ("{ file = 5 }", "file = 5 must name a file"),
        ("{}", 'a table here must be { env = "NAME" } or { file = "/path" }'),
        ("{ env = 'A', file = 'b' }", "a table here must be"),
        ("{ env = 'A', default = 'hunter2' }", "a table here must be"),
        ("{ vault = 'hunter2' }", "a table here must be"),
        ("''", "is empty"),
        ("5", "must be text in quotes, or { env"),
        ("['hunter2']", "must be text in quotes, or { env"),
    ],
)
def test_a_missing_secret_is_an_error_that_names_key_and_source(
    problem: Problem, tmp_path: Path, line: str, why: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "latin").write_bytes(b"hunter2\xff")
    (tmp_path / "large").write_bytes(b"hunter2" * 20_000)
    text = problem(toml=redis(f"url = {line}"), environ={"EMPTY": "", "BYTES": "hunter2\udcff"})
    assert text.startswith(f"redis.url (file {tmp_path / 'seth.toml'})")
    assert why in text
    assert TOLD not in text


def test_a_secret_device_does_not_fill_the_memory(problem: Problem) -> None:
    assert "larger than 64 KiB" in problem(toml=redis("url = { file = '/dev/zero' }"))


def test_a_reference_deep_inside_is_named_by_its_whole_path(problem: Problem) -> None:
    text = problem(toml=redis("url='x'\nkeys = [{ name = 'a', secret = 'b' }, { name = 'c', secret = { env = 'X' } }]"))
    assert text.startswith("redis.keys[1].secret (file ")
    assert "environment X, which it refers to, is not set" in text


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("keys = 'hunter2'", "a single value is not an array of tables"),
        ("keys = ['hunter2']", "a single value is not a table"),
        ("keys = { secret = 'hunter2' }", "a table is not an array of tables"),
        ("tls = 'hunter2'", "a single value is not a table"),
        ("tls = ['hunter2']", "an array is not a table"),
    ],
)
def test_a_secret_in_the_place_of_its_table_is_not_shown(problem: Problem, line: str, why: str) -> None:
    text = problem(toml=redis(f"url = 'x'\n{line}"))
    assert why in text
    assert TOLD not in text


def test_a_reference_is_for_texts_only(problem: Problem) -> None:
    assert "a table is not a whole number" in problem(toml="port = { env = 'PORT' }", environ={"PORT": "1"})


def test_a_secret_of_the_environment(read: Read, problem: Problem) -> None:
    assert read(environ={"SETHPUSHER_REDIS__URL": TOLD}).of("redis").url.reveal() == TOLD
    text = problem(environ={"SETHPUSHER_REDIS__URL": ""})
    assert text == "redis.url (environment SETHPUSHER_REDIS__URL) is empty; unset it, or set it to the secret"
    text = problem(environ={"SETHPUSHER_REDIS__URL": f"{TOLD}\udcff"})
    assert text == "redis.url (environment SETHPUSHER_REDIS__URL) is not UTF-8 text"


def test_a_mapping_of_secrets(read: Read, problem: Problem) -> None:
    @dataclass(frozen=True, slots=True)
    class Http:
        headers: Mapping[str, Secret] = setting({})

    http = Component("http", Http)
    resolved = read(
        toml='[plugins.http.headers]\nX-Key = { env = "PW" }\n"a b" = "other"\nenv = "third"',
        environ={"PW": TOLD},
        components=(http,),
    )
    headers = resolved.of("http").headers
    assert {name: secret.reveal() for name, secret in headers.items()} == {
        "X-Key": TOLD,
        "a b": "other",
        "env": "third",
    }
    [line] = [line for line in show_config(resolved) if line.startswith("headers")]
    assert line.startswith('headers = { X-Key = "***", "a b" = "***", env = "***" }')
    text = problem(toml="[plugins.http]\nheaders = { A = { env = 'GONE' } }", components=(http,))
    assert text.startswith("http.headers.A (file ")
    assert TOLD not in problem(toml=f"[plugins.http]\nheaders = '{TOLD}'", components=(http,))


def refuse_loudly(value: Secret) -> str | None:
    raise RuntimeError(f"cannot parse {value.reveal()}")


def refuse(value: Secret) -> str | None:
    return f"{value.reveal()} is too short"


def refuse_discreetly(value: Secret) -> str | None:
    return "is too\nshort"


@dataclass(frozen=True, slots=True)
class Loud:
    token: Secret | None = setting(None, check=refuse_loudly)


@dataclass(frozen=True, slots=True)
class Telling:
    token: Secret | None = setting(None, check=refuse)


@dataclass(frozen=True, slots=True)
class Discreet:
    token: Secret | None = setting(None, check=refuse_discreetly)


@dataclass(frozen=True, slots=True)
class Inner:
    token: Secret
    names: Mapping[str, Secret] = field(default_factory=dict)


def refuse_all(inner: tuple[Inner, ...]) -> str | None:
    return f"{inner[0].token.reveal()} {inner[0].names['a'].reveal()}"


@dataclass(frozen=True, slots=True)
class Nested:
    inner: tuple[Inner, ...] = setting((), check=refuse_all)


def test_a_secret_deep_in_a_table_is_not_betrayed_either(problem: Problem) -> None:
    toml = "[[plugins.p.inner]]\ntoken = 'hunter2'\nnames = { a = 'hunter3' }"
    text = problem(toml=toml, components=(Component("p", Nested),))
    assert text.endswith("its value is refused: (the reason repeats a secret and is withheld)")


@dataclass(frozen=True, slots=True)
class Late:
    token: Secret | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.token is not None:
            raise ValueError(f"token {self.token.reveal()!r} and name {self.name!r} do not fit")


@pytest.mark.parametrize(
    ("declaration", "why"),
    [
        (Loud, "its value is refused: (the reason repeats a secret and is withheld)"),
        (Telling, "its value is refused: (the reason repeats a secret and is withheld)"),
        (Discreet, "its value is refused: is too short"),
        (Late, "(the reason repeats a secret and is withheld)"),
    ],
)
@pytest.mark.parametrize("secret", [TOLD, "two\nlines"])
def test_a_plugins_own_words_do_not_betray_a_secret(
    problem: Problem, read: Read, declaration: type, why: str, secret: str
) -> None:
    components = (Component("p", declaration),)
    environ = {"SETHPUSHER_P__TOKEN": secret}
    text = problem(environ=environ, components=components)
    assert why in text
    assert "environment SETHPUSHER_P__TOKEN" in text
    with pytest.raises(SettingsError) as refused:
        read(environ=environ, components=components)
    assert refused.value.__context__ is None
    assert "".join(traceback.format_exception(refused.value)).count("two") == 0


def test_a_text_by_reference_is_not_quoted_when_it_is_refused(problem: Problem) -> None:
    text = problem(toml=redis("url = 'x'\nuser = { env = 'PW' }"), environ={"PW": f"{TOLD} {TOLD}"})
    assert "its value is refused: may not contain a space" in text
    assert TOLD not in text
