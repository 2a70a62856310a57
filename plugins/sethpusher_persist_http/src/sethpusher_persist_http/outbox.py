"""The outbox: letters in SQLite, in the order in which they came, until they are posted.

Everything here blocks, and is called by one thread at a time (:mod:`.writer`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from . import sql
from .bundles import Bundle
from .commit import Commit
from .database import Database
from .files import OutboxFiles
from .groups import Bounds, Counts, Group, Stored, Tally
from .letters import SteadyClock
from .table import Table

__all__ = ["Outbox"]

T = TypeVar("T")

VACUUM_PAGES: Final = 1024
"""Free pages from which on an empty outbox gives them back to the file system."""
FORGET_SECONDS: Final = 60.0
"""How often old ids are forgotten at the most."""


class Outbox:
    """An outbox, open.

    Attributes:
        counts: What was in it after the last commit. Replaced, never changed, so any thread may read it.
    """

    def __init__(
        self,
        files: OutboxFiles | None,
        bounds: Bounds,
        *,
        synchronous: str = "FULL",
        set_aside: Callable[[Path, Exception], None] | None = None,
        keeps_dead: bool = True,
        remember: float = 86_400.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Opens it, or makes it where there is none.

        Args:
            files: Where it lies, locked by the caller; None for one in memory.
            bounds: How much it holds.
            synchronous: See :func:`.files.opened`.
            set_aside: Told of a damaged file that was renamed for a new one to take its place. None: a damaged file
                is left, and an error.
            keeps_dead: Whether letters that the API has refused are kept.
            remember: Seconds for which ids of letters that may come again are known.
            clock: Seconds since 1970 that only grow.

        Raises:
            OutboxDamaged: It is damaged, and not to be set aside.
            OutboxError: It cannot be opened.
        """
        self._bounds = bounds
        self._remember = remember
        self._clock = clock or SteadyClock()
        self._keeps_dead = keeps_dead
        self._next = 1
        self._forgot = self._clock()
        self._database = Database(files, synchronous, set_aside, self._count)
        self._table = Table(self._database)
        self._database.open()
        self._guarded(self._dig_up)

    def close(self) -> None:
        """Closes it."""
        self._database.close()

    # ------------------------------------------------------------------------------------------------------- writing

    def commit(self, group: Group) -> Stored:
        """Writes a group, and returns when it is as safe as ``synchronous`` says.

        Raises:
            OutboxError: It cannot be written; nothing of the group is in the outbox.
        """
        return self._guarded(lambda: self._commit(group))

    def tend(self) -> dict[int, int] | None:
        """Small work to be done now and then: takes up what another process has changed, and forgets old ids.

        Returns:
            None, mostly. When another process has changed something: each lane, with its last letter.

        Raises:
            OutboxError: It cannot be written.
        """
        return self._guarded(self._tend)

    def relane(self, layout: str, lane_of: Callable[[str], int]) -> None:
        """Gives all letters their lanes anew, if lanes are made in another way than when this was last called.

        Args:
            layout: The way in which lanes are made.
            lane_of: Gives the lane of a target.

        Raises:
            OutboxError: It cannot be written.
        """
        self._guarded(lambda: self._relane(layout, lane_of))

    # ------------------------------------------------------------------------------------------------------- reading

    def read(self, lane: int, after: int, rows: int, size: int) -> list[Bundle]:
        """Bundles of a lane, oldest first.

        Args:
            lane: The lane.
            after: Only bundles that begin with a greater number.
            rows: Only up to the bundle with which they are so many letters,
            size: or with which their bodies take so many bytes.

        Raises:
            OutboxError: It cannot be read.
        """
        return self._guarded(lambda: self._table.read(lane, after, rows, size))

    def lanes(self) -> dict[int, int]:
        """Each lane that has letters, with the number of its last one."""
        return self._guarded(self._table.lanes)

    def oldest(self) -> float | None:
        """For how many seconds the oldest letter has waited; None when there is none."""
        at = self._guarded(self._table.oldest_at)
        return None if at is None else max(0.0, self._clock() - at)

    # -------------------------------------------------------------------------------------------------------- inside

    def _count(self) -> None:
        waiting, size, dead, dead_size, last = self._database.one(sql.COUNT)
        self.counts = Counts(waiting, size, dead, dead_size)
        self._next = max(self._next, last + 1)
        self._version = self._database.one("PRAGMA data_version")

    def _guarded(self, work: Callable[[], T]) -> T:
        return self._database.guarded(work)

    def _commit(self, group: Group) -> Stored:
        tally = Tally(self.counts)
        commit = Commit(self._database, self._table, self._bounds, tally, self._next, self._clock())
        with self._database.hurried(not group.batches), self._database.transaction():
            commit.write(group, keeps_dead=self._keeps_dead)
        self.counts = tally.counts()
        self._next = commit.next
        return commit.stored

    def _tend(self) -> dict[int, int] | None:
        now = self._clock()
        if now - self._forgot > max(FORGET_SECONDS, self._remember / 100):
            self._forgot = now
            self._database.run(sql.FORGET, (now - self._remember,))
        if not self.counts.waiting and self._database.one("PRAGMA freelist_count")[0] > VACUUM_PAGES:
            # As a script: of a plain statement Python takes the first step, which is one page.
            self._database.connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
        if self._database.one("PRAGMA data_version") == self._version:
            return None
        self._dig_up()
        return self._table.lanes()

    def _dig_up(self) -> None:
        """Puts dead letters that are marked for it behind the others, and counts all anew."""
        with self._database.transaction():
            self._count()
            self._table.dig_up(self._next, self._clock())
        self._count()

    def _relane(self, layout: str, lane_of: Callable[[str], int]) -> None:
        known = self._database.one(sql.LAYOUT)
        if known is not None and known[0].decode() == layout:
            return
        with self._database.transaction():
            self._table.relane(lane_of)
            self._database.run(sql.SET_LAYOUT, (layout,))
