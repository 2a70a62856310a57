"""A right backend for several nodes: a bus in this process, from which each node reads by a task of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence

from sethpusher_core.addresses import Address
from sethpusher_core.backends.base import Accepted, Backend, Outgoing, Position, Sink
from sethpusher_core.backends.capabilities import (
    CENSUS,
    HISTORY,
    PRESENCE,
    HistoryPage,
    Occupancy,
    Person,
    Roster,
)
from sethpusher_core.backends.streams import Results, Streams
from sethpusher_core.errors import BackendError, BackendUnavailable

__all__ = ["Bus", "JoinedBackend"]

Parcel = tuple[Address, bytes, Position | None]


class Bus:
    """What the nodes share."""

    def __init__(self, clock: Callable[[], float], lease: float = 3.0) -> None:
        self.clock = clock
        self.lease = lease
        self.streams = Streams(2**28, lambda address: any(address in node.heard for node in self.nodes), clock)
        self.results = Results(clock=clock)
        self.nodes: list[JoinedBackend] = []
        self.alive: dict[JoinedBackend, float] = {}
        self.members: dict[tuple[Address, str], tuple[JoinedBackend, str | None, bytes]] = {}
        self.counts: dict[tuple[JoinedBackend, Address], int] = {}

    def take(self, outgoing: Outgoing) -> Accepted:
        key = outgoing.idempotency_key
        known = None if key is None else self.results.get(outgoing.address, key)
        if known is not None:
            return known
        position = self.streams.append(outgoing) if outgoing.history else None
        self.announce(outgoing.address, outgoing.payload, position)
        if key is not None:
            self.results.put(outgoing.address, key, Accepted(position), outgoing.idempotency_window)
        return Accepted(position)

    def announce(self, address: Address, payload: bytes, position: Position | None) -> None:
        for node in self.nodes:
            node.hear((address, payload, position))

    def living(self, node: JoinedBackend) -> bool:
        return self.alive.get(node, 0.0) > self.clock()


class JoinedBackend(Backend):
    """One node at a bus."""

    capabilities = frozenset({HISTORY, PRESENCE, CENSUS})

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.lease = bus.lease
        self.heard: set[Address] = set()
        self.sink: Sink | None = None
        self.line: asyncio.Queue[Parcel] | None = None
        self.reader: asyncio.Task[None] | None = None
        self.mending: asyncio.TimerHandle | None = None

    @property
    def trouble(self) -> str | None:
        return None if self.line is not None else "the line is broken"

    async def start(self, sink: Sink, node_id: str) -> None:
        self.sink = sink
        self.bus.nodes.append(self)
        self.connect()

    def connect(self) -> None:
        assert self.sink is not None
        self.mending = None
        self.line = asyncio.Queue()
        self.reader = asyncio.get_running_loop().create_task(self.read_line(self.line, self.sink))

    def cut(self) -> None:
        """Breaks the connection; it comes back a little later."""
        if self.line is not None and self.reader is not None:
            self.line = None
            self.reader.cancel()
            self.mending = asyncio.get_running_loop().call_later(0.1, self.connect)

    def hear(self, parcel: Parcel) -> None:
        if self.line is not None and parcel[0] in self.heard:
            self.line.put_nowait(parcel)

    async def read_line(self, line: asyncio.Queue[Parcel], sink: Sink) -> None:
        while True:
            address, payload, position = await line.get()
            sink.deliver(address, payload, position)

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        if self.line is None:
            return [BackendUnavailable("not connected") for _ in batch]
        results = [self.bus.take(outgoing) for outgoing in batch]
        await asyncio.sleep(0)
        return results

    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        if self not in self.bus.nodes:
            raise BackendUnavailable("not connected")
        await asyncio.sleep(0)
        self.heard.add(address)
        return self.bus.streams.position(address) if positioned else None

    async def unsubscribe(self, address: Address) -> None:
        self.heard.discard(address)
        await asyncio.sleep(0)

    async def close(self) -> None:
        if self in self.bus.nodes:
            self.bus.nodes.remove(self)
        self.line = None
        if self.mending is not None:
            self.mending.cancel()
        if self.reader is not None:
            self.reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.reader

    # ------------------------------------------------------------------------------------------------- capabilities

    async def read(
        self, address: Address, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> HistoryPage:
        return self.bus.streams.read(address, since, limit, reverse)

    async def result_of(self, address: Address, idempotency_key: str) -> Accepted | None:
        return self.bus.results.get(address, idempotency_key)

    async def renew(self) -> None:
        self.bus.alive[self] = self.bus.clock() + self.lease

    def connections(self, address: Address, subscriber_id: str | None) -> int:
        living = (
            member for (where, _), member in self.bus.members.items() if where == address and self.bus.living(member[0])
        )
        return sum(member[1] == subscriber_id for member in living)

    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes = b"") -> bool:
        await self.renew()
        self.bus.members.pop((address, connection_id), None)
        self.bus.members[address, connection_id] = (self, subscriber_id, info)
        return subscriber_id is None or self.connections(address, subscriber_id) == 1

    async def leave(self, address: Address, connection_id: str) -> bool:
        gone = self.bus.members.pop((address, connection_id), None)
        if gone is None:
            return False
        return gone[1] is None or self.connections(address, gone[1]) == 0

    async def roster(self, address: Address) -> Roster:
        people: dict[str, Person] = {}
        for (where, _), (node, name, info) in self.bus.members.items():
            if where == address and name is not None and self.bus.living(node) and name not in people:
                people[name] = Person(name, self.connections(address, name), info)
        return Roster(tuple(people[name] for name in sorted(people)), self.connections(address, None))

    async def report(self, counts: Mapping[Address, int]) -> None:
        await self.renew()
        for address, count in counts.items():
            self.bus.counts[self, address] = count

    async def occupied(self, kind: str, prefix: str = "", after: str = "", limit: int = 100) -> Sequence[Occupancy]:
        names = {address.name for _, address in self.bus.counts if address.kind == kind}
        chosen = [Address(kind, name) for name in sorted(names) if name.startswith(prefix) and name > after]
        counted = [Occupancy(address, await self.count(address)) for address in chosen]
        return [one for one in counted if one.count][:limit]

    async def count(self, address: Address) -> int:
        counts = self.bus.counts.items()
        return sum(count for (node, where), count in counts if where == address and self.bus.living(node))
