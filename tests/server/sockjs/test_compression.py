"""permessage-deflate (RFC 7692): agreed on, read, and built once for all who take it."""

from __future__ import annotations

import contextlib
import json
import random
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from server.sockjs.kit import Channel, Echo, Http, Served, Stream, WebSocket, masked, new_session, serving, until
from server.sockjs.test_handshake import GOOD
from support.loops import in_loop
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Opcode

from sethpusher_core import frames
from sethpusher_core.frames import DEFLATE_FROM, DEFLATE_UP_TO, Form, Frame
from sethpusher_core.transports.outlet import Budget

TEXT, BINARY, CONT, PING, CLOSE = Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PING, Opcode.CLOSE
FRAMED, BARE = "/echo/000/x/websocket", "/echo/websocket"
RSV1 = 0x40
both = pytest.mark.parametrize("path", [FRAMED, BARE])
BOTH = "server_no_context_takeover; client_no_context_takeover"
LONG = json.dumps({"message": ["the same words again"] * 100, "sender_id": None})

OFFERS = [
    ("permessage-deflate", f"permessage-deflate; {BOTH}"),
    ("permessage-deflate; client_max_window_bits", f"permessage-deflate; {BOTH}"),
    ("permessage-deflate; server_no_context_takeover", f"permessage-deflate; {BOTH}"),
    ("permessage-deflate; server_max_window_bits=15", f"permessage-deflate; {BOTH}; server_max_window_bits=15"),
    ("permessage-deflate; client_max_window_bits=9", f"permessage-deflate; {BOTH}; client_max_window_bits=9"),
    ("permessage-deflate; server_max_window_bits=9", None),
    ("permessage-deflate; server_max_window_bits=8", None),
    ("permessage-deflate; server_max_window_bits=10, permessage-deflate", f"permessage-deflate; {BOTH}"),
    ("x-webkit-deflate-frame, permessage-deflate", f"permessage-deflate; {BOTH}"),
    ("permessage-deflate; made_up", None),
    ("permessage-deflate; server_no_context_takeover=1", None),
    ("x-webkit-deflate-frame", None),
    ("permessage-deflate;;; =", None),
    ("", None),
]


def deflated(data: bytes) -> bytes:
    """As a client compresses a message."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


@contextlib.asynccontextmanager
async def compressing(served: Served, path: str = BARE, **options: Any) -> AsyncIterator[WebSocket]:
    """A client that reads and sends compressed messages."""
    async with WebSocket.connect(served, path, compress=True, **options) as ws:
        [extension] = ws.wire.extensions
        assert isinstance(extension, PerMessageDeflate)
        assert extension.remote_no_context_takeover
        assert extension.local_no_context_takeover
        yield ws


# ---------------------------------------------------------------------------------------------------------- agreeing


@pytest.mark.parametrize(("offer", "answer"), OFFERS)
@in_loop
async def test_offers(offer: str, answer: str | None) -> None:
    async with serving(compression=True) as served, Http.connect(served.port) as http:
        http.ask("GET", BARE, headers={**GOOD, "Sec-WebSocket-Extensions": offer})
        head = await http.head()
        assert (head.status, head.headers.get("sec-websocket-extensions")) == (101, answer)
        assert served.last.session.form is (Form.BARE if answer is None else Form.BARE_DEFLATED)


@in_loop
async def test_it_is_off_by_default() -> None:
    async with serving() as served, Http.connect(served.port) as http:
        http.ask("GET", BARE, headers={**GOOD, "Sec-WebSocket-Extensions": "permessage-deflate"})
        assert "sec-websocket-extensions" not in (await http.head()).headers
        assert served.last.session.form is Form.BARE
        http.writer.write(masked(TEXT | RSV1, deflated(b"x")))
        assert (await http.reader.read())[2:4] == (1002).to_bytes(2, "big")


@in_loop
async def test_a_farewell_is_never_compressed() -> None:
    async with serving(compression=True, max_sessions=1, farewell=LONG.encode) as served:
        headers = {"Sec-WebSocket-Extensions": "permessage-deflate"}
        async with WebSocket.connect(served, BARE), WebSocket.connect(served, BARE, headers=headers) as ws:
            assert await ws.receive() == LONG
            assert (await ws.closed())[0] == 3005


# ---------------------------------------------------------------------------------------------------------- messages


@both
@in_loop
async def test_echo(path: str) -> None:
    texts = ["a", "\u2028 \U0001f600 \0", "x" * 60_000, LONG, "", "y" * DEFLATE_FROM, str(random.Random(1).random())]
    async with serving(Echo, compression=True) as served, compressing(served, path) as ws:
        if path == FRAMED:
            await ws.opened()
        for text in texts:
            ws.text(json.dumps([text]) if path == FRAMED else text)
            got = await ws.receive()
            assert isinstance(got, str)
            assert (json.loads(got[1:]) if path == FRAMED else [got]) == [text]
        if path == BARE:
            ws.binary(bytes(1000))
            assert await ws.receive() == bytes(1000)
        served.last.session.close(3456, "enough")
        if path == FRAMED:
            assert await ws.receive() == 'c[3456,"enough"]'
        assert await ws.closed() == (3456, "enough")


@both
@in_loop
async def test_large_messages_are_small_on_the_wire(path: str) -> None:
    headers = {**GOOD, "Sec-WebSocket-Extensions": "permessage-deflate"}
    async with serving(compression=True) as served, Http.connect(served.port) as http:
        http.ask("GET", path, headers=headers)
        await http.head()
        if path == FRAMED:
            assert await http.reader.readexactly(3) == b"\x81\x01o"
        served.last.send("short")
        assert (await http.reader.readexactly(2))[0] == 0x81, "below the threshold nothing changes"
        await http.reader.readexactly(5 if path == BARE else 10)
        served.last.send(LONG)
        first, size = await http.reader.readexactly(2)
        assert first == 0xC1
        assert size < 126
        data = zlib.decompressobj(-15).decompress(await http.reader.readexactly(size) + b"\0\0\xff\xff")
        assert data.decode() == (LONG if path == BARE else f"a[{json.dumps(LONG)}]")


@in_loop
async def test_compressed_fragments_with_pings_between() -> None:
    data = deflated(LONG.encode())
    async with serving(compression=True) as served, compressing(served) as ws:
        for size in (1, 7, 100):
            pieces = [data[start : start + size] for start in range(0, len(data), size)] + [b""]
            for number, piece in enumerate(pieces):
                opcode = CONT if number else TEXT | RSV1
                ws.raw(masked(opcode, piece, fin=number == len(pieces) - 1) + masked(PING, b"p"))
            assert await ws.receive() == LONG


@in_loop
async def test_plain_and_compressed_messages_may_alternate() -> None:
    async with serving(compression=True) as served, compressing(served) as ws:
        for _ in range(3):
            ws.raw(masked(TEXT, b"plain") + masked(TEXT | RSV1, deflated(b"deflated")))
            ws.raw(masked(TEXT, b"in ", fin=False) + masked(CONT, b"pieces"))
            assert [await ws.receive() for _ in range(3)] == ["plain", "deflated", "in pieces"]


# ------------------------------------------------------------------------------------------------------------ misuse


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (masked(PING | RSV1, b"p"), 1002),
        (masked(CLOSE | RSV1, b"\x03\xe8"), 1002),
        (masked(TEXT | 0x20, b"x"), 1002),
        (masked(TEXT | 0x60, deflated(b"x")), 1002),
        (masked(CONT | RSV1, deflated(b"x")), 1002),
        (masked(TEXT | RSV1, deflated(b"ab")[:2], fin=False) + masked(CONT | RSV1, deflated(b"ab")[2:]), 1002),
        (masked(TEXT, b"a", fin=False) + masked(CONT | RSV1, deflated(b"b")), 1002),
        (masked(TEXT | RSV1, b"", fin=False) + masked(TEXT | RSV1, deflated(b"b")), 1002),
        (masked(TEXT | RSV1, b"\xff\xff\xff\xff not deflated"), 1002),
        (masked(TEXT | RSV1, deflated(b"\xff")), 1007),
    ],
)
@in_loop
async def test_misuse(data: bytes, code: int) -> None:
    async with serving(compression=True) as served, compressing(served) as ws:
        ws.raw(data)
        assert (await ws.closed())[0] == code
        assert served.last.heard == []


@in_loop
async def test_a_bomb_is_never_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = deflated(bytes(2**20))
    limit = 2**12
    assert len(bomb) < limit
    pieces = [bomb[start : start + 100] for start in range(0, len(bomb), 100)]
    bombs = [
        masked(TEXT | RSV1, bomb),
        b"".join(
            masked(CONT if number else TEXT | RSV1, piece, fin=number == len(pieces) - 1)
            for number, piece in enumerate(pieces)
        ),
        # exactly as much as is allowed, then the rest when nothing may come any more
        masked(TEXT | RSV1, deflated(b"x" * limit) + b"\0\0\xff\xff", fin=False) + masked(CONT, bomb),
    ]
    async with serving(compression=True, max_message_size=limit) as served:
        for data in bombs:
            async with compressing(served) as ws:
                ws.raw(data)
                assert (await ws.closed())[0] == 1009
                assert served.last.heard == []
        async with compressing(served) as ws:
            ws.raw(masked(TEXT | RSV1, deflated(b"x" * limit)))
            assert await ws.receive() == "x" * limit


# ------------------------------------------------------------------------------------------------------- the fan-out


@in_loop
async def test_a_mixed_roster_shares_one_compressed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[bytes] = []
    deflate = frames.deflated_frame
    monkeypatch.setattr(frames, "deflated_frame", lambda payload: built.append(payload) or deflate(payload))
    async with contextlib.AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(compression=True))
        clients: list[tuple[str, Any]] = []
        for path in (BARE, FRAMED) * 3:
            clients.append((path, await stack.enter_async_context(WebSocket.connect(served, path))))
            clients.append((path, await stack.enter_async_context(compressing(served, path))))
        stream = await stack.enter_async_context(Stream.open(served.port, new_session(), "xhr_streaming"))
        sessions = [connection.session for connection in served.made]
        for path, client in clients:
            if path == FRAMED:
                await client.opened()
        assert await stream.packet() == "o"
        Channel(sessions).publish(LONG, "small", LONG)
        for path, client in clients:
            if path == FRAMED:
                packet = await client.receive()
                assert json.loads(packet[1:]) == [LONG, "small", LONG]
            else:
                assert [await client.receive() for _ in range(3)] == [LONG, "small", LONG]
        assert json.loads((await stream.packet())[1:]) == [LONG, "small", LONG]
        assert len(built) == 4, "three messages of the bare form, and one array"


@pytest.mark.parametrize("path", [FRAMED, BARE])
@in_loop
async def test_partial_writes(path: str) -> None:
    noise = random.Random(7)
    texts = [f"{number} {noise.randbytes(30_000).hex()}" for number in range(200)]
    async with (
        serving(budget=Budget(2**26), compression=True) as served,
        compressing(served, path, buffer=4096) as slow,
        WebSocket.connect(served, path) as plain,
    ):
        channel = Channel([connection.session for connection in served.made])
        for text in texts:
            channel.publish(text)
        assert served.made[0].session.waiting, "the slow one does not read"
        for ws in (plain, slow):
            if path == FRAMED:
                await ws.opened()
            for text in texts:
                got = await ws.receive()
                assert isinstance(got, str)
                assert (json.loads(got[1:])[0] if path == FRAMED else got) == text
        await until(lambda: not served.router.budget.used, "all is sent")


# ---------------------------------------------------------------------------------------------------------- the forms


def test_what_is_too_large_or_too_small_is_as_it_was() -> None:
    for envelopes in ([b"x"], [b"x" * DEFLATE_UP_TO], [b'"y"'] * 20):
        frame = Frame(envelopes)
        assert frame.form(Form.BARE_DEFLATED) is frame.form(Form.BARE)
        assert frame.form(Form.FRAMED_DEFLATED) is frame.form(Form.FRAMED)


def test_what_cannot_be_compressed_is_as_it_was() -> None:
    noise = random.Random(3).randbytes(1000).decode("latin-1").encode("utf-16-be")
    assert frames.deflated_frame(random.Random(3).randbytes(1000))[0] == 0x81
    assert frames.deflated_frame(noise)[0] == 0xC1


def test_each_form_is_built_once() -> None:
    frame = Frame([LONG.encode()])
    for form in Form:
        assert frame.form(form) is frame.form(form)


def test_without_clients_that_compress_nothing_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "compressobj", None)
    frame = Frame([LONG.encode()])
    for form in (Form.BARE, Form.FRAMED, Form.SESSION):
        frame.form(form)
