"""transform: plain functions, each gets what the one before it returned."""

from __future__ import annotations

from asyncio import CancelledError

import pytest

from sethpusher_core.addresses import Address
from sethpusher_core.answers import Refused
from sethpusher_core.errors import HookError
from sethpusher_core.plugins.hooks import Hooks
from sethpusher_core.publication import Publication

HELLO = Publication(Address.channel("news"), b'"hello"', "1")


def returning(make):
    def transform(publication):
        return make(publication)

    return transform


def test_hook_transform(plugin):
    hooks = Hooks.compile(
        [
            plugin("a", returning(lambda publication: publication.replace(publication.message + "!"))),
            plugin("b", returning(lambda publication: publication)),
            plugin("c", returning(lambda publication: publication.replace(publication.message.upper()))),
        ]
    )
    assert hooks.transform(HELLO).message == "HELLO!"
    assert HELLO.message == "hello"
    assert hooks.counts() == {(name, "transform"): (1, 0) for name in "abc"}


def test_refused_stops(plugin):
    def never(publication):
        raise AssertionError

    never.__name__ = "transform"
    hooks = Hooks.compile([plugin("a", returning(lambda _: Refused("rude"))), plugin("b", never)])
    assert hooks.transform(HELLO) == Refused("rude")
    assert hooks.transform.ask(HELLO) == ("a", Refused("rude"))


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), CancelledError()])
def test_a_failure_stops(plugin, error):
    """A redaction that fails must not let the message through."""

    def transform(publication):
        raise error

    hooks = Hooks.compile([plugin("a", transform), plugin("b", returning(lambda publication: publication))])
    with pytest.raises(HookError, match="plugin a, hook transform: ") as caught:
        hooks.transform(HELLO)
    assert caught.value.__cause__ is error
    assert hooks.counts() == {("a", "transform"): (1, 1), ("b", "transform"): (0, 0)}


async def later():
    return HELLO


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda _: None, "answered None"),
        (lambda _: b"hello", "answered a value of type bytes"),
        (lambda _: Refused, "answered the class Refused"),
        (lambda _: later(), "answered an awaitable"),
    ],
)
def test_a_wrong_answer_stops(plugin, make, shown):
    hooks = Hooks.compile([plugin("a", returning(make))])
    with pytest.raises(
        HookError, match=f"plugin a, hook transform: {shown}.* where Publication or Refused is expected"
    ):
        hooks.transform(HELLO)


def test_keyboard_interrupt_passes(plugin):
    def transform(publication):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Hooks.compile([plugin("a", transform)]).transform(HELLO)
