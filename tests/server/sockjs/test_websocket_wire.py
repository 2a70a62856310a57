"""Frames: what a peer may send, and how a websocket ends (RFC 6455); what SockJS makes of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from server.sockjs.kit import Channel, Echo, WebSocket, masked, serving, until
from server.sockjs.test_polling import AWKWARD, Talker
from server.sockjs.test_session_ends import FailingAtBirth, FailingAtOpen, Refusing
from support.loops import in_loop
from websockets.frames import Opcode

from sethpusher_core.transports.outlet import Budget

TEXT, BINARY, CONT, CLOSE, PING, PONG = (
    Opcode.TEXT,
    Opcode.BINARY,
    Opcode.CONT,
    Opcode.CLOSE,
    Opcode.PING,
    Opcode.PONG,
)
FRAMED, BARE = "/echo/000/x/websocket", "/echo/websocket"
both = pytest.mark.parametrize("path", [FRAMED, BARE])


# -------------------------------------------------------------------------------------------------------- messages


@in_loop
async def test_framed_echo() -> None:
    async with serving() as served, WebSocket.connect(served, FRAMED) as ws:
        await ws.opened()
        for text in AWKWARD:
            ws.text(json.dumps([text]))
            packet = await ws.receive()
            assert isinstance(packet, str)
            assert json.loads(packet[1:]) == [text]
            assert not set(packet) & set("\u2028\u2029\u200c\ufff0\uffff\0")
        assert served.last.session.transport_name == "websocket"
        assert served.last.info.path == FRAMED


@in_loop
async def test_what_a_framed_client_may_send() -> None:
    async with serving() as served, WebSocket.connect(served, FRAMED) as ws:
        await ws.opened()
        ws.text("")
        ws.text("[]")
        ws.text('"one text"')
        ws.text('["two","three"]')
        ws.binary(b'["JSON by another opcode"]')
        ws.text('["lone \\ud800"]')
        ws.text('["end"]')
        await until(lambda: "end" in served.last.heard, "all is heard")
        assert served.last.heard == [
            "one text",
            "two",
            "three",
            "JSON by another opcode",
            "lone \ufffd",
            "end",
        ]


@pytest.mark.parametrize("text", ['["a', "x", "5", "null", "{}", "[1]", '["a",null]', '["a",["b"]]', "[" * 50_000])
@in_loop
async def test_what_is_not_sockjs_cuts_a_framed_client_off(text: str) -> None:
    async with serving() as served, WebSocket.connect(served, FRAMED) as ws:
        await ws.opened()
        ws.text('["before"]')
        ws.text(text)
        ws.text('["after"]')
        assert await ws.receive() == 'a["before"]'
        assert await ws.closed() == (None, "")
        await until(lambda: served.last.ended, "the application is told")
        assert served.last.ended == 3501
        assert served.last.heard == ["before"]


@in_loop
async def test_bare_echo() -> None:
    async with serving() as served, WebSocket.connect(served, BARE) as ws:
        for text in [*AWKWARD, "", "not [JSON"]:
            ws.text(text)
            assert await ws.receive() == text
        for data in (b"", b"\0\xff", bytes(range(256)) * 100):
            ws.binary(data)
            assert await ws.receive() == data
        assert served.last.session.transport_name == "rawwebsocket"


@in_loop
async def test_binary_is_for_the_bare_endpoint() -> None:
    async with serving() as served, WebSocket.connect(served, FRAMED) as ws:
        await ws.opened()
        with pytest.raises(ValueError, match="binary messages are not possible over websocket"):
            served.last.send(b"\0", binary=True)


@in_loop
async def test_a_session_id_is_no_matter_to_websockets() -> None:
    async with (
        serving() as served,
        WebSocket.connect(served, FRAMED) as one,
        WebSocket.connect(served, FRAMED) as two,
    ):
        assert [await one.receive(), await two.receive()] == ["o", "o"]
        one.text('["1"]')
        two.text('["2"]')
        assert [await one.receive(), await two.receive()] == ['a["1"]', 'a["2"]']


# ------------------------------------------------------------------------------------------------------ fragments


@both
@in_loop
async def test_fragments_with_pings_between(path: str) -> None:
    async with serving() as served, WebSocket.connect(served, path) as ws:
        message = '["a\u00e9\U0001f600"]'.encode()
        for size in (1, 3, len(message)):
            pieces = [message[start : start + size] for start in range(0, len(message), size)]
            for number, piece in enumerate(pieces):
                ws.frame(CONT if number else TEXT, piece, fin=number == len(pieces) - 1)
                ws.frame(PING, b"%d" % number)
        if path == FRAMED:
            await ws.opened()
        for _ in range(3):
            text = await ws.receive()
            assert text == ('a["a\u00e9\U0001f600"]' if path == FRAMED else message.decode())
        await until_pongs(ws, 2 * len(message) // 3)
        assert ws.pongs[:3] == [b"0", b"1", b"2"]


async def until_pongs(ws: WebSocket, count: int) -> None:
    while len(ws.pongs) < count:
        await ws._receive()


@in_loop
async def test_a_ping_between_fragments_is_answered_before_the_message() -> None:
    async with serving() as served, WebSocket.connect(served, BARE) as ws:
        ws.raw(masked(TEXT, b"a", fin=False) + masked(PING, b"p") + masked(CONT, b"b"))
        assert await ws.receive() == "ab"
        assert ws.order == ["pong", "message"]


@in_loop
async def test_empty_fragments_cost_nothing() -> None:
    async with serving() as served, WebSocket.connect(served, BARE) as ws:
        ws.frame(BINARY, b"a", fin=False)
        for _ in range(20):
            ws.raw(masked(CONT, b"", fin=False) * 5000)
            await asyncio.sleep(0)
        ws.frame(CONT, b"b")
        assert await ws.receive() == b"ab"


@in_loop
async def test_a_message_may_be_as_large_as_the_limit_and_no_larger() -> None:
    async with serving(max_message_size=1000) as served:
        async with WebSocket.connect(served, BARE) as ws:
            ws.text("x" * 1000)
            assert await ws.receive() == "x" * 1000
            ws.text("x" * 1001)
            ws.text("not heard")
            code, reason = await ws.closed()
            assert code == 1009
            assert reason
        async with WebSocket.connect(served, BARE) as ws:
            for _ in range(10):
                ws.frame(TEXT if not _ else CONT, b"x" * 101, fin=False)
            assert (await ws.closed())[0] == 1009
        async with WebSocket.connect(served, BARE) as ws:
            ws.raw(b"\x81\xff" + (2**62).to_bytes(8, "big") + bytes(4))
            assert (await ws.closed())[0] == 1009
        await until(lambda: [connection.ended for connection in served.made] == [1009] * 3, "the application is told")
        assert [connection.heard for connection in served.made] == [["x" * 1000], [], []]


# ------------------------------------------------------------------------------------------------------ bad frames

BAD_FRAMES = {
    "not masked": (masked(TEXT, b'"a"', mask=False), 1002),
    "reserved bit": (b"\xc1\x80" + bytes(4), 1002),
    "reserved opcode": (masked(3, b""), 1002),
    "reserved control opcode": (masked(11, b""), 1002),
    "continuation of nothing": (masked(CONT, b""), 1002),
    "message within a message": (masked(TEXT, b"", fin=False) + masked(TEXT, b""), 1002),
    "fragmented ping": (masked(PING, b"", fin=False), 1002),
    "long ping": (masked(PING, b"x" * 126), 1002),
    "close with half a code": (masked(CLOSE, b"\x03"), 1002),
    "close reason not UTF-8": (masked(CLOSE, b"\x03\xe8\xff"), 1007),
    "text not UTF-8": (masked(TEXT, b"\xff"), 1007),
    "text cut within a character": (masked(TEXT, "\u00e9".encode()[:1]), 1007),
    "surrogate": (masked(TEXT, b'"\xed\xa0\x80"'), 1007),
    "fragments not UTF-8": (masked(TEXT, b"\xc3", fin=False) + masked(CONT, b"x"), 1007),
}


@pytest.mark.parametrize(("data", "code"), BAD_FRAMES.values(), ids=BAD_FRAMES)
@in_loop
async def test_bad_frames_end_it_and_what_came_before_counts(data: bytes, code: int) -> None:
    async with serving() as served, WebSocket.connect(served, BARE) as ws:
        ws.raw(masked(TEXT, b"before") + data + masked(TEXT, b"after"))
        assert await ws.receive() == "before"
        assert (await ws.closed())[0] == code
        await until(lambda: served.last.ended, "the application is told")
        assert served.last.ended == code
        assert served.last.heard == ["before"]


# --------------------------------------------------------------------------------------------------------- the end


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 3000, 3999, 4000, 4999])
@in_loop
async def test_a_close_code_is_given_back(code: int) -> None:
    async with serving() as served, WebSocket.connect(served, BARE) as ws:
        ws.frame(CLOSE, code.to_bytes(2, "big") + "bye \u00e9".encode())
        assert await ws.closed() == (code, "bye \u00e9")
        await until(lambda: served.last.ended, "the application is told")
        assert served.last.ended == code


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535])
@in_loop
async def test_a_close_code_that_must_not_be_sent(code: int) -> None:
    async with serving() as served, WebSocket.connect(served, BARE) as ws:
        ws.frame(CLOSE, code.to_bytes(2, "big"))
        assert (await ws.closed())[0] == 1002


@in_loop
async def test_a_close_without_a_code() -> None:
    async with serving() as served, WebSocket.connect(served, BARE) as ws:
        ws.frame(CLOSE, b"")
        assert await ws.closed() == (1005, "")
        await until(lambda: served.last.ended == 1005, "the application is told")


@in_loop
async def test_a_close_in_the_middle_of_a_fragmented_message() -> None:
    async with serving() as served, WebSocket.connect(served, BARE) as ws:
        ws.raw(masked(TEXT, b"never", fin=False) + masked(CLOSE, b"\x03\xe8") + masked(CONT, b"heard"))
        assert await ws.closed() == (1000, "")
        assert served.last.heard == []


@in_loop
async def test_messages_before_a_close_are_answered_before_it() -> None:
    async with serving() as served, WebSocket.connect(served, BARE) as ws:
        ws.raw(masked(TEXT, b"a") + masked(PING, b"p") + masked(TEXT, b"b") + masked(CLOSE, b"\x03\xe8"))
        assert [await ws.receive(), await ws.receive()] == ["a", "b"]
        assert await ws.closed() == (1000, "")
        assert ws.pongs == [b"p"]


@both
@in_loop
async def test_a_line_that_just_ends(path: str) -> None:
    async with serving() as served:
        async with WebSocket.connect(served, path):
            pass
        async with WebSocket.connect(served, path) as ws:
            ws.writer.write_eof()
            assert await ws.receive() in ("o", None)
        await until(lambda: [connection.ended for connection in served.made] == [1006, 1006], "all are told")


@in_loop
async def test_the_application_closes() -> None:
    async with serving(Talker) as served:
        async with WebSocket.connect(served, FRAMED) as ws:
            packets = [await ws.receive() for _ in range(4)]
            assert packets == ["o", 'a["one"]', 'a["two"]', 'c[3000,"Go away!"]']
            assert await ws.closed() == (3000, "Go away!")
        async with WebSocket.connect(served, BARE) as ws:
            assert [await ws.receive(), await ws.receive()] == ["one", "two"]
            assert await ws.closed() == (3000, "Go away!")
        assert [connection.ended for connection in served.made] == [3000, 3000]


@in_loop
async def test_a_close_reason_is_json_and_fits_its_frame() -> None:
    async with serving() as served, WebSocket.connect(served, FRAMED) as ws:
        await ws.opened()
        reason = '"\u2028' + "\u00e9" * 100
        served.last.session.close(4321, reason)
        packet = await ws.receive()
        assert isinstance(packet, str)
        assert json.loads(packet[1:]) == [4321, reason]
        assert await ws.closed() == (4321, '"\u2028' + "\u00e9" * 59)


@in_loop
async def test_a_close_code_that_we_must_not_send() -> None:
    async with serving() as served, WebSocket.connect(served, BARE) as ws:
        served.last.session.close(1006, "odd")
        assert (await ws.closed())[0] == 1011


@pytest.mark.parametrize("connection", [FailingAtOpen, FailingAtBirth])
@in_loop
async def test_a_failing_on_open_ends_it(connection: type[Echo], logs: Any) -> None:
    async with serving(connection) as served, WebSocket.connect(served, FRAMED) as ws:
        await ws.opened()
        assert await ws.receive() == 'c[3004,"the server failed"]'
        assert await ws.closed() == (3004, "the server failed")
        logs.expect("on_open failed", level=40)


@in_loop
async def test_false_from_on_open_refuses() -> None:
    async with serving(Refusing) as served, WebSocket.connect(served, BARE) as ws:
        assert await ws.closed() == (3500, "invalid credentials")


# ------------------------------------------------------------------------------------------------- slow readers


@both
@in_loop
async def test_a_reader_that_stops_and_reads_on_has_all_in_order(path: str) -> None:
    """Frames are cut by the socket where it likes; none may be lost, doubled or torn."""
    async with serving(budget=Budget(2**26)) as served, WebSocket.connect(served, path, buffer=2**16) as ws:
        if path == FRAMED:
            await ws.opened()
        channel = Channel([served.last.session])
        count = 0
        while served.router.budget.used < 2**20:
            channel.publish(*[f'{{"n":{count + extra},"p":"{"x" * (count * 37 % 30_000)}"}}' for extra in (0, 1)])
            count += 2
            served.last.send(f'{{"n":{count}}}')
            count += 1
            if not count % 50:
                await asyncio.sleep(0)
        numbers: list[int] = []
        while len(numbers) < count:
            text = await ws.receive()
            assert isinstance(text, str)
            messages = json.loads(text[1:]) if path == FRAMED else [text]
            numbers += [json.loads(message)["n"] for message in messages]
        assert numbers == list(range(count))
        await until(lambda: not served.last.session.blocked, "the short way is open again")
        assert served.router.budget.used == 0
        channel.publish("1")
        assert await ws.receive() in ('a["1"]', "1")


@both
@in_loop
async def test_a_reader_that_stops_is_cut(path: str) -> None:
    limit = 2**18
    async with (
        serving(budget=Budget(limit)) as served,
        WebSocket.connect(served, path, buffer=4096) as slow,
        WebSocket.connect(served, path) as quick,
    ):
        sessions = [connection.session for connection in served.made]
        channel = Channel(sessions)
        sent = 0
        while not sessions[0].closed:
            assert sent < 2000, "40 MB and not cut"
            channel.publish(f'"{sent:0{20_000}}"')
            while True:
                text = await quick.receive()
                if text != "o":
                    break
            assert isinstance(text, str)
            assert f"{sent:0{20_000}}" in text
            sent += 1
            assert served.router.budget.used <= limit + 60_000
        await until(lambda: served.made[0].ended == 3002, "the application is told")
        assert served.made[1].ended is None
        # Should it read on, it has whole frames and is told why.
        while (text := await slow.receive()) is not None and (text in ("o",) or "000" in str(text)):
            pass
        if path == FRAMED:
            assert text == 'c[3002,"too slow: the outbound queue is full"]'
        assert (await slow.closed())[0] == 3002


@pytest.mark.parametrize("on_slow", ["drop_oldest", "drop_newest"])
@in_loop
async def test_a_slow_reader_is_told_what_was_dropped(on_slow: str) -> None:
    async with serving(budget=Budget(2**18)) as served, WebSocket.connect(served, BARE, buffer=2**16) as ws:
        channel = Channel([served.last.session], on_slow)
        count = 0
        while served.router.budget.dropped < 50:
            channel.publish(f'{{"n":{count},"p":"{"x" * 20_000}"}}')
            count += 1
        numbers: list[int] = []
        while True:
            text = await ws.receive()
            assert isinstance(text, str)
            message = json.loads(text)
            if "type" in message:
                break
            numbers.append(message["n"])
        assert message == {"type": "dropped", "channel": "news", "count": served.router.budget.dropped}
        assert numbers == sorted(numbers)
        assert len(numbers) + served.router.budget.dropped == count
        assert (numbers[-1] == count - 1) is (on_slow == "drop_oldest")


@in_loop
async def test_pings_that_nobody_reads_the_pongs_of_are_bounded() -> None:
    limit = 2**16
    async with serving(budget=Budget(limit)) as served, WebSocket.connect(served, BARE, buffer=4096) as ws:
        burst = masked(PING, b"x" * 125) * 500
        while not served.last.ended:
            ws.raw(burst)
            await asyncio.sleep(0)
            assert served.router.budget.used < limit + 2 * len(burst) + 2**17
        assert served.last.ended in (3002, 1006)


class Listening(Echo):
    """Says nothing."""

    def on_message(self, message: str | bytes) -> None:
        self.heard.append(message)


@in_loop
async def test_pause_and_resume() -> None:
    async with serving(Listening) as served, WebSocket.connect(served, BARE) as ws:
        session = served.last.session
        session.pause()
        ws.text("one")
        for number in range(200):
            ws.text("x" * 60_000)
            if not number % 20:
                await asyncio.sleep(0)
        await until(lambda: ws.writer.transport.get_write_buffer_size(), "the peer is held up")
        assert len(served.last.heard) <= 3
        session.resume()
        session.resume()
        await until(lambda: len(served.last.heard) == 201, "all is heard")


class Early(Echo):
    """Pauses from the start."""

    def on_open(self, request: Any) -> None:
        self.session.pause()


@in_loop
async def test_pause_in_on_open() -> None:
    async with serving(Early) as served, WebSocket.connect(served, BARE) as ws:
        ws.text("one")
        for _ in range(20):
            await asyncio.sleep(0)
        assert served.last.heard == []
        served.last.session.resume()
        assert await ws.receive() == "one"
