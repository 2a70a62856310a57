from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.backends import HeldBackend
from support.logs import LogWatch
from support.loops import in_loop, turns
from support.outlets import FakeOutlet

from sethpusher_core.addresses import Address
from sethpusher_core.backends.base import Position
from sethpusher_core.errors import BackendError
from sethpusher_core.hub import Hub
from sethpusher_core.interest import Interest
from sethpusher_core.roster import Member

NEWS = Address.channel("news")


class House:
    """An Interest over a backend that takes its time."""

    def __init__(self, *held: str) -> None:
        self.backend = HeldBackend(*held)
        self.hub = Hub(lambda order: None)
        self.interest = Interest(self.hub, lambda address: None)
        self.interest.bind(self.backend)
        self.gone: set[Member] = set()
        self.count = 0

    def enter(self, address: Address = NEWS) -> tuple[Member, asyncio.Task[Position | None]]:
        self.count += 1
        member = Member(FakeOutlet(), f"c{self.count}")
        entering = self.interest.enter(address, member, lambda: member not in self.gone)
        return member, asyncio.ensure_future(entering)

    def inside(self, address: Address = NEWS) -> set[Member]:
        local = self.hub.get(address)
        return set(local.members()) if local is not None else set()


@in_loop
async def test_the_backend_is_asked_once_and_all_who_waited_are_in() -> None:
    house = House("subscribe")
    members = [house.enter() for _ in range(3)]
    await turns()
    assert house.inside() == set()
    house.backend.calls[0].answer()
    await asyncio.gather(*(task for _, task in members))
    late, task = house.enter()
    await task
    assert house.inside() == {member for member, _ in members} | {late}
    assert house.backend.history == [("subscribe", NEWS)]


@in_loop
async def test_the_last_one_out_releases_the_address_and_only_that() -> None:
    house = House()
    (first, entering), (second, entering_too) = house.enter(), house.enter()
    await asyncio.gather(entering, entering_too)
    house.interest.leave(NEWS, first)
    await house.interest.settled()
    assert house.backend.heard == {NEWS}
    house.interest.leave(NEWS, second)
    assert house.inside() == set(), "leaving does not wait for the backend"
    await house.interest.settled()
    assert house.backend.heard == set()
    assert house.hub.get(NEWS) is None


@in_loop
async def test_one_who_comes_while_the_address_is_released_is_in_again() -> None:
    house = House("unsubscribe")
    first, entering = house.enter()
    await entering
    house.interest.leave(NEWS, first)
    await turns()
    second, entering = house.enter()
    await turns()
    assert not entering.done(), "it would miss what is published before the backend hears again"
    house.backend.calls[0].answer()
    await entering
    assert house.inside() == {second}
    assert [what for what, _ in house.backend.history] == ["subscribe", "unsubscribe", "subscribe"]


@in_loop
async def test_going_and_coming_at_once_costs_the_backend_nothing() -> None:
    house = House()
    first, entering = house.enter()
    await entering
    second = Member(FakeOutlet(), "c2")
    house.interest.leave(NEWS, first)
    await house.interest.enter(NEWS, second, lambda: True)
    await house.interest.settled()
    assert house.inside() == {second}
    assert house.backend.history == [("subscribe", NEWS)]


@in_loop
async def test_a_failure_is_told_to_all_who_waited_and_the_next_one_tries_again() -> None:
    house = House("subscribe")
    waiting = [house.enter()[1] for _ in range(2)]
    await turns()
    house.backend.calls[0].fail()
    for task in waiting:
        with pytest.raises(BackendError, match="told to fail"):
            await task
    await house.interest.settled()
    assert house.hub.get(NEWS) is None
    member, entering = house.enter()
    await turns()
    house.backend.calls[0].answer()
    await entering
    assert house.inside() == {member}


@in_loop
async def test_an_unforeseen_failure_is_a_backend_error() -> None:
    with LogWatch() as logs:
        house = House("subscribe")
        _, entering = house.enter()
        await turns()
        house.backend.calls[0].fail(ZeroDivisionError("a bug"))
        with pytest.raises(BackendError, match="a bug"):
            await entering
        await house.interest.settled()
        logs.expect("channel news", level=40)


@in_loop
async def test_one_who_gives_up_waiting_leaves_nothing_behind() -> None:
    house = House("subscribe")
    _, entering = house.enter()
    await turns()
    entering.cancel()
    await asyncio.wait([entering])
    house.backend.calls[0].answer()
    await house.interest.settled()
    assert house.backend.heard == set()
    assert house.hub.get(NEWS) is None


@in_loop
async def test_one_who_gives_up_waiting_costs_the_others_nothing() -> None:
    house = House("subscribe")
    (_, gives_up), (member, waits) = house.enter(), house.enter()
    await turns()
    gives_up.cancel()
    await turns()
    house.backend.calls[0].answer()
    await waits
    assert house.inside() == {member}


@in_loop
async def test_one_whose_connection_has_gone_meanwhile_stays_out() -> None:
    house = House("subscribe")
    member, entering = house.enter()
    await turns()
    house.gone.add(member)
    house.backend.calls[0].answer()
    await entering
    await house.interest.settled()
    assert house.hub.get(NEWS) is None
    assert house.backend.heard == set()


@in_loop
async def test_a_release_that_fails_is_logged_and_keeps_nobody_waiting() -> None:
    with LogWatch() as logs:
        house = House("unsubscribe")
        first, entering = house.enter()
        await entering
        house.interest.leave(NEWS, first)
        await turns()
        second, entering = house.enter()
        await turns()
        house.backend.calls[0].fail()
        await entering
        assert house.inside() == {second}
        logs.expect("could not release channel news")


@in_loop
async def test_the_position_is_the_one_at_which_the_member_joined() -> None:
    house = House()
    house.backend.position = Position("e", 7)
    _, entering = house.enter()
    assert await entering == Position("e", 7)
    house.hub.deliver(NEWS, b"P\0{}", Position("e", 8))
    _, entering = house.enter()
    assert await entering == Position("e", 8)
    house.hub.bind(asyncio.get_running_loop())


@in_loop
async def test_what_comes_late_while_an_address_is_released_is_no_position_for_the_next() -> None:
    """Found by tests/server/test_delivery_stateful.py: it was, and what was published in between was lost unseen."""
    house = House("unsubscribe")
    house.backend.position = Position("e", 1)
    member, entering = house.enter()
    await entering
    house.interest.leave(NEWS, member)
    await turns()
    house.hub.deliver(NEWS, b"P\0{}", Position("e", 2))  # still heard; 3 to 5 are not
    house.backend.position = Position("e", 5)
    _, entering = house.enter()
    house.backend.calls[0].answer()
    assert await entering == Position("e", 5)
    house.hub.bind(asyncio.get_running_loop())


@in_loop
async def test_without_a_backend_nobody_is_kept_waiting() -> None:
    interest = Interest(Hub(lambda order: None), lambda address: None)
    with pytest.raises(BackendError):
        await interest.enter(NEWS, Member(FakeOutlet(), "c1"), lambda: True)


# ---------------------------------------------------------------------------------------------- all interleavings

ADDRESSES = [NEWS, Address.user("alice")]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.integers(0, 1)),
        st.tuples(st.just("leave"), st.integers(0, 9)),
        st.tuples(st.just("cancel"), st.integers(0, 9)),
        st.tuples(st.just("go"), st.integers(0, 9)),
        st.tuples(st.just("answer"), st.integers(0, 3)),
        st.tuples(st.just("fail"), st.integers(0, 3)),
        st.tuples(st.just("turn"), st.integers(1, 3)),
    ),
    max_size=50,
)


class Story(House):
    """Acts on a House, and knows who must be where."""

    def __init__(self) -> None:
        super().__init__("subscribe", "unsubscribe")
        self.entering: list[tuple[Address, Member, asyncio.Task[Position | None]]] = []
        self.entered: list[tuple[Address, Member]] = []
        self.cancelled: set[asyncio.Task[Position | None]] = set()

    def settle_entering(self) -> None:
        """Notes who has come in since the last time."""
        for address, member, task in list(self.entering):
            if task.done():
                assert task in self.cancelled or not task.cancelled()
                self.entering.remove((address, member, task))
                if not task.cancelled() and task.exception() is None and member not in self.gone:
                    self.entered.append((address, member))

    async def act(self, what: str, n: int) -> None:
        calls = self.backend.calls
        if what == "enter":
            self.entering.append((ADDRESSES[n], *self.enter(ADDRESSES[n])))
        elif what == "leave" and self.entered:
            self.interest.leave(*self.entered.pop(n % len(self.entered)))
        elif what == "cancel" and self.entering:
            task = self.entering[n % len(self.entering)][2]
            self.cancelled.add(task)
            task.cancel()
        elif what == "go" and self.entering:
            self.gone.add(self.entering[n % len(self.entering)][1])
        elif what in ("answer", "fail") and calls:
            call = calls[n % len(calls)]
            if not call.future.done():
                getattr(call, what)()
        elif what == "turn":
            await turns(n)
        self.settle_entering()
        for address in ADDRESSES:
            missing = {member for where, member in self.entered if where == address} - self.inside(address)
            assert not missing, "who is in is in"

    async def end(self) -> None:
        for _ in range(1000):
            for call in self.backend.calls:
                if not call.future.done():
                    call.answer()
            await turns(1)
        assert not self.backend.calls
        assert not [task for _, _, task in self.entering if not task.done()], "somebody waits for ever"
        self.settle_entering()
        for address in ADDRESSES:
            inside = {member for where, member in self.entered if where == address}
            assert self.inside(address) == inside
            assert (self.hub.get(address) is not None) == bool(inside)
            assert (address in self.backend.heard) == bool(inside)


@given(STEPS)
def test_in_any_order_of_events_who_is_in_is_heard_and_nobody_waits_for_ever(steps: list[tuple[str, int]]) -> None:
    @in_loop
    async def story() -> None:
        house = Story()
        for step in steps:
            await house.act(*step)
        await house.end()

    with LogWatch():
        story()
