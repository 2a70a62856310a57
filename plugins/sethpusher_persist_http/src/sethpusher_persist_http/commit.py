"""One group on its way into the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from . import sql
from .bundles import Range, bundled
from .database import Database
from .errors import OutboxFull
from .groups import Bounds, Group, Stored, Tally
from .letters import NewLetter
from .table import Table

__all__ = ["Commit"]

_decode_texts: Final = msgspec.json.Decoder(list[str]).decode
_json: Final = msgspec.json.encode


class Commit:
    """Writes a group, within a transaction.

    Attributes:
        stored: What has become of it.
        next: The number of the next letter that is new.
    """

    def __init__(
        self, database: Database, table: Table, bounds: Bounds, tally: Tally, next_seq: int, now: float
    ) -> None:
        """Prepares.

        Args:
            database: The database.
            table: Its bundles.
            bounds: How much may be in it.
            tally: What is in it; kept up to date.
            next_seq: The number of the next letter that is new.
            now: Seconds since 1970.
        """
        self._database = database
        self._table = table
        self._bounds = bounds
        self._tally = tally
        self._now = now
        self._new: list[NewLetter] = []
        self.next = next_seq
        self.stored = Stored()

    def write(self, group: Group, *, keeps_dead: bool) -> None:
        """Writes it: first what leaves, which makes room, then what is new.

        Args:
            group: The group.
            keeps_dead: Whether dead letters are kept.
        """
        if group.dead:
            self._bury(group.dead, keeps=keeps_dead)
        if group.done:
            self._remove(group.done)
        for batch in group.batches:
            try:
                self._take(batch)
            except OutboxFull as error:
                self.stored.refusals.append(error)
            else:
                self.stored.refusals.append(None)
        self._insert()

    def _bury(self, graves: Sequence[tuple[int, str]], *, keeps: bool) -> None:
        if keeps:
            self._table.bury(graves, self._now)
        rows, size = self._remove([(seq, seq) for seq, _ in graves])
        if keeps:
            self._tally.dead += rows
            self._tally.dead_bytes += size

    def _remove(self, ranges: Sequence[Range]) -> tuple[int, int]:
        # Those that were dropped meanwhile are gone, and were counted then.
        rows, size = self._table.remove(ranges)
        self._tally.waiting -= rows
        self._tally.bytes -= size
        return rows, size

    def _take(self, batch: Sequence[NewLetter]) -> None:
        """Takes what is new of a batch.

        Raises:
            OutboxFull: There is no room for it.
        """
        new = self._unknown(batch)
        if not new:
            return
        size = sum([len(letter.body) for letter in new])
        self._make_room(len(new), size)
        self._new += new
        keyed = [letter.id for letter in new if letter.keyed]
        if keyed:
            self._database.run(sql.REMEMBER, (self._now, _json(keyed)))
        self._tally.waiting += len(new)
        self._tally.bytes += size

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

    def _insert(self) -> None:
        """Puts in what was taken, as few bundles."""
        if not self._new:
            return
        most = (self._bounds.bundle_rows, self._bounds.bundle_bytes)
        bundles = [part for whole in bundled(self._new, self.next) for part in whole.cut(*most)]
        self.next += len(self._new)
        self._new = []
        self._table.insert(bundles, self._now)
        self.stored.bundles += bundles

    def _make_room(self, rows: int, size: int) -> None:
        bounds, tally = self._bounds, self._tally
        if bounds.age:
            self._let_age()
        rows += tally.waiting + tally.dead - bounds.rows
        size += tally.bytes + tally.dead_bytes - bounds.bytes
        if rows <= 0 and size <= 0:
            return
        if not bounds.drop_oldest:
            what = f"{tally.waiting} letters and {tally.dead} dead ones of {tally.bytes + tally.dead_bytes} bytes"
            raise OutboxFull(f"the outbox is full: it holds {what}")
        if tally.dead:
            everything = (self.next, tally.dead, tally.dead_bytes)
            last, gone, gone_bytes = self._database.one(sql.DEAD_TO, (max(rows, 0), max(size, 0))) or everything
            self._database.run(sql.DROP_DEAD, (last,))
            tally.dead -= gone
            tally.dead_bytes -= gone_bytes
            self.stored.dropped += gone
            rows, size = rows - gone, size - gone_bytes
        if tally.waiting and (rows > 0 or size > 0):
            self._insert()  # so that what came before in this group can be dropped, too
            everything = (self.next - 1, tally.waiting, tally.bytes)
            self._drop(self._table.oldest_of(max(rows, 0), max(size, 0)) or everything)

    def _let_age(self) -> None:
        oldest = self._table.oldest_at()
        if oldest is None or self._now - oldest <= self._bounds.age:
            return
        if not self._bounds.drop_oldest:
            raise OutboxFull(f"the outbox is full: its oldest letter has waited for {self._now - oldest:.0f} s")
        self._drop(self._table.too_old(self._now - self._bounds.age))

    def _drop(self, what: tuple[int, int, int]) -> None:
        last, rows, size = what
        self._table.drop(last)
        self._tally.waiting -= rows
        self._tally.bytes -= size
        self.stored.dropped += rows
        self.stored.dropped_to = max(self.stored.dropped_to, last)
