"""The way out: from an envelope to the sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from sethpusher_core.addresses import Address
from sethpusher_core.errors import CloseCode
from sethpusher_core.frames import Form, Frame
from sethpusher_core.hub import Hub
from sethpusher_core.publication import Publication
from sethpusher_core.roster import Member, Roster
from sethpusher_core.transports.outlet import Budget, Outlet

NEWS = Address.channel("news")
SMALL = b'{"message":{"t":"@1234567890123456789@"},"sender_id":null,"channel":"news"}'
LARGE = b'{"message":{"t":"%b"},"sender_id":null,"channel":"news"}' % (b"x" * 4096)
MEMBERS = 1000


class Sink(Outlet):
    """A client that takes everything, or, while ``full``, nothing."""

    def __init__(self, form: Form, send: Callable[[bytes], int] = len) -> None:
        super().__init__(form, Budget(2**40, 2**40))
        self.send = send
        self.blocked = form is Form.SESSION
        self.full = False

    def partial(self, data: bytes, sent: int) -> None:
        raise AssertionError("it takes everything")

    def failed(self, data: bytes, error: OSError) -> None:
        raise error

    def pump(self) -> None:
        while not self.full and (entry := self._pop()) is not None:
            self._account(-len(entry.data))

    def cut(self, reason: CloseCode) -> None:
        raise AssertionError("nothing is over its bound")


class Loop:
    """Turns when it is told to."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], Any]] = []

    def call_soon(self, callback: Callable[[], Any]) -> None:
        self.callbacks.append(callback)

    def turn(self) -> None:
        while self.callbacks:
            self.callbacks.pop()()


def roster(form: Form, send: Callable[[bytes], int] = len) -> Roster:
    filled = Roster(form)
    for number in range(MEMBERS):
        Member(Sink(form, send), f"c{number}").enter(filled)
    return filled


@pytest.mark.parametrize("form", list(Form), ids=lambda form: form.name)
@pytest.mark.parametrize(("envelope", "count"), [(SMALL, 1), (SMALL, 64), (LARGE, 1)], ids=["small", "64", "4KiB"])
def test_form(benchmark: BenchmarkFixture, form: Form, envelope: bytes, count: int) -> None:
    data = benchmark(lambda: Frame([envelope] * count).form(form))
    assert len(data) > 50


@pytest.mark.parametrize("form", [Form.FRAMED, Form.SESSION], ids=lambda form: form.name)
def test_loop_over_1000_members(benchmark: BenchmarkFixture, form: Form) -> None:
    """What the server adds to 1,000 sends, which cost nothing here."""
    members, frame = roster(form), Frame([SMALL])
    assert benchmark(lambda: members.send(slice(0, MEMBERS), frame, "news", "disconnect")) == 0


@pytest.fixture
def line() -> Iterator[socket.socket]:
    here, there = socket.socketpair()
    here.setblocking(False)
    yield here
    here.close()
    there.close()


def test_send_to_a_full_socket(benchmark: BenchmarkFixture, line: socket.socket) -> None:
    """The least that a ``send`` costs, from Python."""

    def send() -> bool:
        try:
            return line.send(b"x" * 65536) == 0
        except BlockingIOError:
            return True

    while not send():
        pass
    assert benchmark(send)


def test_publication_to_1000_members(benchmark: BenchmarkFixture) -> None:
    loop = Loop()
    hub = Hub(lambda order: None)
    hub.bind(loop)  # type: ignore[arg-type]  # all that it uses of a loop
    local = hub.open(NEWS, "disconnect")
    for number in range(MEMBERS):
        local.join(Member(Sink(Form.FRAMED), f"c{number}"))
    payload = Publication(NEWS, b'{"t":1}', "1").payload()

    def publish() -> None:
        hub.deliver(NEWS, payload)
        loop.turn()

    benchmark(publish)
    assert hub.tally.deliveries >= MEMBERS


def test_join_and_leave_a_channel_of_1000(benchmark: BenchmarkFixture) -> None:
    hub = Hub(lambda order: None)
    local = hub.open(NEWS, "disconnect")
    for number in range(MEMBERS):
        local.join(Member(Sink(Form.FRAMED), f"c{number}"))

    def come_and_go() -> None:
        member = Member(Sink(Form.FRAMED), "other")
        local.join(member)
        local.leave(member)

    benchmark(come_and_go)
    assert local.count == MEMBERS


def test_queue_and_flush_100_frames(benchmark: BenchmarkFixture) -> None:
    outlet, frame = Sink(Form.FRAMED), Frame([SMALL])

    def stall_and_read() -> None:
        outlet.full = True
        for _ in range(100):
            outlet.enqueue(frame, "news", "disconnect")
        outlet.full = False
        outlet.pump()

    benchmark(stall_and_read)
    assert outlet.waiting == 0
