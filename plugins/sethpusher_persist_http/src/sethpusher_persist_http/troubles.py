"""What is said of failures: a line at the first and a line at the recovery, not one for each."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import Final

__all__ = ["Troubles"]

log = logging.getLogger("sethpusher.persist_http")

QUIET_SECONDS: Final = 60.0
"""How long after a line of its kind the next losses and refusals are only counted."""


class Troubles:
    """Keeps the log short.

    Attributes:
        last: What went wrong last; None while nothing is wrong.
    """

    def __init__(self, *, keeps_dead: bool = True, clock: Callable[[], float] = monotonic) -> None:
        """Begins with nothing wrong.

        Args:
            keeps_dead: Whether what the API refuses is kept.
            clock: Seconds that only grow.
        """
        self._clock = clock
        self._fate = "dead letters now (seth-pusher outbox dead-letters)" if keeps_dead else "lost"
        self._failing: set[int] = set()
        self._since = 0.0
        self._dropped = _Throttle(clock)
        self._refused = _Throttle(clock)
        self.last: str | None = None

    def failed(self, lane: int, url: str, why: str) -> None:
        """A lane's post has failed."""
        if not self._failing:
            self._since = self._clock()
            where = f" to {url.partition('?')[0]}" if url else ""  # queries may hold keys
            log.error("publications cannot be posted%s: %s; they are kept, and tried again", where, why)
        self._failing.add(lane)
        self.last = why

    def passed(self, lane: int) -> None:
        """A lane's post has been answered."""
        if lane in self._failing:
            self._failing.discard(lane)
            if not self._failing:
                self.last = None
                log.warning("publications can be posted again, after %.0f s", self._clock() - self._since)

    def gone(self, lane: int) -> None:
        """A lane has nothing to post any more, though no post was answered."""
        self._failing.discard(lane)
        if not self._failing:
            self.last = None

    def refused(self, id: str, target: str, why: str) -> None:
        """A letter has become a dead one."""
        count = self._refused.count(1)
        if count:
            log.error(
                "the API has refused %d publications, the last of them %s for %s: %s; they are %s",
                count,
                id,
                target,
                why,
                self._fate,
            )

    def dropped(self, count: int) -> None:
        """Letters were dropped to make room."""
        count = self._dropped.count(count)
        if count:
            log.error("the outbox is full: its %d oldest letters were dropped, and will not be posted", count)


class _Throttle:
    """Adds up, and gives the sum at once and then at most once a minute."""

    __slots__ = ("_clock", "_last", "_unsaid")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = float("-inf")
        self._unsaid = 0

    def count(self, count: int) -> int:
        """Adds; the sum to be said now, or 0."""
        self._unsaid += count
        now = self._clock()
        if now - self._last < QUIET_SECONDS:
            return 0
        self._last = now
        count, self._unsaid = self._unsaid, 0
        return count
