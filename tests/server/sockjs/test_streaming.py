"""xhr_streaming, eventsource, htmlfile: many packets in one response."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
from server.sockjs.kit import Channel, Http, Stream, new_session, serving, until
from server.sockjs.test_polling import AWKWARD, NOT_CACHED, Talker
from support.loops import in_loop
from support.timing import SCALE

from sethpusher_core.transports.outlet import Budget

TRANSPORTS = ["xhr_streaming", "eventsource", "htmlfile"]
each = pytest.mark.parametrize("transport", TRANSPORTS)

HTML = """<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.cb;
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>"""

TYPES = {
    "xhr_streaming": "application/javascript; charset=UTF-8",
    "eventsource": "text/event-stream",
    "htmlfile": "text/html; charset=UTF-8",
}


@each
@in_loop
async def test_prelude_open_echo(transport: str) -> None:
    async with serving() as served:
        session = new_session()
        async with Stream.open(served.port, session, transport) as stream:
            headers = stream.start.headers
            assert headers["content-type"] == TYPES[transport]
            assert headers["cache-control"] == NOT_CACHED
            assert headers["transfer-encoding"] == "chunked"
            assert headers["x-accel-buffering"] == "no"
            assert "content-length" not in headers
            if transport == "htmlfile":
                assert stream.prelude.decode().strip() == HTML
                assert len(stream.prelude) > 1024
            else:
                assert stream.prelude == Stream.PRELUDES[transport]
            assert await stream.packet() == "o"
            await served.send(session, *AWKWARD)
            packet = await stream.packet()
            assert packet[0] == "a"
            assert json.loads(packet[1:]) == AWKWARD
            served.last.send("more")
            assert await stream.packet() == 'a["more"]'
            assert served.last.session.transport_name == transport


@each
@in_loop
async def test_all_that_waits_then_the_close_then_the_end(transport: str) -> None:
    async with serving(Talker) as served:
        session = new_session()
        async with Stream.open(served.port, session, transport) as stream:
            assert [await stream.packet() for _ in range(4)] == ["o", 'a["one","two"]', 'c[3000,"Go away!"]', None]
            # The response is over and not the connection: it serves the next request.
            assert (await stream.call("GET", "/echo/info")).status == 200
        async with Stream.open(served.port, session, transport) as stream:
            assert [await stream.packet() for _ in range(2)] == ['c[3000,"Go away!"]', None]
        assert served.last.ended == 3000


@each
@in_loop
async def test_a_response_ends_at_its_limit_and_nothing_is_lost(transport: str) -> None:
    async with serving(response_limit=4096) as served:
        session = new_session()
        got: list[str] = []
        responses = 0
        while len(got) < 200:
            size = 0
            async with Stream.open(served.port, session, transport) as stream:
                responses += 1
                if responses == 1:
                    assert await stream.packet() == "o"
                    for number in range(200):
                        served.last.send(f"{number:0128}")
                while len(got) < 200 and (packet := await stream.packet()) is not None:
                    size += len(packet)
                    got += json.loads(packet[1:])
            assert 4096 - 64 <= size < 4096 + 256 or len(got) == 200
        assert got == [f"{number:0128}" for number in range(200)]
        assert responses >= 6


@in_loop
async def test_the_prelude_does_not_count() -> None:
    async with serving(response_limit=4096) as served:
        session = new_session()
        async with Stream.open(served.port, session, "xhr_streaming") as stream:
            assert await stream.packet() == "o"
            for _ in range(31):
                await served.send(session, "x" * 128)
                assert await stream.packet() == f'a["{"x" * 128}"]'
            assert await stream.packet() is None


@each
@in_loop
async def test_http_1_0_ends_with_the_connection(transport: str) -> None:
    """Whatever the client wishes: its only sign of a response's end."""
    async with serving(Talker) as served, Http.connect(served.port) as http:
        method = "POST" if transport == "xhr_streaming" else "GET"
        http.ask(method, f"{new_session()}/{transport}?c=cb", headers={"Connection": "keep-alive"}, version="HTTP/1.0")
        answer = await http.answer()
        assert not {"content-length", "transfer-encoding"} & answer.headers.keys()
        assert "3000" in answer.text
        assert await http.ended()


@in_loop
async def test_messages_that_came_between_two_responses() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)  # transports may be mixed
        served.last.send("one")
        async with Stream.open(served.port, session, "eventsource") as stream:
            assert await stream.packet() == 'a["one"]'
            served.last.send("two")
            assert await stream.packet() == 'a["two"]'


@each
@in_loop
async def test_a_reader_that_stops_and_reads_on_misses_nothing(transport: str) -> None:
    async with serving(budget=Budget(limit=2**25), response_limit=2**25) as served:
        session = new_session()
        async with Stream.open(served.port, session, transport) as stream:
            assert await stream.packet() == "o"
            channel = Channel([served.last.session])
            stream.writer.transport.pause_reading()
            count = 0
            while not served.last.session.backlog_bytes or count < 300:
                channel.publish(f'[{count},"{"x" * 20_000}"]')
                count += 1
                await asyncio.sleep(0)
            held = served.router.budget.used
            assert held > 2**20, "the socket took it all"
            stream.writer.transport.resume_reading()
            numbers: list[int] = []
            while len(numbers) < count:
                numbers += [json.loads(message)[0] for message in json.loads((await stream.packet())[1:])]
            assert numbers == list(range(count))
            await until(lambda: served.router.budget.used == 0, "all is off the account")


@each
@in_loop
async def test_a_reader_that_stops_is_cut_and_costs_the_others_nothing(transport: str) -> None:
    async with (
        serving(budget=Budget(limit=2**18), disconnect_delay=0.1 * SCALE, response_limit=2**26) as served,
        Stream.open(served.port, new_session(), transport) as slow,
        Stream.open(served.port, new_session(), transport) as quick,
    ):
        assert [await slow.packet(), await quick.packet()] == ["o", "o"]
        slow.writer.transport.pause_reading()
        line = slow.writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sessions = [connection.session for connection in served.made]
        channel = Channel(sessions)
        sent = 0
        while not sessions[0].closed:
            assert sent < 1500, "30 MB and not cut"
            channel.publish(f'"{sent:0{20_000}}"')
            assert json.loads((await quick.packet())[1:]) == [f'"{sent:0{20_000}}"']
            sent += 1
            assert served.router.budget.used <= 2**18 + 50_000
        assert served.router.budget.cut == 1
        await until(lambda: served.made[0].ended == 3002, "the application is told")
        # It never reads again, so after disconnect_delay its connection is cut, too.
        await until(lambda: len(served.router.http_sessions) == 1, "it is forgotten")
        assert served.made[1].ended is None
        await until(lambda: len(served.http._connections) == 1, "its connection is cut")


@pytest.mark.parametrize("on_slow", ["drop_oldest", "drop_newest"])
@in_loop
async def test_a_slow_reader_is_told_what_was_dropped(on_slow: str) -> None:
    async with (
        serving(budget=Budget(limit=2**18), response_limit=2**25) as served,
        Stream.open(served.port, new_session(), "xhr_streaming") as stream,
    ):
        assert await stream.packet() == "o"
        stream.writer.transport.pause_reading()
        channel = Channel([served.last.session], on_slow)
        count = 0
        while served.router.budget.dropped < 50:
            channel.publish(f'{{"n":{count},"p":"{"x" * 20_000}"}}')
            count += 1
            await asyncio.sleep(0)
        stream.writer.transport.resume_reading()
        numbers: list[int] = []
        while True:
            messages = [json.loads(message) for message in json.loads((await stream.packet())[1:])]
            numbers += [message["n"] for message in messages if "n" in message]
            if "type" in messages[-1]:
                break
        assert messages[-1] == {"type": "dropped", "channel": "news", "count": served.router.budget.dropped}
        assert len(numbers) + served.router.budget.dropped == count
        assert numbers == sorted(numbers)
        assert (numbers[-1] == count - 1) is (on_slow == "drop_oldest")
