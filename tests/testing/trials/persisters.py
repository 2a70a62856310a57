"""Persisters that do not store what they are given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from testing.trials.marks import fails

from sethpusher_core import Publication, hookimpl
from sethpusher_core.testing import Kept

Store = list[Kept]
REPEATS = (
    "a_known_id_is_done",
    "new_ones_beside_known_ones",
    "twice_in_one_batch",
    "known_after_a_new_start",
)


class Right:
    """Stores each publication whose id is not in the store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> Any:
        for publication in publications:
            self.add(publication)

    def add(self, publication: Publication) -> None:
        if all(one.id != publication.id for one in self.store):
            self.store.append(self.row(publication))

    def row(self, publication: Publication) -> Kept:
        return Kept.of(publication)


class Failing(Right):
    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        raise ConnectionError("nobody is there")


# ------------------------------------------------------------------------------------------------------------ fixtures


@fails("fixture_gives_an_empty_store_again", "stored_when_it_returns", among_others=True)
class Unclean(Right):
    shared: ClassVar[Store] = []


@fails("fixture_gives_an_empty_store", "fixture_gives_an_empty_store_again", among_others=True)
class NeverEmpty(Right):
    shared: ClassVar[Store] = [Kept("of yesterday", 1)]


# ------------------------------------------------------------------------------------------------------------- storing


@fails("stored_when_it_returns", "nothing_is_left_after_shutdown", among_others=True)
class StoresLater(Right):
    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        self.task = asyncio.ensure_future(self.later(publications))

    async def later(self, publications: Sequence[Publication]) -> None:
        await asyncio.sleep(0.01)
        for publication in publications:
            self.add(publication)


@fails("nothing_is_left_after_shutdown")
class LeavesATask(Right):
    @hookimpl
    def startup(self) -> None:
        self.task = asyncio.ensure_future(asyncio.sleep(3600))


@fails(
    "a_batch_is_stored_in_order", "batches_are_stored_in_order", "what_the_server_takes_is_stored", among_others=True
)
class StoresTheFirst(Right):
    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        self.add(publications[0])


@fails("a_batch_is_stored_in_order", "batches_are_stored_in_order", "what_the_server_takes_is_stored", "awkward_names")
class Drops(Right):
    calls = 0

    def add(self, publication: Publication) -> None:
        self.calls += 1
        if self.calls % 27:
            super().add(publication)


@fails("a_batch_is_stored_in_order")
class SortsById(Right):
    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        if len(publications) == 100:
            publications = sorted(publications, key=lambda one: one.id)
        for publication in publications:
            self.add(publication)


@fails("stored_when_it_returns", "batches_are_stored_in_order", "empty_messages_are_messages", among_others=True)
class NewestFirst(Right):
    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        before = len(self.store)
        for publication in publications:
            self.add(publication)
        self.store[:] = self.store[before:] + self.store[:before]


@fails("channels_and_users", "awkward_names", "what_the_server_takes_is_stored", "one_key_at_two_addresses")
class TakesUsersForChannels(Right):
    def row(self, publication: Publication) -> Kept:
        return replace(Kept.of(publication), channel=publication.address.name, user=None)


@fails("empty_messages_are_messages")
class SkipsTheEmpty(Right):
    def add(self, publication: Publication) -> None:
        if publication.message:
            super().add(publication)


@fails("empty_messages_are_messages")
class TakesNullForNothing(Right):
    def row(self, publication: Publication) -> Kept:
        return replace(Kept.of(publication), message=publication.message or None)


@fails("any_value", "text_that_stores_dislike", "a_large_message")
class StoresAscii(Right):
    def row(self, publication: Publication) -> Kept:
        text = json.dumps(publication.message, ensure_ascii=False).encode("ascii", "replace")
        return replace(Kept.of(publication), message=json.loads(text))


@fails("any_value")
class StoresDoubles(Right):
    def row(self, publication: Publication) -> Kept:
        return replace(Kept.of(publication), message=json.loads(publication.data, parse_int=lambda t: int(float(t))))


@fails("text_that_stores_dislike")
class StoresUtf8(Right):
    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        json.dumps([one.message for one in publications], ensure_ascii=False).encode()
        for publication in publications:
            self.add(publication)


@fails("a_large_message")
class CutsOff(Right):
    def row(self, publication: Publication) -> Kept:
        message = publication.message
        return replace(Kept.of(publication), message=message[:65535] if isinstance(message, str) else message)


@fails("awkward_names")
class CutsNamesOff(Right):
    def row(self, publication: Publication) -> Kept:
        kept = Kept.of(publication)
        return replace(kept, channel=kept.channel and kept.channel[:200])


@fails("who_published_is_stored", "what_the_server_takes_is_stored")
class StoresNoSender(Right):
    def row(self, publication: Publication) -> Kept:
        return replace(Kept.of(publication), sender_id=None)


@fails("equal_messages_are_two_publications")
class GoesByMessage(Right):
    def add(self, publication: Publication) -> None:
        kept = Kept.of(publication)
        if all((one.message, one.channel, one.user) != ("same", kept.channel, kept.user) for one in self.store):
            super().add(publication)


@fails("failing_to_store_is_said")
class KeepsQuiet(Right):
    @staticmethod
    def make_failing() -> object:
        class Quiet(Failing):
            @hookimpl
            async def persist(self, publications: Sequence[Publication]) -> bool | None:
                try:
                    await super().persist(publications)
                except ConnectionError:
                    pass

        return Quiet([])


@fails("stored_when_it_returns", "a_known_id_is_done", "what_the_server_takes_is_stored", among_others=True)
class AnswersTrue(Right):
    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> bool:
        await super().persist(publications)
        return True


# ------------------------------------------------------------------------------------------------------------- repeats


@fails(*REPEATS)
class Doubles(Right):
    def add(self, publication: Publication) -> None:
        self.store.append(self.row(publication))


@fails(*REPEATS)
class RaisesForTheKnown(Right):
    def add(self, publication: Publication) -> None:
        assert all(one.id != publication.id for one in self.store), "known already"
        super().add(publication)


@fails("new_ones_beside_known_ones", "twice_in_one_batch", "known_after_a_new_start")
class EndsAtTheKnown(Right):
    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        for publication in publications:
            if any(one.id == publication.id for one in self.store):
                return
            self.add(publication)


@fails("twice_in_one_batch")
class LooksOnceForABatch(Right):
    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        known = {one.id for one in self.store}
        self.store += [self.row(one) for one in publications if one.id not in known]


@fails("known_after_a_new_start")
class ForgetsWithTheProcess(Right):
    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.known: set[str] = set()

    def add(self, publication: Publication) -> None:
        if publication.id not in self.known:
            self.known.add(publication.id)
            self.store.append(self.row(publication))


@fails("one_key_at_two_addresses")
class GoesByKey(Right):
    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.keys: set[str | None] = {None}

    def add(self, publication: Publication) -> None:
        if publication.idempotency_key == "key" and publication.message == "same":
            if "key" in self.keys:
                return
            self.keys.add("key")
        super().add(publication)
