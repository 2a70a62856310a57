"""Runs a test that is a coroutine: bounded, and nothing may be left over."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from support.timing import UNIT

__all__ = ["in_loop", "turns"]

P = ParamSpec("P")


def in_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Makes a plain test of an ``async`` one. It fails when a task or an exception that nobody took is left."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(_checked(test(*args, **kwargs)))

    return run


async def _checked(test: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    lost: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: lost.append(context))
    async with asyncio.timeout(UNIT):
        await test
    await turns(3)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"tasks are left: {left}"
    assert not lost, f"exceptions that nobody took: {lost}"


async def turns(count: int = 10) -> None:
    """Lets the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)
