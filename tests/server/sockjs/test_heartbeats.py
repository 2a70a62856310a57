"""Signs of life: on every transport, spread over the interval; and the end of those that give none."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from server.sockjs.kit import Channel, Stream, WebSocket, in_virtual_time, new_session, serving, until
from support.loops import in_loop
from support.timing import SCALE

from sethpusher_core.transports.http_session import QUIET_BEATS
from sethpusher_core.transports.outlet import Budget
from sethpusher_core.transports.wheel import Wheel

pytestmark = pytest.mark.usefixtures("doors")

BEAT = 0.05 * SCALE
NEVER = 3600.0


@in_loop
async def test_a_poll_is_answered_by_a_heartbeat() -> None:
    async with serving(heartbeat_delay=BEAT) as served:
        session = new_session()
        await served.poll(session)
        for _ in range(3):
            assert await served.poll(session) == "h"
        answer = await served.get(f"{session}/jsonp?c=cb")
        assert answer.text == '/**/cb("h");\r\n'


@pytest.mark.parametrize("transport", ["xhr_streaming", "eventsource", "htmlfile"])
@in_loop
async def test_streams_have_heartbeats(transport: str) -> None:
    """And end after some, so that a client that lives shows it by coming back."""
    async with serving(heartbeat_delay=BEAT) as served:
        session = new_session()
        async with Stream.open(served.port, session, transport) as stream:
            assert await stream.packet() == "o"
            beats = 0
            while (packet := await stream.packet()) is not None:
                assert packet == "h"
                beats += 1
            assert beats == QUIET_BEATS
        async with Stream.open(served.port, session, transport) as stream:
            assert await stream.packet() == "h", "the session goes on"


@in_loop
async def test_a_client_that_sends_lives() -> None:
    async with serving(heartbeat_delay=BEAT) as served:
        session = new_session()
        async with Stream.open(served.port, session, "eventsource") as stream:
            assert await stream.packet() == "o"
            beats = 0
            while beats < 2 * QUIET_BEATS:
                packet = await stream.packet()
                assert packet is not None, "the response has ended"
                if packet == "h":
                    beats += 1
                    await served.send(session)


@in_loop
async def test_a_dead_stream_is_found() -> None:
    """Its kernel takes heartbeats for hours, but nobody comes back."""
    async with (
        serving(heartbeat_delay=BEAT, disconnect_delay=BEAT) as served,
        Stream.open(served.port, new_session(), "xhr_streaming") as stream,
    ):
        assert await stream.packet() == "o"
        stream.writer.transport.pause_reading()
        await until(lambda: served.last.ended is not None, "it is found")
        assert served.last.ended == 1006
        assert not len(served.router.http_sessions)


@in_loop
async def test_a_stream_whose_reader_has_stopped_is_found() -> None:
    """Where the channel drops rather than disconnects, only the heartbeat can see it."""
    async with (
        serving(heartbeat_delay=4 * BEAT, budget=Budget(2**20), response_limit=2**30) as served,
        Stream.open(served.port, new_session(), "eventsource") as stream,
    ):
        assert await stream.packet() == "o"
        stream.writer.transport.pause_reading()
        channel = Channel([served.last.session], "drop_oldest")
        while not served.last.ended:
            if not served.router.budget.dropped:
                channel.publish('"' + "x" * 200_000 + '"')
            await asyncio.sleep(0)
        assert served.last.ended == 3003
        assert served.router.budget.used == 0


@in_loop
async def test_a_framed_websocket_has_heartbeats_and_pings_and_a_bare_one_pings() -> None:
    async with serving(heartbeat_delay=BEAT, ping_interval=BEAT) as served:
        async with WebSocket.connect(served) as framed, WebSocket.connect(served, "/echo/websocket") as bare:
            assert [await framed.receive() for _ in range(4)] == ["o", "h", "h", "h"]
            assert framed.pings >= 2
            while bare.pings < 3:
                await bare._receive()
            assert not bare._frames
            bare.text("still here")
            assert await bare.receive() == "still here"
        assert not served.router.budget.used


@pytest.mark.parametrize("path", ["/echo/000/x/websocket", "/echo/websocket"])
@in_loop
async def test_a_websocket_that_answers_no_ping_is_ended(path: str) -> None:
    timeout = 4 * BEAT
    async with (
        serving(heartbeat_delay=NEVER, ping_interval=BEAT, ping_timeout=timeout) as served,
        WebSocket.connect(served, path) as dead,
        WebSocket.connect(served, path) as live,
    ):
        loop = asyncio.get_running_loop()
        began = loop.time()
        while served.made[0].ended is None:
            await live._receive()  # which answers pings
        assert served.made[0].ended == 3003
        assert timeout < loop.time() - began < timeout + BEAT + 1.0 * SCALE
        assert served.made[1].ended is None
        while await dead.receive() in ("o", 'c[3003,"no answer to a ping"]'):
            pass
        assert await dead.closed() == (3003, "no answer to a ping"), "if it lives after all, it is told why"


@in_loop
async def test_a_websocket_that_reads_slowly_but_reads_lives() -> None:
    timeout = 10 * BEAT
    async with (
        serving(heartbeat_delay=NEVER, ping_interval=BEAT, ping_timeout=timeout, budget=Budget(2**26)) as served,
        WebSocket.connect(served, buffer=2**17) as ws,
    ):
        await ws.opened()
        session = served.last.session
        # Else the kernel takes megabytes, and asks for more only when a third of them has gone.
        session._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
        session.send_message("x" * 2**25)
        assert session.blocked
        got = 0
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < 2 * timeout + 4 * BEAT:  # and still the same message
            got += len(await ws.reader.read(2**14))
            await asyncio.sleep(BEAT / 50)
        assert served.last.ended is None
        assert session.blocked, f"too fast a reader: {got}"


@in_loop
async def test_a_websocket_that_stops_reading_is_ended_by_the_ping() -> None:
    async with (
        serving(heartbeat_delay=NEVER, ping_interval=BEAT, ping_timeout=2 * BEAT, budget=Budget(2**18)) as served,
        WebSocket.connect(served, buffer=4096) as ws,
    ):
        await ws.opened()
        channel = Channel([served.last.session], "drop_newest")
        while not served.last.ended:
            channel.publish('"' + "x" * 20_000 + '"')
            await asyncio.sleep(0)
        assert served.last.ended == 3003


@in_loop
async def test_a_websocket_that_the_application_does_not_read_from_is_not_blamed() -> None:
    async with (
        serving(heartbeat_delay=NEVER, ping_interval=BEAT, ping_timeout=BEAT) as served,
        WebSocket.connect(served, "/echo/websocket") as ws,
    ):
        served.last.session.pause()
        while ws.pings < 8:
            await ws._receive()
        assert served.last.ended is None
        served.last.session.resume()
        ws.text("still here")
        assert await ws.receive() == "still here"


# --------------------------------------------------------------------------------------------------------- the wheel


class Member:
    pass


@in_virtual_time
async def test_a_wheel_spreads_and_is_regular() -> None:
    beats: list[tuple[float, Member]] = []
    loop = asyncio.get_running_loop()
    began = loop.time()
    wheel: Wheel[Member] = Wheel(25.0, lambda member: beats.append((loop.time() - began, member)))
    members = [Member() for _ in range(1000)]
    for member in members:
        wheel.add(member)
    wheel.start()
    await asyncio.sleep(100.1)
    wheel.stop()
    ticks = Counter(round(when, 3) for when, _ in beats)
    assert max(ticks.values()) <= 1000 / (12.5 / 0.2) + 1, "a burst"
    by_member: dict[Member, list[float]] = {member: [] for member in members}
    for when, member in beats:
        by_member[member].append(when)
    for times in by_member.values():
        assert 12.0 < times[0] < 25.5
        assert all(later - earlier == pytest.approx(25.0) for earlier, later in pairwise(times))
        assert len(times) in (3, 4)


@pytest.mark.parametrize("interval", [0.05, 0.3, 1.0, 25.0])
@pytest.mark.parametrize("after", [0.02, 1.0, 20.0, 60.0])
@in_virtual_time
async def test_a_check_comes_soon_after_its_time_and_never_before(interval: float, after: float) -> None:
    loop = asyncio.get_running_loop()
    first_beat: list[float] = []
    delays: list[float] = []

    def beat(member: Member) -> None:
        if not first_beat:
            first_beat.append(loop.time())

    def check(member: Member) -> None:
        if first_beat and loop.time() - first_beat[0] >= after:
            delays.append(loop.time() - first_beat[0])

    wheel: Wheel[Member] = Wheel(interval, beat, check=check, check_after=after)
    wheel.add(Member())
    wheel.start()
    await asyncio.sleep(2 * interval + after + 2)
    wheel.stop()
    assert after <= delays[0] <= after + 2 * 0.21


@in_loop
async def test_a_wheel_forgets_and_survives_a_failing_member(logs: Any) -> None:
    beats: list[Member] = []
    good, bad, gone = Member(), Member(), Member()

    def beat(member: Member) -> None:
        if member is bad:
            raise ValueError("told to")
        beats.append(member)

    wheel: Wheel[Member] = Wheel(0.01, beat)
    for member in (bad, gone, good):
        wheel.add(member)
    wheel.remove(gone)
    wheel.remove(gone)
    assert len(wheel) == 2
    wheel.start()
    await until(lambda: beats, "a beat")
    wheel.stop()
    assert set(beats) == {good}
    logs.expect("a heartbeat failed", level=40)


@in_loop
async def test_a_late_tick_accuses_nobody() -> None:
    checked: list[float] = []
    loop = asyncio.get_running_loop()
    wheel: Wheel[Member] = Wheel(0.01, lambda member: None, check=lambda member: checked.append(loop.time()))
    wheel.add(Member())
    wheel.start()
    stalled_until = _stall()
    await until(lambda: checked, "a check in time")
    wheel.stop()
    assert checked[0] > stalled_until


def _stall() -> float:
    """Holds the loop for longer than a tick may be late."""
    loop = asyncio.get_running_loop()
    end = loop.time() + 0.6
    while loop.time() < end:
        pass
    return end + 0.005
