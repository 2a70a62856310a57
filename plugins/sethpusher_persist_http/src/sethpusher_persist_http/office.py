"""The whole way of a letter, put together: outbox, writer, courier."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from sethpusher_core.repeating import Repeating

from .courier import Courier
from .errors import OutboxError
from .files import OutboxFiles
from .groups import Bounds
from .letters import NewLetter
from .outbox import Outbox
from .pace import Pace
from .posting import Post
from .troubles import Troubles
from .writer import Writer

__all__ = ["Office", "Plan"]

log = logging.getLogger("sethpusher.persist_http")

TEND_SECONDS: Final = 1.0
"""How often it is looked whether somebody else has changed the outbox."""
SYNCHRONOUS: Final = {"power": "FULL", "process": "NORMAL", "memory": "OFF"}
"""What SQLite calls a durability. With NORMAL it waits for the disk at checkpoints only, and a loss of power costs the
newest letters, not the file."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an office is told.

    Attributes:
        folder: Where the outbox lies; None keeps it in memory.
        durability: See the setting.
        set_aside: Whether a damaged outbox is set aside.
        remember: Seconds for which ids of letters that may come again are known.
        bounds: How much the outbox holds.
        pace: How fast letters are posted.
        batches: Whether several letters may share a post.
    """

    folder: Path | None = None
    durability: str = "memory"
    set_aside: bool = False
    remember: float = 86_400.0
    bounds: Bounds = field(default_factory=Bounds)
    pace: Pace = field(default_factory=Pace)
    batches: bool = True


class Office:
    """Takes letters, keeps them, and has them posted."""

    def __init__(self, plan: Plan) -> None:
        """Opens nothing yet."""
        self._plan = plan
        self._files = None if plan.folder is None else OutboxFiles(plan.folder)
        self._outbox: Outbox | None = None
        self._tending = Repeating(self._tend)

    def open(
        self,
        post: Post,
        url_of: Callable[[str], str | Awaitable[str]],
        *,
        lane_of: Callable[[str], int],
        layout: str,
    ) -> None:
        """Opens the outbox and begins to post, on the running loop. Blocks while the outbox is opened and checked.

        Args:
            post: Posts letters.
            url_of: Gives the URL for a target; an empty one: it need not be posted.
            lane_of: Gives the lane of a target.
            layout: The way in which lanes are made; where it is another than last time, all letters are sorted anew.

        Raises:
            OutboxError: The outbox cannot be used; says what to do.
        """
        if self._files is not None:
            self._files.acquire()
        pace = self._plan.pace if self._plan.batches else replace(self._plan.pace, batch_size=1, batch_delay=0.0)
        outbox = None
        try:
            outbox = Outbox(
                self._files,
                replace(self._plan.bounds, bundle_rows=pace.batch_size, bundle_bytes=pace.batch_bytes),
                synchronous=SYNCHRONOUS[self._plan.durability],
                set_aside=_say_set_aside if self._plan.set_aside else None,
                keeps_dead=self._files is not None,  # in memory nobody could look at them
                remember=self._plan.remember,
            )
            outbox.relane(layout, lane_of)
            lanes = outbox.lanes()
        except BaseException:
            if outbox is not None:
                outbox.close()
            if self._files is not None:
                self._files.release()
            raise
        self._outbox = outbox
        self._troubles = Troubles(keeps_dead=self._files is not None)
        self._writer = Writer(outbox, lambda stored: self._courier.arrived(stored))
        self._courier = Courier(self._writer, post, url_of, pace, self._troubles)
        self._courier.start(lanes)
        self._tending.start(TEND_SECONDS)
        counts = outbox.counts
        if counts.waiting or counts.dead:
            log.info("the outbox holds %d publications to post and %d dead letters", counts.waiting, counts.dead)

    async def put(self, letters: Sequence[NewLetter]) -> None:
        """Returns when the letters are kept; they are posted afterwards.

        Raises:
            OutboxError: They are not kept.
        """
        if self._outbox is None:
            raise OutboxError("the outbox is not open")
        await self._writer.put(letters)

    async def close(self, grace: float) -> None:
        """Ends posting and closes the outbox.

        Args:
            grace: Seconds that posts under way are given; where nothing is kept on disk, also those that wait.
        """
        outbox = self._outbox
        if outbox is None:
            return
        self._tending.stop()
        if self._files is None:
            await self._courier.drain(grace)
        await self._courier.stop(grace)
        await self._writer.close()
        self._outbox = None
        if self._files is not None:
            self._files.release()
        elif lost := outbox.counts.waiting:
            log.error("stopped with %d publications that were not posted and are lost", lost)

    async def health(self) -> dict[str, Any] | None:
        """Counters, and the age of the oldest letter, for the details of ``/health``."""
        if self._outbox is None:
            return None
        oldest = await self._writer.call(self._outbox.oldest)
        counts, figures = self._outbox.counts, self._courier.figures
        return {
            "state": self._courier.state,
            "trouble": self._troubles.last,
            "durability": self._plan.durability,
            "waiting": counts.waiting,
            "waiting_bytes": counts.bytes,
            "oldest_seconds": None if oldest is None else round(oldest, 3),
            "dead_letters": counts.dead,
            "posted": figures.posted,
            "posts": figures.posts,
            "failed_posts": figures.failed,
            "refused": figures.refused,
            "dropped": figures.dropped,
        }

    async def _tend(self) -> None:
        assert self._outbox is not None, "it is stopped before the outbox is closed"
        try:
            lanes = await self._writer.call(self._outbox.tend)
        except OutboxError as error:
            log.debug("the outbox could not be tended: %s", error)  # who needs it will say so
            return
        if lanes is not None:
            self._courier.look_again(lanes)


def _say_set_aside(aside: Path, error: Exception) -> None:
    log.error("%s; it was set aside as %s, and a new one begun: what it held is not posted", error, aside)
