"""Backends that do what a test tells them to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from sethpusher_core.addresses import CONTROL, Address
from sethpusher_core.backends.base import Accepted, Outgoing, Position
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import BackendError

__all__ = ["Call", "HeldBackend"]


@dataclass
class Call:
    """A call that the backend is at work on, until :meth:`answer` or :meth:`fail`."""

    what: str
    address: Address | None = None
    batch: Sequence[Outgoing] = ()
    future: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def answer(self) -> None:
        self.future.set_result(None)

    def fail(self, error: Exception | None = None) -> None:
        self.future.set_exception(error or BackendError("told to fail"))


class HeldBackend(MemoryBackend):
    """The memory backend, each of whose answers waits for the test to let it pass.

    Attributes:
        calls: Calls under way, oldest first.
        history: What was asked for, in order.
        held: Which of ``subscribe``, ``unsubscribe``, ``publish``, ``start``, ``close`` wait.
    """

    def __init__(self, *held: str) -> None:
        super().__init__()
        self.held = set(held)
        self.calls: list[Call] = []
        self.history: list[tuple[str, Address]] = []
        self.heard: set[Address] = set()
        self.position: Position | None = None

    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        assert address not in self.heard, f"{address} is heard already"
        await self._hold("subscribe", address)
        self.heard.add(address)
        await super().subscribe(address, positioned)
        return self.position

    async def unsubscribe(self, address: Address) -> None:
        assert address in self.heard, f"{address} is not heard"
        try:
            await self._hold("unsubscribe", address)
        finally:  # one that failed is over, too
            self.heard.discard(address)
            await super().unsubscribe(address)

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        await self._hold("publish", None, batch)
        return await super().publish(batch)

    async def close(self) -> None:
        await self._hold("close")
        await super().close()

    async def _hold(self, what: str, address: Address | None = None, batch: Sequence[Outgoing] = ()) -> None:
        if address is not None and address != CONTROL:
            assert not [call for call in self.calls if call.address == address], f"two calls for {address} at once"
            self.history.append((what, address))
        if what in self.held and address != CONTROL:
            call = Call(what, address, batch)
            self.calls.append(call)
            try:
                await call.future
            finally:
                self.calls.remove(call)
