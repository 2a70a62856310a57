"""One timer for many: calls something for each member once per interval, spread evenly over the interval."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from math import ceil
from typing import Final, Generic, TypeVar

__all__ = ["Wheel"]

log = logging.getLogger("sethpusher.transport")

Member = TypeVar("Member")

TICK: Final = 0.2
"""Seconds between two slots (less where the interval itself is shorter)."""
STALL: Final = 0.5
"""A tick that comes later than this many seconds says something about us and nothing about the peers."""


class Wheel(Generic[Member]):
    """A ring of slots, one interval long. With each tick the members of the next slot have their turn."""

    def __init__(
        self,
        interval: float,
        beat: Callable[[Member], None],
        *,
        check: Callable[[Member], None] | None = None,
        check_after: float = 0.0,
    ) -> None:
        """Makes a wheel that stands still until :meth:`start`.

        Args:
            interval: Seconds between two beats of a member.
            beat: Called for each member once per interval.
            check: Called for each member ``check_after`` to ``check_after + 2 * TICK`` seconds after its beat. Left
                out when the tick comes late: then answers may wait in the sockets that we had no time to read.
            check_after: Seconds.
        """
        count = max(1, round(interval / TICK))
        self._slots: list[dict[Member, None]] = [{} for _ in range(count)]
        self._tick = interval / count
        # One tick more than needed: a beat may come late within its tick, and then the check must not come early.
        self._check_back = ceil(check_after / self._tick) + 1
        self._beat = beat
        self._check = check
        self._slot_of: dict[Member, dict[Member, None]] = {}
        self._hand = 0
        self._newest = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: Member) -> None:
        """Adds a member. Its first beat comes after half an interval to a whole one.

        Not before, since a client that has just come has shown that it lives; and members that come in a row come into
        slots in a row, even when thousands come at once.
        """
        count = len(self._slots)
        self._newest = (self._newest + 1) % (count - count // 2)
        slot = self._slot_of[member] = self._slots[(self._hand - self._newest) % count]
        slot[member] = None

    def remove(self, member: Member) -> None:
        """Removes a member; nothing of it is kept."""
        slot = self._slot_of.pop(member, None)
        if slot is not None:
            del slot[member]

    def __len__(self) -> int:
        return len(self._slot_of)

    def start(self) -> None:
        """Begins to turn, on the running loop."""
        self._due = asyncio.get_running_loop().time()
        self._arm()

    def stop(self) -> None:
        """Stands still."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._due += self._tick
        self._timer = asyncio.get_running_loop().call_at(self._due, self._turn)

    def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        late = now - self._due
        if late > self._tick:
            self._due = now
        self._arm()
        self._hand = (self._hand + 1) % len(self._slots)
        if self._check is not None and late < STALL:
            self._call(self._check, (self._hand - self._check_back) % len(self._slots))
        self._call(self._beat, self._hand)

    def _call(self, function: Callable[[Member], None], slot: int) -> None:
        for member in list(self._slots[slot]):
            try:
                function(member)
            except Exception:  # one failing member must not stop the wheel for all others
                log.exception("a heartbeat failed")
