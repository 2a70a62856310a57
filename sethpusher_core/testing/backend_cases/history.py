"""Capability HISTORY: positions, and reading back."""

from __future__ import annotations

import asyncio

from ...backends.base import Position
from ...backends.capabilities import HISTORY, HistoryPage
from ..guard import Compliance, case
from ..loops import within
from ..nodes import TWO_NODES, BackendBench, Node
from ..samples import EVERY_BYTE, NEWS, PAYLOADS, SPORT, keep, say

__all__ = ["HistoryCases"]

TEN = [b"%d" % number for number in range(1, 11)]
"""The payload of each publication is its offset."""


class HistoryCases(Compliance):
    """Positions, and reading back what is kept."""

    # ---------------------------------------------------------------------------------------------------- positions

    @case(HISTORY)
    async def test_offsets_grow_by_one(self, kit: BackendBench) -> None:
        """A publication to an address with history gets the next offset of its stream; the first has 1.

        If this fails: count in the store, in the same step that keeps the publication; keep the epoch as it is while
        the stream lives.
        """
        node = await kit.node()
        positions = [await node.positions(keep(NEWS, payload)) for payload in TEN[:5]]
        positions.append(await node.positions(*(keep(NEWS, payload) for payload in TEN[5:])))
        flat = [position for several in positions for position in several]
        assert [position.offset for position in flat] == list(range(1, 11))
        assert len({position.epoch for position in flat}) == 1, "the epoch changed while the stream lived"
        assert flat[0].epoch, "an epoch is a name"

    @case(HISTORY)
    async def test_each_channel_has_its_stream(self, kit: BackendBench) -> None:
        """Where a publication stands in *its channel's* stream: other channels do not count.

        If this fails: keep one counter and one history for each channel.
        """
        node = await kit.node()
        batch = [keep(channel, payload) for payload in TEN for channel in (NEWS, SPORT)]
        positions = await node.positions(*batch)
        for channel in (NEWS, SPORT):
            own = [position.offset for position, one in zip(positions, batch, strict=True) if one.address == channel]
            assert own == list(range(1, 11))
            assert await node.stored(channel) == TEN

    @case(HISTORY)
    async def test_subscribe_tells_the_position(self, kit: BackendBench) -> None:
        """Subscribe returns the position after which everything is handed over; an empty stream stands at 0.

        If this fails: with ``positioned`` read the top of the stream when the subscription stands; begin a stream that
        is not there, so that its epoch is known.
        """
        node = await kit.node()
        empty = await node.position(NEWS)
        assert empty.offset == 0
        [first] = await node.positions(keep(NEWS, b"1"))
        assert first == Position(empty.epoch, 1)
        await node.unsubscribe(NEWS)
        [second] = await node.positions(keep(NEWS, b"2"))
        assert await node.position(NEWS) == second

    @case(HISTORY)
    async def test_subscribe_tells_no_position_unasked(self, kit: BackendBench) -> None:
        """Subscribe returns None where the address keeps no history.

        If this fails: return a position only when ``positioned`` is true.
        """
        node = await kit.node()
        assert await node.subscribe(NEWS) is None

    @case(HISTORY)
    async def test_no_history_no_position(self, kit: BackendBench) -> None:
        """``history=0`` keeps none and gives no position.

        If this fails: carry such a publication, and do not touch the stream: no offset, nothing kept, and None for the
        position in the result and at the sink.
        """
        node = await kit.node()
        before = await node.position(NEWS)
        [notice] = await node.accepted(say(NEWS, b"notice"))
        assert notice.position is None
        [delivery] = await node.sink.until(NEWS, 1)
        assert delivery.position is None
        page = await node.read(NEWS)
        assert page == HistoryPage(before, (), True)

    @case(HISTORY)
    async def test_notices_take_no_offset(self, kit: BackendBench) -> None:
        """What keeps no history has no place in the stream, also in a channel that has one.

        If this fails: go by ``history`` of each publication, not by what the channel had before.
        """
        node = await kit.node(NEWS)
        results = await node.accepted(keep(NEWS, b"1"), say(NEWS, b"notice"), keep(NEWS, b"2"))
        assert [result.position and result.position.offset for result in results] == [1, None, 2]
        await node.sink.until(NEWS, 3)
        assert node.sink.payloads(NEWS) == [b"1", b"notice", b"2"]
        assert await node.stored(NEWS) == [b"1", b"2"]

    @case(HISTORY)
    async def test_a_position_is_one_everywhere(self, kit: BackendBench) -> None:
        """A publication's position, its place in the history and its announcement happen together.

        If this fails: announce with the position that the store gave, and return the same.
        """
        node = await kit.node(NEWS)
        positions = await node.positions(*(keep(NEWS, payload) for payload in TEN))
        delivered = await node.sink.until(NEWS, 10)
        stored = (await node.read(NEWS)).stored
        assert [(one.position, one.payload) for one in delivered] == list(zip(positions, TEN, strict=True))
        assert [(one.position, one.payload) for one in stored] == list(zip(positions, TEN, strict=True))

    @case(HISTORY)
    async def test_one_order_for_results_deliveries_and_history(self, kit: BackendBench) -> None:
        """Calls of publish keep their order per address, also when nobody awaits them: in results, sink and history.

        If this fails: give the offset, keep and announce in one step of the store, such as one script or transaction,
        so that nothing can come between; and let calls go to it in order.
        """
        node = await kit.node(NEWS)
        payloads = [b"%d" % number for number in range(1, 101)]
        calls = [asyncio.ensure_future(node.positions(keep(NEWS, payload))) for payload in payloads]
        positions = [position for [position] in await within(asyncio.gather(*calls), "publish")]
        await node.sink.until(NEWS, 100)
        assert [position.offset for position in positions] == list(range(1, 101)), "results"
        assert (node.sink.offsets(NEWS), node.sink.payloads(NEWS)) == (list(range(1, 101)), payloads), "deliveries"
        assert await node.stored(NEWS) == payloads, "history"

    @case(HISTORY)
    async def test_no_gap_while_subscribing(self, kit: BackendBench) -> None:
        """Everything after the position that subscribe returns is handed to the sink: no gap, in any interleaving.

        If this fails: read the position after the subscription stands, and hold back what arrives meanwhile, or tell
        a position that lies before the first one that is handed over.
        """
        node = await kit.node()
        await _subscribe_amid(node, node)

    @case(HISTORY, TWO_NODES)
    async def test_no_gap_while_another_node_publishes(self, kit: BackendBench) -> None:
        """Everything after the position that subscribe returns is handed to the sink, whichever node publishes it.

        If this fails: read the position after the bus has confirmed the subscription.
        """
        here, there = await kit.pair()
        await _subscribe_amid(here, there)

    @case(HISTORY, TWO_NODES)
    async def test_all_nodes_share_a_stream(self, kit: BackendBench) -> None:
        """A channel has one stream over all nodes: each offset is given once, and all hear them in order.

        If this fails: keep the counter in the store, not in the node, and announce in the order of the offsets.
        """
        here, there = await kit.pair(NEWS)
        await within(asyncio.gather(_publish_slowly(here, 30), _publish_slowly(there, 30)), "publish")
        for node in (here, there):
            await node.sink.until(NEWS, 60)
            assert node.sink.offsets(NEWS) == list(range(1, 61))
        assert here.sink.of(NEWS) == there.sink.of(NEWS)
        assert await here.read(NEWS) == await there.read(NEWS)
        assert await here.stored(NEWS) == here.sink.payloads(NEWS)

    # ------------------------------------------------------------------------------------------------------ reading

    @case(HISTORY)
    async def test_read_gives_all_that_is_kept(self, kit: BackendBench) -> None:
        """``read`` gives the publications as they were, oldest first, and the position of the newest.

        If this fails: keep payloads as bytes, whatever they hold and however large they are.
        """
        node = await kit.node()
        payloads = [*PAYLOADS, EVERY_BYTE * 4096]
        positions = await node.positions(*(keep(NEWS, payload) for payload in payloads))
        page = await node.read(NEWS)
        assert [one.payload for one in page.stored] == payloads
        assert [one.position for one in page.stored] == positions
        assert (page.top, page.whole) == (positions[-1], True)

    @case(HISTORY)
    async def test_read_since(self, kit: BackendBench) -> None:
        """``since``: only what is newer than this position; whole when nothing after it is missing.

        If this fails: begin with the offset after ``since``; at the top there is nothing to give, and nothing missing.
        """
        node = await kit.node()
        [*_, top] = await node.positions(*(keep(NEWS, payload) for payload in TEN))
        for offset in range(11):
            page = await node.read(NEWS, since=Position(top.epoch, offset))
            assert [one.payload for one in page.stored] == TEN[offset:], f"since {offset}"
            assert (page.top, page.whole) == (top, True), f"since {offset}"

    @case(HISTORY)
    async def test_read_with_a_limit(self, kit: BackendBench) -> None:
        """``limit``: how many at the most, those nearest to ``since``; 0 asks for the top alone.

        If this fails: cut at the far end: with ``since`` the oldest come first. Many stores take 0 for "no limit".
        """
        node = await kit.node()
        [*_, top] = await node.positions(*(keep(NEWS, payload) for payload in TEN))
        page = await node.read(NEWS, since=Position(top.epoch, 3), limit=2)
        assert ([one.payload for one in page.stored], page.top, page.whole) == ([b"4", b"5"], top, True)
        assert await node.read(NEWS, limit=0) == HistoryPage(top, (), True)
        assert [one.payload for one in (await node.read(NEWS, limit=3)).stored] == TEN[:3]

    @case(HISTORY)
    async def test_read_in_reverse(self, kit: BackendBench) -> None:
        """``reverse``: newest first; ``since`` then means: only what is older than this position.

        If this fails: with ``reverse`` go down from the newest, or from just below ``since``.
        """
        node = await kit.node()
        [*_, top] = await node.positions(*(keep(NEWS, payload) for payload in TEN))
        page = await node.read(NEWS, reverse=True)
        assert ([one.payload for one in page.stored], page.top, page.whole) == (TEN[::-1], top, True)
        page = await node.read(NEWS, reverse=True, limit=3)
        assert [one.payload for one in page.stored] == [b"10", b"9", b"8"]
        page = await node.read(NEWS, reverse=True, since=Position(top.epoch, 8), limit=3)
        assert [one.payload for one in page.stored] == [b"7", b"6", b"5"]
        page = await node.read(NEWS, reverse=True, since=Position(top.epoch, 1))
        assert [one.payload for one in page.stored] == []

    @case(HISTORY)
    async def test_read_page_by_page(self, kit: BackendBench) -> None:
        """The last position of a page, given as ``since``, leads to the next page, until all is read.

        If this fails: each stored publication must carry its own position, and ``since`` must exclude it.
        """
        node = await kit.node()
        await node.positions(*(keep(NEWS, payload) for payload in TEN))
        for reverse in (False, True):
            read: list[bytes] = []
            page = await node.read(NEWS, limit=3, reverse=reverse)
            while page.stored and len(read) < len(TEN):
                read += [one.payload for one in page.stored]
                page = await node.read(NEWS, since=page.stored[-1].position, limit=3, reverse=reverse)
            assert read == (TEN[::-1] if reverse else TEN)
            assert page.stored == (), "after the last page there is one more"

    @case(HISTORY)
    async def test_read_of_an_empty_channel(self, kit: BackendBench) -> None:
        """A stream that has had no publication stands at offset 0; there is nothing in it, and nothing missing.

        If this fails: begin a stream that is not there when it is read.
        """
        node = await kit.node()
        page = await node.read(NEWS)
        assert (page.top.offset, page.stored, page.whole) == (0, (), True)
        position = await node.position(NEWS)
        assert await node.read(NEWS, since=position) == HistoryPage(position, (), True)


async def _publish_slowly(node: Node, count: int) -> None:
    for number in range(count):
        await node.accepted(keep(NEWS, f"{node.name}: {number}".encode()))
        await asyncio.sleep(0)  # the others' turn


async def _subscribe_amid(hearer: Node, speaker: Node) -> None:
    """Subscribes while somebody publishes, and checks that nothing after the position is missing."""
    for round_ in range(1, 6):
        speaking = asyncio.ensure_future(_publish_slowly(speaker, 20))
        await asyncio.sleep(0)
        position = await hearer.position(NEWS)
        await within(speaking, "publish")
        expected = list(range(position.offset + 1, 20 * round_ + 1))
        if expected:
            await hearer.sink.until_offset(NEWS, expected[-1])
        heard = [offset for offset in hearer.sink.offsets(NEWS) if offset > position.offset]
        assert heard == expected, f"subscribed at {position.offset}"
        await hearer.unsubscribe(NEWS)
