"""What a hook costs: an empty chain, and chains of three plugins, beside a plain call. Ratios of one run.

Run it with ``python benchmarks/hook_chain.py``. Each figure is the best of several rounds, taken in turns, so that a
busy machine disturbs all alike.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pluggy

from sethpusher_core import hookspecs
from sethpusher_core.answers import ALLOW
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.identity import ANONYMOUS
from sethpusher_core.plugins.hooks import Hooks

CALLS = 20_000
ROUNDS = 7


def plain(publication: object) -> object:
    return publication


async def plain_async(publication: object) -> object:
    return publication


def plugins(hook: str, *functions: Callable[..., Any]) -> list[object]:
    return [SimpleNamespace(name=f"p{i}", **{hook: hookimpl(f)}) for i, f in enumerate(functions)]


def copies(make: Callable[[], Callable[..., Any]], count: int) -> list[Callable[..., Any]]:
    return [make() for _ in range(count)]


def transform() -> Callable[..., Any]:
    return lambda publication: publication


def silent() -> Callable[..., Any]:
    return lambda credentials: None


def silent_async() -> Callable[..., Any]:
    async def authenticate(credentials: object) -> None:
        return None

    return authenticate


def allow() -> Callable[..., Any]:
    return lambda identity, action, target: ALLOW


async def timed(loop: Callable[[], Awaitable[None]]) -> float:
    begin = time.perf_counter()
    await loop()
    return (time.perf_counter() - begin) / CALLS * 1e9


def sync(call: Callable[[], object]) -> Callable[[], Awaitable[None]]:
    async def loop() -> None:
        for _ in range(CALLS):
            call()

    return loop


def awaited(call: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    async def loop() -> None:
        for _ in range(CALLS):
            await call()

    return loop


def subjects() -> dict[str, tuple[str, Callable[[], Awaitable[None]]]]:
    value = object()
    empty = Hooks.compile()
    three = Hooks.compile(plugins("transform", *copies(transform, 3))).transform
    plain_chain = Hooks.compile(plugins("authenticate", *copies(silent, 3)), timeout=5).authenticate
    waiting_chain = Hooks.compile(plugins("authenticate", *copies(silent_async, 3)), timeout=5).authenticate
    unbounded = Hooks.compile(plugins("authenticate", *copies(silent_async, 3))).authenticate
    asking = Hooks.compile(plugins("authorize", *copies(allow, 3)), timeout=5).authorize
    manager = pluggy.PluginManager("sethpusher")
    manager.add_hookspecs(hookspecs)
    for plugin in plugins("transform", *copies(transform, 3)):
        manager.register(plugin)
    assert three and plain_chain and waiting_chain and unbounded and asking

    async def nothing() -> None:
        for _ in range(CALLS):
            if empty.transform is not None:
                raise AssertionError

    return {
        "plain call": ("call", sync(lambda: plain(value))),
        "empty chain: the test for None": ("call", nothing),
        "3 x transform (hot)": ("call", sync(lambda: three(value))),  # type: ignore[arg-type]
        "3 x transform through pluggy": ("call", sync(lambda: manager.hook.transform(publication=value))),
        "plain await": ("await", awaited(lambda: plain_async(value))),
        "3 x authenticate, plain functions": ("await", awaited(lambda: plain_chain(value))),  # type: ignore[arg-type]
        "3 x authorize, plain functions": ("await", awaited(lambda: asking(ANONYMOUS, "x", value))),  # type: ignore[arg-type]
        "3 x authenticate, async, no timeout": ("await", awaited(lambda: unbounded(value))),  # type: ignore[arg-type]
        "3 x authenticate, async, timeout": ("await", awaited(lambda: waiting_chain(value))),  # type: ignore[arg-type]
    }


async def main() -> None:
    cases = subjects()
    best = dict.fromkeys(cases, float("inf"))
    for _ in range(ROUNDS):
        for name, (_, loop) in cases.items():
            best[name] = min(best[name], await timed(loop))
    base = {"call": best["plain call"], "await": best["plain await"]}
    for name, (unit, _) in cases.items():
        print(f"{name:38}{best[name]:9.0f} ns {best[name] / base[unit]:8.2f} x plain {unit}")


if __name__ == "__main__":
    asyncio.run(main())
