"""The beginning of a websocket (RFC 6455, section 4.2.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from server.sockjs.kit import Http, WebSocket, masked, serving, until
from support.loops import in_loop
from websockets.frames import Opcode

GOOD = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
}
BARE = "/echo/websocket"

FINE = [
    {},
    {"Upgrade": "WebSocket"},
    {"Connection": "keep-alive, Upgrade"},
    {"Connection": "UPGRADE"},
    {"Sec-WebSocket-Extensions": "permessage-deflate"},
    {"Origin": "https://app.example.com"},
]
BAD = [
    ({"Upgrade": ""}, 400, 'Can "Upgrade" only to "WebSocket".'),
    ({"Upgrade": "h2c"}, 400, 'Can "Upgrade" only to "WebSocket".'),
    ({"Connection": "close"}, 400, '"Connection" must be "Upgrade".'),
    ({"Connection": ""}, 400, '"Connection" must be "Upgrade".'),
    ({"Connection": "Upgraded"}, 400, '"Connection" must be "Upgrade".'),
    ({"Sec-WebSocket-Version": ""}, 426, "Only version 13 is spoken here.\n"),
    ({"Sec-WebSocket-Version": "8"}, 426, "Only version 13 is spoken here.\n"),
    ({"Sec-WebSocket-Key": ""}, 400, "Sec-WebSocket-Key is missing or malformed.\n"),
    ({"Sec-WebSocket-Key": "dG9vIHNob3J0"}, 400, "Sec-WebSocket-Key is missing or malformed.\n"),
    ({"Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw"}, 400, "Sec-WebSocket-Key is missing or malformed.\n"),
    ({"Sec-WebSocket-Key": "*3JJHMbDL1EzLkh9GBhXDw=="}, 400, "Sec-WebSocket-Key is missing or malformed.\n"),
]


@pytest.mark.parametrize("path", ["/echo/000/x/websocket", BARE])
@pytest.mark.parametrize("headers", FINE, ids=str)
@in_loop
async def test_fine(path: str, headers: Mapping[str, str]) -> None:
    async with serving() as served, Http.connect(served.port) as http:
        http.ask("GET", path, headers={**GOOD, **headers})
        head = await http.head()
        assert (head.version, head.status) == ("HTTP/1.1", 101)
        assert head.headers["sec-websocket-accept"] == "HSmrc0sMlYUkAGmm5OPpG2HaGWk="
        assert head.headers["upgrade"].lower() == "websocket"
        assert head.headers["connection"].lower() == "upgrade"
        assert not {"content-length", "sec-websocket-extensions", "sec-websocket-protocol"} & head.headers.keys()


@pytest.mark.parametrize("path", ["/echo/000/x/websocket", BARE])
@pytest.mark.parametrize(("headers", "status", "text"), BAD, ids=str)
@in_loop
async def test_bad(path: str, headers: Mapping[str, str], status: int, text: str) -> None:
    async with serving() as served, Http.connect(served.port) as http:
        answer = await http.call("GET", path, headers={**GOOD, **headers})
        assert (answer.status, answer.text) == (status, text)
        assert answer.headers["connection"] == "close"
        assert ("sec-websocket-version" in answer.headers) is (status == 426)
        assert await http.ended()
        assert served.made == []


@in_loop
async def test_http_1_0_has_no_websockets() -> None:
    async with serving() as served, Http.connect(served.port) as http:
        answer = await http.call("GET", BARE, headers=GOOD, version="HTTP/1.0")
        assert answer.status == 400


@in_loop
async def test_not_started() -> None:
    async with serving(start=False) as served:
        for method, path in [("GET", BARE), ("GET", "/echo/info"), ("POST", "/echo/a/b/xhr"), ("GET", "/echo")]:
            answer = await served.call(method, path, headers=GOOD if path == BARE else {})
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert served.made == []
        served.router.start()
        assert (await served.get("/echo")).status == 200


@in_loop
async def test_draining() -> None:
    async with serving() as served, WebSocket.connect(served, BARE) as ws:
        await served.poll("/echo/000/old")
        served.router.drain()
        assert (await served.get(BARE, GOOD)).status == 503
        assert (await served.post("/echo/000/new/xhr")).status == 503
        ws.text("those inside are served")
        assert await ws.receive() == "those inside are served"
        await served.send("/echo/000/old", "likewise")
        assert await served.poll("/echo/000/old") == 'a["likewise"]'


@in_loop
async def test_there_is_room_for_so_many() -> None:
    async with serving(max_sessions=2) as served:
        async with WebSocket.connect(served, BARE), WebSocket.connect(served):
            answer = await served.get(BARE, GOOD)
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert (await served.post("/echo/000/x/xhr")).status == 503
        await until(lambda: not served.router.sessions, "they leave")
        async with WebSocket.connect(served, BARE):
            pass


@pytest.mark.parametrize("path", ["/echo/000/x/websocket", BARE])
@in_loop
async def test_frames_in_one_piece_with_the_handshake(path: str) -> None:
    before = masked(Opcode.TEXT, b'["one"]') + masked(Opcode.PING, b"p") + masked(Opcode.TEXT, b'["two"]')
    async with serving() as served, WebSocket.connect(served, path, before=before) as ws:
        if path == BARE:
            assert [await ws.receive(), await ws.receive()] == ['["one"]', '["two"]']
        else:
            assert [await ws.receive() for _ in range(3)] == ["o", 'a["one"]', 'a["two"]']
        assert ws.pongs == [b"p"]


@in_loop
async def test_a_handshake_and_its_end_in_one_piece() -> None:
    async with serving() as served:
        async with Http.connect(served.port) as http:
            http.ask("GET", BARE, headers=GOOD, body=masked(Opcode.TEXT, b"x") + masked(Opcode.CLOSE, b"\x03\xe8"))
            assert (await http.head()).status == 101
            assert await http.reader.read() == b"\x81\x01x\x88\x02\x03\xe8"
        await until(lambda: served.last.ended == 1000, "the application is told")


@in_loop
async def test_a_client_that_goes_right_after_its_handshake() -> None:
    async with serving() as served:
        for number in range(20):
            async with Http.connect(served.port) as http:
                http.ask("GET", BARE, headers=GOOD)
                if number % 3:
                    await asyncio.sleep(0)
                if number % 2:
                    http.writer.write_eof()
                    await http.reader.read()
        await until(lambda: not served.router.sessions, "all leave")
        assert all(connection.ended == 1006 for connection in served.made)


class Reading:
    """Asks for all that a handshake tells."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.seen: list[Any] = []

    def on_open(self, info: Any) -> None:
        self.seen = [
            info.ip,
            info.path,
            info.get_argument("a"),
            info.get_argument("none"),
            info.get_cookie("c").value,
            info.get_header("x-own"),
            info.credentials.transport,
            info.credentials.query("a"),
            info.credentials.request.headers["x-own"],
        ]

    def on_message(self, message: str) -> None: ...

    def on_close(self) -> None: ...


@pytest.mark.parametrize("transport", ["websocket", "xhr"])
@in_loop
async def test_what_the_application_is_told(transport: str) -> None:
    path = f"/echo/000/x/{transport}"
    headers = {"Cookie": "c=d", "X-Own": "mine"}
    async with serving(Reading) as served:
        if transport == "xhr":
            await served.post(f"{path}?a=b&a=%63", headers=headers)
        else:
            async with WebSocket.connect(served, f"{path}?a=b&a=%63", headers=headers):
                pass
        assert served.last.seen == ["127.0.0.1", path, b"b", None, "d", "mine", transport, "c", "mine"]
        assert served.last.session.conn_info is None
