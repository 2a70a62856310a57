"""How a session over HTTP ends: by the application, by a broken line, by silence; and what is left of it: nothing."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from time import perf_counter, sleep
from typing import Any

import pytest
from server.sockjs.kit import Echo, Http, Stream, begin_poll, new_session, serving, until
from support.loops import in_loop
from support.timing import SCALE

from sethpusher_core.transports.http_session import HttpSession, Receiver
from sethpusher_core.transports.polling import XhrPoll
from sethpusher_core.transports.receiving import PacketExchange
from sethpusher_core.transports.router import PushRouter
from sethpusher_core.transports.streaming import XhrStream

pytestmark = pytest.mark.usefixtures("doors")

SHORT = 0.1 * SCALE


@in_loop
async def test_a_second_receiver_is_told_so_and_the_first_one_stays() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        async with begin_poll(served, session) as poll:
            assert await served.poll(session) == 'c[2010,"Another connection still open"]'
            async with Stream.open(served.port, session, "xhr_streaming") as stream:
                assert await stream.packet() == 'c[2010,"Another connection still open"]'
                assert await stream.packet() is None
            answer = await served.get(f"{session}/jsonp?c=cb")
            assert answer.text == '/**/cb("c[2010,\\"Another connection still open\\"]");\r\n'
            served.last.send("for the first")
            assert (await poll.answer()).text == 'a["for the first"]\n'
        assert served.last.ended is None


@in_loop
async def test_a_broken_poll_ends_the_session() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        served.last.session.pause()
        async with begin_poll(served, session):
            pass
        await until(lambda: served.last.ended, "the application is told")
        assert served.last.ended == 1002
        assert await served.poll(session) == 'c[1002,"Connection interrupted"]'
        assert await served.poll(session) == 'c[1002,"Connection interrupted"]'
        assert len(served.made) == 1
        assert not served.router.sessions


@in_loop
async def test_a_half_closed_poll_is_a_broken_one() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        async with begin_poll(served, session) as poll:
            poll.writer.write_eof()
            await until(lambda: served.last.ended == 1002, "the application is told")


@pytest.mark.parametrize("transport", ["xhr_streaming", "eventsource", "htmlfile"])
@in_loop
async def test_a_broken_stream_ends_the_session(transport: str) -> None:
    async with serving() as served:
        session = new_session()
        async with Stream.open(served.port, session, transport) as stream:
            assert await stream.packet() == "o"
        await until(lambda: served.last.ended == 1002, "the application is told")
        async with Stream.open(served.port, session, transport) as stream:
            assert await stream.packet() == 'c[1002,"Connection interrupted"]'
            assert await stream.packet() is None


@in_loop
async def test_what_waited_for_a_broken_stream_is_dropped() -> None:
    """Nobody knows what of it has arrived."""
    async with serving(response_limit=2**25) as served:
        session = new_session()
        async with Stream.open(served.port, session, "xhr_streaming") as stream:
            assert await stream.packet() == "o"
            stream.writer.transport.pause_reading()
            while served.last.session.backlog_bytes < 2**19:
                served.last.send("x" * 50_000)
                await asyncio.sleep(0)
        await until(lambda: served.last.ended == 1002, "the application is told")
        assert served.router.budget.used == 0
        assert await served.poll(session) == 'c[1002,"Connection interrupted"]'


@in_loop
async def test_a_poll_that_breaks_under_its_answer_is_a_broken_one() -> None:
    """Tornado's writes do not fail, they just end: the packet is lost, and the session must not go on without it."""
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        line = socket.create_connection(("127.0.0.1", served.port))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        line.sendall(f"POST {session}/xhr HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        await until(lambda: served.last.session.has_receiver, "the poll arrives")
        line.close()
        served.last.send("lost")
        served.last.session.flush()
        assert served.last.ended == 1002
        assert await served.poll(session) == 'c[1002,"Connection interrupted"]'


@pytest.mark.parametrize("exchange", [XhrPoll, XhrStream])
@in_loop
async def test_a_connection_that_is_over_before_its_request_is_served(
    exchange: type[PacketExchange], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then Tornado does not tell of it any more."""
    respond = exchange.respond

    def late(self: PacketExchange) -> None:
        self._connection.stream.close()
        respond(self)

    async with serving() as served:
        session = new_session()
        await served.poll(session)
        monkeypatch.setattr(exchange, "respond", late)
        async with Http.connect(served.port) as http:
            http.ask("POST", f"{session}/{exchange.transport}")
            assert await http.ended()
        assert served.last.ended == 1002


@pytest.mark.parametrize("transport", ["xhr", "xhr_streaming"])
@in_loop
async def test_a_client_that_goes_right_after_its_request(transport: str) -> None:
    async with serving(disconnect_delay=SHORT) as served:
        for reset in (False, True):
            session = new_session()
            await served.poll(session)
            connection = served.last
            line = socket.create_connection(("127.0.0.1", served.port))
            if reset:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            line.sendall(f"POST {session}/{transport} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
            line.close()
            await until(lambda connection=connection: connection.ended is not None, "the application is told")
            assert connection.ended in (1002, 1006)
        await until(lambda: not len(served.router.http_sessions), "all is forgotten")


@in_loop
async def test_a_new_client_that_goes_right_after_its_request() -> None:
    async with serving(disconnect_delay=SHORT) as served:
        for number in range(20):
            line = socket.create_connection(("127.0.0.1", served.port))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            line.sendall(
                f"POST {new_session()}/xhr_streaming HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
            )
            if number % 2:
                await asyncio.sleep(0)
            line.close()
        await until(lambda: not len(served.router.http_sessions), "all is forgotten")
        assert all(connection.ended is not None for connection in served.made)


@in_loop
async def test_a_session_expires_without_a_receiver() -> None:
    async with serving(disconnect_delay=SHORT) as served:
        session = new_session()
        await served.poll(session)
        served.last.send("never fetched")
        began = perf_counter()
        await until(lambda: served.last.ended is not None, "the application is told")
        assert perf_counter() - began > SHORT / 2
        assert served.last.ended == 1006
        assert not len(served.router.http_sessions)
        assert served.router.budget.used == 0
        assert await served.poll(session) == "o", "a new session"
        assert len(served.made) == 2


@in_loop
async def test_a_waiting_receiver_keeps_a_session() -> None:
    async with serving(disconnect_delay=SHORT) as served:
        session, sign = new_session(), new_session()
        await served.poll(session)
        async with begin_poll(served, session) as poll:
            for _ in range(3):  # each lives longer than a session without a receiver
                await served.poll(sign)
                await until(lambda watched=served.last: watched.ended is not None, "another session expires")
            served.made[0].send("still here")
            assert (await poll.answer()).text == 'a["still here"]\n'
        assert served.made[0].ended is None


@in_loop
async def test_a_closed_session_says_so_until_it_expires() -> None:
    async with serving(disconnect_delay=SHORT) as served:
        session = new_session()
        await served.poll(session)
        served.last.close()
        for _ in range(5):
            assert await served.poll(session) == 'c[3000,"Go away!"]'
        await until(lambda: not len(served.router.http_sessions), "it is forgotten")
        assert await served.poll(session) == "o"


@in_loop
async def test_a_close_with_a_stuck_receiver_is_told_to_the_next_one() -> None:
    async with serving(response_limit=2**25) as served:
        session = new_session()
        async with Stream.open(served.port, session, "xhr_streaming") as stream:
            assert await stream.packet() == "o"
            stream.writer.transport.pause_reading()
            while served.last.session.backlog_bytes < 2**19:
                served.last.send("x" * 50_000)
                await asyncio.sleep(0)
            served.last.close()
            assert await served.poll(session) == 'c[3000,"Go away!"]'


class Refusing(Echo):
    """Takes nobody in."""

    def on_open(self, request: Any) -> bool | None:
        return False


class FailingAtOpen(Echo):
    def on_open(self, request: Any) -> bool | None:
        raise ValueError("told to")


class FailingAtBirth(Echo):
    def __init__(self, session: Any) -> None:
        raise ValueError("told to")


@in_loop
async def test_false_from_on_open_refuses() -> None:
    async with serving(Refusing) as served:
        session = new_session()
        assert await served.poll(session) == "o"
        assert await served.poll(session) == 'c[3500,"invalid credentials"]'
        assert served.last.ended == 3500


@pytest.mark.parametrize("connection", [FailingAtOpen, FailingAtBirth])
@in_loop
async def test_a_failing_on_open_ends_the_session(connection: type[Echo], logs: Any) -> None:
    async with serving(connection) as served:
        session = new_session()
        assert await served.poll(session) == "o"
        logs.expect("on_open failed", level=40)
        assert await served.poll(session) == 'c[3004,"the server failed"]'


@in_loop
async def test_stop_ends_all() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        async with begin_poll(served, session) as poll:
            served.router.stop()
            assert await poll.ended()
        assert served.last.ended is not None
        assert (await served.get("/echo/info")).status == 503


# -------------------------------------------------------------------------------------------------------- by address


@in_loop
async def test_a_session_belongs_to_its_address() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        async with Http.connect(served.port, source="127.0.0.2") as foreign:
            answer = await foreign.call("POST", f"{session}/xhr")
            assert answer.text == 'c[2010,"Another connection still open"]\n'
            assert (await foreign.call("POST", f"{session}/xhr_send", '["x"]')).status == 404
        assert served.last.heard == []
        await served.send(session, "mine")
        assert await served.poll(session) == 'a["mine"]'


@in_loop
async def test_verify_ip_can_be_switched_off() -> None:
    async with serving(verify_ip=False) as served:
        session = new_session()
        await served.poll(session)
        async with Http.connect(served.port, source="127.0.0.2") as roaming:
            assert (await roaming.call("POST", f"{session}/xhr_send", '["x"]')).status == 204
            assert (await roaming.call("POST", f"{session}/xhr")).text == 'a["x"]\n'


# ------------------------------------------------------------------------------------------------------------ floods


class Poll(Receiver):
    """A poll without a socket."""

    ended = False
    room = 2**17

    @property
    def ready(self) -> bool:
        return not self.ended

    def begin(self) -> None: ...

    def abort(self) -> None: ...

    def send(self, packet: bytes, *, last: bool = False) -> None:
        self.ended = True
        self.session.written(self)

    def __init__(self, session: HttpSession) -> None:
        self.session = session


@in_loop
async def test_10_000_abandoned_sessions_leave_nothing_and_do_not_hold_the_loop() -> None:
    count = 10_000
    ended: list[int] = []

    class Counted(Echo):
        def on_close(self) -> None:
            ended.append(self.session.close_code)
            done = perf_counter() + 1e-5  # what an application may need
            while perf_counter() < done:
                pass

    router = PushRouter(Counted, "/echo", {"disconnect_delay": SHORT, "max_sessions": 2 * count})
    router.start()
    left: weakref.WeakSet[Any] = weakref.WeakSet()
    gc.collect()
    gc.disable()  # reference counting alone must do
    try:
        for number in range(count):
            session = HttpSession(router, str(number), "xhr", "127.0.0.1")
            session.start(Poll(session), credentials=_credentials())
            left.add(session)
            left.add(session.conn)
        del session
        sleep(SHORT)  # so that all are due when the loop turns again
        in_one_turn = 0
        while len(router.http_sessions):
            before = len(ended)
            await asyncio.sleep(0)
            in_one_turn = max(in_one_turn, len(ended) - before)
        assert len(ended) == count
        assert set(ended) == {1006}
        assert not router.sessions
        await asyncio.sleep(0)
        assert len(left) == 0
        assert in_one_turn < count / 3, "an expiry must not hold the loop longer than its slice"
    finally:
        gc.enable()
        router.stop()


def _credentials() -> Any:
    from tornado.httputil import HTTPHeaders

    from sethpusher_core.identity import Credentials

    return Credentials(
        purpose="connection", transport="xhr", remote_ip="127.0.0.1", method="POST", uri="/", headers=HTTPHeaders()
    )


@in_loop
async def test_a_flood_of_real_requests_is_forgotten() -> None:
    async with serving(disconnect_delay=SHORT) as served, Http.connect(served.port) as http:
        for _ in range(1000):
            assert (await http.call("POST", f"{new_session()}/xhr")).body == b"o\n"
        await until(lambda: not len(served.router.http_sessions), "all is forgotten")
        assert [connection.ended for connection in served.made] == [1006] * 1000


@in_loop
async def test_there_is_room_for_so_many_sessions() -> None:
    async with serving(max_sessions=2, disconnect_delay=SHORT) as served:
        first = new_session()
        await served.poll(first)
        await served.poll(new_session())
        for transport in ("xhr", "xhr_streaming"):
            answer = await served.post(f"{new_session()}/{transport}")
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        await served.send(first, "those inside are served")
        assert await served.poll(first) == 'a["those inside are served"]'
        await until(lambda: not len(served.router.http_sessions), "room is made")
        assert await served.poll(new_session()) == "o"
        assert len(served.made) == 3
