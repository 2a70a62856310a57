from __future__ import annotations

from support.loops import in_loop

from sethpusher_core.addresses import CONTROL, Address
from sethpusher_core.backends.base import Accepted, Outgoing, Position
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import BackendUnavailable

NEWS, SPORT, ALICE = Address.channel("news"), Address.channel("sport"), Address.user("alice")


class Heard:
    """A sink."""

    def __init__(self) -> None:
        self.payloads: list[tuple[Address, bytes]] = []

    def deliver(self, address: Address, payload: bytes, position: Position | None = None) -> None:
        self.payloads.append((address, payload))


async def started() -> tuple[MemoryBackend, Heard]:
    backend, heard = MemoryBackend(), Heard()
    await backend.start(heard, "node")
    return backend, heard


@in_loop
async def test_what_is_published_comes_back_in_order_where_it_is_heard() -> None:
    backend, heard = await started()
    for address in (NEWS, ALICE, CONTROL):
        await backend.subscribe(address)
    sent = [(NEWS, b"1"), (ALICE, b"2"), (SPORT, b"3"), (NEWS, b"4"), (CONTROL, b"5"), (Address.user("news"), b"6")]
    results = await backend.publish([Outgoing(address, payload) for address, payload in sent])
    assert results == [Accepted()] * 6
    assert heard.payloads == [(NEWS, b"1"), (ALICE, b"2"), (NEWS, b"4"), (CONTROL, b"5")]
    await backend.close()


@in_loop
async def test_nothing_comes_after_unsubscribing() -> None:
    backend, heard = await started()
    await backend.subscribe(NEWS)
    await backend.unsubscribe(NEWS)
    await backend.unsubscribe(SPORT)
    assert await backend.publish([Outgoing(NEWS, b"1")]) == [Accepted()]
    assert heard.payloads == []
    await backend.close()


@in_loop
async def test_before_the_start_and_after_the_end_nothing_is_taken() -> None:
    backend, heard = MemoryBackend(), Heard()
    await backend.close()
    [result] = await backend.publish([Outgoing(NEWS, b"1")])
    assert isinstance(result, BackendUnavailable)
    await backend.start(heard, "node")
    await backend.subscribe(NEWS)
    await backend.close()
    await backend.close()
    [result] = await backend.publish([Outgoing(NEWS, b"1")])
    assert isinstance(result, BackendUnavailable)
    assert heard.payloads == []


@in_loop
async def test_it_may_be_started_again() -> None:
    backend, _ = await started()
    await backend.subscribe(NEWS)
    await backend.close()
    heard = Heard()
    await backend.start(heard, "node 2")
    await backend.publish([Outgoing(NEWS, b"1")])
    assert heard.payloads == [], "subscriptions end with close"
    await backend.close()


def test_it_may_be_made_without_a_loop() -> None:
    assert MemoryBackend().trouble is None
