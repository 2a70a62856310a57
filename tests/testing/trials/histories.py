"""Backends whose histories are wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from testing.trials.altering import Altering
from testing.trials.marks import fails

from sethpusher_core.addresses import Address
from sethpusher_core.backends.base import Accepted, Outgoing, Position, Sink
from sethpusher_core.backends.capabilities import HistoryPage, Stored
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import BackendError

LONG = 1e9
FORGOTTEN = "a_stream_that_was_forgotten_is_another_one"
NEW_START = "a_new_start_is_a_new_epoch"
BOUNDED = ("bounded_by_count", "bounded_by_bytes", "bounded_by_age", "age_is_that_of_each")


class Publishing(MemoryBackend):
    """Changes what is published."""

    def change(self, outgoing: Outgoing) -> Outgoing:
        return outgoing

    def _publish(self, sink: Sink, outgoing: Outgoing) -> Accepted:
        return super()._publish(sink, self.change(outgoing))


class Reading(MemoryBackend):
    """Changes what is asked for, or what is answered."""

    def change(self, page: HistoryPage) -> HistoryPage:
        return page

    async def read(
        self, address: Address, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> HistoryPage:
        return self.change(await super().read(address, since=since, limit=limit, reverse=reverse))


# ----------------------------------------------------------------------------------------------------------- positions


@fails("offsets_grow_by_one", "subscribe_tells_the_position", "a_position_is_one_everywhere", among_others=True)
class CountsFromZero(Publishing):
    def _publish(self, sink: Sink, outgoing: Outgoing) -> Accepted:
        result = super()._publish(sink, outgoing)
        position = result.position
        return result if position is None else replace(result, position=Position(position.epoch, position.offset - 1))


@fails("offsets_grow_by_one", "read_since", among_others=True)
class LeavesAGap(Publishing):
    def _publish(self, sink: Sink, outgoing: Outgoing) -> Accepted:
        if outgoing.payload == b"7":
            self._streams.append(outgoing)
        return super()._publish(sink, outgoing)


@fails("offsets_grow_by_one", "subscribe_tells_the_position", among_others=True)
class EpochForEach(Publishing):
    count = 0

    def _publish(self, sink: Sink, outgoing: Outgoing) -> Accepted:
        result = super()._publish(sink, outgoing)
        self.count += 1
        position = result.position
        return result if position is None else replace(result, position=Position(f"{self.count}", position.offset))


@fails("each_channel_has_its_stream")
class OneStreamForAll(Publishing):
    def change(self, outgoing: Outgoing) -> Outgoing:
        if outgoing.history and outgoing.address.name != "news":
            self._streams.append(replace(outgoing, address=Address.channel("news")))
        return outgoing


@fails("subscribe_tells_the_position", "no_gap_while_subscribing", "what_is_kept_is_not_forgotten")
class TellsThePositionBefore(MemoryBackend):
    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        position = await super().subscribe(address, positioned)
        return position and Position(position.epoch, max(position.offset - 1, 0))


@fails("read_of_an_empty_channel")
class MissesWhatNeverWas(Reading):
    async def read(self, address: Address, **asked: Any) -> HistoryPage:
        page = await super().read(address, **asked)
        return page if page.top.offset or not asked["since"] else replace(page, whole=False)


@fails("subscribe_tells_no_position_unasked")
class AlwaysTells(MemoryBackend):
    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        return await super().subscribe(address, positioned=True)


@fails("no_history_no_position", "notices_take_no_offset")
class CountsNotices(Publishing):
    def change(self, outgoing: Outgoing) -> Outgoing:
        if outgoing.payload == b"notice":
            return replace(outgoing, history=100, history_age=LONG)
        return outgoing


@fails("a_position_is_one_everywhere", "one_order_for_results_deliveries_and_history", "no_gap_while_subscribing")
class DeliversNoPosition(Altering):
    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        sink.deliver(address, payload)


@fails("one_order_for_results_deliveries_and_history")
class StoresBeforeItsTurn(MemoryBackend):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        if batch[0].history and len(self._heard) and batch[0].payload == b"50":
            await asyncio.sleep(0.01)
        return await super().publish(batch)


@fails("no_gap_while_subscribing")
class ListensAfterLooking(MemoryBackend):
    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        position = self._streams.position(address) if positioned else None
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await super().subscribe(address)
        return position


# -------------------------------------------------------------------------------------------------------------- reading


@fails("read_gives_all_that_is_kept")
class StoresText(Reading):
    def change(self, page: HistoryPage) -> HistoryPage:
        stored = [Stored(one.position, one.payload.decode(errors="replace").encode()) for one in page.stored]
        return replace(page, stored=tuple(stored))


@fails("read_since", "read_with_a_limit", "read_page_by_page", among_others=True)
class IncludesSince(Reading):
    async def read(self, address: Address, *, since: Position | None = None, **asked: Any) -> HistoryPage:
        if since is not None and not asked["reverse"]:
            since = Position(since.epoch, since.offset - 1)
        return await super().read(address, since=since, **asked)


@fails("read_with_a_limit", "read_in_reverse")
class IgnoresTheLimit(Reading):
    async def read(self, address: Address, **asked: Any) -> HistoryPage:
        return await super().read(address, **(asked | {"limit": asked["limit"] and 10**6}))


@fails("read_with_a_limit")
class TakesZeroForAll(Reading):
    async def read(self, address: Address, **asked: Any) -> HistoryPage:
        return await super().read(address, **(asked | {"limit": asked["limit"] or 10**6}))


@fails("read_with_a_limit", "read_page_by_page")
class CutsTheWrongEnd(Reading):
    async def read(self, address: Address, **asked: Any) -> HistoryPage:
        page = await super().read(address, **(asked | {"limit": asked["limit"] and 10**6}))
        limit = asked["limit"] or 10**6
        return replace(page, stored=page.stored[:limit] if asked["reverse"] else page.stored[-limit:])


@fails("read_in_reverse", "read_page_by_page")
class ReadsForwardsOnly(Reading):
    async def read(self, address: Address, **asked: Any) -> HistoryPage:
        return await super().read(address, **(asked | {"reverse": False}))


@fails("read_in_reverse", "read_page_by_page")
class ReversesWhatIsNewer(Reading):
    async def read(self, address: Address, **asked: Any) -> HistoryPage:
        page = await super().read(address, **(asked | {"reverse": False, "limit": 10**6}))
        return replace(page, stored=page.stored[:: -1 if asked["reverse"] else 1][: asked["limit"]])


@fails("read_page_by_page", "a_position_is_one_everywhere", "read_gives_all_that_is_kept")
class StoresThePositionOfTheTop(Reading):
    def change(self, page: HistoryPage) -> HistoryPage:
        return replace(page, stored=tuple(Stored(page.top, one.payload) for one in page.stored))


@fails("read_of_an_empty_channel", "no_history_no_position", "bounded_by_age", among_others=True)
class RaisesForTheEmpty(Reading):
    def change(self, page: HistoryPage) -> HistoryPage:
        if not page.stored:
            raise KeyError
        return page


# ------------------------------------------------------------------------------------------------------------- bounds


@fails("bounded_by_count", "the_last_bounds_hold")
class KeepsOneMore(Publishing):
    def change(self, outgoing: Outgoing) -> Outgoing:
        return replace(outgoing, history=outgoing.history and outgoing.history + 1)


@fails("bounded_by_bytes")
class IgnoresBytes(Publishing):
    def change(self, outgoing: Outgoing) -> Outgoing:
        return replace(outgoing, history_bytes=0)


@fails("bounded_by_age", "age_is_that_of_each", FORGOTTEN)
class IgnoresAge(Publishing):
    def change(self, outgoing: Outgoing) -> Outgoing:
        return replace(outgoing, history_age=LONG)


@fails("age_is_that_of_each")
class NewOnesRejuvenate(Publishing):
    def change(self, outgoing: Outgoing) -> Outgoing:
        stream = self._streams._streams.get(outgoing.address)
        if stream is not None:
            entries = [entry._replace(born=self._streams._clock()) for entry in stream.entries]
            stream.entries.clear()
            stream.entries.extend(entries)
        return outgoing


@fails("the_last_bounds_hold")
class KeepsTheFirstBounds(Publishing):
    def change(self, outgoing: Outgoing) -> Outgoing:
        stream = self._streams._streams.get(outgoing.address)
        if stream is None or not stream.max_count or not outgoing.history:
            return outgoing
        return replace(outgoing, history=stream.max_count)


@fails(*BOUNDED, "an_unknown_epoch_is_a_gap", "a_position_from_the_future_is_a_gap", FORGOTTEN, NEW_START)
class ClaimsTheWhole(Reading):
    def change(self, page: HistoryPage) -> HistoryPage:
        return replace(page, whole=True)


@fails("an_unknown_epoch_is_a_gap", FORGOTTEN, NEW_START)
class IgnoresTheEpoch(Reading):
    async def read(self, address: Address, *, since: Position | None = None, **asked: Any) -> HistoryPage:
        top = self._streams.position(address)
        if since is not None and since.epoch != top.epoch:
            since = Position(top.epoch, min(since.offset, top.offset))
        return await super().read(address, since=since, **asked)


@fails("a_position_from_the_future_is_a_gap")
class TrustsTheFuture(Reading):
    async def read(self, address: Address, *, since: Position | None = None, **asked: Any) -> HistoryPage:
        top = self._streams.position(address)
        since = top if since and since.epoch == top.epoch and since.offset > top.offset else since
        return await super().read(address, since=since, **asked)


@fails(FORGOTTEN, NEW_START)
class OneEpochForEver(MemoryBackend):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        begin = self._streams._open

        def begin_named(address: Address, now: float) -> Any:
            stream = begin(address, now)
            stream.epoch = "epoch"
            return stream

        self._streams._open = begin_named  # type: ignore[method-assign]


@fails("a_stream_in_use_is_not_forgotten", "bounded_by_age")
class ForgetsWhatIsInUse(MemoryBackend):
    def _sweep(self) -> None:
        self._streams._in_use = lambda address: False
        self._streams.forget_idle()
        self._sweeper = asyncio.get_running_loop().call_later(0.1, self._sweep)


@fails("what_is_kept_is_not_forgotten", "age_is_that_of_each")
class ForgetsWhatIsKept(MemoryBackend):
    def _sweep(self) -> None:
        for address in set(self._streams._streams) - self._heard:
            self._streams._forget(address)
            self._streams._filled.pop(address, None)
        super()._sweep()
