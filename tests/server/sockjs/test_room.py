"""How many clients may come in, and what becomes of those beyond."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
from collections.abc import AsyncIterator
from typing import Any

import pytest
from server.sockjs.kit import Http, Served, Stream, WebSocket, masked, new_session, serving, until
from server.sockjs.test_handshake import GOOD
from support.loops import in_loop
from support.timing import SCALE
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from websockets.frames import Opcode

from sethpusher_core.errors import OVERLOAD, SHUTDOWN, CloseCode
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.transports.room import MAX_FAREWELLS, UNTOUCHED_FILES, Room

pytestmark = pytest.mark.usefixtures("doors")

FRAMED, BARE = "/echo/000/x/websocket", "/echo/websocket"
SHORT = 0.1 * SCALE
HINT = '{"type":"reconnect","after":2.5}'
STREAMS = ["xhr_streaming", "eventsource", "htmlfile"]


def hint() -> bytes:
    return HINT.encode()


def last_words(reason: CloseCode) -> str:
    return f'c[{reason.code},"{reason.reason}"]'


async def told_over_websocket(served: Served, path: str, reason: CloseCode) -> None:
    async with WebSocket.connect(served, path, before=masked(Opcode.TEXT, b'["too soon"]')) as ws:
        if path.endswith("/x/websocket"):
            assert await ws.receive() == "o"
            packet = await ws.receive()
            assert isinstance(packet, str)
            assert json.loads(packet[1:]) == [HINT]
            assert await ws.receive() == last_words(reason)
        else:
            assert await ws.receive() == HINT
        assert await ws.closed() == (reason.code, reason.reason)


# ------------------------------------------------------------------------------------------------------ per address


@in_loop
async def test_so_many_from_one_address_over_all_transports() -> None:
    async with serving(max_sessions_per_ip=3, disconnect_delay=SHORT) as served:
        async with (
            WebSocket.connect(served, BARE),
            WebSocket.connect(served, FRAMED),
            Stream.open(served.port, new_session(), "eventsource"),
        ):
            assert (await served.get(BARE, GOOD)).status == 503
            for transport in ("xhr", "xhr_streaming"):
                answer = await served.post(f"{new_session()}/{transport}")
                assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert served.router.room.counts == {"sessions_over_ip_limit": 3}
            async with Stream.open(served.port, new_session(), "xhr_streaming", source="127.0.0.2") as stream:
                assert await stream.packet() == "o"
        await until(lambda: not served.router.sessions, "they leave")
        assert not served.router.room._per_ip, "nothing is kept of an address without sessions"
        async with WebSocket.connect(served, BARE):
            pass


@in_loop
async def test_a_session_that_is_over_does_not_count_for_its_address() -> None:
    async with serving(max_sessions_per_ip=1) as served:
        session = new_session()
        await served.poll(session)
        served.last.close()
        await until(lambda: not served.router.sessions, "it ends")
        assert await served.poll(new_session()) == "o"
        assert (await served.post(f"{session}/xhr")).text.startswith("c[3000,")


def test_addresses_are_not_counted_without_a_bound() -> None:
    room = Room(1, 0)
    room.enter("1.2.3.4")
    assert not room._per_ip
    room.leave("1.2.3.4")


# --------------------------------------------------------------------------------------------------------- farewells


@pytest.mark.parametrize("path", [FRAMED, BARE])
@in_loop
async def test_a_websocket_that_finds_no_room_hears_when_to_come_back(path: str) -> None:
    async with serving(max_sessions=1, farewell=hint) as served:
        async with WebSocket.connect(served, BARE) as inside:
            for _ in range(3):
                await told_over_websocket(served, path, OVERLOAD)
            await until(lambda: served.router.room.lines == 1, "nothing is left of them")
            inside.text("all well")
            assert await inside.receive() == "all well"
            assert len(served.made) == 1, "the application hears nothing of those outside"
            assert served.router.room.counts == {"sessions_over_limit": 3}
        await until(lambda: served.router.room.lines == 0, "it leaves")
        async with WebSocket.connect(served, BARE):
            pass


@pytest.mark.parametrize("transport", STREAMS)
@in_loop
async def test_a_stream_that_finds_no_room_hears_when_to_come_back(transport: str) -> None:
    async with serving(max_sessions=1, farewell=hint, disconnect_delay=SHORT) as served, WebSocket.connect(served):
        async with Stream.open(served.port, new_session(), transport) as stream:
            packets = []
            while (packet := await stream.packet()) is not None:
                packets.append(packet)
        assert packets == ["o", f"a[{json.dumps(HINT)}]", last_words(OVERLOAD)]
        assert len(served.made) == 1
        await until(lambda: not len(served.router.http_sessions), "it is forgotten")


@in_loop
async def test_a_poll_that_finds_no_room_hears_when_to_come_back() -> None:
    async with serving(max_sessions=1, farewell=hint, disconnect_delay=SHORT) as served, WebSocket.connect(served):
        session = new_session()
        assert await served.poll(session) == "o"
        await served.send(session, "too soon")
        assert await served.poll(session) == f"a[{json.dumps(HINT)}]"
        assert await served.poll(session) == last_words(OVERLOAD)
        assert await served.poll(session) == last_words(OVERLOAD)
        assert len(served.made) == 1
        await until(lambda: not len(served.router.http_sessions), "it is forgotten")
        assert not served.router.room.parting


@in_loop
async def test_one_that_draining_keeps_out() -> None:
    async with serving(farewell=hint) as served:
        served.router.drain()
        await told_over_websocket(served, BARE, SHUTDOWN)
        await told_over_websocket(served, FRAMED, SHUTDOWN)
        session = new_session()
        assert [await served.poll(session) for _ in range(3)][-1] == last_words(SHUTDOWN)
        assert served.router.room.counts == {"sessions_while_draining": 3}


@in_loop
async def test_too_many_from_one_address_hear_it_too() -> None:
    async with serving(max_sessions_per_ip=1, farewell=hint) as served, WebSocket.connect(served):
        await told_over_websocket(served, FRAMED, OVERLOAD)


@in_loop
async def test_farewells_take_no_room() -> None:
    async with serving(max_sessions=2, farewell=hint) as served:
        first = new_session()
        await served.poll(first)
        async with WebSocket.connect(served):
            for _ in range(5):
                await served.poll(new_session())
        await until(lambda: served.router.room.lines == 0, "one leaves")
        async with WebSocket.connect(served) as ws:
            await ws.opened()
            ws.text('["inside"]')
            assert await ws.receive() == 'a["inside"]'


@in_loop
async def test_one_that_never_answers_its_farewell_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sethpusher_core.transports.websocket.CLOSE_TIMEOUT", SHORT)
    async with (
        serving(max_sessions=1, farewell=hint) as served,
        WebSocket.connect(served),
        Http.connect(served.port) as http,
    ):
        http.ask("GET", BARE, headers=GOOD)
        assert (await http.head()).status == 101
        assert HINT.encode() in await http.reader.read()
        await until(lambda: served.router.room.lines == 1, "its line is closed")


@in_loop
async def test_one_that_goes_at_once() -> None:
    async with serving(max_sessions=1, farewell=hint, disconnect_delay=SHORT) as served, WebSocket.connect(served):
        for number in range(20):
            async with Http.connect(served.port) as http:
                if number % 2:
                    http.ask("GET", BARE, headers=GOOD)
                else:
                    http.ask("POST", f"{new_session()}/xhr")
                if number % 3:
                    await asyncio.sleep(0)
        await until(lambda: served.router.room.lines == 1, "nothing is left of websockets")
        await until(lambda: not len(served.router.http_sessions), "nor of sessions")


@in_loop
async def test_beyond_the_reserve_of_open_files_there_is_only_503() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (UNTOUCHED_FILES + 3, hard))
        async with serving(max_sessions=1, farewell=hint) as served:
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(WebSocket.connect(served))
                for _ in range(2):  # these read nothing, so that their lines stay open
                    http = await stack.enter_async_context(Http.connect(served.port))
                    http.ask("GET", BARE, headers=GOOD)
                    assert (await http.head()).status == 101
                answer = await served.get(BARE, GOOD)
                assert (answer.status, answer.headers["retry-after"]) == (503, "5")
                assert await served.poll(new_session()) == "o", "which costs no further file"
            await until(lambda: served.router.room.lines == 0, "all leave")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_farewells_over_http_are_bounded() -> None:
    room = Room(1, 0, farewell=hint)
    room.open()
    sessions: list[Any] = [object() for _ in range(MAX_FAREWELLS)]
    room.parting.update(sessions[1:])
    assert room.farewell(line=False, sessions=0) == hint()
    room.parting.update(sessions)
    assert room.farewell(line=False, sessions=0) is None
    assert room.farewell(line=True, sessions=0) == hint()


# -------------------------------------------------------------------------------------------------------- the server


@contextlib.asynccontextmanager
async def pushing(settings: CoreSettings) -> AsyncIterator[tuple[PushServer, Served]]:
    """A push server that runs."""
    server = PushServer(settings)
    http = HTTPServer(server.application())
    [listener] = bind_sockets(0, "127.0.0.1")
    http.add_socket(listener)
    await server.start()
    try:
        yield server, Served(server.router, listener.getsockname()[1])
    finally:
        http.stop()
        await server.stop()
        await http.close_all_connections()


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        (CoreSettings(max_sessions=1, return_window=7.0), "sessions_over_limit"),
        (CoreSettings(max_sessions_per_ip=1, return_window=7.0), "sessions_over_ip_limit"),
    ],
)
@in_loop
async def test_a_push_server_spreads_the_coming_back(settings: CoreSettings, count: str) -> None:
    async with pushing(settings) as (server, served), WebSocket.connect(served, "/connect/websocket"):
        moments = []
        for _ in range(20):
            async with WebSocket.connect(served, "/connect/websocket") as ws:
                message = await ws.receive()
                assert message is not None
                told = json.loads(message)
                assert told.keys() == {"type", "after"}
                assert told["type"] == "reconnect"
                moments.append(told["after"])
                assert await ws.closed() == (3005, OVERLOAD.reason)
        assert all(0 <= moment <= 7 for moment in moments)
        assert len(set(moments)) > 10
        assert server.counts[count] == 20
        assert len(server.connections) == 1
