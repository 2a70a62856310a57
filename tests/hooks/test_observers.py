"""connected, disconnected, subscribed, unsubscribed: told after the fact, isolated from each other."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError

import pytest

from sethpusher_core.plugins.hooks import Hooks


@pytest.fixture
def clock():
    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

    return Clock()


def told(hook, name, seen, error=None, *, wait=False):
    def plain(connection):
        seen.append((name, connection))
        if error is not None:
            raise error
        return "ignored"

    async def waiting(connection):
        await asyncio.sleep(0)
        return plain(connection)

    function = waiting if wait else plain
    function.__name__ = hook
    return function


def test_hook_connected(run, plugin):
    seen = []
    hooks = Hooks.compile(
        [plugin("a", told("connected", "a", seen, wait=True)), plugin("b", told("connected", "b", seen))]
    )
    assert run(hooks.connected("line")) is None
    assert seen == [("a", "line"), ("b", "line")]


def test_hook_disconnected(run, plugin):
    seen = []

    def disconnected(connection, code):
        seen.append((connection, code))

    run(Hooks.compile([plugin("a", disconnected)]).disconnected("line", 1006))
    assert seen == [("line", 1006)]


def test_hook_subscribed(run, plugin):
    seen = []

    async def subscribed(connection, channel):
        seen.append((connection, channel))

    run(Hooks.compile([plugin("a", subscribed)], timeout=5).subscribed("line", "news"))
    assert seen == [("line", "news")]


def test_hook_unsubscribed(run, plugin):
    seen = []

    def unsubscribed(channel):
        seen.append(channel)

    run(Hooks.compile([plugin("a", unsubscribed)]).unsubscribed("line", "news"))
    assert seen == ["news"]


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), CancelledError()])
@pytest.mark.parametrize("wait", [False, True])
def test_one_failing_does_not_keep_the_others(run, plugin, logged, error, wait):
    seen = []
    hooks = Hooks.compile(
        [plugin("a", told("connected", "a", seen, error, wait=wait)), plugin("b", told("connected", "b", seen))],
        timeout=5,
    )
    run(hooks.connected("line"))
    assert [name for name, _ in seen] == ["a", "b"]
    assert hooks.counts() == {("a", "connected"): (1, 1), ("b", "connected"): (1, 0)}
    [line] = logged.lines()
    assert line.startswith("plugin a, hook connected: ")


def test_a_late_observer_is_cut_off(run, plugin, logged):
    async def connected(connection):
        await asyncio.sleep(30)

    hooks = Hooks.compile([plugin("a", connected)], timeout=0.01)
    run(hooks.connected("line"))
    assert logged.lines() == ["plugin a, hook connected: timed out after 0.01 s"]


def test_the_log_is_throttled_per_plugin_and_hook(run, plugin, logged, clock):
    """The first at once, then at most one line a minute, with the number of those in between."""

    def connected(connection):
        raise ValueError(connection)

    def disconnected(connection, code):
        raise ValueError(connection)

    hooks = Hooks.compile([plugin("a", connected, disconnected), plugin("b", connected)], clock=clock)
    for number in range(5):
        run(hooks.connected(number))
    assert logged.lines() == [
        "plugin a, hook connected: ValueError: 0",
        "plugin b, hook connected: ValueError: 0",
    ]
    clock.now += 59
    run(hooks.disconnected(5, 1000))
    assert logged.lines()[2:] == ["plugin a, hook disconnected: ValueError: 5"]
    clock.now += 1
    run(hooks.connected(6))
    assert logged.lines()[3:] == [
        "plugin a, hook connected: ValueError: 6 (and 4 more since the last such line)",
        "plugin b, hook connected: ValueError: 6 (and 4 more since the last such line)",
    ]
    assert hooks.counts()["a", "connected"] == (6, 6)


def test_cancelling_the_caller_passes(run, plugin):
    async def connected(connection):
        await asyncio.sleep(30)

    hooks = Hooks.compile([plugin("a", connected)], timeout=5)

    async def scenario():
        task = asyncio.ensure_future(hooks.connected("line"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scenario())


def test_a_cancellation_from_within_is_only_logged(run, plugin, logged):
    async def connected(connection):
        raise asyncio.CancelledError

    run(Hooks.compile([plugin("a", connected)], timeout=5).connected("line"))
    assert logged.lines() == ["plugin a, hook connected: was cancelled from within"]
