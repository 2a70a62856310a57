"""Backends under test: started as nodes, each with a sink that remembers, and closed when the case is over."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, cast

import pytest

from ..addresses import Address
from ..backends.base import Accepted, Backend, Outgoing, Position
from ..backends.capabilities import (
    CENSUS,
    HISTORY,
    PRESENCE,
    HistoryPage,
    Occupancy,
    Roster,
    SupportsCensus,
    SupportsHistory,
    SupportsPresence,
)
from ..errors import BackendError
from .guard import Bench
from .loops import run, turns, within
from .sinks import Recorder
from .timing import moment, patience

__all__ = ["BREAK", "LEASE", "ONE_NODE", "TWO_NODES", "BackendBench", "Node"]

TWO_NODES: Final = "two nodes"
ONE_NODE: Final = "one node"
BREAK: Final = "break_connection"
LEASE: Final = "lease"

CASE_LIMIT: Final = 8
"""Times the patience: how long a whole case may take."""


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
        return await within(self.backend.subscribe(address, positioned), f"subscribe({address})")

    async def position(self, address: Address) -> Position:
        """Subscribes to a channel that keeps history, and gives the position."""
        position = await self.subscribe(address, positioned=True)
        assert isinstance(position, Position), f"subscribe(positioned=True) told no position but {position!r}"
        return position

    async def unsubscribe(self, address: Address) -> None:
        await within(self.backend.unsubscribe(address), f"unsubscribe({address})")

    async def close(self) -> None:
        await within(self.backend.close(), "close")

    # ------------------------------------------------------------------------------------------------- capabilities

    async def read(
        self, address: Address, *, since: Position | None = None, limit: int = 1000, reverse: bool = False
    ) -> HistoryPage:
        backend = cast(SupportsHistory, self.backend)
        return await within(backend.read(address, since=since, limit=limit, reverse=reverse), "read")

    async def stored(self, address: Address) -> list[bytes]:
        """All payloads in the history, oldest first."""
        return [stored.payload for stored in (await self.read(address)).stored]

    async def result_of(self, address: Address, key: str) -> Accepted | None:
        return await within(cast(SupportsHistory, self.backend).result_of(address, key), "result_of")

    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes = b"") -> bool:
        backend = cast(SupportsPresence, self.backend)
        return await within(backend.enter(address, connection_id, subscriber_id, info), "enter")

    async def leave(self, address: Address, connection_id: str) -> bool:
        return await within(cast(SupportsPresence, self.backend).leave(address, connection_id), "leave")

    async def roster(self, address: Address) -> Roster:
        return await within(cast(SupportsPresence, self.backend).roster(address), "roster")

    async def people(self, address: Address) -> dict[str, int]:
        """How many connections each person has."""
        return {person.subscriber_id: person.connections for person in (await self.roster(address)).people}

    async def renew(self) -> None:
        await within(cast(SupportsPresence, self.backend).renew(), "renew")

    async def report(self, counts: Mapping[Address, int]) -> None:
        await within(cast(SupportsCensus, self.backend).report(counts), "report")

    async def occupied(self, kind: str, prefix: str = "", after: str = "", limit: int = 100) -> dict[str, int]:
        """Counts by name, in the order given."""
        backend = cast(SupportsCensus, self.backend)
        page: Sequence[Occupancy] = await within(backend.occupied(kind, prefix, after, limit), "occupied")
        assert {one.address.kind for one in page} <= {kind}, f"asked for {kind}s, got {page}"
        return {one.address.name: one.count for one in page}

    async def count(self, address: Address) -> int:
        return await within(cast(SupportsCensus, self.backend).count(address), "count")


Made = Callable[[], Backend]
Passing = Callable[[float], Awaitable[None] | None]
Breaking = Callable[[Backend], Awaitable[None] | None]


class BackendBench(Bench):
    """The fixture ``kit`` of the cases for backends.

    Attributes:
        outside: A backend that was made outside any event loop.
        forgets_idle_after: See :class:`~.backend.BackendCompliance`.
    """

    def __init__(
        self,
        make: Made,
        *,
        one_node: str = "",
        virtual: bool = False,
        forgets_idle_after: float | None = None,
        advance: Passing | None = None,
        break_connection: Breaking | None = None,
    ) -> None:
        self._make = make
        self._one_node = one_node
        self._virtual = virtual
        self._advance = advance
        self._break = break_connection
        self._nodes: list[Node] = []
        self.forgets_idle_after = forgets_idle_after
        self.outside = self.made()

    # --------------------------------------------------------------------------------------------------- the bench

    def require(self, need: str) -> None:
        """See :meth:`Bench.require`: a capability, TWO_NODES, ONE_NODE, BREAK or LEASE."""
        name = type(self.outside).__name__
        if need == TWO_NODES:
            missing = self._one_node
        elif need == ONE_NODE:
            missing = "" if self._one_node else f"{name} joins nodes"
        elif need == BREAK:
            missing = "" if self._break else "there is no such fixture"
        elif need == LEASE:
            missing = "" if getattr(self.outside, "lease", 0) else f"memberships of {name} end with the process"
        else:
            missing = "" if need in self.outside.capabilities else f"{name} does not declare this capability"
        if missing:
            pytest.skip(f"{need}: {missing}")

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """See :meth:`Bench.run`."""
        __tracebackhide__ = True
        run(self._bounded(coroutine), virtual=self._virtual)

    async def _bounded(self, coroutine: Coroutine[Any, Any, None]) -> None:
        limit = CASE_LIMIT * patience()
        try:
            async with asyncio.timeout(limit) as deadline:
                await coroutine
        except TimeoutError:
            if not deadline.expired():
                raise
            raise AssertionError(f"the case has not come to its end within {limit:g} s") from None
        finally:
            for node in self._nodes:
                # How a backend closes is a matter for the cases that are about it.
                with contextlib.suppress(Exception):
                    await node.close()

    # ------------------------------------------------------------------------------------------------------- nodes

    def made(self) -> Backend:
        """A new backend, not started."""
        try:
            backend: object = self._make()
        except Exception as error:
            error.add_note("make_backend() raised this. A backend is made outside or inside a running event loop.")
            raise
        if inspect.iscoroutine(backend):
            backend.close()
        assert isinstance(backend, Backend), f"make_backend() gave no Backend but {backend!r}"
        return backend

    def unstarted(self, backend: Backend | None = None) -> Node:
        """A node that has not been started."""
        node = Node(backend or self.made(), f"node-{len(self._nodes) + 1}")
        self._nodes.append(node)
        return node

    async def node(self, *heard: Address) -> Node:
        """A new node that hears some addresses."""
        node = self.unstarted()
        await node.start()
        for address in heard:
            await node.subscribe(address)
        return node

    async def pair(self, *heard: Address) -> tuple[Node, Node]:
        """Two nodes, both of which hear some addresses."""
        return await self.node(*heard), await self.node(*heard)

    async def cut(self, node: Node) -> None:
        """Breaks a node's connection."""
        assert self._break is not None
        await _maybe(self._break(node.backend))

    # -------------------------------------------------------------------------------------------------------- time

    async def quiet(self) -> None:
        """A while in which what must not come would have come."""
        await turns()
        await asyncio.sleep(moment())

    async def pass_time(self, seconds: float) -> None:
        """Lets time pass for the backend."""
        if self._advance is None:
            assert self._virtual or seconds <= patience(), (
                f"{seconds:g} s are too long to wait for: have make_backend give one with shorter times, or give the "
                "fixture `advance`"
            )
            await asyncio.sleep(seconds)
        else:
            await _maybe(self._advance(seconds))

    async def eventually(self, holds: Callable[[], Awaitable[bool]], what: str, seconds: float = 0.0) -> None:
        """Waits until something holds, however long that may take beyond ``seconds``.

        Raises:
            AssertionError: It does not come to hold.
        """
        try:
            async with asyncio.timeout(seconds + patience()):
                while not await holds():
                    await asyncio.sleep(moment() / 2)
        except TimeoutError:
            raise AssertionError(f"within {seconds + patience():g} s it has not come to hold: {what}") from None


KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    HISTORY: ("read", "result_of"),
    PRESENCE: ("enter", "leave", "roster", "renew"),
    CENSUS: ("report", "occupied", "count"),
}
"""The capabilities, and the methods of each."""


async def _maybe(result: Awaitable[None] | None) -> None:
    if result is not None:
        await result
