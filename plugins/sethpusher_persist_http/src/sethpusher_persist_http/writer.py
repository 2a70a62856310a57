"""The outbox from the event loop: one thread writes, and what comes while it writes is committed together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from .bundles import Bundle, Range
from .groups import Group, Stored
from .letters import NewLetter
from .outbox import Outbox

__all__ = ["Writer"]

log = logging.getLogger("sethpusher.persist_http")

T = TypeVar("T")

QUIET_SECONDS: Final = 60.0
"""How long after a line about a failure the next ones are not told."""
PUT_OFF: Final = 8
"""With how many groups of new letters, which hurry, it may be put off to write down what has been posted."""
RETRY_SECONDS: Final = 1.0
"""How long after a failure it is tried again to write down what has been posted."""


class Writer:
    """Hands groups to the outbox, one after the other."""

    def __init__(self, outbox: Outbox, arrived: Callable[[Stored], None]) -> None:
        """Starts a thread with the first use.

        Args:
            outbox: What it writes to.
            arrived: Called in the loop after each commit, before those who wait for it go on.
        """
        self._outbox = outbox
        self._arrived = arrived
        self._thread = ThreadPoolExecutor(1, "sethpusher-outbox")
        self._waiting: list[tuple[Sequence[NewLetter], asyncio.Future[None]]] = []
        self._done: list[Range] = []
        self._dead: list[tuple[int, str]] = []
        self._worker: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._put_off = 0
        self._said = False
        self._quiet_until = 0.0

    async def put(self, batch: Sequence[NewLetter]) -> None:
        """Returns when the batch is in the outbox.

        Raises:
            OutboxError: It is not.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, future))
        self._wake()
        await future

    def done(self, ranges: Sequence[Range]) -> None:
        """Has letters removed that have been posted. It may take until the disk allows it."""
        self._done += ranges
        self._wake()

    def bury(self, number: int, why: str) -> None:
        """Has a letter moved to the dead ones."""
        self._dead.append((number, why))
        self._wake()

    async def read(self, lane: int, after: int, rows: int, size: int) -> list[Bundle]:
        """See :meth:`Outbox.read`."""
        return await self.call(lambda: self._outbox.read(lane, after, rows, size))

    async def call(self, work: Callable[[], T]) -> T:
        """Runs something on the outbox, between two groups."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Writes what there is to write, closes the outbox, and ends the thread."""
        self._stop_waiting()
        self._wake()
        while self._worker is not None:
            await asyncio.wait([self._worker])
        if self._stop_waiting():
            left = sum(last - first + 1 for first, last in self._done)
            log.warning("%d letters that were posted could not be removed, and will be posted again", left)
        await self.call(self._outbox.close)  # in the thread, so that nothing that it still does is cut off
        self._thread.shutdown(wait=False)

    def _wake(self) -> None:
        if self._worker is None and (self._waiting or ((self._done or self._dead) and self._later is None)):
            self._worker = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting or ((self._done or self._dead) and self._later is None):
                await self._write()
        finally:
            self._worker = None

    async def _write(self) -> None:
        # Publishers that have given up are not counted on to want it still.
        waiting = [(batch, future) for batch, future in self._waiting if not future.done()]
        self._waiting = []
        group = Group([batch for batch, _ in waiting])
        self._put_off += 1
        if self._later is None and (not waiting or self._put_off >= PUT_OFF):
            self._put_off = 0
            group.done, self._done = self._done, []
            group.dead, self._dead = self._dead, []
        await self._commit(group, [future for _, future in waiting])

    async def _commit(self, group: Group, futures: Sequence[asyncio.Future[None]]) -> None:
        try:
            stored = await self.call(lambda: self._outbox.commit(group))
        except Exception as error:  # noqa: BLE001 - whatever it is, publishers must hear of it
            if group.batches and (group.done or group.dead):
                # What keeps one of the two from being written need not keep the other.
                await self._commit(Group(done=group.done, dead=group.dead), [])
                await self._commit(Group(group.batches), futures)
                return
            self._fail(error, group)
            for future in futures:
                if not future.done():
                    future.set_exception(error)
            return
        if self._said:
            self._said = False
            log.warning("the outbox can be written again")
        self._arrived(stored)
        for future, refusal in zip(futures, stored.refusals, strict=True):
            if future.done():
                continue
            if refusal is not None:
                future.set_exception(refusal)
            else:
                future.set_result(None)

    def _fail(self, error: Exception, group: Group) -> None:
        # A disk that is all but full takes some and refuses some: once a minute that is told.
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            self._said = True
            log.error("%s; what cannot be written is refused", error)
        if group.done or group.dead:
            self._done, self._dead = group.done + self._done, group.dead + self._dead
            if self._later is None:
                self._later = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._again)

    def _stop_waiting(self) -> bool:
        if self._later is None:
            return False
        self._later.cancel()
        self._later = None
        return True

    def _again(self) -> None:
        self._later = None
        self._wake()
