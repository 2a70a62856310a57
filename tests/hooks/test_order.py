"""The order in which implementations run."""

from __future__ import annotations

import pytest

from sethpusher_core.plugins.hooks import Hooks
from sethpusher_core.plugins.registry import PluginRegistry


def dispatch(connection, message):
    return None


@pytest.fixture
def registry(plugin):
    registry = PluginRegistry()
    # Registered in an order that is none of those that may come out.
    for name, options in {"m": {}, "z-last": {"trylast": True}, "a": {}, "x_first": {"tryfirst": True}}.items():
        registry.register(plugin(name, dispatch, **options))
    registry.register(plugin("core_b", dispatch), builtin=True)
    registry.register(plugin("core_a", dispatch, tryfirst=True), builtin=True)
    return registry


@pytest.mark.parametrize(
    ("order", "result"),
    [
        # alphabetical, but for the flags; built-in ones last, even tryfirst ones, after any trylast one
        ([], ["x_first", "a", "m", "z-last", "core_a", "core_b"]),
        # what is listed comes before what is not
        (["m"], ["x_first", "m", "a", "z-last", "core_a", "core_b"]),
        # the operator's list overrules the flags of those in it; - and _ read alike
        (["z_last", "m", "x-first", "a"], ["z-last", "m", "x_first", "a", "core_a", "core_b"]),
        # built-in ones stay last
        (["core_b", "core_a"], ["x_first", "a", "m", "z-last", "core_b", "core_a"]),
        (["nobody"], ["x_first", "a", "m", "z-last", "core_a", "core_b"]),
    ],
)
def test_order(registry, order, result):
    assert list(Hooks.compile(registry, order=order).order()["dispatch"]) == result


def test_plugin_objects_run_as_they_are_given(plugin):
    plugins = [plugin(name, dispatch) for name in "cab"]
    assert Hooks.compile(plugins).order()["dispatch"] == ("c", "a", "b")
    assert Hooks.compile(plugins, order=["b"]).order()["dispatch"] == ("b", "a", "c")
