"""Lanes: letters that must not overtake each other, and how much of each lane is in memory.

The outbox is the truth; what stands here is its beginning, so that letters that are posted soon are not read back from
the disk. No I/O.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from .bundles import Bundle

__all__ = ["Lane", "behind_of"]


class Lane:
    """One lane.

    Attributes:
        key: Its number.
        waiting: Its next letters.
        rows: How many these are.
        batch: Letters of a post that failed: they are posted again together, so that the post keeps its id.
        newest: The number of its last letter in the outbox.
        loaded: The number of the last letter that has been in ``waiting``.
        failures: How many posts have failed since one did not.
        alone_to: Letters up to this number are posted one by one.
        queued: Whether it waits for its turn, or has it.
        timer: What gives it its turn later.
    """

    __slots__ = ("alone_to", "batch", "failures", "key", "loaded", "newest", "queued", "rows", "timer", "waiting")

    def __init__(self, key: int, loaded: int = 0) -> None:
        """Makes one, of whose letters up to ``loaded`` none is left to post."""
        self.key = key
        self.waiting: deque[Bundle] = deque()
        self.rows = 0
        self.batch: list[Bundle] = []
        self.newest = loaded
        self.loaded = loaded
        self.failures = 0
        self.alone_to = 0
        self.queued = False
        self.timer: asyncio.TimerHandle | None = None

    @property
    def behind(self) -> bool:
        """Whether there is more of it in the outbox than in memory."""
        return self.newest > self.loaded

    @property
    def empty(self) -> bool:
        """Whether nothing is left to post."""
        return not (self.waiting or self.batch or self.behind)

    def offer(self, bundle: Bundle, *, room: bool) -> bool:
        """Takes note of letters that are new in the outbox; whether they are kept in memory.

        Args:
            bundle: The letters.
            room: Whether there is room for them.
        """
        if bundle.seq <= self.loaded:
            return False  # they have been read from the outbox before their commit was told of
        keep = room and self.newest <= self.loaded
        if bundle.last > self.newest:
            self.newest = bundle.last
        if keep:
            self.waiting.append(bundle)
            self.rows += len(bundle)
            self.loaded = bundle.last
        return keep

    def load(self, bundles: Sequence[Bundle], newest: int) -> None:
        """Takes what was read from the outbox.

        Args:
            bundles: What follows ``loaded``, oldest first.
            newest: What ``newest`` was when it was asked for: when there are none, there are none up to that.
        """
        self.waiting.extend(bundles)
        self.rows += _rows(bundles)
        self.loaded = bundles[-1].last if bundles else max(self.loaded, newest)

    def take(self, rows: int, size: int) -> list[Bundle]:
        """Letters for one post: at most so many, of so many bytes; one in any case.

        A bundle goes as a whole if it fits into a post at all, since it leaves the outbox more easily then.
        """
        batch: list[Bundle] = []
        while self.waiting:
            bundle = self.waiting[0]
            if bundle.seq <= self.alone_to:
                rows = 1  # that is: alone, unless others stand before it already
                if batch:
                    break
            count = bundle.fitting(rows, size)
            if batch and (count < len(bundle) or bundle.size > size):
                break
            if count < len(bundle):
                self.waiting[0] = bundle.part(count, len(bundle))
                batch = [bundle.part(0, count)]
                break
            batch.append(self.waiting.popleft())
            rows -= count
            size -= bundle.size
            if rows <= 0:
                break
        self.rows -= _rows(batch)
        return batch

    def give_back(self, batch: Sequence[Bundle], *, alone: bool) -> None:
        """Puts letters back in front; ``alone``: to be posted one by one."""
        self.waiting.extendleft(reversed(batch))
        self.rows += _rows(batch)
        if alone:
            self.alone_to = batch[-1].last

    def forget(self, up_to: int) -> int:
        """Drops letters with this number or a smaller one; gives the memory that they took."""
        kept = behind_of(self.waiting, up_to)
        freed = sum(bundle.memory for bundle in self.waiting) - sum(bundle.memory for bundle in kept)
        self.waiting = deque(kept)
        self.rows = _rows(kept)
        return freed


def behind_of(bundles: Sequence[Bundle], up_to: int) -> list[Bundle]:
    """Those letters of some bundles that have greater numbers."""
    return [bundle.after(up_to) for bundle in bundles if bundle.last > up_to]


def _rows(bundles: Sequence[Bundle]) -> int:
    return sum(map(len, bundles))
