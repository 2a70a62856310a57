"""What a hook costs: an empty chain, and chains of three plugins, beside a plain call. Ratios of one run.

Run it with ``python -m benchmarks.hook_chain``. Each figure is the best of several rounds, taken in turns, so that a
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
    """What everything is measured against."""
    return publication


async def plain_async(publication: object) -> object:
    """What everything that waits is measured against."""
    return publication


def plugins(hook: str, *functions: Callable[..., Any]) -> list[object]:
    """Plugin objects, each with one function."""
    return [SimpleNamespace(name=f"p{i}", **{hook: hookimpl(f)}) for i, f in enumerate(functions)]


def copies(make: Callable[[], Callable[..., Any]], count: int) -> list[Callable[..., Any]]:
    """As many functions of one kind."""
    return [make() for _ in range(count)]


def transform() -> Callable[..., Any]:
    """A transform that changes nothing."""
    return lambda publication: publication


def silent() -> Callable[..., Any]:
    """A plain authenticator to whom nothing is meant."""
    return lambda credentials: None


def silent_async() -> Callable[..., Any]:
    """The same, async; it does not suspend."""

    async def authenticate() -> None:
        return None

    return authenticate


def waiting() -> Callable[..., Any]:
    """The same; it suspends once."""

    async def authenticate() -> None:
        await asyncio.sleep(0)

    return authenticate


def allow() -> Callable[..., Any]:
    """An authorizer that says yes."""
    return lambda identity, action, target: ALLOW


async def timed(loop: Callable[[], Awaitable[None]]) -> float:
    """Nanoseconds per call."""
    begin = time.perf_counter()
    await loop()
    return (time.perf_counter() - begin) / CALLS * 1e9


def sync(call: Callable[[], object]) -> Callable[[], Awaitable[None]]:
    """Calls in a row."""

    async def loop() -> None:
        for _ in range(CALLS):
            call()

    return loop


def awaited(call: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """Awaits in a row."""

    async def loop() -> None:
        for _ in range(CALLS):
            await call()

    return loop


def subjects() -> dict[str, tuple[str, Callable[[], Awaitable[None]]]]:
    """What is measured: by name, the base that it is compared with and the loop."""
    value: Any = object()
    empty = Hooks.compile()
    three: Any = Hooks.compile(plugins("transform", *copies(transform, 3))).transform
    plain_chain: Any = Hooks.compile(plugins("authenticate", *copies(silent, 3)), timeout=5).authenticate
    waiting_chain: Any = Hooks.compile(plugins("authenticate", *copies(silent_async, 3)), timeout=5).authenticate
    suspending_chain: Any = Hooks.compile(plugins("authenticate", *copies(waiting, 3)), timeout=5).authenticate
    asking: Any = Hooks.compile(plugins("authorize", *copies(allow, 3)), timeout=5).authorize
    manager = pluggy.PluginManager("sethpusher")
    manager.add_hookspecs(hookspecs)
    for plugin in plugins("transform", *copies(transform, 3)):
        manager.register(plugin)

    async def nothing() -> None:
        for _ in range(CALLS):
            if empty.transform is not None:
                raise AssertionError

    return {
        "plain call": ("call", sync(lambda: plain(value))),
        "empty chain: the test for None": ("call", nothing),
        "3 x transform (hot)": ("call", sync(lambda: three(value))),
        "3 x transform through pluggy": ("call", sync(lambda: manager.hook.transform(publication=value))),
        "plain await": ("await", awaited(lambda: plain_async(value))),
        "3 x authenticate, plain functions": ("await", awaited(lambda: plain_chain(value))),
        "3 x authorize, plain functions": ("await", awaited(lambda: asking(ANONYMOUS, "x", value))),
        "3 x authenticate, async": ("await", awaited(lambda: waiting_chain(value))),
        "plain await that suspends": ("suspending await", awaited(lambda: asyncio.sleep(0))),
        "3 x authenticate, async, suspending": ("suspending await", awaited(lambda: suspending_chain(value))),
    }


async def main() -> None:
    """Measures, and prints the best of all rounds."""
    cases = subjects()
    best = dict.fromkeys(cases, float("inf"))
    for _ in range(ROUNDS):
        for name, (_, loop) in cases.items():
            best[name] = min(best[name], await timed(loop))
    base = {
        "call": best["plain call"],
        "await": best["plain await"],
        "suspending await": best["plain await that suspends"],
    }
    for name, (unit, _) in cases.items():
        print(f"{name:38}{best[name]:9.0f} ns {best[name] / base[unit]:8.2f} x plain {unit}")


if __name__ == "__main__":
    asyncio.run(main())
