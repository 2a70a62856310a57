"""health: all are asked; each answer stands under its plugin's name, and so does a failure."""

from __future__ import annotations

import asyncio
from types import MappingProxyType

import pytest

from sethpusher_core.plugins.hooks import Hooks


def answering(answer, *, wait=False):
    def health(server):
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def waiting(server):
        await asyncio.sleep(0)
        return health(server)

    waiting.__name__ = "health"
    return waiting if wait else health


def test_hook_health(run, plugin):
    seen = []

    def health(server):
        seen.append(server)
        return {"rows": 3}

    hooks = Hooks.compile(
        [
            plugin("a", health),
            plugin("b", answering(MappingProxyType({"age": 1.5}), wait=True)),
            plugin("c", answering(None)),
            plugin("d", answering(None, wait=True)),
            plugin("e", answering({})),
        ],
        timeout=5,
    )
    assert run(hooks.health("server")) == {"a": {"rows": 3}, "b": {"age": 1.5}, "e": {}}
    assert seen == ["server"]


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize(("answer", "text"), [(ValueError("x"), "ValueError: x"), (7, "a value of type int")])
def test_a_failure_stands_where_the_answer_would_be(run, plugin, logged, answer, text, wait):
    hooks = Hooks.compile([plugin("a", answering(answer, wait=wait)), plugin("b", answering({"b": 1}))], timeout=5)
    told = run(hooks.health("server"))
    assert told["b"] == {"b": 1}
    assert text in told["a"]["failed"]
    assert run(hooks.health("server")) == told
    assert len(logged.lines()) == 1, "throttled"
    assert hooks.counts()["a", "health"] == (2, 2)


def test_one_that_hangs_is_given_up(run, plugin, logged):
    async def health():
        await asyncio.sleep(30)

    told = run(Hooks.compile([plugin("a", health)], timeout=0.01).health("server"))
    assert "timed out" in told["a"]["failed"]
    assert len(logged.lines()) == 1
