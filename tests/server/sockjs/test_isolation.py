"""One client's trouble is no other's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import Any

import pytest
from server.sockjs.kit import Channel, Echo, Stream, WebSocket, begin_poll, new_session, serving, until
from support.loops import in_loop

from sethpusher_core.transports.outlet import Budget
from sethpusher_core.transports.polling import XhrPoll

pytestmark = pytest.mark.usefixtures("doors")

CLIENTS = 5


@pytest.mark.parametrize("trouble", ["closing", "closed", "reset", "slow"])
@pytest.mark.parametrize("how", ["broadcast", "fan-out"])
@in_loop
async def test_a_broken_websocket_costs_the_others_nothing(how: str, trouble: str) -> None:
    """sockjs-tornado's own broadcast ends at the first client that raises; those behind it get nothing."""
    async with serving(budget=Budget(2**17)) as served, contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(WebSocket.connect(served, buffer=4096 if number == 1 else None))
            for number in range(CLIENTS)
        ]
        for client in clients:
            await client.opened()
        bad = served.made[1]
        channel = Channel([connection.session for connection in served.made])
        if trouble == "closing":
            bad.session.close(4000, "we close, it does not answer")
        elif trouble == "closed":
            clients[1].writer.transport.abort()
            await until(lambda: bad.ended, "the server sees its end")
        elif trouble == "reset":
            line = clients[1].writer.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            clients[1].writer.transport.abort()  # seen by the first message that is sent
        number = 0
        while number < 20 or not bad.session.closed:
            assert number < 2000, "40 MB and not cut"
            message = f'"{number:0{20_000}}"'
            if how == "broadcast":
                served.made[0].broadcast(served.made, message)
            else:
                channel.publish(message)
            for client in clients[:1] + clients[2:]:
                text = await client.receive()
                assert isinstance(text, str)
                assert json.loads(text[1:]) == [message]
            number += 1
        assert [connection.ended for connection in served.made[2:]] == [None] * 3


@in_loop
async def test_all_transports_share_a_broadcast() -> None:
    async with serving() as served:
        polled = new_session()
        await served.poll(polled)
        async with (
            WebSocket.connect(served) as framed,
            WebSocket.connect(served, "/echo/websocket") as bare,
            Stream.open(served.port, new_session(), "eventsource") as stream,
            begin_poll(served, polled) as poll,
        ):
            await framed.opened()
            assert await stream.packet() == "o"
            served.made[0].broadcast(served.made, "\u00e9 for all")
            assert await framed.receive() == 'a["\u00e9 for all"]'
            assert await bare.receive() == "\u00e9 for all"
            assert await stream.packet() == 'a["\u00e9 for all"]'
            assert (await poll.answer()).text == 'a["\u00e9 for all"]\n'


class Closing(Echo):
    """Fails when it is told that it is over."""

    def on_close(self) -> None:
        super().on_close()
        raise ValueError("told to")


@in_loop
async def test_a_failing_on_close(logs: Any) -> None:
    async with serving(Closing) as served:
        await served.poll(new_session())
        async with WebSocket.connect(served), WebSocket.connect(served, "/echo/websocket"):
            pass
        await until(lambda: all(connection.ended for connection in served.made[1:]), "both are told")
        for _ in range(2):
            logs.expect("on_close failed", level=40)
        served.router.stop()
        logs.expect("on_close failed", level=40)
    assert not served.router.sessions


@in_loop
async def test_a_session_whose_receiver_fails_is_dropped_alone(logs: Any) -> None:
    async with serving() as served:
        one, two = new_session(), new_session()
        await served.poll(one)
        await served.poll(two)
        async with begin_poll(served, one), begin_poll(served, two) as poll:
            broken = served.made[0].session

            def fail(packet: bytes, *, last: bool = False) -> None:
                raise ValueError("told to")

            broken._receiver.send = fail
            Channel([connection.session for connection in served.made]).publish("1")
            assert (await poll.answer()).text == 'a["1"]\n'
            logs.expect("cannot be written to", level=40)
            assert served.made[0].ended == 1006
            assert len(served.router.http_sessions) == 1


@in_loop
async def test_a_session_whose_first_receiver_fails_leaves_nothing(logs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: XhrPoll, packet: bytes) -> Any:
        raise ValueError("told to")

    async with serving() as served:
        session = new_session()
        await served.poll(session)
        with monkeypatch.context() as patch, contextlib.suppress(asyncio.IncompleteReadError):
            patch.setattr(XhrPoll, "write_packet", fail)
            served.last.send("lost")
            await served.post(f"{session}/xhr")
        logs.expect("Uncaught exception|could not be served", level=40, logger="")
        await until(lambda: served.last.ended == 1002, "the application is told")
        assert await served.poll(session) == 'c[1002,"Connection interrupted"]'
