"""The table of bundles: what waits in the outbox, in whole rows where it can be, and in parts where it must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from . import sql
from .bundles import Bundle, Range, decoded
from .database import Database

__all__ = ["Table"]

_json: Final = msgspec.json.encode
_decode_numbers: Final = msgspec.json.Decoder(list[int]).decode


class Table:
    """Bundles in the database. What changes it is called within a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, bundles: Sequence[Bundle], at: float) -> None:
        """Puts in bundles.

        Args:
            bundles: The bundles; their numbers are free.
            at: When they came, in seconds since 1970.
        """
        for begin in range(0, len(bundles), sql.INSERT_LIMIT):
            part = bundles[begin : begin + sql.INSERT_LIMIT]
            parameters: list[Any] = [at]
            for bundle in part:
                heads, bodies = bundle.heads, b",".join(bundle.bodies)
                parameters += (bundle.seq, bundle.lane, len(bundle), bundle.size, heads, bodies)
            self._database.run(sql.insert(len(part)), parameters)

    def read(self, lane: int, after: int, rows: int, size: int) -> list[Bundle]:
        """Bundles of a lane that begin after a number, up to the one that reaches so many letters or bytes."""
        heads, bodies = self._database.one(sql.READ, (lane, after, rows, rows, size))
        return [] if heads is None else decoded(heads, bodies)

    def lanes(self) -> dict[int, int]:
        """Each lane that has letters, with the number of its last one."""
        return dict(self._database.connection.execute(sql.LANES).fetchall())

    def oldest_at(self) -> float | None:
        """When the oldest letter came; None when there is none."""
        found = self._database.one(sql.OLDEST)
        return None if found is None else found[0]

    def remove(self, ranges: Sequence[Range]) -> tuple[int, int]:
        """Removes letters, those of them that are there; says how many, and how many bytes."""
        numbers = _json(ranges)
        rows, size, beyond = self._database.one(sql.SIZE_OF, (numbers,))
        if beyond or rows != sum(last - first + 1 for first, last in ranges):
            cut_rows, cut_size = self._cut_out(ranges)
            rows, size, _ = self._database.one(sql.SIZE_OF, (numbers,))
            rows, size = rows + cut_rows, size + cut_size
        self._database.run(sql.REMOVE, (numbers,))
        return rows, size

    def _cut_out(self, ranges: Sequence[Range]) -> tuple[int, int]:
        """Removes what is within some ranges from bundles that are only partly within them.

        What is left of one becomes single letters, so that who removes letter after letter writes each once again.
        """
        gone = {seq for first, last in ranges for seq in range(first, last + 1)}
        rows = size = 0
        for at, bundle in self._across(ranges):
            left = [letter for letter in bundle.singles() if letter.seq not in gone]
            self._replace(bundle, left, at)
            rows += len(bundle) - len(left)
            size += bundle.size - sum(letter.size for letter in left)
        return rows, size

    def cut(self, ranges: Sequence[Range]) -> None:
        """Makes single letters of those bundles that are only partly within some ranges."""
        for at, bundle in self._across(ranges):
            self._replace(bundle, list(bundle.singles()), at)

    def _across(self, ranges: Sequence[Range]) -> list[tuple[float, Bundle]]:
        """The bundles that are only partly within some ranges, each with when it came."""
        edges = [edge for first, last in ranges for edge in (first - 1, last)]
        return [self._one(seq) for seq in _decode_numbers(self._database.one(sql.CUT, (_json(edges),))[0])]

    def bury(self, graves: Sequence[tuple[int, str]], died_at: float) -> None:
        """Copies letters to the dead ones.

        Args:
            graves: Their numbers, each with what is said against it.
            died_at: When.
        """
        self.cut([(seq, seq) for seq, _ in graves])
        self._database.run(sql.BURY, (died_at, _json(graves)))

    def dig_up(self, next_seq: int, at: float) -> None:
        """Puts dead letters that are marked for it behind the others."""
        self._database.run(sql.DIG_UP, (next_seq - 1, at))
        self._database.run(sql.DUG_UP)

    def oldest_of(self, rows: int, size: int) -> tuple[int, int, int] | None:
        """The oldest that are at least so many and take at least so many bytes, and no more than it needs.

        Returns:
            The number of the last of them, how many, and how many bytes; None when all of them are less.
        """
        found = self._database.one(sql.DROP_TO, (rows, size))
        if found is None:
            return None
        if found[3] > 1:
            self.cut([(found[0], found[0])])
            found = self._database.one(sql.DROP_TO, (rows, size))
        last, gone, gone_bytes, _ = found
        return last, gone, gone_bytes

    def too_old(self, before: float) -> tuple[int, int, int]:
        """The oldest of those that came before a moment; see :meth:`oldest_of`."""
        found: tuple[int, int, int] = self._database.one(sql.TOO_OLD, (before,))
        return found

    def drop(self, up_to: int) -> None:
        """Removes all up to a number, which is the last one of a bundle."""
        self._database.run(sql.DROP, (up_to,))

    def relane(self, lane_of: Callable[[str], int]) -> None:
        """Gives all letters, dead ones too, their lanes anew."""
        lane_of = lru_cache(maxsize=10_000)(lane_of)
        self._database.connection.create_function("lane_of", 1, lane_of, deterministic=True)
        self._database.run(sql.RELANE_DEAD)
        seq = 0
        while seq := self._database.one(sql.NEXT, (seq,))[0]:
            at, bundle = self._one(seq)
            self._replace(bundle, bundle.sorted(lane_of), at)
            seq = bundle.last

    def _one(self, seq: int) -> tuple[float, Bundle]:
        at, head, bodies = self._database.one(sql.READ_ONE, (seq,))
        [bundle] = decoded(b"[%b]" % head, bodies)
        return at, bundle

    def _replace(self, bundle: Bundle, others: Sequence[Bundle], at: float) -> None:
        self._database.run(sql.REMOVE_ONE, (bundle.seq,))
        self.insert(others, at)
