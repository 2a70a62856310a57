from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sethpusher_core.settings import (
    Component,
    Resolved,
    Secret,
    help_text,
    load_file,
    setting,
    settings_page,
    show_config,
)
from sethpusher_core.settings.kinds import toml_string

Read = Callable[..., Resolved]


def test_help_is_grouped_by_component(core: Component, redis: Component) -> None:
    text = help_text([core, redis], 100)
    server, plugin = text.split("\nredis (sethpusher-redis 1.0.0):\n")
    assert "\nServer:\n" in server
    assert "  --port=NUMBER               The port to listen on; 0 takes a free one. [default: 8080]\n" in server
    assert "  --debug                     Serve" in server
    assert "  --logging=debug|info|warning|error|none\n" in server
    assert "  the file: channels" in server
    assert "  --redis-timeout=DURATION    How long to wait. [default: 5s]\n" in plugin
    assert "  SETHPUSHER_REDIS__URL       Where Redis is. [required; secret: no flag]\n" in plugin
    assert "[plugins.redis]: keys" in plugin


def test_help_shows_defaults_that_say_something() -> None:
    @dataclass(frozen=True, slots=True)
    class Some:
        zero: int = 0
        off: bool = False
        on: bool = True
        nothing: str = ""
        several: tuple[str, ...] = ("a", "b")
        headers: Mapping[str, str] = setting({"a": "b"})
        none: Mapping[str, str] = setting({})

    text = help_text([Component("p", Some)], 100)
    rows = {line.split()[0]: line.split("[")[-1] for line in text.splitlines() if line.startswith("  --")}
    assert rows["--p-zero=NUMBER"] == "default: 0]"
    assert rows["--p-on"] == "default: true]"
    assert rows["--p-several=TEXT,..."] == "default: a,b]"
    assert "default" not in rows["--p-off"] + rows["--p-nothing=TEXT"]
    assert '[default: { a = "b" }; settings file only]' in text


@pytest.mark.parametrize(("width", "filled"), [(20, 60), (60, 60), (80, 80), (1000, 110)])
def test_help_fills_the_width_but_never_less_than_60(core: Component, width: int, filled: int) -> None:
    lines = help_text([core], width).splitlines()
    longest = max(len(line) for line in lines if "://" not in line)
    assert filled - 12 < longest <= filled


def test_help_asks_the_terminal(core: Component, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    assert help_text([core]) == help_text([core], 70)


def test_show_config_is_toml_that_reads_back(read: Read, tmp_path: Path) -> None:
    toml = """
    host = 'a "quoted" \\ text'
    no_plugin = ["a", "b,c"]
    hook_timeout = "90s"
    outbound_limit = "2KiB"
    channels = [{ match = "news.*", history = 100, history-age = "1h" }, { match = "*", announce = false }]
    [plugins.redis]
    url = "redis://x"
    names = ["é", "\\u0001\\u007f"]
    tls = { ca = "ca" }
    ratio = 1e30
    """
    resolved = read("--port=1", toml=toml)
    lines = show_config(resolved)
    assert "port = 1   # command line" in lines
    assert f'no_plugin = ["a", "b,c"]   # file {tmp_path / "seth.toml"}' in lines
    assert 'url = "***"   # file' in "\n".join(lines)
    assert "# backend =   # default" in lines
    assert "# config =   # default" in lines
    assert "debug = false   # default" in lines
    again = tmp_path / "again.toml"
    again.write_text("\n".join(lines))
    file = load_file(str(again), "--config")
    assert file.table["port"] == 1
    second = read(toml=again.read_text())
    assert second.of("").channels == resolved.of("").channels
    assert second.of("").no_plugin == ("a", "b,c")
    for key in ("names", "tls", "ratio", "timeout", "max_body"):
        assert getattr(second.of("redis"), key) == getattr(resolved.of("redis"), key)


def test_show_config_names_what_an_available_plugin_needs(read: Read) -> None:
    lines = show_config(read())
    at = lines.index("[plugins.redis]")
    assert lines[at + 1] == "# not active; needs redis.url"
    assert lines[at + 2] == "# url =   # not set"


def test_show_config_leaves_out_what_is_wrong(read: Read) -> None:
    lines = show_config(read("--port=x", strict=False))
    assert not any(line.startswith("port") for line in lines)


def test_the_page_tells_of_every_key_of_every_component(core: Component, redis: Component) -> None:
    page = settings_page([core, redis])
    for component in (core, redis):
        for key in component.keys:
            assert f"| `{key.name}`" in page
    assert "| `port` | whole number, at least 0, at most 65535 | `8080` | `--port`<br>`SETHPUSHER_PORT` |" in page
    assert "| `url` | secret | required; if chosen by name `redis://localhost:6379` | `SETHPUSHER_REDIS__URL` |" in page
    assert "### `[[channels]]`" in page
    assert "### `[[plugins.redis.keys]]`" in page
    assert "### `[plugins.redis.tls]`" in page
    assert page == settings_page([core, redis])


def test_the_page_escapes_what_would_break_its_tables() -> None:
    @dataclass(frozen=True, slots=True)
    class Odd:
        x: str = setting("a|b", help="One|two,\n  three.")
        token: Secret = setting("dev")
        either: str = setting("", required="way")
        other: str = setting("", required="way")

    page = settings_page([Component("odd", Odd), Component("none")])
    assert '| `token` | secret | `"***"` |' in page
    assert "| `either` | text | either or other is required |" in page
    assert "| `other` | text | either or other is required |" in page
    assert r"| `x` | text | `\"a\|b\"` |".replace(r"\"", '"') in page
    assert r"One\|two, three. |" in page
    assert page.endswith("## none\n\nNo settings.\n")


def test_help_names_what_is_needed_and_breaks_no_address() -> None:
    @dataclass(frozen=True, slots=True)
    class Some:
        key: str = setting("", required="proof")
        file: str = setting("", required="proof")
        address: str = setting("https://example.com/" + "x" * 80)

    text = help_text([Component("p", Some)], 80)
    assert text.count("[key or file is required]") == 2
    assert f" https://example.com/{'x' * 80}]" in text


@pytest.mark.parametrize("text", ["", "a", '"', "\\", "\n\t\x00\x1f\x7f", "é☃😀", "'''", "\\u0041"])
def test_toml_strings_read_back(text: str) -> None:
    assert "\n" not in toml_string(text)
    assert tomllib.loads(f"x = {toml_string(text)}") == {"x": text}
