"""Moments at which something is due for one of many, kept by one shared timer."""

from __future__ import annotations

import asyncio
import heapq
from typing import Final, Protocol

__all__ = ["Deadlines", "Due"]

SLACK: Final = 64
"""Dropped entries that the heap may hold beside as many as there are living ones."""


class Due(Protocol):
    """Something with a deadline."""

    def due(self) -> None:
        """The moment has come. Must not raise."""


class Deadlines:
    """One deadline for each of many, and a single timer: for whichever comes first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Due]] = []
        self._number_of: dict[Due, int] = {}
        self._last_number = 0
        self._timer: asyncio.TimerHandle | None = None

    def set(self, what: Due, seconds: float) -> None:
        """Sets the deadline of something, in place of the one that it had.

        Args:
            what: Told by its ``due()``, on the running loop.
            seconds: From now.
        """
        self._last_number += 1
        self._number_of[what] = self._last_number
        when = asyncio.get_running_loop().time() + max(0.0, seconds)
        heapq.heappush(self._heap, (when, self._last_number, what))
        self._tidy()
        if self._heap[0][1] == self._last_number or self._timer is None:
            self._arm()

    def clear(self, what: Due) -> None:
        """Drops the deadline of something, if it has one."""
        if self._number_of.pop(what, None) is not None:
            self._tidy()

    def stop(self) -> None:
        """Drops all of them."""
        self._heap.clear()
        self._number_of.clear()
        self._arm()

    def _tidy(self) -> None:
        """Keeps entries that were dropped from piling up until their moment comes."""
        if len(self._heap) > 2 * len(self._number_of) + SLACK:
            self._heap = [entry for entry in self._heap if self._number_of.get(entry[2]) == entry[1]]
            heapq.heapify(self._heap)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            self._timer = asyncio.get_running_loop().call_at(self._heap[0][0], self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._heap and self._heap[0][0] <= now:
            _, number, what = heapq.heappop(self._heap)
            if self._number_of.get(what) == number:
                del self._number_of[what]
                what.due()
        self._arm()
