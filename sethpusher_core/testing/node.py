"""One backend under test, and what it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from ..addresses import Address
from ..backends.base import Accepted, Backend, Outgoing, Position
from ..backends.capabilities import (
    HistoryPage,
    Occupancy,
    Roster,
    SupportsCensus,
    SupportsHistory,
    SupportsPresence,
)
from ..errors import BackendError
from .loops import within
from .sinks import Recorder

__all__ = ["Node"]


class Node:
    """One backend under test. Its methods are the backend's, each bounded in time.

    Attributes:
        backend: The backend.
        name: Its node_id.
        sink: What it was started with.
    """

    def __init__(self, backend: Backend, name: str) -> None:
        self.backend = backend
        self.name = name
        self.sink = Recorder()

    async def start(self) -> None:
        """See :meth:`Backend.start`."""
        await within(self.backend.start(self.sink, self.name), "start")

    async def publish(self, *batch: Outgoing) -> Sequence[Accepted | BackendError]:
        """What the backend answers, whatever it is."""
        return await within(self.backend.publish(batch), "publish")

    async def accepted(self, *batch: Outgoing) -> list[Accepted]:
        """The results of a batch all of which is to be taken."""
        results = await self.publish(*batch)
        taken = [result for result in results if isinstance(result, Accepted)]
        assert len(taken) == len(batch), f"not all {len(batch)} were taken: {results}"
        return taken

    async def positions(self, *batch: Outgoing) -> list[Position]:
        """The positions of a batch all of which is to be kept."""
        positions = [result.position for result in await self.accepted(*batch)]
        assert None not in positions, f"kept, but without a position: {positions}"
        return cast(list[Position], positions)

    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        """See :meth:`Backend.subscribe`."""
        return await within(self.backend.subscribe(address, positioned), f"subscribe({address})")

    async def position(self, address: Address) -> Position:
        """Subscribes to a channel that keeps history, and gives the position."""
        position = await self.subscribe(address, positioned=True)
        assert isinstance(position, Position), f"subscribe(positioned=True) told no position but {position!r}"
        return position

    async def unsubscribe(self, address: Address) -> None:
        """See :meth:`Backend.unsubscribe`."""
        await within(self.backend.unsubscribe(address), f"unsubscribe({address})")

    async def close(self) -> None:
        """See :meth:`Backend.close`."""
        await within(self.backend.close(), "close")

    # ------------------------------------------------------------------------------------------------- capabilities

    async def read(
        self, address: Address, *, since: Position | None = None, limit: int = 1000, reverse: bool = False
    ) -> HistoryPage:
        """See :meth:`SupportsHistory.read`."""
        backend = cast(SupportsHistory, self.backend)
        return await within(backend.read(address, since=since, limit=limit, reverse=reverse), "read")

    async def stored(self, address: Address) -> list[bytes]:
        """All payloads in the history, oldest first."""
        return [stored.payload for stored in (await self.read(address)).stored]

    async def result_of(self, address: Address, key: str) -> Accepted | None:
        """See :meth:`SupportsHistory.result_of`."""
        return await within(cast(SupportsHistory, self.backend).result_of(address, key), "result_of")

    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes = b"") -> bool:
        """See :meth:`SupportsPresence.enter`."""
        backend = cast(SupportsPresence, self.backend)
        return await within(backend.enter(address, connection_id, subscriber_id, info), "enter")

    async def leave(self, address: Address, connection_id: str) -> bool:
        """See :meth:`SupportsPresence.leave`."""
        return await within(cast(SupportsPresence, self.backend).leave(address, connection_id), "leave")

    async def roster(self, address: Address) -> Roster:
        """See :meth:`SupportsPresence.roster`."""
        return await within(cast(SupportsPresence, self.backend).roster(address), "roster")

    async def people(self, address: Address) -> dict[str, int]:
        """How many connections each person has."""
        return {person.subscriber_id: person.connections for person in (await self.roster(address)).people}

    async def renew(self) -> None:
        """See :meth:`SupportsPresence.renew`."""
        await within(cast(SupportsPresence, self.backend).renew(), "renew")

    async def report(self, counts: Mapping[Address, int]) -> None:
        """See :meth:`SupportsCensus.report`."""
        await within(cast(SupportsCensus, self.backend).report(counts), "report")

    async def occupied(self, kind: str, prefix: str = "", after: str = "", limit: int = 100) -> dict[str, int]:
        """Counts by name, in the order given."""
        backend = cast(SupportsCensus, self.backend)
        page: Sequence[Occupancy] = await within(backend.occupied(kind, prefix, after, limit), "occupied")
        assert {one.address.kind for one in page} <= {kind}, f"asked for {kind}s, got {page}"
        return {one.address.name: one.count for one in page}

    async def count(self, address: Address) -> int:
        """See :meth:`SupportsCensus.count`."""
        return await within(cast(SupportsCensus, self.backend).count(address), "count")
