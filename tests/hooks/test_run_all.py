"""persist and startup: all in order, the first failure stops. shutdown: all in reverse, whoever fails."""

from __future__ import annotations

import asyncio

import pytest

from sethpusher_core.errors import HookError
from sethpusher_core.plugins.hooks import Hooks


def noting(hook, name, ran, error=None, *, wait=False):
    def plain(argument):
        ran.append(name)
        if error is not None:
            raise error

    async def waiting(argument):
        await asyncio.sleep(0)
        plain(argument)

    function = waiting if wait else plain
    function.__name__ = hook

    if hook == "persist":

        def persist(publications):
            return function(publications)

        return persist

    def life_cycle(server):
        return function(server)

    life_cycle.__name__ = hook
    return life_cycle


def test_hook_persist(run, plugin):
    """Every implementation stores, one after the other."""
    stored = []

    async def persist(publications):
        await asyncio.sleep(0)
        stored.append(("a", publications))

    def second(publications):
        stored.append(("b", publications))

    second.__name__ = "persist"
    hooks = Hooks.compile([plugin("a", persist), plugin("b", second)], timeout=5)
    assert run(hooks.persist(["one", "two"])) is None
    assert stored == [("a", ["one", "two"]), ("b", ["one", "two"])]


@pytest.mark.parametrize("wait", [False, True])
def test_the_first_failure_of_persist_stops(run, plugin, wait):
    ran = []
    broken = OSError("disk full")
    hooks = Hooks.compile(
        [plugin("a", noting("persist", "a", ran, broken, wait=wait)), plugin("b", noting("persist", "b", ran))],
        timeout=5,
    )
    with pytest.raises(HookError, match="plugin a, hook persist: OSError: disk full") as caught:
        run(hooks.persist([]))
    assert ran == ["a"]
    assert caught.value.__cause__ is broken


@pytest.mark.parametrize("answer", [False, True, 3])
def test_persist_may_return_nothing_but_none(run, plugin, answer):
    """Returning means that the batch is safe; a False must not pass for that."""

    async def persist(publications):
        return answer

    hooks = Hooks.compile([plugin("a", persist)], timeout=5)
    with pytest.raises(HookError, match=r"where nothing \(None\) is expected"):
        run(hooks.persist([]))


def test_a_late_persist_fails(run, plugin):
    async def persist(publications):
        await asyncio.sleep(30)

    hooks = Hooks.compile([plugin("a", persist)], timeout=0.01)
    with pytest.raises(HookError, match="timed out"):
        run(hooks.persist([]))


def test_hook_startup(run, plugin):
    """In order; what is returned is ignored."""
    ran = []

    def startup(server):
        ran.append(server)
        return "ignored"

    hooks = Hooks.compile([plugin("a", startup), plugin("b", noting("startup", "b", ran, wait=True))], timeout=5)
    run(hooks.startup("server"))
    assert ran == ["server", "b"]


def test_startup_tells_who_did_not_start(run, plugin):
    ran = []
    hooks = Hooks.compile(
        [
            plugin("a", noting("startup", "a", ran)),
            plugin("b", noting("startup", "b", ran, ValueError())),
            plugin("c", noting("startup", "c", ran)),
            plugin("d", noting("shutdown", "d", ran)),
        ]
    )
    with pytest.raises(HookError) as caught:
        run(hooks.startup("server"))
    assert ran == ["a", "b"]
    assert hooks.startup.not_done(caught.value) == {"b", "c"}


def test_startup_is_to_blame_for_what_it_let_fail(run, plugin):
    """Else a failure of another plugin's hook, caused by a startup, would name the wrong plugin as not started."""

    def startup(server):
        raise HookError("z", "persist", "x")

    hooks = Hooks.compile([plugin("a", startup)])
    with pytest.raises(HookError, match="plugin a, hook startup: HookError: plugin z, hook persist: x") as caught:
        run(hooks.startup("server"))
    assert hooks.startup.not_done(caught.value) == {"a"}


def test_hook_shutdown(run, plugin):
    """In reverse order; all run, and all failures come together."""
    ran = []
    hooks = Hooks.compile(
        [
            plugin("a", noting("shutdown", "a", ran, ValueError("x"))),
            plugin("b", noting("shutdown", "b", ran, SystemExit(2), wait=True)),
            plugin("c", noting("shutdown", "c", ran)),
        ],
        timeout=5,
    )
    with pytest.raises(ExceptionGroup) as caught:
        run(hooks.shutdown("server"))
    assert ran == ["c", "b", "a"]
    assert [(e.plugin, e.hook) for e in caught.value.exceptions] == [("b", "shutdown"), ("a", "shutdown")]
    assert "plugin b, hook shutdown" in caught.value.message
    assert "plugin a, hook shutdown: ValueError: x" in caught.value.message


def test_a_shutdown_without_failures_returns(run, plugin):
    ran = []
    hooks = Hooks.compile([plugin("a", noting("shutdown", "a", ran))])
    assert run(hooks.shutdown("server")) is None


def test_a_late_shutdown_does_not_keep_the_others(run, plugin):
    ran = []

    async def shutdown(server):
        await asyncio.sleep(30)

    hooks = Hooks.compile([plugin("a", noting("shutdown", "a", ran)), plugin("b", shutdown)], timeout=0.01)
    with pytest.raises(ExceptionGroup, match="timed out"):
        run(hooks.shutdown("server"))
    assert ran == ["a"]


def test_shutdown_without_some(run, plugin):
    ran = []
    hooks = Hooks.compile([plugin(n, noting("shutdown", n, ran)) for n in "abc"])
    run(hooks.shutdown.without({"b"})("server"))
    assert ran == ["c", "a"]
    assert hooks.shutdown.without({"a", "b", "c"}) is None
    assert hooks.counts()["a", "shutdown"] == (1, 0)
