"""What a server's backend has taken, written down as it takes it: the truth that clients are measured by."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sethpusher_core import jsontext
from sethpusher_core.addresses import CHANNEL, Address
from sethpusher_core.backends.base import Accepted, Outgoing, Position, Sink
from sethpusher_core.backends.capabilities import HistoryPage
from sethpusher_core.backends.memory import MemoryBackend, MemoryBounds
from sethpusher_core.backends.streams import OVERHEAD
from sethpusher_core.errors import BackendError
from sethpusher_core.hookspecs import RegisterBackend, hookimpl
from sethpusher_core.publication import read_payload

__all__ = ["Clock", "Entry", "Ledger", "LedgerBackend", "Ledgered"]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True, slots=True)
class Entry:
    """One publication.

    Attributes:
        message: What was published.
        position: Where it stands, in a channel that keeps history.
        oldest: Offset of the oldest publication that count and bytes let the channel keep once it had this one.
        born: When it was taken.
        size: Bytes that it takes.
    """

    message: Any
    position: Position | None
    oldest: int
    born: float
    size: int


class Ledger:
    """All publications in channels, in the order in which the backend took them.

    Attributes:
        bytes: What all of them take.
        under_way: How many of each channel the backend has taken and not handed to the node yet.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.bytes = 0
        self.under_way: Counter[str] = Counter()
        self._clock = clock
        self._entries: dict[str, list[Entry]] = defaultdict(list)
        self._streams: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        self._kept: dict[tuple[str, str], deque[Entry]] = defaultdict(deque)

    def note(self, outgoing: Outgoing, position: Position | None) -> None:
        channel = outgoing.address.name
        message = jsontext.decode(read_payload(outgoing.payload).envelope)["message"]
        size = len(outgoing.payload) + OVERHEAD
        oldest = 0
        if position is not None:
            stream = (channel, position.epoch)
            assert position.offset == len(self._streams[stream]) + 1, "offsets grow by one"
            oldest = self._oldest(stream, outgoing, position.offset, size)
        entry = Entry(message, position, oldest, self._clock(), size)
        self._entries[channel].append(entry)
        self.bytes += size
        if position is not None:
            self._streams[stream].append(entry)
            self._kept[stream].append(entry)

    def _oldest(self, stream: tuple[str, str], outgoing: Outgoing, offset: int, size: int) -> int:
        kept = self._kept[stream]
        while kept and (
            len(kept) >= outgoing.history or sum(entry.size for entry in kept) + size > outgoing.history_bytes
        ):
            kept.popleft()
        return offset - len(kept) if size <= outgoing.history_bytes else offset + 1

    def of(self, channel: str) -> list[Entry]:
        """All of a channel, whatever its epochs."""
        return self._entries[channel]

    def handed(self, channel: str) -> int:
        """How many of a channel, from the first on, the node has been handed (or will never be)."""
        return len(self._entries[channel]) - self.under_way[channel]

    def at(self, channel: str, position: Position) -> Entry:
        """The publication at a position."""
        stream = self._streams[channel, position.epoch]
        assert 0 < position.offset <= len(stream), f"nothing was published at {position}"
        return stream[position.offset - 1]

    def between(self, channel: str, start: Position, end: Position) -> list[Entry]:
        """What was published after ``start``, up to ``end``."""
        return self._streams[channel, end.epoch][start.offset : end.offset]

    def top(self, channel: str, position: Position) -> Position:
        """Where the stream of a position stands now."""
        return Position(position.epoch, len(self._streams[channel, position.epoch]))

    def whole(self, channel: str, since: Position, top: Position, age: float, now: float) -> bool:
        """Whether all after ``since`` is kept when the channel stands at ``top``."""
        if since.epoch != top.epoch or since.offset > top.offset:
            return False
        missed = self.between(channel, since, top)
        return not missed or (self.at(channel, top).oldest <= since.offset + 1 and now - missed[0].born <= age)


class LedgerBackend(MemoryBackend):
    """The memory backend as if it were far away, which writes down what it takes.

    Its answers may take a few turns of the loop, and so may, apart from them, what it hands to the sink.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float], lags: Iterator[int]) -> None:
        super().__init__(MemoryBounds(), clock)
        self._ledger = ledger
        self._lags = lags
        self._line: deque[tuple[Address, bytes, Position | None]] = deque()
        self._carrier: asyncio.Task[None] | None = None
        self._hub: Sink | None = None

    @property
    def quiet(self) -> bool:
        """Whether nothing is on its way to the sink."""
        return self._carrier is None

    async def start(self, sink: Sink, node_id: str) -> None:
        self._hub = sink
        await super().start(self, node_id)

    def deliver(self, address: Address, payload: bytes, position: Position | None = None) -> None:
        """As the sink of the memory backend: on to the hub, in order, and mostly not at once."""
        self._ledger.under_way[address.name] += address.kind == CHANNEL
        self._line.append((address, payload, position))
        if self._carrier is None:
            self._carrier = asyncio.ensure_future(self._carry())

    async def _carry(self) -> None:
        assert self._hub is not None
        while self._line:
            await self._lag()
            if self._line:
                address, payload, position = self._line.popleft()
                self._hub.deliver(address, payload, position)
                self._ledger.under_way[address.name] -= address.kind == CHANNEL
        self._carrier = None

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        results = await super().publish(batch)
        for outgoing, result in zip(batch, results, strict=True):
            is_publication = outgoing.id and outgoing.address.kind == CHANNEL
            if is_publication and isinstance(result, Accepted) and not result.repeated:
                self._ledger.note(outgoing, result.position)
        await self._lag()
        return results

    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        await self._lag()
        position = await super().subscribe(address, positioned)
        await self._lag()
        return position

    async def unsubscribe(self, address: Address) -> None:
        await self._lag()
        await super().unsubscribe(address)
        self._line = deque(item for item in self._line if item[0] != address)
        if address.kind == CHANNEL:
            self._ledger.under_way[address.name] = 0
        await self._lag()

    async def read(
        self, address: Address, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> HistoryPage:
        await self._lag()
        page = await super().read(address, since=since, limit=limit, reverse=reverse)
        await self._lag()
        return page

    def sweep(self) -> None:
        """Forgets what is idle, now."""
        self._streams.forget_idle()

    async def _lag(self) -> None:
        for _ in range(next(self._lags)):
            await asyncio.sleep(0)


class Ledgered:
    """A plugin: the backend ``ledger``, with a clock and a ledger that outlive its restarts.

    Attributes:
        backend: The one that runs.
    """

    name = "ledgered"

    def __init__(self, lags: Iterator[int]) -> None:
        self.clock = Clock()
        self.ledger = Ledger(self.clock)
        self.backend: LedgerBackend | None = None
        self._lags = lags

    @hookimpl
    def register_backends(self, register: RegisterBackend) -> None:
        register("ledger", self._make)

    def _make(self, settings: object) -> LedgerBackend:
        self.backend = LedgerBackend(self.ledger, self.clock, self._lags)
        return self.backend
