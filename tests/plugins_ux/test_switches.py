"""Allow, block, none: applied before anything is imported."""

from __future__ import annotations

import sys

import pytest

from sethpusher_core.errors import SettingsError
from sethpusher_core.plugins.records import Status
from sethpusher_core.plugins.selection import Selection
from sethpusher_core.settings.core import core_component
from sethpusher_core.settings.switches import read_switches

BOMB = "raise AssertionError('imported')"


@pytest.fixture
def two(site):
    site.add()
    site.add("sethpusher-two-words", points="two-words = two_plugin", two_plugin=BOMB)
    return site


@pytest.mark.parametrize(
    "selection",
    [
        {"block": ("two_words",)},
        {"block": ("two-words",)},
        {"block": ("sethpusher-two-words",)},
        {"block": ("sethpusher_two_words",)},
        {"block": ("SethPusher.Two-Words",)},
        {"allow": ("one",)},
        {"allow": ("sethpusher_one",)},
        {"allow": ("one", "two-words"), "block": ("two-words",)},
    ],
)
def test_switched_off_is_not_imported(two, selection):
    two.start(**selection)
    assert two.record("one").status is Status.ACTIVE
    record = two.record("two_words")
    assert (record.status, record.error, record.hooks, record.order) == (Status.DISABLED, None, (), None)
    assert "two_plugin" not in sys.modules
    assert two.loader.broken_auth == two.loader.warnings() == ()


@pytest.mark.parametrize("selection", [{"none": True}, {"allow": ()}])
def test_none_at_all(two, selection):
    two.start(**selection)
    assert {two.record(name).status for name in ("one", "two_words")} == {Status.DISABLED}
    assert two.record("memory").status is Status.ACTIVE
    assert not {"one_plugin", "two_plugin"} & sys.modules.keys()


@pytest.mark.parametrize(
    ("selection", "line"),
    [
        ({"block": ("two_wrods",)}, "no_plugin: no plugin two_wrods is installed; did you mean two_words?"),
        ({"allow": ("won",)}, "load_plugins: no plugin won is installed; did you mean one?"),
        ({"order": ("qqq",)}, "plugin_order: no plugin qqq is installed; installed: one, sethpusher-one, "),
        ({"allow": ("redis",)}, "load_plugins: no plugin redis is installed; run: pip install sethpusher-redis"),
        (
            {"order": ("persist-redis",)},
            "plugin_order: no plugin persist-redis is installed; run: pip install sethpusher-redis",
        ),
        ({"block": ("memory",)}, "no_plugin: memory is built in and cannot be switched off"),
    ],
)
def test_a_name_that_means_nothing(two, selection, line):
    with pytest.raises(SettingsError) as caught:
        two.discover(**selection)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    assert "one_plugin" not in sys.modules


def test_never_a_pip_line_for_a_name_that_we_do_not_release(site):
    """Whoever registers a mistyped name would be installed."""
    with pytest.raises(SettingsError) as caught:
        site.discover(allow=("radis",))
    assert "pip" not in str(caught.value)


def test_built_in_ones_may_be_ordered(two):
    two.discover(order=("memory", "one"), block=("two-words",))


def test_a_plugin_of_ours_may_be_switched_off_where_it_is_not_installed(two):
    """One settings file, and one command line, for machines with and without it."""
    two.start("--redis-url=x", block=("redis", "two_words"), strict_settings=False)
    two.start(environ={"SETHPUSHER_REDIS__URL": "x"}, block=("redis", "two_words"))


def test_settings_of_a_plugin_that_is_switched_off_are_ignored(two):
    for selection in ({"block": ("two-words",)}, {"none": True}, {"allow": ("one",)}):
        two.start(environ={"SETHPUSHER_TWO_WORDS__URL": "x"}, **selection)
        assert two.resolved.warnings == ()


def test_the_switches_of_the_settings(two):
    switches = read_switches(core_component(), ["--no-plugin=two-words", "--plugin-order=one", "--strict-plugins"], {})
    assert Selection.of(switches) == Selection(None, ("two-words",), False, ("one",), True)
    switches = read_switches(core_component(), ["--no-plugins"], {"SETHPUSHER_LOAD_PLUGINS": ""})
    assert Selection.of(switches) == Selection((), (), True, (), False)
