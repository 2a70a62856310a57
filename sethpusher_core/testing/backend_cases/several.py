"""Two nodes that hear each other."""

from __future__ import annotations

import asyncio

from ...addresses import CONTROL, Address
from ..guard import Compliance, case
from ..loops import within
from ..nodes import TWO_NODES, BackendBench, Node
from ..samples import ADA, NEWS, SPORT, say
from ..sinks import Delivery

__all__ = ["SeveralNodesCases"]


class SeveralNodesCases(Compliance):
    """What joins the nodes. Skipped where the class says ``one_node``."""

    @case(TWO_NODES)
    async def test_all_nodes_hear_it_once(self, kit: BackendBench) -> None:
        """Accepted: every node that is subscribed to the address will be handed it, once.

        If this fails: two calls of make_backend() must give two nodes of one bus. Check that both use the same server
        and prefix, and that a node does not hear by two ways.
        """
        here, there = await kit.pair(NEWS)
        speaker = await kit.node()
        for node, payload in ((here, b"1"), (there, b"2"), (speaker, b"3")):
            await node.accepted(say(NEWS, payload))
            for hearer in (here, there):
                await hearer.sink.until(NEWS, int(payload))
        await kit.quiet()
        for hearer in (here, there):
            assert hearer.sink.deliveries == [Delivery(NEWS, payload) for payload in (b"1", b"2", b"3")]
        assert speaker.sink.deliveries == []

    @case(TWO_NODES)
    async def test_each_node_hears_its_own_addresses(self, kit: BackendBench) -> None:
        """Subscribe is a matter of one node: what one subscribes to or leaves changes nothing for another.

        If this fails: keep subscriptions per node, not per bus.
        """
        here, there = await kit.node(NEWS, SPORT), await kit.node(NEWS)
        await there.unsubscribe(NEWS)
        await there.subscribe(ADA)
        await there.accepted(say(NEWS, b"1"), say(SPORT, b"2"), say(ADA, b"3"))
        await here.sink.until(NEWS, 1)
        await here.sink.until(SPORT, 1)
        await there.sink.until(ADA, 1)
        await kit.quiet()
        assert {one.address for one in here.sink.deliveries} == {NEWS, SPORT}
        assert {one.address for one in there.sink.deliveries} == {ADA}

    @case(TWO_NODES)
    async def test_users_and_control_reach_the_other_node(self, kit: BackendBench) -> None:
        """Messages to users and orders between nodes cross nodes by the same way as channels.

        If this fails: treat all three kinds of address alike.
        """
        here, there = await kit.pair(ADA, CONTROL)
        await here.accepted(say(ADA, b"1"), say(CONTROL, b"2"))
        for node in (here, there):
            assert await node.sink.until(ADA, 1) == [Delivery(ADA, b"1")]
            assert await node.sink.until(CONTROL, 1) == [Delivery(CONTROL, b"2")]

    @case(TWO_NODES)
    async def test_all_nodes_hear_one_order(self, kit: BackendBench) -> None:
        """Payloads for one address reach every node's sink in one order, whoever publishes.

        If this fails: let the bus order them; a node must not hear its own before the bus has placed it.
        """
        here, there = await kit.pair(NEWS)
        await within(asyncio.gather(_speak(here, b"a"), _speak(there, b"b")), "publish")
        for node in (here, there):
            await node.sink.until(NEWS, 100)
        assert here.sink.payloads(NEWS) == there.sink.payloads(NEWS)
        for name in (b"a", b"b"):
            own = [payload for payload in here.sink.payloads(NEWS) if payload.startswith(name)]
            assert own == [b"%b %d" % (name, number) for number in range(50)], "calls of one node keep their order"

    @case(TWO_NODES)
    async def test_subscribe_returns_when_all_nodes_are_heard(self, kit: BackendBench) -> None:
        """Subscribe returns when everything published from now on, at any node, will be handed to the sink.

        If this fails: wait for the bus to confirm the subscription before ``subscribe`` returns.
        """
        here, there = await kit.pair()
        addresses = [Address.channel(f"news {number}") for number in range(50)]
        for address in addresses:
            await here.subscribe(address)
            await there.accepted(say(address, b"1"))
        for address in addresses:
            await here.sink.until(address, 1)

    @case(TWO_NODES)
    async def test_a_node_that_closes_leaves_the_others(self, kit: BackendBench) -> None:
        """Close ends a node: it hears nothing more, and the others go on.

        If this fails: have ``close`` end this node's own connection and subscriptions, and nothing that is shared.
        """
        here, there = await kit.pair(NEWS)
        await there.close()
        await here.accepted(say(NEWS, b"1"))
        await here.sink.until(NEWS, 1)
        await kit.quiet()
        assert there.sink.deliveries == []


async def _speak(node: Node, name: bytes) -> None:
    for number in range(50):
        await node.accepted(say(NEWS, b"%b %d" % (name, number)))
