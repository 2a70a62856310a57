"""authenticate and dispatch: one after the other, until one answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from sethpusher_core import errors
from sethpusher_core.answers import Denied, Handled, Rejected
from sethpusher_core.errors import HookError, RequestError
from sethpusher_core.identity import Identity
from sethpusher_core.plugins.hooks import Hooks

ANNA = Identity("anna", proven=True)


def test_hook_authenticate(run, plugin):
    """The first answer holds; those after it are not asked."""
    asked = []

    def authenticate(credentials):
        asked.append(("a", credentials))

    async def later(credentials):
        asked.append(("b", credentials))
        await asyncio.sleep(0)
        return ANNA

    later.__name__ = "authenticate"

    def never(credentials):
        raise AssertionError

    never.__name__ = "authenticate"
    hooks = Hooks.compile([plugin("a", authenticate), plugin("b", later), plugin("c", never)], timeout=5)
    assert run(hooks.authenticate.ask("who")) == ("b", ANNA)
    assert asked == [("a", "who"), ("b", "who")]
    assert run(hooks.authenticate("who")) is ANNA


def test_hook_dispatch(run, plugin):
    """A plugin of a module handles its own message type; others are nobody's."""

    def dispatch(connection, message):
        return Handled({"pong": True}) if message == "ping" else None

    hooks = Hooks.compile([plugin("pong", dispatch)])
    assert run(hooks.dispatch("connection", "ping")) == Handled({"pong": True})
    assert run(hooks.dispatch("connection", "other")) is None
    assert run(hooks.dispatch.ask("connection", "other")) == ("", None)


def test_an_async_none_lets_the_next_one_answer(run, plugin):
    """The trap of pluggy's firstresult: the first coroutine is no answer."""

    async def authenticate(credentials):
        return None

    def second(credentials):
        return Rejected("bad")

    second.__name__ = "authenticate"
    hooks = Hooks.compile([plugin("a", authenticate), plugin("b", second)], timeout=5)
    assert run(hooks.authenticate.ask("who")) == ("b", Rejected("bad"))


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_an_exception_names_plugin_and_hook(run, plugin, kind):
    """Nobody after the failing one is asked: whoever would let the caller in must not."""

    def plain(credentials):
        raise ValueError("no\nluck")

    async def waiting(credentials):
        raise ValueError("no\nluck")

    def open_door(credentials):
        raise AssertionError

    function = plain if kind == "plain" else waiting
    function.__name__ = open_door.__name__ = "authenticate"
    hooks = Hooks.compile([plugin("a", function), plugin("b", open_door)], timeout=5)
    with pytest.raises(HookError) as caught:
        run(hooks.authenticate("who"))
    assert (caught.value.plugin, caught.value.hook) == ("a", "authenticate")
    assert str(caught.value) == "plugin a, hook authenticate: ValueError: no luck"
    assert isinstance(caught.value.__cause__, ValueError)
    assert hooks.counts() == {("a", "authenticate"): (1, 1), ("b", "authenticate"): (0, 0)}


def test_too_slow_is_an_exception(run, plugin):
    async def authenticate(credentials):
        await asyncio.sleep(30)

    hooks = Hooks.compile([plugin("slow", authenticate)], timeout=0.01)
    with pytest.raises(HookError, match=r"plugin slow, hook authenticate: timed out after 0\.01 s"):
        run(hooks.authenticate("who"))


def test_too_slow_and_deaf_is_an_exception_too(run, plugin):
    """An answer that comes after a swallowed cancellation does not count."""

    async def authenticate(credentials):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            return ANNA

    hooks = Hooks.compile([plugin("deaf", authenticate)], timeout=0.01)
    with pytest.raises(HookError, match="timed out"):
        run(hooks.authenticate("who"))


def test_an_answer_after_many_waits(run, plugin):
    """A coroutine that suspends goes on just as Python would continue it: results, exceptions, cancellations."""
    trail = []

    async def authenticate(credentials):
        await asyncio.sleep(0)
        trail.append(await asyncio.sleep(0.001, "result"))
        try:
            async with asyncio.timeout(0.001):
                await asyncio.sleep(30)
        except TimeoutError:
            trail.append("own timeout")
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, ValueError("thrown"))
        try:
            await future
        except ValueError as error:
            trail.append(str(error))
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0.001))
        assert not asyncio.current_task().cancelling()
        return ANNA

    hooks = Hooks.compile([plugin("a", authenticate)], timeout=5)
    assert run(hooks.authenticate("who")) is ANNA
    assert trail == ["result", "own timeout", "thrown"]


def test_a_coroutine_that_is_given_up_is_closed(plugin):
    closed = []

    async def authenticate(credentials):
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(True)

    async def begin():
        coroutine = Hooks.compile([plugin("a", authenticate)], timeout=5).authenticate("who")
        coroutine.send(None)
        coroutine.close()

    asyncio.run(begin())
    assert closed == [True]


def test_a_plugins_own_timeout_is_its_own(run, plugin):
    async def authenticate(credentials):
        async with asyncio.timeout(0.001):
            await asyncio.sleep(30)

    hooks = Hooks.compile([plugin("a", authenticate)], timeout=5)
    with pytest.raises(HookError, match=r"TimeoutError$"):
        run(hooks.authenticate("who"))


def test_a_plain_answer_arms_no_timer(plugin):
    """Without a running loop there is nothing to arm a timer on."""

    def authenticate(credentials):
        return ANNA

    hooks = Hooks.compile([plugin("a", authenticate)], timeout=5)
    coroutine = hooks.authenticate("who")
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    assert stopped.value.value is ANNA


def test_cancelling_the_caller_passes(run, plugin):
    async def authenticate(credentials):
        await asyncio.sleep(30)

    hooks = Hooks.compile([plugin("a", authenticate)], timeout=5)

    async def scenario():
        task = asyncio.ensure_future(hooks.authenticate("who"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    run(scenario())
    assert hooks.counts() == {("a", "authenticate"): (1, 0)}


def test_a_cancellation_from_within_is_a_failure(run, plugin):
    """Let through, it would end the caller's task without a word."""

    async def authenticate(credentials):
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    hooks = Hooks.compile([plugin("a", authenticate)], timeout=5)
    with pytest.raises(HookError, match="was cancelled from within"):
        run(hooks.authenticate("who"))


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_sys_exit_ends_nothing(run, plugin, kind):
    def plain(credentials):
        raise SystemExit(4)

    async def waiting(credentials):
        raise SystemExit(4)

    function = plain if kind == "plain" else waiting
    function.__name__ = "authenticate"
    hooks = Hooks.compile([plugin("a", function)])
    with pytest.raises(HookError, match=r"tried to end the process \(SystemExit 4\)"):
        run(hooks.authenticate("who"))


def test_keyboard_interrupt_passes(plugin):
    def authenticate(credentials):
        raise KeyboardInterrupt

    hooks = Hooks.compile([plugin("a", authenticate)])
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(hooks.authenticate("who"))


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (True, "answered True where"),
        ("secret", "answered a value of type str where"),
        (Handled, r"answered the class Handled \(not an instance of it\) where"),
        (Denied("x"), "answered a value of type Denied where"),
    ],
)
def test_a_wrong_answer_is_named_and_not_shown(run, plugin, answer, shown):
    async def dispatch(connection, message):
        return answer

    hooks = Hooks.compile([plugin("a", dispatch)], timeout=5)
    with pytest.raises(HookError, match=f"plugin a, hook dispatch: {shown} Handled or None is expected") as caught:
        run(hooks.dispatch(1, 2))
    assert "secret" not in str(caught.value)


def test_an_awaitable_within_an_awaitable_is_wrong(run, plugin):
    """And it is closed, so Python does not complain about it later, without a name."""

    async def dispatch(connection, message):
        return asyncio.sleep(0)

    hooks = Hooks.compile([plugin("a", dispatch)], timeout=5)
    with pytest.raises(HookError, match="an awaitable"):
        run(hooks.dispatch(1, 2))


def test_any_awaitable_will_do(run, plugin):
    class Later:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            return Handled()

    def dispatch(connection, message) -> Awaitable[Any]:
        return Later()

    hooks = Hooks.compile([plugin("a", dispatch)], timeout=5)
    assert run(hooks.dispatch(1, 2)) == Handled()


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_request_error_of_dispatch_is_an_answer(run, plugin, kind):
    wrong = RequestError(errors.LIMIT)

    def plain(connection, message):
        raise wrong

    async def waiting(connection, message):
        raise wrong

    function = plain if kind == "plain" else waiting
    function.__name__ = "dispatch"
    hooks = Hooks.compile([plugin("a", function)], timeout=5)
    with pytest.raises(RequestError) as caught:
        run(hooks.dispatch(1, 2))
    assert caught.value is wrong
    assert hooks.counts() == {("a", "dispatch"): (1, 0)}


def test_a_failure_of_another_hook_keeps_its_name(run, plugin):
    """A message that publishes runs transform and persist; dispatch is not to blame for them."""

    async def dispatch(connection, message):
        raise HookError("store", "persist", "disk full")

    hooks = Hooks.compile([plugin("a", dispatch)], timeout=5)
    with pytest.raises(HookError, match="plugin store, hook persist: disk full"):
        run(hooks.dispatch(1, 2))


def test_authenticate_wraps_a_request_error(run, plugin):
    """It is an answer of dispatch only."""

    def authenticate(credentials):
        raise RequestError(errors.LIMIT)

    hooks = Hooks.compile([plugin("a", authenticate)])
    with pytest.raises(HookError, match="plugin a, hook authenticate: RequestError"):
        run(hooks.authenticate("who"))
