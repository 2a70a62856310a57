"""Histories in memory: bounded by count, age and bytes per channel, by bytes in all, and forgotten when idle.

A channel takes memory from its first publication or subscriber on; asking for one that nobody knows leaves nothing
behind. For that, streams that begin share an epoch, until one is forgotten that had publications: a channel without
any stands at the same position however often it is dropped and begun again.

Time is monotonic: a step of the wall clock neither empties a history nor keeps one alive.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import islice
from time import monotonic
from typing import Final, NamedTuple
from uuid import uuid4

from ..addresses import Address
from .base import Accepted, Outgoing, Position
from .capabilities import HistoryPage, Stored

__all__ = ["Results", "Streams"]

OVERHEAD: Final = 200
"""Bytes that a stored publication takes beside its payload."""
STREAM_OVERHEAD: Final = 1200
"""Bytes that a channel takes beside its publications; counted once it has had any."""
LOOKED_AT: Final = 2000
"""Streams that one call of :meth:`Streams.forget_idle` looks at: looking at all of them would hold the loop."""


class _Entry(NamedTuple):
    offset: int
    born: float
    payload: bytes


class _Stream:
    """One channel's history.

    The bounds are those of its last publication.
    """

    __slots__ = ("age", "bytes", "entries", "epoch", "max_bytes", "max_count", "top", "touched")

    def __init__(self, epoch: str, now: float) -> None:
        self.epoch = epoch
        self.top = 0
        self.entries: deque[_Entry] = deque()
        self.bytes = 0
        self.max_count = 0
        self.max_bytes = 0
        self.age = 0.0
        self.touched = now

    def position(self) -> Position:
        return Position(self.epoch, self.top)


class Streams:
    """The histories of all channels of a node.

    Attributes:
        bytes: What they take in all, overhead included.
    """

    def __init__(
        self, max_bytes: int, in_use: Callable[[Address], bool], clock: Callable[[], float] = monotonic
    ) -> None:
        """Makes it empty.

        Args:
            max_bytes: What all of them may take; the channels that were published to longest ago lose first.
            in_use: Whether somebody is subscribed to a channel, so that its stream may not be forgotten.
            clock: Seconds that only grow.
        """
        self.bytes = 0
        self._max_bytes = max_bytes
        self._in_use = in_use
        self._clock = clock
        self._newborn = _new_epoch()
        # Who was looked at longest ago comes first.
        self._streams: OrderedDict[Address, _Stream] = OrderedDict()
        # Those that count; who was published to longest ago comes first.
        self._counted: OrderedDict[Address, _Stream] = OrderedDict()

    def __len__(self) -> int:
        return len(self._streams)

    def append(self, outgoing: Outgoing) -> Position:
        """Adds a publication and gives its position."""
        now = self._clock()
        stream = self._open(outgoing.address, now)
        stream.touched = now
        stream.max_count, stream.max_bytes = outgoing.history, outgoing.history_bytes
        stream.age = outgoing.history_age
        stream.top += 1
        stream.entries.append(_Entry(stream.top, now, outgoing.payload))
        self._grow(stream, len(outgoing.payload) + OVERHEAD)
        self._count(outgoing.address, stream)
        self._trim(stream, now)
        self._make_room()
        return stream.position()

    def position(self, address: Address) -> Position:
        """Where a channel stands; one that was not there is begun."""
        return self._open(address, self._clock()).position()

    def read(self, address: Address, since: Position | None, limit: int, reverse: bool) -> HistoryPage:
        """See :meth:`SupportsHistory.read`."""
        stream = self._streams.get(address)
        if stream is None:
            nothing = Position(self._newborn, 0)
            return HistoryPage(nothing, (), since is None or since == nothing)
        self._trim(stream, self._clock())
        entries = stream.entries
        first = entries[0].offset if entries else stream.top + 1
        if since is None:
            start, end = first, stream.top + 1
        elif since.epoch != stream.epoch or since.offset > stream.top:
            return HistoryPage(stream.position(), (), False)
        elif reverse:
            start, end = first, since.offset
        else:
            start, end = since.offset + 1, stream.top + 1
        whole = since is None or reverse or start >= first
        low, high = max(start - first, 0), max(end - first, 0)
        chosen = (
            islice(reversed(entries), len(entries) - high, len(entries) - low)
            if reverse
            else islice(entries, low, high)
        )
        stored = [Stored(Position(stream.epoch, entry.offset), entry.payload) for entry in islice(chosen, limit)]
        return HistoryPage(stream.position(), tuple(stored), whole)

    def touch(self, address: Address) -> None:
        """Notes that a channel has been in use until now: it is not idle before its ``history_age`` is over."""
        stream = self._streams.get(address)
        if stream is None:
            return
        stream.touched = self._clock()
        if not stream.top:
            self._forget(address)
        elif address not in self._counted:
            self._count(address, stream)

    def forget_idle(self) -> None:
        """Drops what is too old, and the streams of which nothing is left and that nobody uses.

        Each call looks at the next LOOKED_AT of them.
        """
        now = self._clock()
        for _ in range(min(LOOKED_AT, len(self._streams))):
            address, stream = next(iter(self._streams.items()))
            self._streams.move_to_end(address)
            self._trim(stream, now)
            if not stream.entries and now - stream.touched > stream.age and not self._in_use(address):
                self._forget(address)

    def _open(self, address: Address, now: float) -> _Stream:
        stream = self._streams.get(address)
        if stream is None:
            stream = self._streams[address] = _Stream(self._newborn, now)
        return stream

    def _count(self, address: Address, stream: _Stream) -> None:
        if address not in self._counted:
            self.bytes += STREAM_OVERHEAD
        self._counted[address] = stream
        self._counted.move_to_end(address)

    def _discount(self, address: Address) -> None:
        if self._counted.pop(address, None) is not None:
            self.bytes -= STREAM_OVERHEAD

    def _make_room(self) -> None:
        while self.bytes > self._max_bytes:
            address, oldest = next(iter(self._counted.items()))
            if oldest.entries:
                self._drop_first(oldest)
            elif self._in_use(address):
                self._discount(address)  # who is subscribed is bounded elsewhere; it counts again when they have left
            else:
                self._forget(address)

    def _forget(self, address: Address) -> None:
        self._discount(address)
        if self._streams.pop(address).top:
            self._newborn = _new_epoch()  # else it could be begun anew with an epoch that it has had

    def _trim(self, stream: _Stream, now: float) -> None:
        entries = stream.entries
        oldest = now - stream.age
        while entries and (
            len(entries) > stream.max_count or entries[0].born < oldest or stream.bytes > stream.max_bytes > 0
        ):
            self._drop_first(stream)

    def _drop_first(self, stream: _Stream) -> None:
        self._grow(stream, -len(stream.entries.popleft().payload) - OVERHEAD)

    def _grow(self, stream: _Stream, change: int) -> None:
        stream.bytes += change
        self.bytes += change


def _new_epoch() -> str:
    return uuid4().hex[:12]


class Results:
    """Results of publications with idempotency keys, each for a window of time, and bounded in number."""

    def __init__(self, limit: int = 100_000, clock: Callable[[], float] = monotonic) -> None:
        """Makes it empty.

        Args:
            limit: Results kept at the most; the oldest go first.
            clock: Seconds that only grow.
        """
        self._limit = limit
        self._clock = clock
        self._results: OrderedDict[tuple[Address, str], tuple[float, Accepted]] = OrderedDict()

    def get(self, address: Address, key: str) -> Accepted | None:
        """The first result under a key, marked as a repeat; None when there is none (any more)."""
        self._expire()
        found = self._results.get((address, key))
        return Accepted(found[1].position, repeated=True) if found and found[0] >= self._clock() else None

    def put(self, address: Address, key: str, result: Accepted, window: float) -> None:
        """Keeps a result for ``window`` seconds."""
        self._results.pop((address, key), None)  # the place of one that has expired is not that of a new one
        self._results[address, key] = (self._clock() + window, result)
        if len(self._results) > self._limit:
            self._results.popitem(last=False)

    def _expire(self) -> None:
        now, results = self._clock(), self._results
        while results and next(iter(results.values()))[0] < now:
            results.popitem(last=False)
