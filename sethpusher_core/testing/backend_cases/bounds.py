"""Capability HISTORY: what is no longer kept, what may be forgotten, and that nobody is told otherwise."""

from __future__ import annotations

from ...backends.base import Position
from ...backends.capabilities import HISTORY
from ..guard import Compliance, case
from ..nodes import ONE_NODE, BackendBench, Node
from ..samples import NEWS, keep
from ..timing import moment

__all__ = ["BoundsCases"]

TEN = [b"%d" % number for number in range(1, 11)]


class BoundsCases(Compliance):
    """Bounds by count, age and bytes; recovery that is whole or says so."""

    @case(HISTORY)
    async def test_bounded_by_count(self, kit: BackendBench) -> None:
        """Bounds are count, age and bytes; what is beyond them is never read back, and a gap is told.

        If this fails: keep exactly the newest ``history`` publications; ``whole`` is false when the one after
        ``since`` is no longer among them.
        """
        node = await kit.node()
        [*_, top] = await node.positions(*(keep(NEWS, payload, count=4) for payload in TEN))
        assert await node.stored(NEWS) == TEN[6:]
        await _tells_gaps(node, top, kept=TEN[6:])

    @case(HISTORY)
    async def test_bounded_by_bytes(self, kit: BackendBench) -> None:
        """Bounds are count, age and bytes; what is beyond them is never read back, and a gap is told.

        If this fails: keep the newest publications whose payloads together take no more than ``history_bytes``, the
        size of each being some bytes more at the most.
        """
        node = await kit.node()
        payloads = [payload * 10_000 for payload in TEN[:9]]
        [*_, top] = await node.positions(*(keep(NEWS, payload, size=45_000) for payload in payloads))
        assert [len(payload) for payload in await node.stored(NEWS)] == [10_000] * 4
        await _tells_gaps(node, top, kept=payloads[5:])

    @case(HISTORY)
    async def test_bounded_by_age(self, kit: BackendBench) -> None:
        """Bounds are count, age and bytes; what is older than ``history_age`` is never read back, and a gap is told.

        If this fails: look at the age when reading, not only when publishing; offset and epoch stay as they were.
        """
        node, age = await kit.node(), _short_age()
        await node.position(NEWS)
        [*_, top] = await node.positions(*(keep(NEWS, payload, age=age) for payload in TEN))
        await kit.pass_time(age * 1.5)
        page = await node.read(NEWS)
        assert (page.top, page.stored) == (top, ())
        await _tells_gaps(node, top, kept=[])
        assert await node.positions(keep(NEWS, b"11")) == [Position(top.epoch, 11)]

    @case(HISTORY)
    async def test_age_is_that_of_each(self, kit: BackendBench) -> None:
        """``history_age``: how long *they* are kept; each publication ages by itself.

        If this fails: note when each was published; a new one must not keep the old ones alive.
        """
        node, age = await kit.node(), 2 * _short_age()
        await node.positions(keep(NEWS, b"1", age=age))
        await kit.pass_time(age * 0.6)
        [top] = await node.positions(keep(NEWS, b"2", age=age))
        await kit.pass_time(age * 0.6)
        assert await node.stored(NEWS) == [b"2"]
        await _tells_gaps(node, top, kept=[b"2"])

    @case(HISTORY)
    async def test_the_last_bounds_hold(self, kit: BackendBench) -> None:
        """Bounds are those of the last publication.

        If this fails: take the bounds from each publication as it comes; rules may have changed since the last.
        """
        node = await kit.node()
        await node.positions(*(keep(NEWS, payload) for payload in TEN[:9]))
        await node.positions(keep(NEWS, TEN[9], count=3))
        assert await node.stored(NEWS) == TEN[7:]

    @case(HISTORY)
    async def test_an_unknown_epoch_is_a_gap(self, kit: BackendBench) -> None:
        """``whole`` is false when the epoch has changed.

        If this fails: compare the epoch of ``since`` with that of the stream before anything else, also when nothing
        seems to be missing.
        """
        node = await kit.node()
        [*_, top] = await node.positions(*(keep(NEWS, payload) for payload in TEN))
        for offset in (0, 5, 10):
            page = await node.read(NEWS, since=Position("another epoch", offset))
            assert (page.top, page.whole) == (top, False), f"since {offset}"

    @case(HISTORY)
    async def test_a_position_from_the_future_is_a_gap(self, kit: BackendBench) -> None:
        """``whole`` is false for a position that this stream has not reached: it belongs to another one.

        If this fails: a store that lost its last writes gives old offsets again; who knows later ones has missed
        what now stands there.
        """
        node = await kit.node()
        [*_, top] = await node.positions(*(keep(NEWS, payload) for payload in TEN))
        page = await node.read(NEWS, since=Position(top.epoch, 12))
        assert (page.top, page.stored, page.whole) == (top, (), False)

    # --------------------------------------------------------------------------------------------------- forgetting

    @case(HISTORY)
    async def test_a_stream_that_was_forgotten_is_another_one(self, kit: BackendBench) -> None:
        """A stream of which nothing is kept may be forgotten when nobody subscribes to it; then its epoch changes.

        If this fails: give a new stream a new random epoch; or keep the old one's counter. Never give an offset of an
        epoch twice.
        """
        node, age = await kit.node(), _short_age()
        [*_, old] = await node.positions(*(keep(NEWS, payload, age=age) for payload in TEN))
        await kit.pass_time(age * 1.5 + (kit.forgets_idle_after or 0.0))
        [new] = await node.positions(keep(NEWS, b"new"))
        if new.epoch == old.epoch:
            assert kit.forgets_idle_after is None, "it was not forgotten within forgets_idle_after"
            assert new.offset == 11
        else:
            assert new.offset == 1
        page = await node.read(NEWS, since=old)
        assert page.whole is (new.epoch == old.epoch)

    @case(HISTORY)
    async def test_a_stream_in_use_is_not_forgotten(self, kit: BackendBench) -> None:
        """A stream may be forgotten when nobody subscribes to it: not before.

        If this fails: keep epoch and offset of what somebody is subscribed to, also when nothing is kept any more.
        """
        node, age = await kit.node(), _short_age()
        position = await node.position(NEWS)
        await node.positions(keep(NEWS, b"1", age=age))
        await kit.pass_time(age * 1.5 + (kit.forgets_idle_after or 0.0))
        assert await node.positions(keep(NEWS, b"2")) == [Position(position.epoch, 2)]

    @case(HISTORY)
    async def test_what_is_kept_is_not_forgotten(self, kit: BackendBench) -> None:
        """A stream may be forgotten when nothing of it is kept: not before.

        If this fails: a stream ends with its last publication, not with its last subscriber.
        """
        node = await kit.node()
        [first] = await node.positions(keep(NEWS, b"1"))
        await kit.pass_time(_short_age() + (kit.forgets_idle_after or 0.0))
        assert await node.position(NEWS) == first
        await node.unsubscribe(NEWS)
        assert await node.positions(keep(NEWS, b"2")) == [Position(first.epoch, 2)]
        assert await node.stored(NEWS) == [b"1", b"2"]

    @case(HISTORY, ONE_NODE)
    async def test_a_new_start_is_a_new_epoch(self, kit: BackendBench) -> None:
        """The epoch names the stream; it changes when the stream is made anew.

        If this fails: a backend whose streams end with the process must name them by something random, not by the
        channel or a counter.
        """
        before, after = await kit.pair()
        [old] = await before.positions(keep(NEWS, b"1"))
        [new] = await after.positions(keep(NEWS, b"1"))
        assert old.epoch != new.epoch
        assert not (await after.read(NEWS, since=old)).whole


def _short_age() -> float:
    return 10 * moment()


async def _tells_gaps(node: Node, top: Position, kept: list[bytes]) -> None:
    """Whatever a client has seen last: all that it missed, or the word that this is not all."""
    for offset in range(top.offset + 1):
        page = await node.read(NEWS, since=Position(top.epoch, offset))
        missed = top.offset - offset
        assert page.whole is (missed <= len(kept)), f"since {offset}: whole={page.whole}"
        if page.whole:
            assert [one.payload for one in page.stored] == kept[len(kept) - missed :], f"since {offset}"
