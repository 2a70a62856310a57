"""authorize: everybody is asked; one Denied wins, then one ALLOW."""

from __future__ import annotations

import asyncio

import pytest

from sethpusher_core.addresses import Address
from sethpusher_core.answers import ALLOW, Denied
from sethpusher_core.identity import ANONYMOUS
from sethpusher_core.plugins.hooks import Hooks

NEWS = Address.channel("news")


def saying(answer, asked=None):
    def authorize(identity, action, target):
        if asked is not None:
            asked.append((identity, action, target))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return authorize


def waiting(answer):
    async def authorize(identity, action, target):
        await asyncio.sleep(0)
        return answer

    return authorize


def test_hook_authorize(run, plugin):
    """All are asked, also after a Denied."""
    asked = []
    hooks = Hooks.compile([plugin("a", saying(Denied("no"), asked)), plugin("b", saying(ALLOW, asked))])
    assert run(hooks.authorize(ANONYMOUS, "subscribe", NEWS)) == Denied("no")
    assert asked == [(ANONYMOUS, "subscribe", NEWS)] * 2


@pytest.mark.parametrize("make", [saying, waiting])
@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([None, None], ("", None)),
        ([None, ALLOW], ("b", ALLOW)),
        ([ALLOW, ALLOW], ("a", ALLOW)),
        ([ALLOW, Denied("no")], ("b", Denied("no"))),
        ([Denied("first"), Denied("second")], ("a", Denied("first"))),
        ([Denied("no"), ALLOW], ("a", Denied("no"))),
    ],
)
def test_the_verdict_and_whose_it_is(run, plugin, make, answers, verdict):
    hooks = Hooks.compile([plugin(n, make(a)) for n, a in zip("ab", answers, strict=True)], timeout=5)
    assert run(hooks.authorize.ask(ANONYMOUS, "publish", NEWS)) == verdict
    assert run(hooks.authorize(ANONYMOUS, "publish", NEWS)) == verdict[1]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (saying(ValueError("broken")), "plugin a, hook authorize: ValueError: broken"),
        (saying(SystemExit(1)), "plugin a, hook authorize: tried to end the process (SystemExit 1)"),
        (saying(True), "plugin a, hook authorize: answered True where ALLOW, Denied or None is expected"),
        (waiting(False), "plugin a, hook authorize: answered False where ALLOW, Denied or None is expected"),
    ],
)
def test_a_failure_denies_and_is_logged(run, plugin, logged, function, reason):
    hooks = Hooks.compile([plugin("a", function), plugin("b", saying(ALLOW))], timeout=5)
    assert run(hooks.authorize(ANONYMOUS, "publish", NEWS)) == Denied(reason)
    assert logged.lines() == [reason]
    assert hooks.counts()["a", "authorize"] == (1, 1)


def test_too_slow_denies(run, plugin, logged):
    async def authorize(identity, action, target):
        await asyncio.sleep(30)

    hooks = Hooks.compile([plugin("a", authorize), plugin("b", saying(ALLOW))], timeout=0.01)
    assert isinstance(run(hooks.authorize(ANONYMOUS, "publish", NEWS)), Denied)
    assert len(logged.lines()) == 1


def test_explain_gives_every_opinion(run, plugin, logged):
    hooks = Hooks.compile(
        [plugin("a", saying(None)), plugin("b", waiting(ALLOW)), plugin("c", saying(ValueError("x")))], timeout=5
    )
    assert run(hooks.authorize.explain(ANONYMOUS, "publish", NEWS)) == [
        ("a", None),
        ("b", ALLOW),
        ("c", Denied("plugin c, hook authorize: ValueError: x")),
    ]
    assert len(logged.lines()) == 1


def test_cancelling_the_caller_passes(run, plugin):
    async def authorize(identity, action, target):
        await asyncio.sleep(30)

    hooks = Hooks.compile([plugin("a", authorize)], timeout=5)

    async def scenario():
        task = asyncio.ensure_future(hooks.authorize(ANONYMOUS, "publish", NEWS))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scenario())
