"""What several wrong backends are made of."""

from __future__ import annotations

import asyncio

from sethpusher_core.addresses import Address
from sethpusher_core.backends.base import Position, Sink
from sethpusher_core.backends.memory import MemoryBackend

__all__ = ["Altering", "loop"]


def loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


class Between:
    """A sink before the kit's."""

    def __init__(self, backend: Altering, sink: Sink) -> None:
        self.backend = backend
        self.sink = sink
        self.count = 0

    def deliver(self, address: Address, payload: bytes, position: Position | None = None) -> None:
        self.count += 1
        self.backend.hand_over(self.count, self.sink, address, payload, position)


class Altering(MemoryBackend):
    """Does something else at the point where payloads are handed over."""

    async def start(self, sink: Sink, node_id: str) -> None:
        await super().start(Between(self, sink), node_id)

    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        sink.deliver(address, payload, position)
