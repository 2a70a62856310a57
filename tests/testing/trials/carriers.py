"""Backends of one node that carry wrongly."""

from __future__ import annotations

import asyncio
import fnmatch
from collections import Counter
from collections.abc import Sequence
from typing import Any

from testing.trials.altering import Altering, loop
from testing.trials.marks import fails

from sethpusher_core.addresses import CHANNEL, USER, Address
from sethpusher_core.backends.base import Accepted, Outgoing, Position, Sink
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import BackendError


@fails("own_publications_come_back_once", "each_of_many_comes_once", "unsubscribe_ends_hearing", among_others=True)
class Echoing(Altering):
    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        sink.deliver(address, payload, position)
        sink.deliver(address, payload, position)


@fails("own_publications_come_back_once", "users_and_control_are_carried", "a_new_one_after_close", among_others=True)
class Deaf(Altering):
    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        """A node knows what it has said."""


@fails("users_and_control_are_carried", "awkward_names", "names_are_no_patterns", "a_key_works_without_history")
class ChannelsOnly(Altering):
    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        if address.kind == CHANNEL:
            sink.deliver(address, payload, position)


NUMEROUS = (
    "each_of_many_comes_once",
    "calls_keep_their_order",
    "calls_that_nobody_awaits_keep_their_order",
    "a_batch_keeps_its_order",
    "a_thousand_channels",
    "coming_and_going",
    "one_order_for_results_deliveries_and_history",
)


@fails(*NUMEROUS, "no_gap_while_subscribing")
class Forgets(Altering):
    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        if count % 55:
            sink.deliver(address, payload, position)


@fails(*NUMEROUS[1:4], "one_order_for_results_deliveries_and_history", "no_gap_while_subscribing")
class Reorders(Altering):
    held: Any = None

    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        if count % 55:
            sink.deliver(address, payload, position)
        else:
            loop().call_soon(loop().call_soon, lambda: sink.deliver(address, payload, position))


@fails("a_batch_keeps_its_order")
class ReordersBatches(MemoryBackend):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        if len({outgoing.address for outgoing in batch}) == 2 and len(batch) > 100:
            batch = batch[::-1]
        return await super().publish(batch)


@fails("calls_that_nobody_awaits_keep_their_order", "one_order_for_results_deliveries_and_history")
class ReordersCalls(MemoryBackend):
    calls = 0

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        self.calls += 1
        await asyncio.sleep(0.001 * (self.calls % 3))
        return await super().publish(batch)


@fails("equal_payloads_are_two_publications", among_others=True)
class TellsApartByPayload(Altering):
    last: Any = None

    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        if (address, payload) != self.last:
            sink.deliver(address, payload, position)
        self.last = address, payload


@fails("each_of_a_batch_has_a_result", "publish_before_start_is_refused", "publish_after_close_is_refused")
class AnswersOnceForAll(MemoryBackend):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        results = await super().publish(batch)
        same = len(batch) == 6 or isinstance(results[0], BackendError)
        return results[:1] if same else results


@fails(
    "what_is_not_subscribed_is_not_heard",
    "kinds_are_apart",
    "unsubscribe_ends_hearing",
    "a_thousand_channels",
    "coming_and_going",
    "names_that_look_alike",
    "names_are_no_patterns",
    "a_stream_that_was_forgotten_is_another_one",
)
class HearsEverything(MemoryBackend):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)

        class Everything(set):  # type: ignore[type-arg]
            def __contains__(self, _: object) -> bool:
                return True

        self._heard = Everything()


@fails("kinds_are_apart")
class GoesByName(MemoryBackend):
    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        self._heard.add(Address(USER if address.kind == CHANNEL else CHANNEL, address.name))
        return await super().subscribe(address, positioned)

    async def unsubscribe(self, address: Address) -> None:
        self._heard.discard(Address(USER if address.kind == CHANNEL else CHANNEL, address.name))
        await super().unsubscribe(address)


@fails("subscribe_returns_when_it_is_heard", "awkward_names", "a_thousand_channels", "coming_and_going")
class SubscribesLater(MemoryBackend):
    asked = 0

    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        self.asked += 1
        if self.asked < 40:
            return await super().subscribe(address, positioned)
        loop().call_later(0.01, self._heard.add, address)
        return None


@fails("unsubscribe_ends_hearing", "a_thousand_channels", "coming_and_going")
class KeepsHearing(MemoryBackend):
    async def unsubscribe(self, address: Address) -> None:
        """One never knows."""


@fails("unsubscribe_ends_hearing", "coming_and_going")
class UnsubscribesAll(MemoryBackend):
    async def unsubscribe(self, address: Address) -> None:
        self._heard.clear()


@fails("unsubscribe_of_the_unknown_is_ignored")
class RaisesForTheUnknown(MemoryBackend):
    async def unsubscribe(self, address: Address) -> None:
        self._heard.remove(address)


@fails("subscribing_again", "coming_and_going", "no_gap_while_subscribing")
class HearsOnceMore(Altering):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.times: Counter[Address] = Counter()

    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        self.times[address] += 1
        return await super().subscribe(address, positioned)

    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        for _ in range(self.times[address]):
            sink.deliver(address, payload, position)


@fails("a_thousand_channels")
class Limited(MemoryBackend):
    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        if len(self._heard) == 500:
            raise BackendError("too many")
        return await super().subscribe(address, positioned)


@fails("a_thousand_channels", "coming_and_going")
class Races(MemoryBackend):
    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        heard = {*self._heard, address}
        await asyncio.sleep(0)
        self._heard = heard
        return await super().subscribe(address, positioned)


# ------------------------------------------------------------------------------------------------ payloads and names


@fails("payloads_come_as_they_were", "a_megabyte_is_carried")
class CarriesText(Altering):
    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        sink.deliver(address, payload.decode(errors="replace").encode(), position)


@fails("payloads_come_as_they_were", "read_gives_all_that_is_kept")
class DropsTheEmpty(MemoryBackend):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        results = await super().publish([outgoing for outgoing in batch if outgoing.payload])
        return [*results, *([Accepted()] * (len(batch) - len(results)))]


@fails("a_megabyte_is_carried", "read_gives_all_that_is_kept")
class SmallParcelsOnly(MemoryBackend):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        if max(len(outgoing.payload) for outgoing in batch) > 2**16:
            return [BackendError("too large")] * len(batch)
        return await super().publish(batch)


@fails("awkward_names")
class SplitsNames(Altering):
    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        kind, name = f"{address.kind}:{address.name}".split(":")[:2]
        sink.deliver(Address(kind, name), payload, position)


class Finding(MemoryBackend):
    """Finds subscriptions in its own way."""

    def matches(self, heard: Address, address: Address) -> bool:
        raise NotImplementedError

    def _publish(self, sink: Sink, outgoing: Outgoing) -> Accepted:
        result = super()._publish(sink, outgoing)
        address = outgoing.address
        if address not in self._heard and any(self.matches(heard, address) for heard in self._heard):
            sink.deliver(address, outgoing.payload, result.position)
        return result


@fails("names_that_look_alike")
class FoldsCase(Finding):
    def matches(self, heard: Address, address: Address) -> bool:
        return heard.name.lower() == address.name.lower() and heard.kind == address.kind


@fails("names_are_no_patterns")
class TakesNamesForPatterns(Finding):
    def matches(self, heard: Address, address: Address) -> bool:
        return heard.kind == address.kind and fnmatch.fnmatch(address.name, heard.name)
