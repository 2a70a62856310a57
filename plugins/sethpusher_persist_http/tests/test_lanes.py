"""Lanes against a model: whatever comes when, each letter once and in order."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from sethpusher_persist_http.bundles import Bundle
from sethpusher_persist_http.lanes import Lane


def bundle(first: int, last: int, size: int = 1) -> Bundle:
    count = last - first + 1
    return Bundle.of(first, 1, [f"id-{seq}" for seq in range(first, last + 1)], ["{}"] * count, [b"x" * size] * count)


def letter(seq: int, size: int = 1) -> Bundle:
    return bundle(seq, seq, size)


def numbers(bundles: Iterable[Bundle]) -> list[int]:
    return [seq for bundle in bundles for seq in range(bundle.seq, bundle.last + 1)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.integers(1, 5)),
        st.tuples(st.just("come, and find no room"), st.integers(1, 5)),
        st.tuples(st.just("load"), st.integers(1, 4)),
        st.tuples(st.just("take"), st.integers(1, 5)),
        st.tuples(st.just("refuse"), st.integers(2, 5)),
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_each_letter_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    stored: list[Bundle] = []  # what the outbox has
    taken: list[int] = []
    lane = Lane(1, 0)
    for what, argument in steps:
        if what in ("offer", "come, and find no room"):
            first = stored[-1].last + 1 if stored else 1
            stored.append(bundle(first, first + argument - 1))
            lane.offer(stored[-1], room=what == "offer")
        elif what == "load":
            if not lane.waiting and lane.behind:
                lane.load([one for one in stored if one.seq > lane.loaded][:argument], lane.newest)
        else:
            batch = lane.take(argument, 1000)
            count = len(numbers(batch))
            assert count <= argument
            if what == "refuse" and count > 1:
                lane.give_back(batch, alone=True)
            else:
                taken += numbers(batch)
                assert count < 2 or batch[0].seq > lane.alone_to
        assert taken == numbers(stored)[: len(taken)]
        assert lane.rows == len(numbers(lane.waiting))
    while not lane.empty:
        if not lane.waiting:
            lane.load([one for one in stored if one.seq > lane.loaded], lane.newest)
        taken += numbers(lane.take(3, 1000))
    assert taken == numbers(stored)


def test_one_that_was_read_before_it_was_told_of() -> None:
    lane = Lane(1, 0)
    lane.newest = 3
    lane.load([letter(1), letter(2), letter(3), letter(4)], 3)
    assert not lane.offer(letter(4), room=True)
    assert numbers(lane.take(10, 100)) == [1, 2, 3, 4]


def test_what_is_gone_from_the_outbox_ends_a_lane() -> None:
    lane = Lane(1, 0)
    lane.newest = 7
    lane.load([], 7)
    assert lane.empty


def test_sizes() -> None:
    lane = Lane(1, 0)
    for seq, size in enumerate((5, 5, 5, 50, 1), 1):
        lane.offer(letter(seq, size), room=True)
    assert [numbers(lane.take(10, 11)) for _ in range(4)] == [[1, 2], [3], [4], [5]]
    assert lane.forget(10) == 0
    assert lane.empty


def test_a_bundle_is_taken_apart_only_if_it_must_be() -> None:
    lane = Lane(1, 0)
    for first, last in ((1, 4), (5, 7), (8, 30), (31, 31)):
        lane.offer(bundle(first, last), room=True)
    taken = [[(one.seq, one.last) for one in lane.take(10, 1000)] for _ in range(4)]
    assert taken == [[(1, 4), (5, 7)], [(8, 17)], [(18, 27)], [(28, 30), (31, 31)]]


def test_what_is_gone_is_forgotten_to_the_letter() -> None:
    lane = Lane(1, 0)
    for first, last in ((1, 4), (5, 9)):
        lane.offer(bundle(first, last, size=10), room=True)
    before = sum(one.memory for one in lane.waiting)
    assert lane.forget(6) == before - bundle(7, 9, size=10).memory
    assert numbers(lane.take(10, 1000)) == [7, 8, 9]
