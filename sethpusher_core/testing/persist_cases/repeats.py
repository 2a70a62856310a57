"""A publication that comes again, under the id that it had before, is taken as done."""

from __future__ import annotations

from ...addresses import Address
from ..guard import Compliance, case
from ..samples import NEWS, SPORT, published
from ..stores import PersistBench

__all__ = ["RepeatCases"]


class RepeatCases(Compliance):
    """Repeats: stored once, and no failure."""

    @case()
    async def test_a_known_id_is_done(self, kit: PersistBench) -> None:
        """An implementation must take a known id as done: it stores nothing, and does not fail.

        If this fails: make the id unique in the store, and take the conflict for success.
        """
        first, again = published("once", key="key"), published("once", key="key")
        other = published("other")
        async with kit.persister() as persist:
            await persist(first)
            await persist(again)
            await persist(other)
            await persist(again)
        await kit.has(first, other)

    @case()
    async def test_new_ones_beside_known_ones(self, kit: PersistBench) -> None:
        """Of a batch, what is known is done, and the rest is stored, in order.

        If this fails: a conflict must not end the batch, nor undo it.
        """
        known, one, two, three = (published(name, key=name) for name in ("known", "one", "two", "three"))
        async with kit.persister() as persist:
            await persist(known)
            await persist(one, known, two, known, three)
        await kit.has(known, one, two, three)

    @case()
    async def test_twice_in_one_batch(self, kit: PersistBench) -> None:
        """Two repeats that race may come in one batch: they are stored once.

        If this fails: look for known ids within the batch, too; some stores check them only against what they had.
        """
        one, again, two = published("one", key="key"), published("one", key="key"), published("two")
        async with kit.persister() as persist:
            await persist(one, again, two, again)
        await kit.has(one, two)

    @case()
    async def test_known_after_a_new_start(self, kit: PersistBench) -> None:
        """A publication's id is stable over retries; one that comes to the next process is as known as before.

        If this fails: ask the store for known ids, not the memory of the process; and keep what is stored when the
        plugin starts anew.
        """
        first, again, new = published("once", key="key"), published("once", key="key"), published("new")
        async with kit.persister() as persist:
            await persist(first)
        async with kit.persister() as persist:
            await persist(again, new)
        await kit.has(first, new)

    @case()
    async def test_one_key_at_two_addresses(self, kit: PersistBench) -> None:
        """The id is derived from key *and* address: the same key elsewhere is another publication.

        If this fails: go by ``publication.id``, not by ``publication.idempotency_key``.
        """
        addresses = (NEWS, SPORT, Address.user("news"))
        batch = [published("same", address, key="key") for address in addresses]
        async with kit.persister() as persist:
            await persist(*batch)
        await kit.has(*batch)
