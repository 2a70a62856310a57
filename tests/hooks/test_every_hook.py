"""No hook without its test, its kind and its manual."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from sethpusher_core import hookspecs
from sethpusher_core.plugins.hooks import Hooks
from sethpusher_core.plugins.inspection import read_specs

HOOKS = sorted(name for name, value in vars(hookspecs).items() if hasattr(value, "sethpusher_spec"))
TEXT = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))


def test_there_are_hooks():
    assert len(HOOKS) >= 14
    assert sorted(read_specs()) == HOOKS


@pytest.mark.parametrize("hook", HOOKS)
def test_has_a_test_of_its_name(hook):
    assert re.search(rf"^def test_hook_{hook}\(", TEXT, re.MULTILINE), f"write a test_hook_{hook}"


@pytest.mark.parametrize("hook", HOOKS)
def test_can_be_compiled(hook, plugin):
    def function():
        pass

    function.__name__ = hook
    hooks = Hooks.compile([plugin("a", function)])
    assert hooks.order() == {hook: ("a",)}


@pytest.mark.parametrize("hook", HOOKS)
def test_is_none_without_an_implementation_or_a_method(hook):
    """So that an empty chain costs one identity test."""
    empty = getattr(Hooks.compile(), hook)
    assert empty is None or hook in ("register_backends", "routes", "commands")


@pytest.mark.parametrize("hook", HOOKS)
def test_the_manual_says_when_and_what_happens_when_it_raises(hook):
    text = inspect.getdoc(getattr(hookspecs, hook))
    assert re.search(r"^(Cold|Warm|Hot)\b", text, re.MULTILINE)
    assert "raises" in text
    for argument in read_specs()[hook].arguments:
        assert f"    {argument}: " in text


def test_temperature_and_async_agree():
    for name, spec in read_specs().items():
        text = inspect.getdoc(getattr(hookspecs, name))
        assert spec.may_wait == bool(re.search(r"^Warm\b", text, re.MULTILINE)), name
