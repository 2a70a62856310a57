"""The event loop that cases run in: it knows what is left over, and it can let time jump."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, TypeVar, TypeVarTuple

from .timing import patience

__all__ = ["KitLoop", "Leftovers", "bounded", "kit_time", "longest_hold", "run", "turns", "within"]

CASE_LIMIT: Final = 8
"""How long a whole case may take, in times of the patience that one wait has."""

TICK: Final = 0.002
"""Seconds between two looks at whether a loop still turns."""

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


def kit_time() -> float:
    """The time of the case that runs, in seconds; for a backend that takes a clock and knows no other.

    With ``virtual_time`` it jumps to the next timer whenever there is nothing else to do.
    """
    return asyncio.get_running_loop().time()


@dataclass(frozen=True)
class Leftovers:
    """What a loop still has to do: each thing in words, by its identity."""

    tasks: dict[int, str]
    timers: dict[int, str]
    lines: dict[int, str]

    def since(self, before: Leftovers) -> list[str]:
        """What there is now and was not before."""
        return [
            text
            for now, then in (
                (self.tasks, before.tasks),
                (self.timers, before.timers),
                (self.lines, before.lines),
            )
            for key, text in now.items()
            if key not in then
        ]


class KitLoop(asyncio.SelectorEventLoop):
    """An event loop that remembers its timers and sockets.

    Args:
        virtual: Whether time jumps to the next timer when there is nothing to do, instead of passing.
    """

    def __init__(self, virtual: bool = False) -> None:
        self._skipped = 0.0
        self._timers: list[asyncio.TimerHandle] = []
        self._watched = _Jumping(self._skip) if virtual else selectors.DefaultSelector()
        super().__init__(self._watched)

    def time(self) -> float:
        """Seconds; see :func:`kit_time`."""
        return super().time() + self._skipped

    def call_at(
        self, when: float, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """See asyncio; ``call_later`` comes through here, too."""
        handle = super().call_at(when, callback, *args, context=context)
        self._timers.append(handle)
        return handle

    def leftovers(self) -> Leftovers:
        """What is under way."""
        now = self.time()
        return Leftovers(
            {id(task): f"the task {task!r}" for task in asyncio.all_tasks(self)},
            {id(timer): f"{timer!r}" for timer in self._timers if not timer.cancelled() and timer.when() > now},
            {key.fd: f"an open connection (descriptor {key.fd})" for key in self._watched.get_map().values()},
        )

    def _skip(self, seconds: float) -> None:
        self._skipped += seconds


class _Jumping(selectors.DefaultSelector):
    """Never waits for a timer: skips the time instead."""

    def __init__(self, skip: Callable[[float], None]) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # no timer is set: only another thread can wake the loop
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self._skip(timeout)
        return ready


def run(coroutine: Coroutine[Any, Any, T], *, virtual: bool = False) -> T:
    """Runs a coroutine in a loop of its own; what it leaves behind is cancelled."""
    with asyncio.Runner(loop_factory=lambda: KitLoop(virtual)) as runner:
        return runner.run(coroutine)


async def within(awaitable: Awaitable[T], what: str, times: float = 1) -> T:
    """Awaits, but not for ever.

    Args:
        awaitable: What is awaited.
        what: What to call it when it takes too long.
        times: How often the patience of one wait it may take.

    Raises:
        AssertionError: It takes longer.
    """
    __tracebackhide__ = True
    limit = times * patience()
    try:
        async with asyncio.timeout(limit) as deadline:
            return await awaitable
    except TimeoutError:
        if not deadline.expired():
            raise
        raise AssertionError(f"{what} has not come to its end within {limit:g} s") from None


async def bounded(case: Awaitable[None]) -> None:
    """Awaits a whole case, but not for ever.

    Raises:
        AssertionError: It takes longer than any case may.
    """
    __tracebackhide__ = True
    await within(case, "the case", CASE_LIMIT)


async def longest_hold(work: Awaitable[object]) -> float:
    """Awaits, and gives the longest time in seconds for which the loop did not turn meanwhile."""
    longest, last = 0.0, perf_counter()

    async def watch() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(TICK)
            now = perf_counter()
            longest, last = max(longest, now - last), now

    watching = asyncio.ensure_future(watch())
    try:
        await work
    finally:
        longest = max(longest, perf_counter() - last)
        watching.cancel()
    return longest


async def turns(count: int = 10) -> None:
    """Lets the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)
