"""The hub against a model: whoever comes, goes, stalls and breaks under way, in one channel or in both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from support.outlets import FakeOutlet

from sethpusher_core import hub as hub_module
from sethpusher_core.addresses import Address
from sethpusher_core.frames import Form
from sethpusher_core.hub import Hub, Local
from sethpusher_core.publication import Publication
from sethpusher_core.roster import Member

CHANNELS = [Address.channel("a"), Address.channel("b")]


@dataclass
class Expected:
    """What one member must get."""

    channel: str
    member: Member
    outlet: FakeOutlet
    due: list[int] = field(default_factory=list)
    here: bool = True
    broken: bool = False

    def received(self) -> list[int]:
        return [message["message"] for message in self.outlet.messages if message["channel"] == self.channel]


class House:
    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []
        self.hub = Hub(lambda order: None)
        self.hub.bind(self)  # type: ignore[arg-type]
        self.locals: list[Local] = [self.hub.open(address, "disconnect") for address in CHANNELS]
        self.everyone: list[list[Expected]] = [[] for _ in CHANNELS]
        self.numbers = 0

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def join(self, channel: int, form: Form, who: int | None = None) -> None:
        """A client joins: a new one, or one of those who are, or were, in the other channel."""
        others = [expected.outlet for expected in self.everyone[1 - channel] if not expected.outlet.closed]
        here = {expected.outlet for expected in self.everyone[channel]}
        others = [outlet for outlet in others if outlet not in here]
        outlet = FakeOutlet(form) if who is None or not others else others[who % len(others)]
        member = Member(outlet, f"{channel}-{len(self.everyone[channel])}")
        self.locals[channel].join(member)
        broken = outlet.broken is not None
        self.everyone[channel].append(Expected(CHANNELS[channel].name, member, outlet, broken=broken))

    def leave(self, channel: int, who: int) -> None:
        if (expected := self._pick(channel, who)) is not None:
            expected.here = False
            self.locals[channel].leave(expected.member)

    def publish(self, channel: int, skipped: int | None) -> None:
        skip = None if skipped is None else self._pick(channel, skipped)
        self.numbers += 1
        for expected in self.everyone[channel]:
            if expected.here and expected is not skip:
                expected.due.append(self.numbers)
        id = "" if skip is None else skip.member.id
        address = CHANNELS[channel]
        self.hub.deliver(address, Publication(address, str(self.numbers).encode(), "", skip=id).payload())

    def stall(self, channel: int, who: int) -> None:
        if (expected := self._pick(channel, who)) is not None:
            expected.outlet.room = 40

    def drain(self, channel: int, who: int) -> None:
        if (expected := self._pick(channel, who)) is not None and not expected.outlet.closed:
            expected.outlet.drain()

    def break_(self, channel: int, who: int) -> None:
        if (expected := self._pick(channel, who)) is not None:
            expected.outlet.broken = ConnectionResetError()
            for other in (other for everyone in self.everyone for other in everyone):
                other.broken = other.broken or other.outlet is expected.outlet

    def turn(self) -> None:
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()

    def idle(self) -> None:
        while self.callbacks:
            self.turn()
        for channel, everyone in enumerate(self.everyone):
            for expected in everyone:
                if expected.here and not expected.broken:
                    assert expected.outlet.blocked or expected.received() == expected.due
            here = [expected.member for expected in everyone if expected.here]
            assert self.locals[channel].count == len(here)
            assert set(self.locals[channel].members()) == set(here)
        channels = self.hub.tally.channels
        assert channels.members == sum(local.count for local in self.locals)
        assert channels.addresses == sum(local.count > 0 for local in self.locals)

    def end(self) -> None:
        self.idle()
        for expected in (expected for everyone in self.everyone for expected in everyone):
            if not expected.outlet.closed:
                expected.outlet.broken = None
                expected.outlet.drain()
            received = expected.received()
            assert received == expected.due[: len(received)], "a gap, a repeat or a wrong order"
            assert expected.broken or received == expected.due
        everybody = [expected for everyone in self.everyone for expected in everyone]
        due = sum(len(expected.due) for expected in everybody)
        broken = sum(len(expected.due) for expected in everybody if expected.broken)
        assert due - broken <= self.hub.tally.deliveries <= due

    def _pick(self, channel: int, who: int) -> Expected | None:
        here = [expected for expected in self.everyone[channel] if expected.here]
        return here[who % len(here)] if here else None


CHANNEL = st.integers(0, 1)
WHO = st.integers(0, 20)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just(House.join), CHANNEL, st.sampled_from([Form.BARE, Form.FRAMED]), st.none() | WHO),
        st.tuples(st.just(House.leave), CHANNEL, WHO),
        st.tuples(st.just(House.publish), CHANNEL, st.none() | WHO),
        st.tuples(st.just(House.stall), CHANNEL, WHO),
        st.tuples(st.just(House.drain), CHANNEL, WHO),
        st.tuples(st.just(House.break_), CHANNEL, WHO),
        st.tuples(st.just(House.turn)),
        st.tuples(st.just(House.idle)),
    ),
    max_size=80,
)


@given(st.integers(1, 5), st.lists(st.sampled_from([Form.BARE, Form.FRAMED]), max_size=8), STEPS)
def test_every_member_gets_all_that_was_published_while_it_was_one_in_order(
    size: int, first: list[Form], steps: list[tuple[Callable[..., None], ...]]
) -> None:
    house = House()
    ticks = iter(range(10**9))
    with patch.object(hub_module, "SLICE", size), patch.object(hub_module, "perf_counter", lambda: float(next(ticks))):
        for form in first:
            house.join(0, form)
        for act, *arguments in steps:
            act(house, *arguments)
        house.end()
