"""A sink that remembers what it is handed."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from ..addresses import Address
from ..backends.base import Position
from .timing import patience

__all__ = ["Delivery", "Recorder", "Resumption"]


@dataclass(frozen=True, slots=True)
class Resumption:
    """One call of the sink's ``resumed``."""

    address: Address
    position: Position | None
    whole: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call of the sink."""

    address: Address
    payload: bytes
    position: Position | None = None


class Recorder:
    """The sink of one node.

    Attributes:
        deliveries: Everything that came, in order.
        resumptions: What was said of addresses that are heard again, in order.
        wrong: What a sink must not be handed, or not in this way.
    """

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.resumptions: list[Resumption] = []
        self.wrong: list[str] = []
        self._by_address: dict[Address, list[Delivery]] = defaultdict(list)
        self._thread = threading.get_ident()
        self._came = asyncio.Event()

    def deliver(self, address: Address, payload: bytes, position: Position | None = None) -> None:
        """See :meth:`~sethpusher_core.backends.base.Sink.deliver`."""
        if threading.get_ident() != self._thread:
            self.wrong.append("called in a thread other than the event loop's")
        if type(address) is not Address:
            self.wrong.append(f"the address is {address!r}, not an Address")
        if type(payload) is not bytes:
            self.wrong.append(f"the payload is a {type(payload).__name__}, not bytes")
        if position is not None and type(position) is not Position:
            self.wrong.append(f"the position is {position!r}, not a Position")
        delivery = Delivery(address, payload, position)
        self.deliveries.append(delivery)
        self._by_address[address].append(delivery)
        self._came.set()

    def resumed(self, address: Address, position: Position | None, whole: bool) -> None:
        """See :meth:`~sethpusher_core.backends.base.Sink.resumed`."""
        self.resumptions.append(Resumption(address, position, whole))
        self._came.set()

    def of(self, address: Address) -> list[Delivery]:
        """What came for an address, in order."""
        return list(self._by_address[address])

    def payloads(self, address: Address) -> list[bytes]:
        """The payloads that came for an address, in order."""
        return [delivery.payload for delivery in self._by_address[address]]

    def offsets(self, address: Address) -> list[int]:
        """The offsets of what came for an address with a position, in order."""
        return [delivery.position.offset for delivery in self._by_address[address] if delivery.position]

    async def until(self, address: Address, count: int) -> list[Delivery]:
        """Waits until so many have come for an address, and gives all that have.

        Raises:
            AssertionError: They do not come.
        """
        __tracebackhide__ = True
        if not await self._comes(lambda: len(self._by_address[address]) >= count):
            came = self.payloads(address)
            raise AssertionError(
                f"{len(came)} of {count} payloads for {address} came within {patience():g} s: {_listed(came)}"
            )
        return self.of(address)

    async def until_offset(self, address: Address, offset: int) -> None:
        """Waits until what has an offset has come for an address.

        Raises:
            AssertionError: It does not come.
        """
        __tracebackhide__ = True
        if not await self._comes(lambda: offset in self.offsets(address)):
            raise AssertionError(f"offset {offset} of {address} has not come; what came: {self.offsets(address)}")

    async def _comes(self, holds: Callable[[], bool]) -> bool:
        try:
            async with asyncio.timeout(patience()):
                while not holds():
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return False
        return True


def _listed(payloads: list[bytes]) -> str:
    texts = [repr(one) if len(one) < 40 else f"{one[:40]!r}... ({len(one)} bytes)" for one in payloads]
    return ", ".join(texts if len(texts) <= 20 else [*texts[:10], "...", *texts[-10:]])
