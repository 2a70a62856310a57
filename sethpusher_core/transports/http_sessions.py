"""All HTTP sessions of an endpoint: found by id, flushed at the end of a turn, expired by one timer."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterator
from time import perf_counter
from typing import Final

from .http_session import HttpSession

__all__ = ["HttpSessions"]

log = logging.getLogger("sethpusher.transport")

SLICE_SECONDS: Final = 0.01
"""How long flushing or expiring may hold the loop before it yields."""


class HttpSessions:
    """The sessions that outlive requests, those included that are over and only say so."""

    def __init__(self, delay: float) -> None:
        """Makes an empty collection.

        Args:
            delay: Seconds that a session may be without a receiver (``disconnect_delay``).
        """
        self._delay = delay
        self._by_id: dict[str, HttpSession] = {}
        # Since the delay is the same for all, the order of being touched is the order of expiring. OrderedDict, because
        # finding the first entry of a plain dict slows down with every entry that was deleted before it.
        self._deadlines: OrderedDict[HttpSession, float] = OrderedDict()
        self._dirty: OrderedDict[HttpSession, None] = OrderedDict()
        self._owed: set[HttpSession] = set()
        self._settled: asyncio.Event | None = None
        self._expiry: asyncio.Handle | None = None
        self._flush: asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[HttpSession]:
        return iter(list(self._by_id.values()))

    def get(self, id: str) -> HttpSession | None:
        """The session with an id, whether it is over or not."""
        return self._by_id.get(id)

    def add(self, session: HttpSession) -> None:
        """Takes in a new session."""
        self._by_id[session.id] = session
        self.touch(session)

    def stop(self) -> None:
        """Drops every session at once, and all timers."""
        for handle in (self._expiry, self._flush):
            if handle is not None:
                handle.cancel()
        self._expiry = self._flush = None
        while self._by_id:
            _, session = self._by_id.popitem()
            session.expire()
        self._deadlines.clear()
        self._dirty.clear()
        self._owed.clear()

    # ----------------------------------------------------------------------------------------------------- expiring

    def touch(self, session: HttpSession) -> None:
        """A receiver has come or gone, or the session is over: its delay begins anew, or ends.

        A session that is over has a deadline even with a receiver: one that does not read must not keep it.
        """
        if self._by_id.get(session.id) is not session:
            return
        self._deadlines.pop(session, None)
        if session.closed or not session.has_receiver:
            loop = asyncio.get_running_loop()
            self._deadlines[session] = deadline = loop.time() + self._delay
            if self._expiry is None:
                self._expiry = loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        """Ends those whose delay is over. Few, mostly; after a flood in slices."""
        self._expiry = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        stop = perf_counter() + SLICE_SECONDS
        while self._deadlines:
            session, deadline = next(iter(self._deadlines.items()))
            if deadline > now:
                self._expiry = loop.call_at(deadline, self._expire)
                return
            self.drop(session)
            if perf_counter() >= stop:
                self._expiry = loop.call_soon(self._expire)
                return

    def drop(self, session: HttpSession) -> None:
        """Ends a session at once, and forgets it."""
        self._deadlines.pop(session, None)
        if self._by_id.get(session.id) is session:
            del self._by_id[session.id]
        session.expire()
        self.settle(session)

    # ------------------------------------------------------------------------------------------------------ farewells

    def owe(self, session: HttpSession) -> None:
        """Notes that a session has been closed and that its client has yet to hear it."""
        self._owed.add(session)

    def settle(self, session: HttpSession) -> None:
        """Notes that the client has been told, or will never ask."""
        self._owed.discard(session)
        if not self._owed and self._settled is not None:
            self._settled.set()

    async def until_settled(self, seconds: float) -> None:
        """Waits until every client has fetched that its session was closed, but not longer than some seconds.

        A client that lives and is between two receivers comes with the next one within a round trip.
        """
        if not self._owed:
            return
        self._settled = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await self._settled.wait()
        except TimeoutError:
            pass  # the others are gone
        self._settled = None

    # ----------------------------------------------------------------------------------------------------- flushing

    def flush_soon(self, session: HttpSession) -> None:
        """Flushes a session at the end of this turn of the loop, with all others that have something to send."""
        self._dirty[session] = None
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_soon(self._flush_all)

    def _flush_all(self) -> None:
        self._flush = None
        stop = perf_counter() + SLICE_SECONDS
        dirty = self._dirty
        while dirty:
            session, _ = dirty.popitem(last=False)
            try:
                session.flush()
            except Exception:  # one client must not cost the others a message
                log.exception("a session cannot be written to; it is dropped")
                self.drop(session)
            if perf_counter() >= stop and dirty:
                self._flush = asyncio.get_running_loop().call_soon(self._flush_all)
                return
