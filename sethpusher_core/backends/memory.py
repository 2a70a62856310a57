"""The backend of a single node: everything stays in this process."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from ..addresses import Address
from ..errors import BackendError, BackendUnavailable
from .base import Accepted, Backend, Outgoing, Position, Sink
from .capabilities import CENSUS, HISTORY, PRESENCE, HistoryPage, Occupancy, Person, Roster
from .streams import Results, Streams

__all__ = ["MemoryBackend", "MemoryBounds"]

_ACCEPTED = Accepted()

SWEEP_SECONDS: Final = 1.0
"""Between two looks for what is too old."""


@dataclass(frozen=True, slots=True)
class MemoryBounds:
    """What the memory backend may keep.

    Attributes:
        history_total: Bytes of all histories together.
    """

    history_total: int = 2**28


class MemoryBackend(Backend):
    """Delivers within the process, at once and in the order of publishing.

    Histories, presence and counts end with the process: after a restart every epoch is new, and recovery says so. Nodes
    that share the work need another backend: two processes with this one do not hear each other.
    """

    capabilities = frozenset({HISTORY, PRESENCE, CENSUS})

    def __init__(self, bounds: MemoryBounds | None = None, clock: Callable[[], float] = monotonic) -> None:
        """Makes it empty.

        Args:
            bounds: What it may keep.
            clock: Seconds that only grow.
        """
        bounds = bounds or MemoryBounds()
        self.lease = 0.0
        self._sink: Sink | None = None
        self._heard: set[Address] = set()
        self._streams = Streams(bounds.history_total, lambda address: address in self._heard, clock)
        self._results = Results(clock=clock)
        self._presence = _Presence()
        self._counts = _Counts()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    # ------------------------------------------------------------------------------------------------- the contract

    async def start(self, sink: Sink, node_id: str) -> None:
        """See :meth:`Backend.start`."""
        self._sink = sink
        self._closed = False
        self._sweep()

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        """See :meth:`Backend.publish`."""
        sink = self._sink
        if sink is None:
            return [BackendUnavailable("the backend is not started") for _ in batch]
        return [self._publish(sink, outgoing) for outgoing in batch]

    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        """See :meth:`Backend.subscribe`."""
        if self._closed:
            raise BackendUnavailable("the backend is closed")
        self._heard.add(address)
        return self._streams.position(address) if positioned else None

    async def unsubscribe(self, address: Address) -> None:
        """See :meth:`Backend.unsubscribe`."""
        self._heard.discard(address)
        self._streams.touch(address)

    async def close(self) -> None:
        """See :meth:`Backend.close`."""
        self._closed = True
        self._sink = None
        self._heard.clear()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def _publish(self, sink: Sink, outgoing: Outgoing) -> Accepted:
        key = outgoing.idempotency_key
        if key is not None:
            known = self._results.get(outgoing.address, key)
            if known is not None:
                return known
        position = self._streams.append(outgoing) if outgoing.history else None
        if outgoing.address in self._heard:
            sink.deliver(outgoing.address, outgoing.payload, position)
        result = _ACCEPTED if position is None else Accepted(position)
        if key is not None:
            self._results.put(outgoing.address, key, result, outgoing.idempotency_window)
        return result

    def _sweep(self) -> None:
        self._streams.forget_idle()
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    # ------------------------------------------------------------------------------------------------------ history

    async def read(
        self, address: Address, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> HistoryPage:
        """See :meth:`SupportsHistory.read`."""
        return self._streams.read(address, since, limit, reverse)

    async def result_of(self, address: Address, idempotency_key: str) -> Accepted | None:
        """See :meth:`SupportsHistory.result_of`."""
        return self._results.get(address, idempotency_key)

    # ----------------------------------------------------------------------------------------------------- presence

    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes = b"") -> bool:
        """See :meth:`SupportsPresence.enter`."""
        return self._presence.enter(address, connection_id, subscriber_id, info)

    async def leave(self, address: Address, connection_id: str) -> bool:
        """See :meth:`SupportsPresence.leave`."""
        return self._presence.leave(address, connection_id)

    async def roster(self, address: Address) -> Roster:
        """See :meth:`SupportsPresence.roster`."""
        return self._presence.roster(address)

    async def renew(self) -> None:
        """See :meth:`SupportsPresence.renew`; memberships in memory need none."""

    # ------------------------------------------------------------------------------------------------------- census

    async def report(self, counts: Mapping[Address, int]) -> None:
        """See :meth:`SupportsCensus.report`."""
        self._counts.report(counts)

    async def occupied(self, kind: str, prefix: str = "", after: str = "", limit: int = 100) -> Sequence[Occupancy]:
        """See :meth:`SupportsCensus.occupied`."""
        return self._counts.occupied(kind, prefix, after, limit)

    async def count(self, address: Address) -> int:
        """See :meth:`SupportsCensus.count`."""
        return self._counts.count(address)


class _Presence:
    """Connections by address, and how many each person has there."""

    def __init__(self) -> None:
        self._connections: dict[Address, dict[str, tuple[str | None, bytes]]] = {}
        self._people: dict[Address, dict[str, int]] = {}

    def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes) -> bool:
        connections = self._connections.setdefault(address, {})
        if connection_id in connections:
            self.leave(address, connection_id)
            connections = self._connections.setdefault(address, {})
        connections[connection_id] = (subscriber_id, info)
        if subscriber_id is None:
            return True
        people = self._people.setdefault(address, {})
        people[subscriber_id] = people.get(subscriber_id, 0) + 1
        return people[subscriber_id] == 1

    def leave(self, address: Address, connection_id: str) -> bool:
        connections = self._connections.get(address, {})
        gone = connections.pop(connection_id, None)
        if gone is None:
            return False
        if not connections:
            del self._connections[address]
        subscriber_id, _ = gone
        if subscriber_id is None:
            return True
        people = self._people[address]
        people[subscriber_id] -= 1
        if people[subscriber_id]:
            return False
        del people[subscriber_id]
        if not people:
            del self._people[address]
        return True

    def roster(self, address: Address) -> Roster:
        counts: dict[str, int] = {}
        infos: dict[str, bytes] = {}
        anonymous = 0
        for subscriber_id, info in self._connections.get(address, {}).values():
            if subscriber_id is None:
                anonymous += 1
            else:
                counts[subscriber_id] = counts.get(subscriber_id, 0) + 1
                infos.setdefault(subscriber_id, info)
        people = [
            Person(subscriber_id, counts[subscriber_id], infos[subscriber_id]) for subscriber_id in sorted(counts)
        ]
        return Roster(tuple(people), anonymous)


class _Counts:
    """Members by address, with the names of each kind in order."""

    def __init__(self) -> None:
        self._counts: dict[Address, int] = {}
        self._names: dict[str, list[str]] = {}

    def report(self, counts: Mapping[Address, int]) -> None:
        for address, count in counts.items():
            names = self._names.setdefault(address.kind, [])
            if count and address not in self._counts:
                insort(names, address.name)
            elif not count and self._counts.pop(address, 0):
                del names[bisect_right(names, address.name) - 1]
            if count:
                self._counts[address] = count

    def occupied(self, kind: str, prefix: str, after: str, limit: int) -> list[Occupancy]:
        names = self._names.get(kind, [])
        place = bisect_right(names, after) if after >= prefix and after else bisect_left(names, prefix)
        page: list[Occupancy] = []
        while place < len(names) and len(page) < limit and names[place].startswith(prefix):
            address = Address(kind, names[place])
            page.append(Occupancy(address, self._counts[address]))
            place += 1
        return page

    def count(self, address: Address) -> int:
        return self._counts.get(address, 0)
