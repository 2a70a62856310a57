"""What the outbox takes and gives: bounds, counts, and what is committed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .bundles import Bundle, Range
from .errors import OutboxFull
from .letters import NewLetter

__all__ = ["Bounds", "Counts", "Group", "Stored", "Tally"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much an outbox holds.

    Attributes:
        rows: Letters, dead ones included.
        bytes: What their bodies take together.
        age: Seconds that the oldest may wait; 0 for as long as it likes.
        drop_oldest: What gives way at a bound: the oldest, or (False) the newest, which are refused.
        bundle_rows: Letters that share a row in the database, which should fit into one post.
        bundle_bytes: What the bodies of such letters may take together.
    """

    rows: int = 1_000_000
    bytes: int = 1 << 30
    age: float = 0.0
    drop_oldest: bool = False
    bundle_rows: int = 1000
    bundle_bytes: int = 512 << 10


@dataclass(frozen=True, slots=True)
class Counts:
    """What is in an outbox.

    Attributes:
        waiting: Letters that wait to be posted.
        bytes: What their bodies take.
        dead: Dead letters.
        dead_bytes: What their bodies take.
    """

    waiting: int = 0
    bytes: int = 0
    dead: int = 0
    dead_bytes: int = 0


@dataclass(slots=True)
class Group:
    """What is committed together.

    Attributes:
        batches: New letters; each batch is taken or refused as a whole.
        done: Letters that have been posted, by ranges of their numbers.
        dead: Numbers of letters that the API has refused, each with the reason.
    """

    batches: list[Sequence[NewLetter]] = field(default_factory=list)
    done: list[Range] = field(default_factory=list)
    dead: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True)
class Stored:
    """What has become of a group.

    Attributes:
        bundles: The letters that are new.
        refusals: For each batch None, or why it was refused.
        dropped: How many letters were dropped to make room, dead ones included.
        dropped_to: Every letter with this number or a smaller one is gone.
    """

    bundles: list[Bundle] = field(default_factory=list)
    refusals: list[OutboxFull | None] = field(default_factory=list)
    dropped: int = 0
    dropped_to: int = 0


class Tally:
    """Counts while they change."""

    __slots__ = ("bytes", "dead", "dead_bytes", "waiting")

    def __init__(self, counts: Counts) -> None:
        self.waiting, self.bytes = counts.waiting, counts.bytes
        self.dead, self.dead_bytes = counts.dead, counts.dead_bytes

    def counts(self) -> Counts:
        """What they are now."""
        return Counts(self.waiting, self.bytes, self.dead, self.dead_bytes)
