"""A connection that breaks. Needs the author's fixture ``break_connection``."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

from ...addresses import Address
from ...backends.base import Accepted
from ...backends.capabilities import HISTORY, PRESENCE
from ...errors import BackendError
from ..guard import Compliance, case
from ..nodes import BREAK, BackendBench, Node
from ..samples import NEWS, SPORT, keep, say
from ..timing import moment, patience

__all__ = ["BrokenLineCases"]

PROBE = Address.channel("probe")


class BrokenLineCases(Compliance):
    """What a node does when it loses its bus, and finds it again."""

    @case(BREAK)
    async def test_a_broken_line_is_mended(self, kit: BackendBench) -> None:
        """A backend whose connection breaks comes back by itself, hears what it heard before, and trouble ends.

        If this fails: connect again with growing pauses, and subscribe again to all that was subscribed.
        """
        node = await kit.node(NEWS, PROBE)
        await kit.cut(node)
        await _mended(node)
        payloads = [b"%d" % number for number in range(10)]
        await node.accepted(*(say(NEWS, payload) for payload in payloads))
        await node.sink.until(NEWS, len(payloads))
        await kit.quiet()
        assert node.sink.payloads(NEWS) == payloads
        assert node.backend.trouble is None

    @case(BREAK)
    async def test_publishing_on_a_broken_line_has_results(self, kit: BackendBench) -> None:
        """BackendUnavailable in a result: this one was not taken, and may be tried again.

        If this fails: while there is no connection, or when it breaks under a call, return a BackendUnavailable for
        each that was not taken; do not raise, and do not wait for ever.
        """
        node = await kit.node(NEWS)
        await kit.cut(node)
        for _ in range(3):
            results = await node.publish(say(NEWS, b"1"), say(SPORT, b"2"))
            assert len(results) == 2
            for result in results:
                assert isinstance(result, Accepted | BackendError), f"publish returned {result!r}"

    @case(BREAK)
    async def test_nothing_comes_twice_after_a_break(self, kit: BackendBench) -> None:
        """A backend never delivers one payload twice to one node, whatever happens to its connection.

        If this fails: the old reader must have ended before the new one begins; a publish that may have been taken
        must not be sent again unless the bus knows it by its id.
        """
        node = await kit.node(NEWS, PROBE)
        for number in range(5):
            await node.publish(*(say(NEWS, b"%d.%d" % (number, part)) for part in range(10)))
            if number % 2:
                await kit.cut(node)
        await _mended(node)
        await kit.quiet()
        twice = [payload for payload, count in Counter(node.sink.payloads(NEWS)).items() if count > 1]
        assert not twice, f"came more than once: {twice}"

    @case(BREAK, HISTORY)
    async def test_what_a_break_hid_can_be_read(self, kit: BackendBench) -> None:
        """What was missed can be read again where history is a capability: a broken line does not change the epoch.

        If this fails: a lost connection is no lost stream; keep epoch and offsets in the store, not in the node.
        """
        node = await kit.node(PROBE)
        before = await node.position(NEWS)
        await node.positions(keep(NEWS, b"1"), keep(NEWS, b"2"))
        await kit.cut(node)
        await _mended(node)
        await node.positions(keep(NEWS, b"3"))
        page = await node.read(NEWS, since=before)
        assert page.whole
        assert [stored.payload for stored in page.stored] == [b"1", b"2", b"3"]
        assert {stored.position.epoch for stored in page.stored} == {before.epoch}

    @case(BREAK, PRESENCE)
    async def test_members_outlive_a_break(self, kit: BackendBench) -> None:
        """Memberships belong to the node that entered them and are leased: a short break does not end them.

        If this fails: do not drop a node's memberships with its connection; the lease ends them.
        """
        node = await kit.node(PROBE)
        await node.enter(NEWS, f"{node.name}-1", "ada")
        await kit.cut(node)
        await _mended(node)
        await node.renew()
        assert await node.people(NEWS) == {"ada": 1}


async def _mended(node: Node) -> None:
    """Waits until the node hears itself again."""
    for number in itertools.count():
        assert number * moment() < patience(), f"{node.name} has not heard itself again within {patience():g} s"
        results = await node.publish(say(PROBE, b"%d" % number))
        await asyncio.sleep(moment())
        if isinstance(results[0], Accepted) and b"%d" % number in node.sink.payloads(PROBE):
            return
