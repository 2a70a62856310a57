"""Lanes against a model: whatever comes when, each letter once and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sethpusher_persist_http.lanes import Lane
from sethpusher_persist_http.letters import Letter


def letter(seq: int, size: int = 1) -> Letter:
    return Letter(seq, f"id-{seq}", "{}", b"x" * size)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.booleans()),
        st.tuples(st.just("load"), st.integers(1, 4)),
        st.tuples(st.just("take"), st.integers(1, 5)),
        st.tuples(st.just("refuse"), st.integers(2, 5)),
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_each_letter_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    stored: list[int] = []  # what the outbox has, by number
    taken: list[int] = []
    lane = Lane(1, 0)
    for what, argument in steps:
        if what == "offer":
            stored.append(len(stored) + 1)
            lane.offer(letter(stored[-1]), room=bool(argument))
        elif what == "load":
            if not lane.waiting and lane.behind:
                lane.load([letter(seq) for seq in stored if seq > lane.loaded][:argument], lane.newest)
        else:
            batch = lane.take(argument, 1000)
            alone = what == "refuse" and len(batch) > 1
            if alone:
                lane.give_back(batch, alone=True)
            else:
                taken += [one.seq for one in batch]
                assert len(batch) == 1 or not batch or batch[0].seq > lane.alone_to
        assert taken == stored[: len(taken)]
    while not lane.empty:
        if not lane.waiting:
            lane.load([letter(seq) for seq in stored if seq > lane.loaded], lane.newest)
        taken += [one.seq for one in lane.take(3, 1000)]
    assert taken == stored


def test_one_that_was_read_before_it_was_told_of() -> None:
    lane = Lane(1, 0)
    lane.newest = 3
    lane.load([letter(1), letter(2), letter(3), letter(4)], 3)
    assert not lane.offer(letter(4), room=True)
    assert [one.seq for one in lane.take(10, 100)] == [1, 2, 3, 4]


def test_what_is_gone_from_the_outbox_ends_a_lane() -> None:
    lane = Lane(1, 0)
    lane.newest = 7
    lane.load([], 7)
    assert lane.empty


def test_sizes() -> None:
    lane = Lane(1, 0)
    for seq, size in enumerate((5, 5, 5, 50, 1), 1):
        lane.offer(letter(seq, size), room=True)
    assert [[one.seq for one in lane.take(10, 11)] for _ in range(4)] == [[1, 2], [3], [4], [5]]
    assert lane.forget(10) == 0
    assert lane.empty
