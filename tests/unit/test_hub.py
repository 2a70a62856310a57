from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from support.logs import LogWatch
from support.loops import in_loop
from support.outlets import FakeOutlet

from sethpusher_core import hub as hub_module
from sethpusher_core.addresses import CONTROL, Address
from sethpusher_core.backends.base import Position
from sethpusher_core.frames import Form
from sethpusher_core.hub import SLICE, Hub, Local
from sethpusher_core.publication import CONTROL_KIND, Publication, notice_payload
from sethpusher_core.roster import Member
from sethpusher_core.tally import Tally

NEWS = Address.channel("news")


class FakeLoop:
    """A loop that turns when it is told to, and a clock that shows each look a moment later."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []
        self.now = 0.0
        self.tick = 0.0

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def perf_counter(self) -> float:
        self.now += self.tick
        return self.now

    def turn(self) -> bool:
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()
        return bool(callbacks)

    def run(self) -> int:
        turns = 0
        while self.turn():
            turns += 1
        return turns


class House:
    """A hub with a channel, and everyone who was ever in it."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.orders: list[bytes] = []
        self.hub = Hub(self.orders.append)
        self.hub.bind(loop)
        self.news = self.hub.open(NEWS, "disconnect")
        self.count = 0

    def join(self, form: Form = Form.BARE, local: Local | None = None) -> tuple[Member, FakeOutlet]:
        self.count += 1
        outlet = FakeOutlet(form)
        member = Member(outlet, f"c{self.count}")
        (local or self.news).join(member)
        return member, outlet

    def publish(self, n: int, skip: str = "", address: Address = NEWS) -> None:
        self.hub.deliver(address, Publication(address, str(n).encode(), "", skip=skip).payload())


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> FakeLoop:
    fake = FakeLoop()
    monkeypatch.setattr(hub_module, "perf_counter", fake.perf_counter)
    return fake


@pytest.fixture
def house(loop: FakeLoop) -> House:
    return House(loop)


@pytest.fixture
def yielding(loop: FakeLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fan-out yields after each two recipients."""
    monkeypatch.setattr(hub_module, "SLICE", 2)
    loop.tick = 1.0


def numbers(outlet: FakeOutlet) -> list[int]:
    return [message["message"] for message in outlet.messages]


def test_every_member_gets_what_is_published_in_its_form(house: House) -> None:
    outlets = [house.join(form)[1] for form in (Form.BARE, Form.FRAMED, Form.SESSION, Form.BARE)]
    house.publish(1)
    house.loop.run()
    assert [numbers(outlet) for outlet in outlets] == [[1]] * 4
    assert outlets[0].messages == [{"message": 1, "sender_id": None, "channel": "news"}]


def test_what_one_turn_brings_leaves_as_one_frame(house: House) -> None:
    _, outlet = house.join(Form.FRAMED)
    for n in range(5):
        house.publish(n)
    assert outlet.taken == b""
    assert house.loop.run() == 1
    assert numbers(outlet) == [0, 1, 2, 3, 4]
    assert outlet.taken.count(b"a[") == 1


def test_the_forms_of_a_frame_are_shared(house: House) -> None:
    outlets = [house.join(Form.FRAMED)[1] for _ in range(3)]
    house.publish(1)
    house.loop.run()
    [first], [second], [third] = [outlet.handed for outlet in outlets]
    assert first is second is third


def test_who_missed_something_is_told_in_its_place(house: House) -> None:
    _, outlet = house.join()
    house.hub.deliver(NEWS, Publication(NEWS, b"1", "").payload(), Position("e1", 1))
    house.hub.resumed(NEWS, Position("e1", 1), True)
    house.hub.resumed(NEWS, Position("e1", 5), False)
    house.hub.deliver(NEWS, Publication(NEWS, b"2", "").payload(), Position("e1", 6))
    house.hub.resumed(NEWS, Position("e2", 6), True)
    house.loop.run()
    position = {"type": "position", "channel": "news"}
    assert [one.get("message", one) for one in outlet.messages] == [
        1,
        {**position, "epoch": "e1", "offset": 5, "recovered": False},
        2,
        {**position, "epoch": "e2", "offset": 6, "recovered": True},
    ]
    assert house.news.position == Position("e2", 6)


def test_where_there_is_no_history_a_gap_is_told(house: House) -> None:
    alice = Address.user("alice")
    _, outlet = house.join()
    _, own = house.join(local=house.hub.open(alice, "disconnect"))
    for address in (NEWS, alice, CONTROL):
        house.hub.resumed(address, None, True)
        house.hub.resumed(address, None, False)
    house.loop.run()
    assert outlet.messages == [{"type": "gap", "channel": "news"}]
    assert own.messages == [{"type": "gap", "target_id": "alice"}]


def test_newcomers_get_what_is_published_after_they_joined(house: House) -> None:
    _, early = house.join()
    house.publish(1)
    _, late = house.join()
    house.publish(2)
    house.loop.run()
    assert (numbers(early), numbers(late)) == ([1, 2], [2])


def test_leavers_get_what_was_published_before_and_nothing_more(house: House) -> None:
    member, leaver = house.join()
    skipped, leaver_too = house.join()
    _, stays = house.join()
    house.publish(1)
    house.loop.run()
    house.publish(2)
    house.publish(3, skipped.id)
    house.news.leave(member)
    house.news.leave(skipped)
    assert (numbers(leaver), numbers(leaver_too)) == ([1, 2, 3], [1, 2]), "at once, before any reply"
    house.publish(4)
    house.loop.run()
    assert (numbers(leaver), numbers(leaver_too), numbers(stays)) == ([1, 2, 3], [1, 2], [1, 2, 3, 4])
    assert house.news.count == 1


def test_one_who_comes_and_goes_within_a_turn_is_owed_only_what_came_between(house: House) -> None:
    house.join()
    house.publish(1)
    member, outlet = house.join()
    house.publish(2)
    house.news.leave(member)
    house.loop.run()
    assert numbers(outlet) == [2]


def test_one_who_leaves_to_recover_is_owed_nothing(house: House) -> None:
    member, leaver = house.join()
    house.publish(1)
    house.news.leave(member, owed=False)
    house.loop.run()
    assert numbers(leaver) == []


def test_a_skipped_member_gets_the_rest_in_order(house: House) -> None:
    skipped, outlet = house.join()
    _, other = house.join(Form.FRAMED)
    for n, skip in enumerate(["", skipped.id, "", "", skipped.id, "nobody"]):
        house.publish(n, skip)
    house.loop.run()
    assert numbers(outlet) == [0, 2, 3, 5]
    assert numbers(other) == [0, 1, 2, 3, 4, 5]


@pytest.mark.usefixtures("yielding")
def test_those_who_leave_during_a_fan_out_get_theirs_once_and_newcomers_wait(house: House) -> None:
    members = [house.join() for _ in range(7)]
    house.publish(1)
    house.loop.turn()
    assert [numbers(outlet) for _, outlet in members] == [[1], [1], [], [], [], [], []]
    house.news.leave(members[0][0])
    house.news.leave(members[5][0])
    assert numbers(members[5][1]) == [1]
    newcomer = house.join()
    other_form = house.join(Form.FRAMED)
    house.publish(2)
    house.loop.run()
    expected = [[1], [1, 2], [1, 2], [1, 2], [1, 2], [1], [1, 2]]
    assert [numbers(outlet) for _, outlet in members] == expected
    assert numbers(newcomer[1]) == numbers(other_form[1]) == [2]


@pytest.mark.usefixtures("yielding")
def test_the_next_frame_waits_for_the_one_under_way(house: House) -> None:
    outlets = [house.join()[1] for _ in range(5)]
    house.publish(1)
    house.loop.turn()
    house.publish(2)
    house.loop.turn()
    assert [numbers(outlet) for outlet in outlets] == [[1], [1], [1], [1], []]
    house.loop.run()
    assert [numbers(outlet) for outlet in outlets] == [[1, 2]] * 5


@pytest.mark.usefixtures("yielding")
def test_a_large_channel_does_not_hold_up_a_small_one(house: House) -> None:
    for _ in range(20):
        house.join()
    sport = Address.channel("sport")
    _, outlet = house.join(local=house.hub.open(sport, "disconnect"))
    house.publish(1)
    house.publish(2, address=sport)
    house.loop.turn()
    house.loop.turn()
    assert numbers(outlet) == [2]
    house.loop.run()


@in_loop
async def test_what_comes_meanwhile_goes_before_the_next_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's bytes that came during a slice are read in the turn after it, before its next slice."""
    monkeypatch.setattr(hub_module, "SLICE", 1)
    monkeypatch.setattr(hub_module, "SLICE_SECONDS", 0.0)
    loop = asyncio.get_running_loop()
    house = House(loop)
    outlets = [house.join()[1] for _ in range(20)]
    here, there = socket.socketpair()
    with here, there:
        seen: list[int] = []
        loop.add_reader(here, lambda: seen.append(len([outlet for outlet in outlets if outlet.messages])))
        outlets[2].before_send = lambda: there.send(b"!")  # within the third slice
        house.publish(1)
        while not outlets[-1].messages:
            await asyncio.sleep(0)
        loop.remove_reader(here)
    assert seen[0] == 3


def test_many_small_frames_yield_too(house: House, loop: FakeLoop) -> None:
    """Notices of many newcomers, say: each is a frame of its own, since each skips another connection."""
    _, outlet = house.join()
    for n in range(50):
        house.publish(n, f"other-{n}")
    loop.tick = 1.0
    assert loop.run() >= 50
    assert numbers(outlet) == list(range(50))


def test_many_small_channels_yield_too(house: House, loop: FakeLoop) -> None:
    addresses = [Address.channel(str(n)) for n in range(50)]
    outlets = [house.join(local=house.hub.open(address, "disconnect"))[1] for address in addresses]
    for n, address in enumerate(addresses):
        house.publish(n, address=address)
    loop.tick = 1.0
    assert loop.run() >= 50
    assert [numbers(outlet) for outlet in outlets] == [[n] for n in range(50)]


def test_holes_are_closed(house: House) -> None:
    members = [house.join(form) for form in (Form.BARE, Form.FRAMED) for _ in range(100)]
    for member, _ in members[1::2] + members[::4]:
        house.news.leave(member)
    stay = [pair for pair in members if numbers(pair[1]) == [] and pair in members[2::4]]
    assert house.news.count == len(stay) == 50
    assert list(house.news.members()) == [member for member, _ in stay]
    assert sum(len(roster.members) for roster in house.news._rosters) <= 2 * len(stay) + 2, "no list grows for ever"
    house.publish(1)
    house.loop.run()
    assert [numbers(outlet) for _, outlet in stay] == [[1]] * 50
    for member, _ in stay:
        house.news.leave(member)
    assert house.news.count == 0
    assert list(house.news.members()) == []
    assert sum(len(roster.members) for roster in house.news._rosters) == 0


@pytest.mark.usefixtures("yielding")
def test_holes_made_during_a_fan_out_are_closed_after_it(house: House) -> None:
    members = [house.join() for _ in range(10)]
    house.publish(1)
    house.loop.turn()
    for member, _ in members[:9]:
        house.news.leave(member)
    house.loop.run()
    assert numbers(members[9][1]) == [1]
    assert sum(len(roster.members) for roster in house.news._rosters) <= 2


@pytest.mark.parametrize("error", [ConnectionResetError(), BrokenPipeError(), BlockingIOError(), OSError(9, "bad")])
def test_a_client_that_fails_costs_the_others_nothing(house: House, error: OSError) -> None:
    outlets = [house.join()[1] for _ in range(3)]
    outlets[1].broken = error
    house.publish(1)
    house.loop.run()
    assert [numbers(outlet) for outlet in outlets] == [[1], [], [1]]


def test_a_failure_that_nobody_foresaw_costs_the_others_nothing(house: House, logs: LogWatch) -> None:
    outlets = [house.join()[1] for _ in range(4)]
    outlets[1].broken = RuntimeError("a bug in a transport")
    outlets[2].failed(b"", BlockingIOError())
    outlets[2].broken = RuntimeError("another")
    house.publish(1)
    house.publish(2)
    house.loop.run()
    assert [numbers(outlet) for outlet in outlets] == [[1, 2], [], [], [1, 2]]
    house.publish(3)
    house.loop.run()
    assert numbers(outlets[3]) == [1, 2, 3]
    for _ in range(2):
        logs.expect("news", level=40)


def test_a_full_socket_is_not_asked_again_by_the_fan_out(house: House) -> None:
    _, outlet = house.join()
    outlet.room = 10
    for n in range(3):
        house.publish(n)
        house.loop.run()
    assert numbers(outlet) == []
    outlet.drain()
    assert numbers(outlet) == [0, 1, 2]


def test_what_comes_for_an_address_without_members_is_ignored(house: House) -> None:
    house.publish(1, address=Address.channel("nobody"))
    house.hub.forget(NEWS)
    house.publish(2)
    assert house.loop.run() == 0
    assert house.hub.delivered == 2


def test_a_channel_with_history_tells_the_position(house: House) -> None:
    _, outlet = house.join()
    payload = Publication(NEWS, b"1", "").payload()
    house.hub.deliver(NEWS, payload, Position("e", 4))
    house.hub.deliver(NEWS, payload, Position("e", 5))
    house.loop.run()
    assert [(message["epoch"], message["offset"]) for message in outlet.messages] == [("e", 4), ("e", 5)]
    assert house.news.position == Position("e", 5)


def test_orders_are_obeyed_and_nonsense_is_logged(house: House, logs: LogWatch) -> None:
    house.hub.deliver(CONTROL, notice_payload(b"order", kind=CONTROL_KIND))
    assert house.orders == [b"order"]
    house.hub.deliver(NEWS, b"nonsense")
    logs.expect("ignored what the backend delivered for channel news", level=40)


def test_an_order_that_fails_is_the_backend_s_business_no_more(logs: LogWatch) -> None:
    def fail(order: bytes) -> None:
        raise KeyError("subscriber_id")

    Hub(fail).deliver(CONTROL, notice_payload(b"{}", kind=CONTROL_KIND))
    logs.expect("order", level=40)


def test_a_hub_serves_another_loop_after_the_first_has_gone(house: House) -> None:
    _, outlet = house.join()
    house.publish(1)
    second = FakeLoop()
    house.hub.bind(second)  # type: ignore[arg-type]
    house.publish(2)
    second.run()
    assert numbers(outlet) == [1, 2]


def test_it_works_on_a_real_loop() -> None:
    async def scenario() -> list[int]:
        hub = Hub(lambda order: None)
        hub.bind(asyncio.get_running_loop())
        outlet = FakeOutlet()
        hub.open(NEWS, "disconnect").join(Member(outlet, "c1"))
        for n in range(3):
            hub.deliver(NEWS, Publication(NEWS, json.dumps(n).encode(), "").payload())
            await asyncio.sleep(0)
        return numbers(outlet)

    assert asyncio.run(scenario()) == [0, 1, 2]


# ------------------------------------------------------------------------------------------------------- what it counts


class Watched(Tally):
    """Notes how often something is counted."""

    __slots__ = ("times",)

    def __init__(self) -> None:
        object.__setattr__(self, "times", 0)
        super().__init__()
        object.__setattr__(self, "times", 0)

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, "times", self.times + (name == "deliveries"))
        object.__setattr__(self, name, value)


@pytest.mark.parametrize(("skip", "times"), [("", 1), ("nobody who is here", 3)])
def test_deliveries_are_counted_by_frame_or_slice(house: House, skip: str, times: int) -> None:
    house.hub.tally = tally = Watched()
    local = house.hub.open(Address.channel("crowd"), "disconnect")
    outlets = [house.join(local=local)[1] for _ in range(2 * SLICE + 10)]
    for n in range(3):
        house.publish(n, skip=skip, address=local.address)
    house.loop.run()
    assert all(numbers(outlet) == [0, 1, 2] for outlet in outlets)
    assert tally.times == times
    assert tally.deliveries == 3 * len(outlets)
    assert tally.delivered_bytes == sum(len(outlet.taken) for outlet in outlets)


@pytest.mark.usefixtures("yielding")
def test_who_leaves_under_way_is_counted_once(house: House) -> None:
    members = [house.join(form) for form in (Form.BARE, Form.FRAMED) for _ in range(4)]
    house.publish(1)
    house.loop.turn()
    house.news.leave(
        members[3][0]
    )  # gets at once what it is owed, as the next one does, whose form's turn is yet to come
    house.news.leave(members[7][0])
    house.join()
    house.loop.run()
    assert [numbers(outlet) for _, outlet in members] == [[1]] * 8
    assert house.hub.tally.deliveries == 8
    assert house.hub.tally.delivered_bytes == sum(len(outlet.taken) for _, outlet in members)


@pytest.mark.usefixtures("yielding")
def test_who_left_or_is_skipped_is_not_counted(house: House) -> None:
    members = [house.join(form) for form in (Form.BARE, Form.FRAMED) for _ in range(4)]
    house.news.leave(members[0][0])
    house.publish(1, skip=members[1][0].id)
    house.loop.turn()
    house.news.leave(members[7][0])  # gets at once what it is owed
    house.loop.run()
    reached = [outlet for _, outlet in members if numbers(outlet)]
    assert len(reached) == 6
    assert house.hub.tally.deliveries == 6
    assert house.hub.tally.delivered_bytes == sum(len(outlet.taken) for outlet in reached)


def test_what_is_full_is_known_at_every_moment(house: House) -> None:
    tally = house.hub.tally
    user = house.hub.open(Address.user("ada"), "disconnect")
    (one, _), (two, _), (three, _) = house.join(), house.join(Form.FRAMED), house.join(local=user)
    assert (tally.channels.addresses, tally.channels.members) == (1, 2)
    assert (tally.users.addresses, tally.users.members) == (1, 1)
    house.publish(1)
    house.news.hand_over(one)
    assert (tally.channels.addresses, tally.channels.members) == (1, 2)
    house.news.leave(one)
    house.news.leave(two)
    user.leave(three)
    assert (tally.channels.addresses, tally.channels.members, tally.users.addresses, tally.users.members) == (
        0,
        0,
        0,
        0,
    )
