"""Coroutines that begin at once and not in the next turn, since most of them end before they wait for anything."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Generator
from typing import Any

__all__ = ["Suspended", "begun", "started"]


class Suspended:
    """A coroutine that has been begun by hand and waits for its first future; awaiting this continues it."""

    __slots__ = ("_coroutine", "_future")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], future: object) -> None:
        self._coroutine = coroutine
        self._future = future

    def __await__(self) -> Generator[object, None, Any]:
        future = self._future
        while True:
            thrown: BaseException | None = None
            try:
                yield future
            except BaseException as error:  # noqa: BLE001 - what the loop throws in (a cancellation) is the coroutine's
                thrown = error
            try:
                future = self._coroutine.send(None) if thrown is None else self._coroutine.throw(thrown)
            except StopIteration as ended:
                return ended.value
            finally:
                thrown = None  # else it would hold this frame, and be held by it


def begun(coroutine: Coroutine[Any, Any, Any]) -> tuple[bool, Any]:
    """Runs a coroutine up to its first suspension: whether it has ended, and its result, or what is left of it."""
    try:
        future = coroutine.send(None)
    except StopIteration as ended:
        return True, ended.value
    return False, Suspended(coroutine, future)


def started(coroutine: Coroutine[Any, Any, None], *, taskless: bool) -> asyncio.Task[None] | None:
    """Starts a coroutine, at once where that can be done; what is left of it then goes on in a task.

    Args:
        coroutine: What to run. It handles its own exceptions.
        taskless: Whether up to its first suspension nobody in there asks for the current task, as ``asyncio.timeout``
            does. Before Python 3.12 only such a coroutine begins at once, since there is no task then.

    Returns:
        The task, for the caller to keep; None if it has ended already. Before Python 3.12 one that is cancelled before
        its first turn closes what is left, which does not hear of the cancellation.
    """
    if sys.version_info >= (3, 12):
        task = asyncio.Task(coroutine, loop=asyncio.get_running_loop(), eager_start=True)
        return None if task.done() and not task.cancelled() and task.exception() is None else task
    if not taskless:
        return asyncio.create_task(coroutine)
    ended, rest = begun(coroutine)
    return None if ended else asyncio.create_task(_rest(rest))


async def _rest(suspended: Suspended) -> None:
    await suspended
