"""What is handed over is stored: all of it, as it was, in order, before ``persist`` returns."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from ...addresses import Address
from ...errors import HookError
from ..guard import Compliance, case
from ..hooks import FAILING
from ..loops import KitLoop, turns, within
from ..samples import ADA, AWKWARD_NAMES, NEWS, published
from ..stores import PersistBench

__all__ = ["StoringCases"]


class StoringCases(Compliance):
    """The store has what was published."""

    @case()
    async def test_fixture_gives_an_empty_store(self, kit: PersistBench) -> None:
        """In each test the store begins empty; the plugin implements ``persist``. Leaves something behind.

        If this fails: have the fixtures empty the store, or use another one in each test.
        """
        await _begins_empty(kit)

    @case()
    async def test_fixture_gives_an_empty_store_again(self, kit: PersistBench) -> None:
        """In each test the store begins empty, also after a test that has left something behind.

        If this fails: have the fixtures empty the store, or use another one in each test. What the test before left
        in the store must not be there in this one.
        """
        await _begins_empty(kit)

    @case()
    async def test_stored_when_it_returns(self, kit: PersistBench) -> None:
        """Returning means that the batch is safe.

        If this fails: await what stores the batch; do not leave it to a task or a buffer that is written later.
        """
        one, two, three = published("one"), published("two"), published("three")
        async with kit.persister() as persist:
            await persist(one)
            await kit.has(one)
            await persist(two, three)
            await kit.has(one, two, three)

    @case()
    async def test_a_batch_is_stored_in_order(self, kit: PersistBench) -> None:
        """``persist`` gets batches of one or more, oldest first.

        If this fails: store every publication of the batch, in its order; ids do not sort by age.
        """
        batch = [published(number) for number in range(1, 101)]
        batch = batch[::3] + batch[1::3] + batch[2::3]
        async with kit.persister() as persist:
            await persist(*batch)
        await kit.has(*batch)

    @case()
    async def test_batches_are_stored_in_order(self, kit: PersistBench) -> None:
        """Batches come in the order in which they will enter the backend; the next one waits for this one.

        If this fails: number what is stored by when it came, over all batches.
        """
        batches = [
            [published([number, part]) for part in range(size)] for number, size in enumerate((1, 7, 1, 30, 2), 1)
        ]
        async with kit.persister() as persist:
            for batch in batches:
                await persist(*batch)
        await kit.has(*itertools.chain(*batches))

    @case()
    async def test_what_the_server_takes_is_stored(self, kit: PersistBench) -> None:
        """``persist`` is called for every accepted publication, before it is sent, whoever else publishes.

        If this fails: this runs a whole server with your plugin and many publishers at once. Look in the log for what
        the hook raised.
        """
        async with kit.server() as server:
            calls = [asyncio.ensure_future(server.publish("news", {"number": number})) for number in range(50)]
            results = await within(asyncio.gather(*calls), "publish")
            await server.publish_to_user("ada", "to you", sender_id="bob")
        stored = await kit.stored()
        assert [(one.id, one.channel, one.message) for one in stored[:-1]] == [
            (result.id, "news", {"number": number}) for number, result in enumerate(results)
        ]
        assert (stored[-1].user, stored[-1].message, stored[-1].sender_id) == ("ada", "to you", "bob")

    @case()
    async def test_channels_and_users(self, kit: PersistBench) -> None:
        """A publication is for a channel or for a user; one name may be both.

        If this fails: store which of the two it was (``publication.channel`` or ``publication.user``).
        """
        addresses = [NEWS, Address.user("news"), ADA, Address.channel("ada")]
        batch = [published(number, address) for number, address in enumerate(addresses, 1)]
        async with kit.persister() as persist:
            await persist(*batch)
        await kit.has(*batch)

    @case()
    async def test_empty_messages_are_messages(self, kit: PersistBench) -> None:
        """A message is any JSON value: null, false, 0, an empty text, list or object, too.

        If this fails: do not ask whether there is a message by its truth; there always is one.
        """
        batch = [published(message) for message in (None, False, True, 0, 1, "", [], {}, [None], {"": ""})]
        async with kit.persister() as persist:
            for publication in batch:
                await persist(publication)
        await kit.has(*batch)

    @case()
    async def test_any_value(self, kit: PersistBench) -> None:
        """A message is passed on unchanged: nested, large numbers, any characters; JSON text with spaces, too.

        If this fails: store the JSON text itself (``publication.data``), or decode and encode without loss.
        """
        messages: list[Any] = [
            {"a": [{"b": [[], {}, None]}], "message": "m", "id": "not the publication's", "sender_id": 7},
            [2**53 + 1, -(2**63), 1e-7, 0.1, 12.5e300],
            "Grüße, 世界 👋🏽 \u2028 \x7f \" ' \\ / <script> % $1 ?",
            {"line\nbreak": "\r\n\t"},
        ]
        batch = [published(message) for message in messages]
        batch.append(published(data=b' {\n "a" : [ 1 , 2 ],\t"\\u00e4": "\\ud83d\\udc4b" }\n'))
        async with kit.persister() as persist:
            await persist(*batch)
        await kit.has(*batch)

    @case()
    async def test_text_that_stores_dislike(self, kit: PersistBench) -> None:
        """A message may hold all that JSON can say: escaped NUL and lone surrogates, too.

        If this fails: one such message must not fail the batch that it comes in. Store the JSON text as bytes or
        with its escapes; many stores take neither character.
        """
        batch = [published("before"), published(data=b'"\\u0000"'), published(data=b'["\\ud800"]'), published("after")]
        async with kit.persister() as persist:
            await persist(*batch)
        await kit.has(*batch)

    @case()
    async def test_a_large_message(self, kit: PersistBench) -> None:
        """A message may be large: a megabyte is stored, and so is what comes with it.

        If this fails: raise the limits of driver and store.
        """
        batch = [published("before"), published("é" * 500_000), published("after")]
        async with kit.persister() as persist:
            await persist(*batch)
        await kit.has(*batch)

    @case()
    async def test_awkward_names(self, kit: PersistBench) -> None:
        """Names of channels and users are any text of up to 255 characters.

        If this fails: pass names to the store as data, never as a part of a command, path or pattern.
        """
        batch = [published(number, Address.channel(name)) for number, name in enumerate(AWKWARD_NAMES, 1)]
        batch += [published(number, Address.user(name)) for number, name in enumerate(AWKWARD_NAMES, 1)]
        async with kit.persister() as persist:
            await persist(*batch)
        await kit.has(*batch)

    @case()
    async def test_who_published_is_stored(self, kit: PersistBench) -> None:
        """``sender_id``: a text for a client, any JSON value over HTTP, None when unknown.

        If this fails: store the sender beside the message, as JSON.
        """
        batch = [published(sender=sender) for sender in (None, "ada", "", 7, False, {"name": "Ada"}, ["a"])]
        async with kit.persister() as persist:
            await persist(*batch)
        await kit.has(*batch)

    @case()
    async def test_equal_messages_are_two_publications(self, kit: PersistBench) -> None:
        """Publications are known by their id, not by what they say.

        If this fails: do not tell publications apart by message, channel or time.
        """
        batch = [published("same") for _ in range(5)]
        async with kit.persister() as persist:
            await persist(*batch[:3])
            await persist(*batch[3:])
        await kit.has(*batch)

    @case(FAILING)
    async def test_failing_to_store_is_said(self, kit: PersistBench) -> None:
        """When it raises nothing of the batch is sent and its publishers get 503.

        If this fails: let the exception out, or raise one, whenever the store has not confirmed the whole batch; do
        not log it and go on.
        """
        async with kit.server(failing=True) as server:
            assert server.hooks.persist is not None
            with pytest.raises(HookError):
                await within(server.hooks.persist((published(),)), "persist")

    @case()
    async def test_nothing_is_left_after_shutdown(self, kit: PersistBench) -> None:
        """What a plugin has begun ends with its ``shutdown``: no task, no timer and no connection is left.

        If this fails: implement ``shutdown``: end and await tasks, close files and connections.
        """
        loop = asyncio.get_running_loop()
        assert isinstance(loop, KitLoop)
        before = loop.leftovers()
        async with kit.persister() as persist:
            await persist(published())
        await turns()
        left = loop.leftovers().since(before)
        assert not left, "left after shutdown: " + "; ".join(left)


async def _begins_empty(kit: PersistBench) -> None:
    stored = await kit.stored()
    assert stored == [], f"there is something: {stored[:3]}"
    async with kit.persister() as persist:
        await persist(published("left behind", key="left behind"))
