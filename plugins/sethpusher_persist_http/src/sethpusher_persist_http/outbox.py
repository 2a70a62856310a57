"""The outbox: letters in SQLite, in the order in which they came, until they are posted.

Everything here blocks, and is called by one thread at a time (:mod:`.writer`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from . import sql
from .database import Database
from .errors import OutboxFull
from .files import OutboxFiles
from .groups import Bounds, Counts, Group, Stored, Tally
from .letters import Letter, NewLetter, SteadyClock

__all__ = ["Outbox"]

T = TypeVar("T")

VACUUM_PAGES: Final = 1024
"""Free pages from which on an empty outbox gives them back to the file system."""
FORGET_SECONDS: Final = 60.0
"""How often old ids are forgotten at the most."""

_decode_heads: Final = msgspec.json.Decoder(list[tuple[int, int, str, msgspec.Raw]]).decode
_decode_texts: Final = msgspec.json.Decoder(list[str]).decode
_json: Final = msgspec.json.encode


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

    def read(self, lane: int, after: int, rows: int, size: int) -> list[Letter]:
        """Letters of a lane, oldest first.

        Args:
            lane: The lane.
            after: Only letters with a greater number.
            rows: How many at the most.
            size: Bytes that their bodies may take together; one letter is given in any case.

        Raises:
            OutboxError: It cannot be read.
        """
        heads, bodies = self._guarded(lambda: self._database.one(sql.READ, (lane, after, rows, size)))
        if heads is None:
            return []
        letters, begin = [], 0
        for seq, length, id, target in _decode_heads(b"[%b]" % heads):
            letters.append(Letter(seq, id, bytes(target).decode(), bodies[begin : begin + length]))
            begin += length
        letters.sort()  # SQLite does not promise the order of what it joins
        return letters

    def lanes(self) -> dict[int, int]:
        """Each lane that has letters, with the number of its last one."""
        return dict(self._guarded(lambda: self._database.connection.execute(sql.LANES).fetchall()))

    def oldest(self) -> float | None:
        """For how many seconds the oldest letter has waited; None when there is none."""
        at = self._guarded(self._oldest_at)
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
        stored = Stored()
        tally = Tally(self.counts)
        with self._database.hurried(not group.batches), self._database.transaction():
            if group.dead:
                self._bury(group.dead, tally)
            if group.done:
                self._remove(_json(group.done), tally)
            for batch in group.batches:
                try:
                    stored.batches.append(self._take(batch, tally, stored))
                except OutboxFull as error:
                    stored.batches.append(error)
        self.counts = tally.counts()
        return stored

    def _bury(self, graves: Sequence[tuple[int, str]], tally: Tally) -> None:
        numbers = _json([seq for seq, _ in graves])
        if not self._keeps_dead:
            self._remove(numbers, tally)
            return
        rows, size = self._database.one(sql.SIZE_OF, (numbers,))
        self._database.run(sql.BURY, (self._clock(), _json(graves)))
        tally.dead += rows
        tally.dead_bytes += size
        self._remove(numbers, tally)

    def _remove(self, numbers: bytes, tally: Tally) -> None:
        # Those that were dropped meanwhile are gone, and were counted then.
        rows, size = self._database.one(sql.SIZE_OF, (numbers,))
        self._database.run(sql.REMOVE, (numbers,))
        tally.waiting -= rows
        tally.bytes -= size

    def _take(self, batch: Sequence[NewLetter], tally: Tally, stored: Stored) -> list[tuple[int, Letter]]:
        """Puts in what is new of a batch.

        Raises:
            OutboxFull: There is no room for it.
        """
        now = self._clock()
        new = self._unknown(batch)
        if not new:
            return []
        size = sum(len(letter.body) for letter in new)
        self._make_room(len(new), size, now, tally, stored)
        letters = [(new.lane, Letter(seq, new.id, new.target, new.body)) for seq, new in enumerate(new, self._next)]
        self._next += len(letters)
        for begin in range(0, len(letters), sql.INSERT_LIMIT):
            part = letters[begin : begin + sql.INSERT_LIMIT]
            parameters: list[Any] = [now, part[0][1].seq]
            for lane, (_, id, target, body) in part:
                parameters += (lane, id, target, body)
            self._database.run(sql.insert(len(part)), parameters)
        keyed = [letter.id for letter in new if letter.keyed]
        if keyed:
            self._database.run(sql.REMEMBER, (now, _json(keyed)))
        tally.waiting += len(letters)
        tally.bytes += size
        return letters

    def _unknown(self, batch: Sequence[NewLetter]) -> Sequence[NewLetter]:
        """What has not been put in before, under the same id; nor earlier in the same batch."""
        keyed = [letter.id for letter in batch if letter.keyed]
        if not keyed:
            return batch
        seen = set(_decode_texts(self._database.one(sql.KNOWN, (_json(keyed),))[0]))
        new: list[NewLetter] = []
        for letter in batch:
            if letter.id not in seen:
                new.append(letter)
                if letter.keyed:
                    seen.add(letter.id)
        return new

    def _make_room(self, rows: int, size: int, now: float, tally: Tally, stored: Stored) -> None:
        bounds = self._bounds
        if bounds.age:
            self._let_age(now, tally, stored)
        rows += tally.waiting + tally.dead - bounds.rows
        size += tally.bytes + tally.dead_bytes - bounds.bytes
        if rows <= 0 and size <= 0:
            return
        if not bounds.drop_oldest:
            what = f"{tally.waiting} letters and {tally.dead} dead ones of {tally.bytes + tally.dead_bytes} bytes"
            raise OutboxFull(f"the outbox is full: it holds {what}")
        if tally.dead:
            need = (max(rows, 0), max(size, 0))
            last, gone, gone_bytes = self._database.one(sql.DEAD_TO, need) or (self._next, tally.dead, tally.dead_bytes)
            self._database.run(sql.DROP_DEAD, (last,))
            tally.dead -= gone
            tally.dead_bytes -= gone_bytes
            stored.dropped += gone
            rows, size = rows - gone, size - gone_bytes
        if tally.waiting and (rows > 0 or size > 0):
            need = (max(rows, 0), max(size, 0))
            everything = (self._next - 1, tally.waiting, tally.bytes)
            self._drop(self._database.one(sql.LETTERS_TO, need) or everything, tally, stored)

    def _let_age(self, now: float, tally: Tally, stored: Stored) -> None:
        oldest = self._oldest_at()
        if oldest is None or now - oldest <= self._bounds.age:
            return
        if not self._bounds.drop_oldest:
            raise OutboxFull(f"the outbox is full: its oldest letter has waited for {now - oldest:.0f} s")
        self._drop(self._database.one(sql.TOO_OLD, (now - self._bounds.age,)), tally, stored)

    def _drop(self, what: tuple[int, int, int], tally: Tally, stored: Stored) -> None:
        last, rows, size = what
        self._database.run(sql.DROP_LETTERS, (last,))
        tally.waiting -= rows
        tally.bytes -= size
        stored.dropped += rows
        stored.dropped_to = max(stored.dropped_to, last)

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
        return dict(self._database.connection.execute(sql.LANES).fetchall())

    def _dig_up(self) -> None:
        """Puts dead letters that are marked for it behind the others, and counts all anew."""
        with self._database.transaction():
            self._count()
            self._database.run(sql.DIG_UP, (self._next - 1, self._clock()))
            self._database.run(sql.DUG_UP)
        self._count()

    def _relane(self, layout: str, lane_of: Callable[[str], int]) -> None:
        known = self._database.one(sql.LAYOUT)
        if known is not None and known[0].decode() == layout:
            return
        self._database.connection.create_function("lane_of", 1, lane_of, deterministic=True)
        with self._database.transaction():
            self._database.run(sql.RELANE_LETTERS)
            self._database.run(sql.RELANE_DEAD)
            self._database.run(sql.SET_LAYOUT, (layout,))

    def _oldest_at(self) -> float | None:
        found = self._database.one(sql.OLDEST)
        return None if found is None else found[0]
