from __future__ import annotations

from pathlib import Path

import pytest

from sethpusher_core.errors import SettingsError, UsageError
from sethpusher_core.settings import Component, CoreSettings, read_switches, resolve
from sethpusher_core.settings.switches import SWITCHES


def test_switches_are_settings_of_the_core(core: Component) -> None:
    assert set(SWITCHES) <= {key.name for key in core.keys}
    switches, defaults = read_switches(core, [], {}), CoreSettings()
    for name in SWITCHES:
        assert getattr(switches, name) == getattr(defaults, name)


def test_what_says_which_plugins_to_load(core: Component, tmp_path: Path) -> None:
    path = tmp_path / "seth.toml"
    path.write_text("strict_plugins = true\nplugin_order = ['b', 'a']\nno_plugin = ['z']\n[plugins.any]\nx = 1")
    switches = read_switches(
        core,
        ["--no-plugin=a", "--redis-db=1", f"--config={path}", "--unknown", "--no-plugin=b", "check", "--fast"],
        {"SETHPUSHER_BACKEND": "redis", "SETHPUSHER_NO_PLUGIN": "y", "SETHPUSHER_REDIS__URL": "x"},
    )
    assert switches.no_plugin == ("a", "b")
    assert switches.strict_plugins is True
    assert switches.plugin_order == ("b", "a")
    assert switches.backend == "redis"
    assert switches.load_plugins is None
    assert (switches.command, switches.rest) == ("check", ("--fast",))
    assert switches.sources.file is not None
    assert switches.sources.file.path == str(path)
    assert switches.warnings == ()


def test_the_file_may_be_named_by_a_variable(core: Component, tmp_path: Path) -> None:
    path = tmp_path / "seth.toml"
    path.write_text("no_plugins = true")
    assert read_switches(core, [], {"SETHPUSHER_CONFIG": str(path)}).no_plugins is True
    # The flag wins, and an empty one means none.
    assert read_switches(core, ["--config="], {"SETHPUSHER_CONFIG": str(path)}).no_plugins is False
    assert read_switches(core, [], {"SETHPUSHER_CONFIG": ""}).sources.file is None


def test_no_file_is_read_unless_it_is_named(core: Component, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sethpusher.toml").write_text("no_plugins = true")
    monkeypatch.chdir(tmp_path)
    assert read_switches(core, [], {}).no_plugins is False


def test_the_second_reading_knows_what_the_first_could_not(core: Component, redis: Component) -> None:
    argv = ["--redis-db", "3", "check"]
    first = read_switches(core, argv, {"SETHPUSHER_REDIS__URL": "x"})
    assert first.command == "3"  # not to be trusted, as its docstring says
    second = resolve([core, redis], first.sources)
    assert (second.command, second.of("redis").db) == ("check", 3)


@pytest.mark.parametrize(
    ("argv", "environ", "error", "why"),
    [
        (["--no-plugins=maybe"], {}, UsageError, r"no_plugins \(command line\): 'maybe' is neither"),
        (["--config"], {}, UsageError, "--config needs a value"),
        (["--config=/gone.toml"], {}, SettingsError, r"file /gone.toml \(named by --config\) cannot be read: No such"),
        (
            [],
            {"SETHPUSHER_CONFIG": "/gone"},
            SettingsError,
            r"\(named by environment SETHPUSHER_CONFIG\) cannot be read",
        ),
        ([], {"SETHPUSHER_STRICT_PLUGINS": "x"}, SettingsError, r"strict_plugins \(environment SETHPUSHER_STRICT"),
    ],
)
def test_wrong_switches(
    core: Component, argv: list[str], environ: dict[str, str], error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        read_switches(core, argv, environ)
    # Help and version are answered all the same; what was passed over is told.
    for action in ("help", "version"):
        switches = read_switches(core, [f"--{action}", *argv], environ)
        assert switches.actions == {action}
        assert len(switches.warnings) == 1


def test_other_wrong_settings_are_left_to_the_second_reading(core: Component, tmp_path: Path) -> None:
    path = tmp_path / "seth.toml"
    path.write_text("port = 'x'\nunknown = 1")
    switches = read_switches(core, ["--port=y", f"--config={path}"], {"SETHPUSHER_LOGGING": "z"})
    assert len(resolve([core], switches.sources, strict=False).problems) == 3


def test_secrets_on_the_command_line_are_not_in_the_repr(core: Component) -> None:
    assert "hunter2" not in repr(read_switches(core, ["--redis-url=hunter2"], {"SETHPUSHER_REDIS__URL": "hunter2"}))
