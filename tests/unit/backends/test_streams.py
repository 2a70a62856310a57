"""What histories and results in memory may take: per channel, and in all."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

import pytest

from sethpusher_core.addresses import Address
from sethpusher_core.backends.base import Accepted, Outgoing, Position
from sethpusher_core.backends.streams import OVERHEAD, STREAM_OVERHEAD, Results, Streams

NEWS = Address.channel("news")
EACH = STREAM_OVERHEAD + OVERHEAD
"""What a channel with one small publication takes, beside that."""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def keep(channel: str, size: int = 100, count: int = 10, age: float = 60.0, most: int = 2**20) -> Outgoing:
    return Outgoing(Address.channel(channel), b"x" * size, "id", None, count, age, most)


def streams(total: int = 2**30, used: Callable[[Address], bool] = lambda address: False) -> tuple[Streams, Clock]:
    clock = Clock()
    return Streams(total, used, clock), clock


def kept(streams: Streams, channel: str) -> list[int]:
    page = streams.read(Address.channel(channel), None, 1000, False)
    return [stored.position.offset for stored in page.stored]


def test_each_channel_has_its_bounds() -> None:
    house, clock = streams()
    for _ in range(15):
        house.append(keep("count", age=1000.0))
        house.append(keep("bytes", 1000, age=1000.0, most=4 * (1000 + OVERHEAD)))
    for _ in range(3):
        clock.now += 30.0
        house.append(keep("age"))
    assert kept(house, "count") == list(range(6, 16))
    assert kept(house, "bytes") == [12, 13, 14, 15]
    clock.now += 31.0
    assert kept(house, "age") == [3]


def test_all_channels_together_have_one_and_who_was_published_to_longest_ago_loses_first() -> None:
    house, _ = streams(10 * (EACH + 100))
    for number in range(10):
        house.append(keep(f"c{number}"))
    assert house.bytes == 10 * (EACH + 100)
    house.append(keep("c0"))
    assert [len(kept(house, f"c{number}")) for number in range(10)] == [2, 0, 1, 1, 1, 1, 1, 1, 1, 1]
    assert house.bytes <= 10 * (EACH + 100)


def test_one_that_is_larger_than_all_may_take_is_not_kept_and_has_its_offset() -> None:
    house, _ = streams(5000, used=lambda address: True)
    assert [house.append(keep("c", size)).offset for size in (100, 6000, 100)] == [1, 2, 3]
    assert kept(house, "c") == [3]
    assert house.bytes == EACH + 100


@pytest.mark.parametrize("size", [10, 20_000], ids=["kept", "too large to be kept"])
def test_channels_without_end_take_no_more_than_all_may(size: int) -> None:
    """Found while testing: channels whose publications are larger than ``history_bytes`` were not counted."""
    total = 2**20
    house, _ = streams(total)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            house.append(keep(f"c{number}", size, most=10_000))
        assert house.bytes <= total
        assert tracemalloc.get_traced_memory()[0] - before < 1.5 * total
    finally:
        tracemalloc.stop()


def test_what_was_kept_is_forgotten_with_its_age_and_the_epoch_changes() -> None:
    house, clock = streams()
    first = house.append(keep("news"))
    clock.now += 61.0
    house.forget_idle()
    assert (len(house), house.bytes) == (0, 0)
    again = house.append(keep("news"))
    assert (again.offset, again.epoch != first.epoch) == (1, True)


def test_a_channel_in_use_is_not_forgotten() -> None:
    house, clock = streams(used=lambda address: True)
    first = house.append(keep("news"))
    clock.now += 61.0
    house.forget_idle()
    assert kept(house, "news") == []
    assert house.append(keep("news")) == Position(first.epoch, 2)


def test_where_memory_is_short_even_what_is_in_use_keeps_nothing_but_its_position() -> None:
    used = {Address.channel(f"c{number}") for number in range(10)}
    house, _ = streams(2 * EACH, used.__contains__)
    first = [house.append(keep(f"c{number}", 10)) for number in range(10)]
    assert house.bytes <= 2 * EACH
    assert [house.append(keep(f"c{number}", 10)) for number in range(10)] == [
        Position(position.epoch, 2) for position in first
    ]
    while used:
        house.touch(used.pop())
    house.append(keep("last", 10))
    assert (house.bytes <= 2 * EACH, len(house)) == (True, 2)


# ---------------------------------------------------------------------------------------------------------- results


def test_results_end_with_their_window_and_are_bounded_in_number() -> None:
    clock = Clock()
    results = Results(limit=3, clock=clock)
    for number in range(4):
        results.put(NEWS, str(number), Accepted(Position("e", number)), 10.0)
        clock.now += 1.0
    assert results.get(NEWS, "0") is None, "one too many"
    assert results.get(NEWS, "1") == Accepted(Position("e", 1), repeated=True)
    clock.now = 11.5
    assert [results.get(NEWS, str(number)) is not None for number in range(4)] == [False, False, True, True]
    clock.now = 30.0
    assert results.get(NEWS, "3") is None
