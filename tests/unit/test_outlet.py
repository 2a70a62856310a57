from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.outlets import FakeOutlet

from sethpusher_core import errors
from sethpusher_core.frames import Form, Frame
from sethpusher_core.roster import Member, Roster
from sethpusher_core.transports.outlet import Budget

SMALL = 1000


def frame(n: int, size: int = 100, channel: str = "c") -> Frame:
    """A frame of one message and at least ``size`` bytes, told from others by its number."""
    return Frame([json.dumps({"n": n, "channel": channel, "x": "x" * size}).encode()])


def numbers(outlet: FakeOutlet) -> list[int]:
    return [message["n"] for message in outlet.messages if "n" in message]


def fan_out(outlet: FakeOutlet, sent: Frame, channel: str, on_slow: str) -> None:
    """What the hub does."""
    roster = Roster(outlet.form)
    member = Member(outlet, "1")
    member.enter(roster)
    roster.send(slice(0, 1), sent, channel, on_slow)
    member.quit()


def full(budget: Budget | None = None, form: Form = Form.BARE) -> FakeOutlet:
    """An outlet whose socket takes nothing at the moment, and of which the fan-out knows that."""
    outlet = FakeOutlet(form, budget or Budget(SMALL, 10 * SMALL), room=0)
    outlet.failed(b"", BlockingIOError())
    return outlet


def fill(outlet: FakeOutlet, on_slow: str, channel: str = "c", start: int = 0) -> int:
    """Enqueues frames until one more would not fit; gives the number of the first that would not."""
    n = start
    while outlet.backlog_bytes + len(frame(n).bare) <= SMALL:
        outlet.enqueue(frame(n, channel=channel), channel, on_slow)
        n += 1
    return n


@pytest.mark.parametrize("form", [Form.BARE, Form.FRAMED])
def test_what_waits_leaves_in_order_once_the_client_reads(form: Form) -> None:
    outlet = full(Budget(), form)
    for n in range(5):
        outlet.enqueue(frame(n), "c", "disconnect")
    outlet.post(b'{"n": 5}')
    assert outlet.waiting == 5
    outlet.drain(150)
    assert outlet.blocked
    outlet.drain()
    assert numbers(outlet) == [0, 1, 2, 3, 4, 5]
    assert (outlet.blocked, outlet.backlog_bytes, outlet._budget.used) == (False, 0, 0)


def test_a_client_that_does_not_keep_up_is_cut() -> None:
    budget = Budget(SMALL, 10 * SMALL)
    outlet = full(budget)
    n = fill(outlet, "disconnect")
    assert not outlet.cuts
    outlet.enqueue(frame(n), "c", "disconnect")
    assert outlet.cuts == [errors.SLOW]
    assert (outlet.backlog_bytes, budget.used) == (0, 0)
    outlet.enqueue(frame(n), "c", "disconnect")
    outlet.post(b"{}")
    assert (outlet.waiting, budget.used) == (0, 0), "nothing is queued for one who has gone"


def test_drop_newest_keeps_what_waits_and_tells_what_was_lost() -> None:
    outlet = full()
    n = fill(outlet, "drop_newest")
    outlet.enqueue(frame(n), "c", "drop_newest")
    outlet.enqueue(Frame([b'{"n":-1}' + b" " * 200, b'{"n":-2}']), "c", "drop_newest")
    outlet.drain()
    assert numbers(outlet) == list(range(n))
    assert outlet.messages[-1] == {"type": "dropped", "channel": "c", "count": 3}
    assert not outlet.cuts
    assert outlet._budget.dropped == 3


def test_drop_oldest_keeps_what_came_last_and_tells_what_was_lost() -> None:
    outlet = full()
    n = fill(outlet, "drop_oldest")
    outlet.enqueue(frame(n), "c", "drop_oldest")
    outlet.enqueue(frame(n + 1), "c", "drop_oldest")
    outlet.drain()
    assert numbers(outlet) == [0, *range(3, n + 2)], "the oldest was under way already"
    assert outlet.messages[-1] == {"type": "dropped", "channel": "c", "count": 2}


def test_drop_oldest_drops_no_reply_and_nothing_of_another_channel() -> None:
    outlet = full()
    outlet.post(b'{"n": 100}')
    outlet.enqueue(frame(101, channel="other"), "other", "drop_oldest")
    n = fill(outlet, "drop_oldest")
    outlet.enqueue(frame(n), "c", "drop_oldest")
    outlet.drain()
    assert numbers(outlet) == [100, 101, *range(1, n + 1)]


def test_where_nothing_of_the_channel_waits_the_new_one_is_dropped() -> None:
    outlet = full()
    n = fill(outlet, "drop_oldest", "other")
    outlet.enqueue(frame(n), "c", "drop_oldest")
    outlet.drain()
    assert numbers(outlet) == list(range(n))
    assert outlet.messages[-1] == {"type": "dropped", "channel": "c", "count": 1}


@pytest.mark.parametrize("on_slow", ["disconnect", "drop_oldest", "drop_newest"])
def test_a_single_frame_always_fits_an_empty_queue(on_slow: str) -> None:
    outlet = full()
    outlet.enqueue(frame(1, 5 * SMALL), "c", on_slow)
    outlet.drain()
    assert numbers(outlet) == [1]
    assert not outlet.cuts


def test_a_frame_that_cannot_fit_costs_nothing_that_waits() -> None:
    outlet = full()
    n = fill(outlet, "drop_oldest")
    outlet.enqueue(frame(n, 5 * SMALL), "c", "drop_oldest")
    outlet.drain()
    assert numbers(outlet) == list(range(n))
    assert outlet.messages[-1] == {"type": "dropped", "channel": "c", "count": 1}


def test_a_client_that_asks_and_does_not_read_is_cut() -> None:
    outlet = full()
    for _ in range(SMALL):
        outlet.post(b"{}")
    assert outlet.cuts == [errors.SLOW]


def test_above_the_total_the_largest_backlog_is_cut_and_only_that() -> None:
    budget = Budget(SMALL, 2 * SMALL)
    outlets = [full(budget) for _ in range(3)]
    for outlet, size in zip(outlets, (500, 800, 500), strict=True):
        outlet.enqueue(frame(1, size), "c", "drop_newest")
    assert [outlet.cuts for outlet in outlets] == [[], [], []]
    outlets[0].enqueue(frame(2, 200), "c", "drop_newest")
    assert [outlet.cuts for outlet in outlets] == [[], [errors.SLOW], []]
    assert budget.used == outlets[0].backlog_bytes + outlets[2].backlog_bytes <= budget.total


def test_the_sender_itself_may_be_the_largest() -> None:
    budget = Budget(SMALL, SMALL)
    small, large = full(budget), full(budget)
    small.enqueue(frame(1, 100), "c", "drop_newest")
    large.enqueue(frame(1, 5 * SMALL), "c", "drop_newest")
    assert (small.cuts, large.cuts) == ([], [errors.SLOW])
    assert budget.used == small.backlog_bytes


RULES = st.sampled_from(["drop_oldest", "drop_newest"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enqueue"), st.integers(0, 300), st.sampled_from("ab"), RULES),
        st.tuples(st.just("post"), st.integers(0, 100)),
        st.tuples(st.just("drain"), st.integers(0, 600)),
    )
)


@given(STEPS)
def test_no_reply_is_lost_no_order_changed_and_every_loss_is_told(steps: list[tuple[object, ...]]) -> None:
    budget = Budget(SMALL, 10**9)
    outlet = FakeOutlet(budget=budget, room=0)
    outlet.failed(b"", BlockingIOError())
    sent: dict[str, list[int]] = {"a": [], "b": [], "": []}
    for n, step in enumerate(steps):
        match step:
            case "enqueue", int(size), str(channel), str(on_slow):
                sent[channel].append(n)
                fan_out(outlet, frame(n, size, channel), channel, on_slow)
            case "post", int(size):
                sent[""].append(n)
                outlet.post(json.dumps({"n": n, "channel": "", "x": "x" * size}).encode())
                if outlet.cuts:
                    assert budget.used == 0
                    return
            case "drain", int(room):
                outlet.drain(room)
        waiting = sum(len(entry.data) for entry in outlet._backlog or ()) + len(outlet._rest)
        assert budget.used == outlet.backlog_bytes == waiting
    outlet.drain()
    got = {channel: [m["n"] for m in outlet.messages if m.get("channel") == channel and "n" in m] for channel in sent}
    lost = {
        channel: sum(m["count"] for m in outlet.messages if m.get("type") == "dropped" and m["channel"] == channel)
        for channel in sent
    }
    assert got[""] == sent[""]
    for channel in "ab":
        assert got[channel] == sorted(set(got[channel]))
        assert len(got[channel]) + lost[channel] == len(sent[channel])
    assert budget.used == 0
    assert budget.dropped == sum(lost.values())
