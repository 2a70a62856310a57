"""The connection that polls come over: the next request, one sent too early, answers that get stuck, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import pytest
from server.sockjs import kit
from server.sockjs.kit import Echo, Http, Served, begin_poll, new_session, serving, until
from support.front import front_server
from support.loops import in_loop
from support.timing import SCALE

from sethpusher_core.transports.outlet import Budget

pytestmark = pytest.mark.usefixtures("doors")

RESET = b"\1\0\0\0\0\0\0\0"
BIG = "x" * 2**24
"""More than both sockets of a connection hold, whatever the kernel makes of them."""


@contextlib.asynccontextmanager
async def begin_big_answer() -> AsyncIterator[tuple[Served, str, Http]]:
    """A poll whose answer the socket has taken only a part of."""
    async with serving(response_limit=2**25, budget=Budget(2**26)) as served:
        session = new_session()
        await served.poll(session)
        async with begin_poll(served, session) as poll:
            poll.writer.transport.pause_reading()
            served.last.send(BIG)
            await until(lambda: not served.last.session._receiver.ready, "it is under way")
            yield served, session, poll


@in_loop
async def test_all_that_a_client_does_on_one_connection() -> None:
    async with serving() as served, Http.connect(served.port) as http:
        session = new_session()
        for number in range(3):
            assert (await http.call("POST", f"{session}/xhr")).text == ('a["a"]\n' if number else "o\n")
            assert (await http.call("POST", f"{session}/xhr_send", '["a"]')).status == 204
        assert (await http.call("OPTIONS", f"{session}/xhr")).status == 204
        assert (await http.call("GET", f"{session}/jsonp?c=cb")).text == '/**/cb("a[\\"a\\"]");\r\n'
        assert (await http.call("POST", f"{session}/jsonp_send", '["b"]')).text == "ok"
        http.ask("POST", f"{session}/xhr_streaming")
        assert (await http.head()).status == 200
        assert await http.chunk() == b"h" * 2048 + b"\n"
        assert await http.chunk() == b'a["b"]\n'
        served.last.send("c")
        assert await http.chunk() == b'a["c"]\n'


@in_loop
async def test_a_request_that_comes_too_early_waits_for_its_turn() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        async with begin_poll(served, session) as poll:
            poll.ask("POST", f"{session}/xhr_send", '["one"]')
            poll.ask("GET", "/echo/info")
            await served.send(session, "two")
            assert (await poll.answer()).text == 'a["two"]\n'
            assert (await poll.answer()).status == 204
            assert (await poll.answer()).json["websocket"]
        assert served.last.heard == ["two", "one"]


@in_loop
async def test_who_asks_too_early_and_goes_is_found_out_with_the_answer() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        line = socket.create_connection(("127.0.0.1", served.port))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        ask = f"POST {session}/xhr HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
        line.sendall(ask + ask)
        await until(lambda: served.last.session.has_receiver, "the poll arrives")
        await served.get("/echo/info")  # and the next one has been seen
        line.close()
        served.last.send("lost")
        await until(lambda: served.last.ended == 1002, "the application is told")
        assert await served.poll(session) == 'c[1002,"Connection interrupted"]'


@in_loop
async def test_who_sends_and_has_nothing_more_to_say_is_answered() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        async with Http.connect(served.port) as http:
            http.ask("POST", f"{session}/xhr_send", '["a"]')
            http.writer.write_eof()
            assert (await http.answer()).status == 204
            assert await http.ended()
        assert served.last.heard == ["a"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@in_loop
async def test_who_asks_to_close_is_let_go(method: str) -> None:
    async with serving() as served, Http.connect(served.port) as http:
        path = "/jsonp?c=cb" if method == "GET" else "/xhr"
        answer = await http.call(method, new_session() + path, headers={"Connection": "close"})
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await http.ended()
        assert served.last.ended is None, "that was its right"


@in_loop
async def test_a_poll_of_http_1_0() -> None:
    async with serving() as served, Http.connect(served.port) as http:
        assert (await http.call("POST", f"{new_session()}/xhr", version="HTTP/1.0")).text == "o\n"
        assert await http.ended()


@in_loop
async def test_an_answer_that_gets_stuck_is_read_in_the_end_and_the_connection_goes_on() -> None:
    async with begin_big_answer() as (served, session, poll):
        served.last.send("later")
        poll.ask("POST", f"{session}/xhr")
        poll.writer.transport.resume_reading()
        assert json.loads((await poll.answer()).body[1:]) == [BIG]
        assert (await poll.answer()).text == 'a["later"]\n'
        assert (await poll.call("POST", f"{session}/xhr_send", '["a"]')).status == 204
        assert (await poll.call("POST", f"{session}/xhr")).text == 'a["a"]\n'
        assert served.router.budget.used == 0


@in_loop
async def test_a_stuck_answer_is_a_receiver() -> None:
    async with begin_big_answer() as (served, session, _):
        assert await served.poll(session) == 'c[2010,"Another connection still open"]'


@in_loop
async def test_a_stuck_answer_that_breaks_ends_the_session() -> None:
    async with begin_big_answer() as (served, session, poll):
        poll.writer.transport.abort()
        await until(lambda: served.last.ended == 1002, "the application is told")
        assert served.router.budget.used == 0
        await until(lambda: not _connections(served), "its connection is forgotten")
        assert await served.poll(session) == 'c[1002,"Connection interrupted"]'


def _connections(served: Served) -> list[object]:
    """Those that the server knows, at its front door and behind it."""
    return [*getattr(served.http, "visitors", ()), *served.http._connections]


@in_loop
async def test_a_stuck_answer_is_cut_at_the_end_of_the_session() -> None:
    async with begin_big_answer() as (served, _, poll):
        served.last.session.abort()
        assert served.router.budget.used == 0
        poll.writer.transport.resume_reading()
        with pytest.raises(asyncio.IncompleteReadError):
            await poll.answer()


class Busy(Echo):
    """Takes one message and no more."""

    def on_message(self, message: str | bytes) -> None:
        super().on_message(message)
        self.session.pause()


@in_loop
async def test_a_sender_that_goes_while_the_application_is_busy() -> None:
    async with serving(Busy) as served:
        session = new_session()
        await served.poll(session)
        for later in ("", "GET /echo/info HTTP/1.1\r\nHost: x\r\n\r\n"):
            line = socket.create_connection(("127.0.0.1", served.port))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            head = f"POST {session}/xhr_send HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
            line.sendall(f'{head}["a"]{later}'.encode())
            await until(lambda: served.last.session.paused, "the message is taken")
            line.close()
            await served.get("/echo/info")
            served.last.session.resume()
        assert await served.poll(session) == 'a["a","a"]'


@in_loop
async def test_a_sender_whose_connection_is_ended_while_the_application_is_busy() -> None:
    async with serving(Busy) as served:
        session = new_session()
        await served.poll(session)
        async with Http.connect(served.port) as http:
            http.ask("POST", f"{session}/xhr_send", '["a"]')
            await until(lambda: served.last.session.paused, "the message is taken")
            await served.http.close_all_connections()
            served.last.session.resume()
            assert await http.ended()
        assert await served.poll(session) == 'a["a"]'


@in_loop
async def test_a_waiting_poll_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        kit, "make_server", lambda router, **options: front_server([router], waits=0.05 * SCALE, **options)
    )
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        async with begin_poll(served, session) as poll:
            for _ in range(3):
                async with Http.connect(served.port) as idle:
                    assert (await idle.call("POST", f"{session}/xhr_send", "[]")).status == 204
                    assert await idle.ended(), "one that is idle is ended"
            served.last.send("still here")
            assert (await poll.answer()).text == 'a["still here"]\n'
            assert await poll.ended(), "and so is the poller, once it has been answered"
        assert served.last.ended is None
