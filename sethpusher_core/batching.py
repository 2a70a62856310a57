"""Publications on their way through persist: they come in calls, and go in batches that may share a call or split one.

Nothing is kept for each of them: a batch knows the parts of calls that it is made of.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from .publication import Publication

__all__ = ["Batch", "Line"]

R = TypeVar("R")


class _Call(Generic[R]):
    """One publisher's publications: one future for all of them, however many batches."""

    __slots__ = ("_future", "_left", "_results", "publications")

    def __init__(self, publications: Sequence[Publication], future: asyncio.Future[list[R]]) -> None:
        self.publications = publications
        self._future = future
        self._results: list[Any] = [None] * len(publications)
        self._left = len(publications)

    def settle(self, begin: int, results: Sequence[R]) -> None:
        """Takes what has become of those from one place on; the last of all settles the call."""
        self._results[begin : begin + len(results)] = results
        self._left -= len(results)
        if not self._left and not self._future.done():
            self._future.set_result(self._results)


class _Part(NamedTuple, Generic[R]):
    """Publications of one call: those from one place up to another."""

    call: _Call[R]
    begin: int
    end: int


class Batch(Generic[R]):
    """What is persisted together.

    Attributes:
        publications: The publications, in order.
    """

    __slots__ = ("_parts", "publications")

    def __init__(self, parts: Sequence[_Part[R]]) -> None:
        """Makes one of parts of calls."""
        self._parts = parts
        self.publications = [one for call, begin, end in parts for one in call.publications[begin:end]]

    def settle(self, results: Sequence[R]) -> None:
        """Tells each call what has become of its own.

        Args:
            results: A result for each of ``publications``.
        """
        place = 0
        for call, begin, end in self._parts:
            call.settle(begin, results[place : place + end - begin])
            place += end - begin


class Line(Generic[R]):
    """What waits; false while nothing does."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        """Makes an empty one."""
        self._parts: deque[_Part[R]] = deque()

    def __bool__(self) -> bool:
        return bool(self._parts)

    def put(self, publications: Sequence[Publication], future: asyncio.Future[list[R]]) -> None:
        """Adds the publications of one call.

        Args:
            publications: At least one; they must not change any more.
            future: Gets a result for each of them.
        """
        self._parts.append(_Part(_Call(publications, future), 0, len(publications)))

    def take(self, limit: int) -> Batch[R]:
        """What is next, in order: at most so many."""
        parts: list[_Part[R]] = []
        while self._parts and limit:
            part = self._parts.popleft()
            count = part.end - part.begin
            if count > limit:
                self._parts.appendleft(part._replace(begin=part.begin + limit))
                part, count = part._replace(end=part.begin + limit), limit
            parts.append(part)
            limit -= count
        return Batch(parts)
