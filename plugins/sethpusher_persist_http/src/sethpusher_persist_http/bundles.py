"""Bundles: letters as the outbox keeps them, so that what it costs to keep one is shared by many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, TypeAlias

import msgspec

from .letters import NewLetter

__all__ = ["Bundle", "Range", "bundled", "decoded"]

Range: TypeAlias = tuple[int, int]
"""The numbers of letters that follow each other: the first and the last one."""

LETTER_OVERHEAD: Final = 150
"""Bytes of memory that a letter takes beside its body, about."""

_json: Final = msgspec.json.encode
_decode: Final = msgspec.json.Decoder(list[tuple[int, int, list[str], list[msgspec.Raw], list[int]]]).decode


@dataclass(frozen=True, slots=True)
class Bundle:
    """Letters of one lane that follow each other: one row of the outbox, or a part of one.

    Attributes:
        seq: The number of the first; the others have the next ones. What came later has greater numbers.
        lane: See :class:`NewLetter`, as for the others.
        ids: Of each its id.
        targets: Of each its address.
        bodies: Of each its body.
        size: What the bodies take together, in bytes.
    """

    seq: int
    lane: int
    ids: Sequence[str]
    targets: Sequence[str]
    bodies: Sequence[bytes]
    size: int

    @classmethod
    def of(cls, seq: int, lane: int, ids: Sequence[str], targets: Sequence[str], bodies: Sequence[bytes]) -> Bundle:
        """A bundle of what is given."""
        return cls(seq, lane, ids, targets, bodies, sum(map(len, bodies)))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def last(self) -> int:
        """The number of its last letter."""
        return self.seq + len(self.ids) - 1

    @property
    def memory(self) -> int:
        """Bytes of memory that it takes, about."""
        return self.size + LETTER_OVERHEAD * len(self.ids)

    @property
    def heads(self) -> bytes:
        """All but the numbers and bodies, as :func:`decoded` reads it: JSON text, without the brackets around it."""
        return b"%b,[%b],%b" % (_json(self.ids), ",".join(self.targets).encode(), _json(list(map(len, self.bodies))))

    def part(self, begin: int, end: int) -> Bundle:
        """The letters from one place up to another."""
        places = slice(begin, end)
        return Bundle.of(self.seq + begin, self.lane, self.ids[places], self.targets[places], self.bodies[places])

    def after(self, seq: int) -> Bundle:
        """Those with a greater number, of which there must be some."""
        return self if seq < self.seq else self.part(seq - self.seq + 1, len(self))

    def singles(self) -> Iterator[Bundle]:
        """Each letter by itself."""
        return (self.part(place, place + 1) for place in range(len(self)))

    def fitting(self, rows: int, size: int, begin: int = 0) -> int:
        """How many letters from a place on are at most so many, and take at most so many bytes; one in any case."""
        if not begin and len(self) <= rows and self.size <= size:
            return len(self)
        count = 0
        for body in self.bodies[begin : begin + rows]:
            size -= len(body)
            if size < 0:
                break
            count += 1
        return max(count, 1)

    def cut(self, rows: int, size: int) -> Iterator[Bundle]:
        """The same letters in bundles of at most so many, of at most so many bytes; one in any case."""
        begin = 0
        while begin < len(self):
            count = self.fitting(rows, size, begin)
            yield self if count == len(self) else self.part(begin, begin + count)
            begin += count

    def sorted(self, lane_of: Callable[[str], int]) -> list[Bundle]:
        """The same letters by lanes that are made anew. Their numbers change, but not the first and the last one."""
        lanes = {lane_of(target) for target in self.targets}
        if len(lanes) == 1:
            return [replace(self, lane=lanes.pop())]
        letters = zip(self.ids, self.targets, self.bodies, strict=True)
        return bundled((NewLetter(id, lane_of(target), target, body, False) for id, target, body in letters), self.seq)


def bundled(letters: Iterable[NewLetter], seq: int) -> list[Bundle]:
    """Letters as bundles, one for each lane.

    Args:
        letters: The letters, in order.
        seq: The number that the first bundle begins with; each goes on where the one before ends.
    """
    lanes: dict[int, list[NewLetter]] = {}
    for letter in letters:
        lane = lanes.get(letter.lane)
        if lane is None:
            lanes[letter.lane] = [letter]
        else:
            lane.append(letter)
    bundles = []
    for key, mine in lanes.items():
        ids = [letter.id for letter in mine]
        bundles.append(Bundle.of(seq, key, ids, [letter.target for letter in mine], [letter.body for letter in mine]))
        seq += len(mine)
    return bundles


def decoded(rows: bytes, bodies: bytes) -> list[Bundle]:
    """Reads bundles, in the order of their numbers.

    Args:
        rows: Of each, in any order, ``[seq,lane,heads]``, with commas between them.
        bodies: The bodies of all, in the same order, with commas between them.
    """
    bundles = []
    begin = 0
    for seq, lane, ids, targets, lengths in _decode(b"[%b]" % rows):
        ends = [begin]
        for length in lengths:
            ends.append(ends[-1] + length + 1)
        mine = [bodies[begin : end - 1] for begin, end in pairwise(ends)]
        begin = ends[-1]
        bundles.append(Bundle.of(seq, lane, ids, [bytes(target).decode() for target in targets], mine))
    bundles.sort(key=lambda bundle: bundle.seq)
    return bundles
