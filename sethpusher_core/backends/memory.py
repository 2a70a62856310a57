"""The backend of a single node: everything stays in this process."""

from __future__ import annotations

from collections.abc import Sequence

from ..addresses import Address
from ..errors import BackendError, BackendUnavailable
from .base import Accepted, Backend, Outgoing, Position, Sink

__all__ = ["MemoryBackend"]

_ACCEPTED = Accepted()


class MemoryBackend(Backend):
    """Delivers within the process, at once and in the order of publishing.

    Nodes that share the work need another backend: two processes with this one do not hear each other.
    """

    def __init__(self) -> None:
        self._sink: Sink | None = None
        self._heard: set[Address] = set()

    async def start(self, sink: Sink, node_id: str) -> None:
        """See :meth:`Backend.start`."""
        self._sink = sink

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        """See :meth:`Backend.publish`."""
        sink = self._sink
        if sink is None:
            return [BackendUnavailable("the backend is not started") for _ in batch]
        heard = self._heard
        for outgoing in batch:
            if outgoing.address in heard:
                sink.deliver(outgoing.address, outgoing.payload)
        return [_ACCEPTED] * len(batch)

    async def subscribe(self, address: Address) -> Position | None:
        """See :meth:`Backend.subscribe`."""
        self._heard.add(address)
        return None

    async def unsubscribe(self, address: Address) -> None:
        """See :meth:`Backend.unsubscribe`."""
        self._heard.discard(address)

    async def close(self) -> None:
        """See :meth:`Backend.close`."""
        self._sink = None
        self._heard.clear()
