"""Backends of several nodes that join them wrongly, or lose their line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from testing.joined import Bus, JoinedBackend, Parcel
from testing.trials.marks import fails

from sethpusher_core.addresses import CHANNEL, Address
from sethpusher_core.backends.base import Accepted, Outgoing, Position, Sink
from sethpusher_core.backends.streams import Results, Streams
from sethpusher_core.errors import BackendError, BackendUnavailable

PROBE = Address.channel("probe")


class Trial(JoinedBackend):
    bus_class: ClassVar[Callable[..., Bus]] = Bus
    bus: Any


@fails(
    "all_nodes_hear_it_once",
    "each_node_hears_its_own_addresses",
    "users_and_control_reach_the_other_node",
    "all_nodes_hear_one_order",
    "subscribe_returns_when_all_nodes_are_heard",
    "no_gap_while_another_node_publishes",
    "all_nodes_share_a_stream",
    "repeats_that_race_at_two_nodes",
)
class Alone(Trial):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        others, self.bus.nodes = self.bus.nodes, [node for node in self.bus.nodes if node is self]
        try:
            return [self.bus.take(outgoing) for outgoing in batch] if self.line else await super().publish(batch)
        finally:
            self.bus.nodes = others


@fails("users_and_control_reach_the_other_node", "each_node_hears_its_own_addresses")
class ChannelsCross(Trial):
    class bus_class(Bus):  # noqa: N801
        def announce(self, address: Address, payload: bytes, position: Position | None) -> None:
            for node in self.nodes if address.kind == CHANNEL else self.nodes[:1]:
                node.hear((address, payload, position))


@fails("all_nodes_hear_it_once", "each_node_hears_its_own_addresses")
class SharedSubscriptions(Trial):
    async def start(self, sink: Sink, node_id: str) -> None:
        await super().start(sink, node_id)
        self.heard = self.bus.nodes[0].heard


@fails("all_nodes_hear_one_order", "all_nodes_share_a_stream")
class HearsItselfFirst(Trial):
    def hear(self, parcel: Parcel) -> None:
        if self.bus.speaking is not self:
            asyncio.get_running_loop().call_soon(super().hear, parcel)
        elif self.sink is not None and self.line is not None and parcel[0] in self.heard:
            self.sink.deliver(*parcel)

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        self.bus.speaking = self
        return await super().publish(batch)


@fails(
    "subscribe_returns_when_all_nodes_are_heard",
    "each_node_hears_its_own_addresses",
    "users_and_control_reach_the_other_node",
    "no_gap_while_another_node_publishes",
)
class HearsOthersLater(Trial):
    asked = 0

    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        self.asked += 1
        if len(self.bus.nodes) < 2 or self.asked == 1:
            return await super().subscribe(address, positioned)
        asyncio.get_running_loop().call_later(0.01, self.heard.add, address)
        return self.bus.streams.position(address) if positioned else None


@fails("a_node_that_closes_leaves_the_others")
class ClosesTheBus(Trial):
    async def close(self) -> None:
        if self in self.bus.nodes:
            self.bus.nodes.clear()
        await super().close()


@fails(
    "a_node_that_closes_leaves_the_others",
    "publish_after_close_is_refused",
    "subscribe_after_close_is_refused",
    "the_sink_is_left_alone_after_close",
    "nothing_is_left_after_close",
)
class NeverLeaves(Trial):
    async def close(self) -> None:
        """The process ends anyway."""


@fails("a_new_one_after_close")
class HoldsItsPlace(Trial):
    async def start(self, sink: Sink, node_id: str) -> None:
        if getattr(self.bus, "closed", False):
            raise BackendError("the port is taken")
        await super().start(sink, node_id)

    async def close(self) -> None:
        self.bus.closed = True
        await super().close()


# ----------------------------------------------------------------------------------------------------- broken lines


@fails(
    "a_broken_line_is_mended",
    "nothing_comes_twice_after_a_break",
    "what_a_break_hid_can_be_read",
    "members_outlive_a_break",
)
class NeverMends(Trial):
    def cut(self) -> None:
        self.line = None


@fails("a_broken_line_is_mended")
class ForgetsWhatItHeard(Trial):
    def cut(self) -> None:
        self.heard &= {PROBE}
        super().cut()


@fails("a_broken_line_is_mended")
class StaysTroubled(Trial):
    was_cut = False

    def cut(self) -> None:
        self.was_cut = True
        super().cut()

    @property
    def trouble(self) -> str | None:
        return "the line was broken" if self.was_cut else None


@fails(
    "publishing_on_a_broken_line_has_results",
    "a_broken_line_is_mended",
    "nothing_comes_twice_after_a_break",
    "what_a_break_hid_can_be_read",
    "members_outlive_a_break",
)
class RaisesWithoutALine(Trial):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        if self.line is None and self in self.bus.nodes:
            raise ConnectionResetError
        return await super().publish(batch)


@fails("publishing_on_a_broken_line_has_results")
class AnswersForSome(Trial):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        if self.line is None and self.mending is not None:
            return [BackendUnavailable("not connected")]
        return await super().publish(batch)


@fails("nothing_comes_twice_after_a_break")
class ReadsAgain(Trial):
    last: Parcel | None = None

    def hear(self, parcel: Parcel) -> None:
        self.last = parcel
        super().hear(parcel)

    def connect(self) -> None:
        super().connect()
        if self.last is not None:
            self.hear(self.last)


@fails("what_a_break_hid_can_be_read")
class NewStreamsAfterABreak(Trial):
    def cut(self) -> None:
        self.bus.streams = Streams(2**28, self.heard.__contains__, self.bus.clock)
        super().cut()


@fails("members_outlive_a_break")
class MembersEndWithTheLine(Trial):
    def cut(self) -> None:
        self.bus.members.clear()
        super().cut()


# ------------------------------------------------------------------------------------- what the nodes should share


@fails("all_nodes_share_a_stream", "no_gap_while_another_node_publishes")
class StreamsOfItsOwn(Trial):
    class bus_class(Bus):  # noqa: N801
        @property
        def streams(self) -> Streams:
            return self.own[self.at]

        @streams.setter
        def streams(self, first: Streams) -> None:
            self.own: dict[Any, Streams] = {None: first}
            self.at: Any = None

    async def start(self, sink: Sink, node_id: str) -> None:
        self.bus.own[self] = Streams(2**28, self.heard.__contains__, self.bus.clock)
        await super().start(sink, node_id)

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        self.bus.at = self
        return await super().publish(batch)

    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        await super().subscribe(address)
        self.bus.at = self
        return self.bus.streams.position(address) if positioned else None

    async def read(self, *arguments: Any, **named: Any) -> Any:
        self.bus.at = self
        return await super().read(*arguments, **named)


@fails("repeats_that_race_at_two_nodes")
class ResultsOfItsOwn(Trial):
    results: Results | None = None

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        self.bus.results = self.results = self.results or Results(clock=self.bus.clock)
        return await super().publish(batch)


@fails("members_of_all_nodes")
class MembersOfItsOwn(Trial):
    async def roster(self, address: Address) -> Any:
        everybody = self.bus.members
        self.bus.members = {key: member for key, member in everybody.items() if member[0] is self}
        try:
            return await super().roster(address)
        finally:
            self.bus.members = everybody


@fails("renewing_keeps_members", "only_the_members_of_a_dead_node_end", "counts_end_with_their_lease")
class RenewsNothing(Trial):
    async def renew(self) -> None:
        if self not in self.bus.alive:
            await super().renew()


@fails("members_end_with_their_lease", "only_the_members_of_a_dead_node_end", "counts_end_with_their_lease")
class NeverEnds(Trial):
    class bus_class(Bus):  # noqa: N801
        def living(self, node: JoinedBackend) -> bool:
            return True


@fails("only_the_members_of_a_dead_node_end", "counts_end_with_their_lease")
class RenewsForAll(Trial):
    async def renew(self) -> None:
        self.bus.alive[self] = 0.0
        for node in self.bus.alive:
            self.bus.alive[node] = self.bus.clock() + self.lease


@fails("nodes_add_up", "counts_end_with_their_lease")
class CountsOverwrite(Trial):
    async def report(self, counts: Mapping[Address, int]) -> None:
        for address in counts:
            for node in self.bus.nodes:
                self.bus.counts.pop((node, address), None)
        await super().report(counts)


@fails("counts_end_with_their_lease")
class CountsForEver(Trial):
    async def count(self, address: Address) -> int:
        return sum(count for (_, where), count in self.bus.counts.items() if where == address)
