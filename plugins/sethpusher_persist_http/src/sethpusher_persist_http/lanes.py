"""Lanes: letters that must not overtake each other, and how much of each lane is in memory.

The outbox is the truth; what stands here is its beginning, so that letters that are posted soon are not read back from
the disk. No I/O.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from .letters import Letter

__all__ = ["Lane"]


class Lane:
    """One lane.

    Attributes:
        key: Its number.
        waiting: Its next letters.
        batch: Letters of a post that failed: they are posted again together, so that the post keeps its id.
        newest: The number of its last letter in the outbox.
        loaded: The number of the last letter that has been in ``waiting``.
        failures: How many posts have failed since one did not.
        alone_to: Letters up to this number are posted one by one.
        queued: Whether it waits for its turn, or has it.
        timer: What gives it its turn later.
    """

    __slots__ = ("alone_to", "batch", "failures", "key", "loaded", "newest", "queued", "timer", "waiting")

    def __init__(self, key: int, loaded: int = 0) -> None:
        """Makes one, of whose letters up to ``loaded`` none is left to post."""
        self.key = key
        self.waiting: deque[Letter] = deque()
        self.batch: list[Letter] = []
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

    def offer(self, letter: Letter, *, room: bool) -> bool:
        """Takes note of a letter that is new in the outbox; whether it is kept in memory.

        Args:
            letter: The letter.
            room: Whether there is room for it.
        """
        seq = letter.seq
        if seq <= self.loaded:
            return False  # it has been read from the outbox before its commit was told of
        keep = room and self.newest <= self.loaded
        if seq > self.newest:
            self.newest = seq
        if keep:
            self.waiting.append(letter)
            self.loaded = seq
        return keep

    def load(self, letters: Sequence[Letter], newest: int) -> None:
        """Takes what was read from the outbox.

        Args:
            letters: What follows ``loaded``, oldest first.
            newest: What ``newest`` was when it was asked for: when there are none, there are none up to that.
        """
        self.waiting.extend(letters)
        self.loaded = letters[-1].seq if letters else max(self.loaded, newest)

    def take(self, rows: int, size: int) -> list[Letter]:
        """Letters for one post: at most so many, of so many bytes; one in any case."""
        batch: list[Letter] = []
        while self.waiting and len(batch) < rows:
            letter = self.waiting[0]
            if letter.seq <= self.alone_to:
                rows = 1  # that is: alone, unless others stand before it already
                if batch:
                    break
            size -= len(letter.body)
            if batch and size < 0:
                break
            batch.append(self.waiting.popleft())
        return batch

    def give_back(self, batch: Sequence[Letter], *, alone: bool) -> None:
        """Puts letters back in front; ``alone``: to be posted one by one."""
        self.waiting.extendleft(reversed(batch))
        if alone:
            self.alone_to = batch[-1].seq

    def forget(self, up_to: int) -> int:
        """Drops letters with this number or a smaller one; gives the bytes of their bodies."""
        size = 0
        while self.waiting and self.waiting[0].seq <= up_to:
            size += len(self.waiting.popleft().body)
        return size
