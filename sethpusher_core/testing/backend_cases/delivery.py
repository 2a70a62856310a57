"""Carrying payloads: once, in order, to those who hear, and to nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter

from ...addresses import CONTROL, Address
from ..guard import Compliance, case
from ..loops import within
from ..nodes import BackendBench, Node
from ..samples import ADA, NEWS, SPORT, say
from ..sinks import Delivery

__all__ = ["DeliveryCases"]

NUMBERS = [b"%d" % number for number in range(100)]


class DeliveryCases(Compliance):
    """``publish``, ``subscribe`` and ``unsubscribe`` at one node."""

    @case()
    async def test_own_publications_come_back_once(self, kit: BackendBench) -> None:
        """A node delivers only what its backend hands to the sink, its own publications included.

        If this fails: hand a node what it published itself, too, by the same way as everything else: either from
        ``publish`` or from the bus, not from both.
        """
        node = await kit.node(NEWS)
        await node.accepted(say(NEWS, b"1"))
        await node.sink.until(NEWS, 1)
        await kit.quiet()
        assert node.sink.deliveries == [Delivery(NEWS, b"1", None)]

    @case()
    async def test_each_of_many_comes_once(self, kit: BackendBench) -> None:
        """Accepted: every node that is subscribed will be handed it; a backend never delivers one payload twice.

        If this fails: nothing accepted may be lost while the connection holds. Look for a buffer that overflows, or a
        retry of what had been sent already.
        """
        node = await kit.node(NEWS)
        for payload in NUMBERS:
            await node.accepted(say(NEWS, payload))
        await node.sink.until(NEWS, len(NUMBERS))
        await kit.quiet()
        assert Counter(node.sink.payloads(NEWS)) == Counter(NUMBERS)

    @case()
    async def test_equal_payloads_are_two_publications(self, kit: BackendBench) -> None:
        """A backend never looks inside a payload: two publications may say the same, and both are delivered.

        If this fails: do not tell publications apart by what they carry; without an idempotency key each is new.
        """
        node = await kit.node(NEWS)
        await node.accepted(say(NEWS, b"same"), say(NEWS, b"same"))
        await node.accepted(say(NEWS, b"same"))
        await node.sink.until(NEWS, 3)

    @case()
    async def test_calls_keep_their_order(self, kit: BackendBench) -> None:
        """Calls of publish that one node makes one after the other keep that order per address.

        If this fails: send by one connection, and hand over by one reader, so that nothing overtakes.
        """
        node = await kit.node(NEWS)
        for payload in NUMBERS:
            await node.accepted(say(NEWS, payload))
        await node.sink.until(NEWS, len(NUMBERS))
        assert node.sink.payloads(NEWS) == NUMBERS

    @case()
    async def test_calls_that_nobody_awaits_keep_their_order(self, kit: BackendBench) -> None:
        """Calls of publish keep their order per address, even while earlier calls are still being awaited.

        If this fails: let calls of ``publish`` go one after the other, by a queue or a lock that is fair, or write
        them to the connection before the first await.
        """
        node = await kit.node(NEWS, SPORT)
        calls = [asyncio.ensure_future(node.accepted(say(NEWS, payload), say(SPORT, payload))) for payload in NUMBERS]
        await within(asyncio.gather(*calls), "publish")
        for address in (NEWS, SPORT):
            await node.sink.until(address, len(NUMBERS))
            assert node.sink.payloads(address) == NUMBERS

    @case()
    async def test_a_batch_keeps_its_order(self, kit: BackendBench) -> None:
        """Publish takes one or more, in order.

        If this fails: do not group a batch by address in a way that turns the order within an address around.
        """
        node = await kit.node(NEWS, SPORT)
        await node.accepted(*(say(address, payload) for payload in NUMBERS for address in (NEWS, SPORT)))
        for address in (NEWS, SPORT):
            await node.sink.until(address, len(NUMBERS))
            assert node.sink.payloads(address) == NUMBERS

    @case()
    async def test_each_of_a_batch_has_a_result(self, kit: BackendBench) -> None:
        """Publish returns a result for each, in the same order, whether anybody hears it or not.

        If this fails: return exactly as many results as the batch has publications; an address that nobody hears is
        no error.
        """
        node = await kit.node(NEWS)
        batch = [say(address, b"1") for address in (NEWS, SPORT, ADA, NEWS, CONTROL, NEWS)]
        results = await node.accepted(*batch)
        assert [result.repeated for result in results] == [False] * 6
        assert len(await node.accepted(say(SPORT, b"2"))) == 1

    @case()
    async def test_what_is_not_subscribed_is_not_heard(self, kit: BackendBench) -> None:
        """Subscribe begins to hear an address: that one and no other.

        If this fails: hand to the sink only what is for an address that this node has subscribed to.
        """
        node = await kit.node(NEWS)
        await node.accepted(say(SPORT, b"not heard"), say(Address.channel(""), b"nor this"), say(NEWS, b"heard"))
        await node.sink.until(NEWS, 1)
        await kit.quiet()
        assert node.sink.deliveries == [Delivery(NEWS, b"heard")]

    @case()
    async def test_kinds_are_apart(self, kit: BackendBench) -> None:
        """An address is a channel, a user or ``control``; a user and a channel of one name are two addresses.

        If this fails: make the kind a part of the key that the bus goes by, in a way that no name can imitate.
        """
        name = "ada"
        node = await kit.node(Address.channel(name))
        await node.accepted(say(Address.user(name), b"user"), say(Address("control", ""), b"control"))
        await node.accepted(say(Address.channel("user:ada"), b"no"), say(Address.channel(name), b"channel"))
        await node.sink.until(Address.channel(name), 1)
        await kit.quiet()
        assert node.sink.deliveries == [Delivery(Address.channel(name), b"channel")]

    @case()
    async def test_users_and_control_are_carried(self, kit: BackendBench) -> None:
        """Messages to users and orders between nodes cross the backend by the same way as channels.

        If this fails: treat all three kinds of address alike, ``control`` with its empty name included.
        """
        node = await kit.node(ADA, CONTROL)
        await node.accepted(say(ADA, b"user"), say(CONTROL, b"control"))
        assert await node.sink.until(ADA, 1) == [Delivery(ADA, b"user")]
        assert await node.sink.until(CONTROL, 1) == [Delivery(CONTROL, b"control")]

    @case()
    async def test_subscribe_returns_when_it_is_heard(self, kit: BackendBench) -> None:
        """Subscribe returns when everything published from now on will be handed to the sink.

        If this fails: wait for the bus to confirm the subscription before ``subscribe`` returns.
        """
        node = await kit.node()
        addresses = [Address.channel(f"news {number}") for number in range(50)]
        for address in addresses:
            await node.subscribe(address)
            await node.accepted(say(address, b"1"))
        for address in addresses:
            await node.sink.until(address, 1)

    @case()
    async def test_unsubscribe_ends_hearing(self, kit: BackendBench) -> None:
        """Unsubscribe stops hearing an address; others go on.

        If this fails: what is published after ``unsubscribe`` has returned must not come, and nothing else may end.
        """
        node = await kit.node(NEWS, SPORT)
        await node.unsubscribe(NEWS)
        await node.accepted(say(NEWS, b"late"), say(SPORT, b"1"))
        await node.sink.until(SPORT, 1)
        await kit.quiet()
        assert node.sink.deliveries == [Delivery(SPORT, b"1")]

    @case()
    async def test_unsubscribe_of_the_unknown_is_ignored(self, kit: BackendBench) -> None:
        """Unsubscribe ignores unknown addresses.

        If this fails: do not raise for an address that is not subscribed, or not any more.
        """
        node = await kit.node(NEWS)
        await node.unsubscribe(SPORT)
        await node.unsubscribe(NEWS)
        await node.unsubscribe(NEWS)

    @case()
    async def test_subscribing_again(self, kit: BackendBench) -> None:
        """An address that was unsubscribed can be subscribed again, and is then heard once.

        If this fails: have ``unsubscribe`` undo all that ``subscribe`` did, and wait until it is undone.
        """
        node = await kit.node(NEWS)
        for _ in range(3):
            await node.unsubscribe(NEWS)
            await node.subscribe(NEWS)
        await node.accepted(say(NEWS, b"1"))
        await node.sink.until(NEWS, 1)
        await kit.quiet()
        assert node.sink.payloads(NEWS) == [b"1"]

    @case()
    async def test_a_thousand_channels(self, kit: BackendBench) -> None:
        """A node hears as many addresses as its clients ask for, all at once.

        If this fails: look for a limit on subscriptions or connections, and for work that grows with their number.
        """
        node = await kit.node()
        addresses = [Address.channel(f"channel {number}") for number in range(1000)]
        await within(asyncio.gather(*map(node.backend.subscribe, addresses)), "subscribe")
        await node.accepted(*(say(address, address.name.encode()) for address in addresses))
        for address in addresses:
            await node.sink.until(address, 1)
        await within(asyncio.gather(*map(node.backend.unsubscribe, addresses)), "unsubscribe")
        await node.accepted(*(say(address, b"late") for address in addresses))
        await kit.quiet()
        assert Counter(node.sink.deliveries) == Counter(Delivery(one, one.name.encode()) for one in addresses)

    @case()
    async def test_coming_and_going(self, kit: BackendBench) -> None:
        """What holds for subscribe and unsubscribe holds while other addresses come and go at the same time.

        If this fails: two calls for different addresses must not disturb each other. Look for state that is read
        before an await and written after it.
        """
        node = await kit.node()
        await within(asyncio.gather(*(_come_and_go(node, number) for number in range(20))), "coming and going")
        await kit.quiet()
        for number in range(20):
            assert node.sink.payloads(Address.channel(f"channel {number}")) == [b"%d" % turn for turn in range(10)]


async def _come_and_go(node: Node, number: int) -> None:
    address = Address.channel(f"channel {number}")
    for turn in range(10):
        await node.subscribe(address)
        await asyncio.sleep(0)  # the others' turn
        await node.accepted(say(address, b"%d" % turn))
        await node.sink.until(address, turn + 1)
        await node.unsubscribe(address)
    await node.accepted(say(address, b"late"))
