"""Capability HISTORY: idempotency keys."""

from __future__ import annotations

import asyncio

from ...addresses import Address
from ...backends.base import Accepted
from ...backends.capabilities import HISTORY
from ..guard import Compliance, case
from ..loops import within
from ..nodes import TWO_NODES, BackendBench, Node
from ..samples import ADA, AWKWARD_NAMES, NEWS, SPORT, keep, say

__all__ = ["IdempotencyCases"]


class IdempotencyCases(Compliance):
    """A publication that is repeated under its key."""

    @case(HISTORY)
    async def test_a_repeat_gives_the_first_result(self, kit: BackendBench) -> None:
        """A publication with a key, repeated within the window, gives the first result again, marked ``repeated``.

        If this fails: keep the result under address and key when the publication is taken, and look for it first.
        """
        node = await kit.node()
        [first] = await node.accepted(keep(NEWS, b"1", key="key"))
        await node.accepted(keep(NEWS, b"2", key="another"))
        [again] = await node.accepted(keep(NEWS, b"1", key="key"))
        assert (first.repeated, again.repeated) == (False, True)
        assert again.position == first.position is not None

    @case(HISTORY)
    async def test_a_repeat_does_nothing_else(self, kit: BackendBench) -> None:
        """A repeat does nothing else: no delivery, no offset, no place in the history, whatever its payload.

        If this fails: look for the stored result before anything is counted, kept or announced.
        """
        node = await kit.node(NEWS)
        await node.accepted(keep(NEWS, b"1", key="key"))
        await node.accepted(keep(NEWS, b"1", key="key"))
        await node.accepted(keep(NEWS, b"not the same", key="key"))
        [other] = await node.positions(keep(NEWS, b"2"))
        await node.sink.until(NEWS, 2)
        await kit.quiet()
        assert node.sink.payloads(NEWS) == [b"1", b"2"]
        assert other.offset == 2
        assert await node.stored(NEWS) == [b"1", b"2"]

    @case(HISTORY)
    async def test_the_stored_result_can_be_asked_for(self, kit: BackendBench) -> None:
        """``result_of``: the stored result of an earlier publication with this key; None when there is none.

        If this fails: answer from the same place that makes repeats harmless.
        """
        node = await kit.node()
        assert await node.result_of(NEWS, "key") is None
        [first] = await node.accepted(keep(NEWS, b"1", key="key"))
        result = await node.result_of(NEWS, "key")
        assert isinstance(result, Accepted)
        assert result.position == first.position
        assert await node.result_of(NEWS, "another key") is None
        assert await node.result_of(SPORT, "key") is None

    @case(HISTORY)
    async def test_keys_belong_to_their_address(self, kit: BackendBench) -> None:
        """A key is repeated when it comes again *to the same address*; elsewhere it is another one.

        If this fails: keep results under the whole address (kind and name) and the key, joined so that no two pairs
        look alike.
        """
        node = await kit.node()
        pairs = [(NEWS, "key"), (SPORT, "key"), (Address.channel("ada"), "key"), (ADA, "key")]
        pairs += [(Address.channel("a"), "b:c"), (Address.channel("a:b"), "c")]
        pairs += [(NEWS, name) for name in AWKWARD_NAMES]
        for address, key in pairs:
            [result] = await node.accepted(say(address, b"1", key=key))
            assert not result.repeated, f"{key!r} to {address} is new"
        for address, key in pairs:
            [result] = await node.accepted(say(address, b"1", key=key))
            assert result.repeated, f"{key!r} to {address} is a repeat"

    @case(HISTORY)
    async def test_a_key_works_without_history(self, kit: BackendBench) -> None:
        """A key makes a repeat harmless also where no history is kept; the result then has no position.

        If this fails: keep the result although it has no position, and tell "there is one" from "there is none".
        """
        node = await kit.node(ADA)
        results = [await node.accepted(say(ADA, b"1", key="key")) for _ in range(3)]
        assert [result for [result] in results] == [Accepted(), Accepted(repeated=True), Accepted(repeated=True)]
        assert isinstance(await node.result_of(ADA, "key"), Accepted)
        await node.accepted(say(ADA, b"2"))
        await node.sink.until(ADA, 2)
        await kit.quiet()
        assert node.sink.payloads(ADA) == [b"1", b"2"]

    @case(HISTORY)
    async def test_a_repeat_within_a_batch(self, kit: BackendBench) -> None:
        """What holds for a repeat holds within one batch, too; each has its result, in order.

        If this fails: take the publications of a batch one after the other, each looking for its key anew.
        """
        node = await kit.node(NEWS)
        results = await node.accepted(
            keep(NEWS, b"1", key="key"), keep(NEWS, b"2"), keep(NEWS, b"1", key="key"), keep(NEWS, b"3")
        )
        assert [result.repeated for result in results] == [False, False, True, False]
        assert [result.position.offset for result in results if result.position] == [1, 2, 1, 3]
        assert await node.stored(NEWS) == [b"1", b"2", b"3"]

    @case(HISTORY)
    async def test_repeats_that_race(self, kit: BackendBench) -> None:
        """A repeat does nothing else, also when the two race.

        If this fails: look for the key, publish and note the result in one step, such as one script or transaction.
        """
        node = await kit.node(NEWS)
        await _race(kit, node)

    @case(HISTORY, TWO_NODES)
    async def test_repeats_that_race_at_two_nodes(self, kit: BackendBench) -> None:
        """A repeat does nothing else, also when the two race, and also when it comes to another node.

        If this fails: keep results in the store that the nodes share.
        """
        here, there = await kit.pair(NEWS)
        await _race(kit, here, there)
        result = await there.result_of(NEWS, "key")
        assert result is not None
        assert result == await here.result_of(NEWS, "key")


async def _race(kit: BackendBench, *nodes: Node) -> None:
    calls = [asyncio.ensure_future(node.accepted(keep(NEWS, b"1", key="key"))) for _ in range(10) for node in nodes]
    results = [result for [result] in await within(asyncio.gather(*calls), "publish")]
    assert [result.repeated for result in results].count(False) == 1, "exactly one is the first"
    assert len({result.position for result in results}) == 1
    [after] = await nodes[0].positions(keep(NEWS, b"2"))
    assert after.offset == 2
    for node in nodes:
        await node.sink.until(NEWS, 2)
    await kit.quiet()
    for node in nodes:
        assert node.sink.payloads(NEWS) == [b"1", b"2"]
    assert await nodes[0].stored(NEWS) == [b"1", b"2"]
