"""Backends for which an idempotency key does not do what it should."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from testing.trials.histories import Publishing
from testing.trials.marks import fails

from sethpusher_core.addresses import Address
from sethpusher_core.backends.base import Accepted, Outgoing, Sink
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import BackendError

REPEATS = ("a_repeat_gives_the_first_result", "a_key_works_without_history", "a_repeat_within_a_batch")
RACE = "repeats_that_race"


@fails(
    *REPEATS,
    RACE,
    "a_repeat_does_nothing_else",
    "the_stored_result_can_be_asked_for",
    "keys_belong_to_their_address",
)
class KnowsNoKeys(Publishing):
    def change(self, outgoing: Outgoing) -> Outgoing:
        return replace(outgoing, idempotency_key=None)


@fails(*REPEATS, RACE, "keys_belong_to_their_address")
class MarksNoRepeats(MemoryBackend):
    def _publish(self, sink: Sink, outgoing: Outgoing) -> Accepted:
        return replace(super()._publish(sink, outgoing), repeated=False)


@fails("a_repeat_does_nothing_else", "a_key_works_without_history", RACE)
class DeliversAgain(MemoryBackend):
    def _publish(self, sink: Sink, outgoing: Outgoing) -> Accepted:
        result = super()._publish(sink, outgoing)
        if result.repeated and outgoing.address in self._heard:
            sink.deliver(outgoing.address, outgoing.payload, result.position)
        return result


@fails("a_repeat_does_nothing_else", "a_repeat_within_a_batch", RACE)
class StoresAgain(MemoryBackend):
    def _publish(self, sink: Sink, outgoing: Outgoing) -> Accepted:
        result = super()._publish(sink, outgoing)
        if result.repeated and outgoing.history:
            self._streams.append(outgoing)
        return result


@fails("a_repeat_gives_the_first_result", "a_repeat_within_a_batch")
class GivesTheLatestResult(MemoryBackend):
    def _publish(self, sink: Sink, outgoing: Outgoing) -> Accepted:
        result = super()._publish(sink, outgoing)
        if not result.position or not result.repeated:
            return result
        return Accepted(self._streams.position(outgoing.address), repeated=True)


@fails("the_stored_result_can_be_asked_for", "a_key_works_without_history")
class TellsNoResults(MemoryBackend):
    async def result_of(self, address: Address, idempotency_key: str) -> Accepted | None:
        return None


@fails("a_key_works_without_history", "keys_belong_to_their_address")
class NeedsAPosition(Publishing):
    def change(self, outgoing: Outgoing) -> Outgoing:
        return outgoing if outgoing.history else replace(outgoing, idempotency_key=None)


class Keyed(MemoryBackend):
    """Keeps results under something else than address and key."""

    def place(self, address: Address, key: str) -> tuple[Address, str]:
        raise NotImplementedError

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        get, put = self._results.get, self._results.put
        self._results.get = lambda address, key: get(*self.place(address, key))  # type: ignore[method-assign]
        self._results.put = (  # type: ignore[method-assign]
            lambda address, key, *rest: put(*self.place(address, key), *rest)
        )


@fails("keys_belong_to_their_address", "the_stored_result_can_be_asked_for")
class KeysForAll(Keyed):
    def place(self, address: Address, key: str) -> tuple[Address, str]:
        return Address("", ""), key


@fails("keys_belong_to_their_address")
class KeysByName(Keyed):
    def place(self, address: Address, key: str) -> tuple[Address, str]:
        return Address("", address.name), key


@fails("keys_belong_to_their_address")
class JoinsNameAndKey(Keyed):
    def place(self, address: Address, key: str) -> tuple[Address, str]:
        return Address(address.kind, ""), f"{address.name}:{key}"


@fails("a_repeat_within_a_batch")
class LooksOnceForABatch(MemoryBackend):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        keys = [outgoing.idempotency_key for outgoing in batch]
        if len(batch) == len(set(keys)):
            return await super().publish(batch)
        return await super().publish([replace(outgoing, idempotency_key=None) for outgoing in batch])


@fails(RACE)
class LooksThenWaits(MemoryBackend):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        if len(batch) > 1 or batch[0].idempotency_key is None:
            return await super().publish(batch)
        known = self._results.get(batch[0].address, batch[0].idempotency_key)
        await asyncio.sleep(0)
        if known is None:
            self._results._results.pop((batch[0].address, batch[0].idempotency_key), None)
        return await super().publish(batch)
