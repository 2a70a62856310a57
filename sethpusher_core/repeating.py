"""Something small that is done again and again, never twice at once, and leaves nothing behind when it is stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

__all__ = ["Repeating"]

log = logging.getLogger("sethpusher.server")


class Repeating:
    """Runs a coroutine function at intervals.

    A timer and not a sleeping task: between two runs nothing is pending that would have to be awaited at the end.
    """

    def __init__(self, function: Callable[[], Awaitable[None]]) -> None:
        """Nothing runs before :meth:`start`.

        Args:
            function: What to run; what it raises is logged.
        """
        self._function = function
        self._interval = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, interval: float) -> None:
        """Runs it every ``interval`` seconds, on the running loop; a run that takes longer delays the next."""
        self._interval = interval
        self._schedule()

    def stop(self) -> None:
        """Runs it no more; a run under way is cancelled."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            await self._function()
        except Exception:
            log.exception("a repeated task failed")
        self._task = None
        self._schedule()
