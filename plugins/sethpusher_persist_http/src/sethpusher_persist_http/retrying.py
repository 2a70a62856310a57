"""When it is tried again: growing delays, what ``Retry-After`` says, and the circuit."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["Circuit", "backoff", "retry_after"]

LONGEST_RETRY_AFTER: Final = 3600.0
"""Seconds that an endpoint can ask for; one that says more is asked again then."""


def backoff(failures: int, first: float, longest: float, chance: Callable[[], float] = random.random) -> float:
    """How long to wait after so many failures in a row, in seconds.

    It doubles up to ``longest``; half of it is left to chance, so that many do not come back at the same moment.
    """
    full = min(longest, first * 2.0 ** min(failures - 1, 60))
    return full * (0.5 + chance() / 2)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that ``Retry-After`` asks for (RFC 9110, section 10.2.3); None where it says nothing one can read.

    A date is read against the answer's own ``Date``, so that it does not matter how far our clock is off.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_RETRY_AFTER)
    when = _date(text)
    if when is None:
        return None
    now = _date(headers.get("Date", "")) or datetime.now(UTC)
    return min(max(0.0, (when - now).total_seconds()), LONGEST_RETRY_AFTER)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


class Circuit:
    """Whether an origin is asked at all.

    Closed: everybody posts. After some failures in a row, or when the origin says when to come back, it opens: nobody
    posts, until a time at which one is let through to find out. Its answer closes the circuit; its failure opens it for
    longer. What others have under way meanwhile counts only when it fails.
    """

    def __init__(self, threshold: int, first: float, longest: float) -> None:
        """Makes a closed one.

        Args:
            threshold: Failures in a row that open it.
            first: About how many seconds it stays open at first.
            longest: How long at the most.
        """
        self._threshold = threshold
        self._first = first
        self._longest = longest
        self._failures = 0
        self._until: float | None = None
        self._scout: object = None

    @property
    def is_open(self) -> bool:
        """Whether not everybody may post."""
        return self._until is not None

    def lets_through(self, who: object, now: float) -> bool:
        """Whether somebody may post now, and then say how it went.

        Args:
            who: Who asks.
            now: Seconds that only grow.
        """
        if self._until is None:
            return True
        if self._scout is not None or now < self._until:
            return False
        self._scout = who
        return True

    def pause(self, now: float) -> float | None:
        """After how many seconds somebody may ask again; None: not before the one that was let through is answered."""
        if self._scout is not None:
            return None
        return 0.0 if self._until is None else max(0.0, self._until - now)

    def answered(self, who: object) -> bool:
        """Somebody's post has been answered; whether the circuit is closed now."""
        if self._until is not None and self._scout is not who:
            return False
        self._failures = 0
        self._until = self._scout = None
        return True

    def failed(self, who: object, now: float, pause: float | None = None) -> None:
        """Somebody's post has failed.

        Args:
            who: Whose.
            now: Seconds that only grow.
            pause: For how long the origin wants to be left alone.
        """
        if self._scout is who:
            self._scout = None
        self._failures += 1
        over = self._failures - self._threshold
        if pause is None and over < 0 and self._until is None:
            return
        wait = backoff(max(over, 0) + 1, self._first, self._longest) if pause is None else pause
        # A post that began before the circuit opened does not shorten what was asked for.
        self._until = max(now + wait, self._until or 0.0)
