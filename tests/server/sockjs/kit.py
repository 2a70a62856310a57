"""A SockJS endpoint and its clients in one loop, over real sockets, so that a test sees both ends."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from support.timing import UNIT
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from sethpusher_core.addresses import Address
from sethpusher_core.hub import Local
from sethpusher_core.publication import PUBLICATION_KIND, Delivery
from sethpusher_core.roster import Member
from sethpusher_core.tally import Tally
from sethpusher_core.transports.outlet import Budget
from sethpusher_core.transports.router import PushRouter
from sethpusher_core.transports.session import Session
from sethpusher_core.transports.sockjs import SockJSConnection

__all__ = [
    "Answer",
    "Channel",
    "Echo",
    "Http",
    "Served",
    "Stream",
    "WebSocket",
    "begin_poll",
    "in_virtual_time",
    "new_session",
    "plain_server",
    "read_sse",
    "serving",
    "until",
]

_ids = itertools.count(1)


async def until(condition: Callable[[], object], what: str) -> None:
    """Lets the loop turn until something holds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + UNIT
    while not condition():
        assert loop.time() < deadline, f"waited in vain for this: {what}"
        await asyncio.sleep(0)


class _Hasty(asyncio.SelectorEventLoop):
    """A loop that jumps to its next timer instead of waiting for it. For tests without sockets."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        selector: Any = self._selector  # where asyncio waits; there is no public way to it
        select = selector.select

        def jump(timeout: float | None) -> Any:
            self._now += timeout or 0.0
            return select(0)

        selector.select = jump

    def time(self) -> float:
        return self._now


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Makes a plain test of an ``async`` one that has no sockets; its timers cost no time, and are exact."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=_Hasty) as runner:
            runner.run(test(*args, **kwargs))

    return run


def new_session(server: str = "000") -> str:
    """The path of a session that nobody has used."""
    return f"/echo/{server}/s{next(_ids)}"


# -------------------------------------------------------------------------------------------------------- the server


class Echo(SockJSConnection):  # type: ignore[misc]  # sockjs-tornado has no types
    """Says what it hears.

    Attributes:
        heard: What it has heard.
        ended: The close code, once it is over.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.info: Any = None
        self.heard: list[str | bytes] = []
        self.ended: int | None = None

    def on_open(self, request: Any) -> bool | None:
        self.info = request
        return None

    def on_message(self, message: str | bytes) -> None:
        self.heard.append(message)
        self.send(message, binary=isinstance(message, bytes))

    def on_close(self) -> None:
        assert self.ended is None, "told twice"
        self.ended = self.session.close_code


@dataclass
class Served:
    """An endpoint at ``/echo`` that runs.

    Attributes:
        router: The endpoint.
        port: Where it listens.
        made: Every connection object that was made, oldest first.
    """

    router: PushRouter
    port: int = 0
    made: list[Any] = field(default_factory=list)
    http: Any = None

    @property
    def last(self) -> Any:
        """The newest connection object."""
        return self.made[-1]

    async def call(
        self, method: str, path: str, body: bytes | str = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own."""
        async with Http.connect(self.port) as http:
            return await http.call(method, path, body, headers)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return await self.call("GET", path, headers=headers)

    async def post(self, path: str, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> Answer:
        return await self.call("POST", path, body, headers)

    async def poll(self, session: str) -> str:
        """What a poll fetches."""
        answer = await self.post(f"{session}/xhr")
        assert answer.status == 200, answer
        text = answer.body.decode()
        assert text.endswith("\n")
        return text[:-1]

    async def send(self, session: str, *messages: str) -> None:
        """Sends messages by ``xhr_send``."""
        answer = await self.post(f"{session}/xhr_send", json.dumps(messages))
        assert (answer.status, answer.body) == (204, b""), answer


def plain_server(router: PushRouter, **options: Any) -> HTTPServer:
    """Tornado's own HTTPServer."""
    return HTTPServer(Application(router.urls, log_function=lambda handler: None), **options)


make_server: Callable[..., HTTPServer] = plain_server
"""What :func:`serving` listens with; the fixture ``doors`` has a test run with each."""


@contextlib.asynccontextmanager
async def serving(
    connection: Callable[[Any], Any] = Echo,
    *,
    budget: Budget | None = None,
    tls: ssl.SSLContext | None = None,
    start: bool = True,
    farewell: Callable[[], bytes] | None = None,
    **settings: Any,
) -> AsyncIterator[Served]:
    """Runs an endpoint; at the end nothing of its clients may be left."""
    made: list[Any] = []

    def make(session: Any) -> Any:
        made.append(connection(session))
        return made[-1]

    router = PushRouter(make, "/echo", settings, budget, farewell=farewell)
    http = make_server(router, ssl_options=tls)
    [listener] = bind_sockets(0, "127.0.0.1")
    http.add_socket(listener)
    if start:
        router.start()
    served = Served(router, listener.getsockname()[1], made, http)
    try:
        yield served
    finally:
        http.stop()
        router.stop()
        left: list[Any] = list(router.sessions)
        for session in left:
            session.close()
            session._stream.close()  # no client of a test is waited for
        await http.close_all_connections()
    await until(lambda: not router.sessions, "all sessions end")
    await until(lambda: router.budget.used == 0, f"all bytes leave the account: {router.budget.used}")
    assert not len(router.http_sessions)
    assert not router.room.parting


class Channel:
    """A channel with some members, and the real fan-out."""

    def __init__(self, sessions: Sequence[Session], on_slow: str = "disconnect") -> None:
        self.local = Local(Address.channel("news"), on_slow, Tally())
        for number, session in enumerate(sessions):
            self.local.join(Member(session.outlet, str(number)))

    def publish(self, *envelopes: str) -> None:
        """Sends envelopes to all members, in one frame."""
        for envelope in envelopes:
            self.local.add(Delivery(PUBLICATION_KIND, "", envelope.encode()))
        while not self.local.fan_out(perf_counter() + UNIT):
            pass


# ------------------------------------------------------------------------------------------------------------- HTTP


@dataclass(frozen=True)
class Answer:
    """What a server answered; names of headers are in lower case."""

    version: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Http:
    """One connection for requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, port: int, *, tls: ssl.SSLContext | None = None, source: str = "127.0.0.1") -> Any:
        """Connects; the connection is closed at the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, local_addr=(source, 0))
        try:
            yield cls(reader, writer)
        finally:
            await drop(writer)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str = b"",
        headers: Mapping[str, str] | None = None,
        version: str = "HTTP/1.1",
    ) -> None:
        """Sends a request."""
        if isinstance(body, str):
            body = body.encode()
        fields = {"Host": "server.test", **(headers or {})}
        if method != "GET":
            fields.setdefault("Content-Length", str(len(body)))
        lines = [f"{method} {path} {version}", *(f"{name}: {value}" for name, value in fields.items() if value != "")]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def head(self) -> Answer:
        """The next answer, its body left out."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        headers = {}
        for line in lines[1:-2]:
            name, _, value = line.partition(": ")
            assert name.lower() not in headers, f"twice: {line}"
            headers[name.lower()] = value
        return Answer(version, int(status), headers, b"")

    async def answer(self) -> Answer:
        """The next answer, with its body."""
        head = await self.head()
        if head.status in (204, 304):
            body = b""
        elif "content-length" in head.headers:
            body = await self.reader.readexactly(int(head.headers["content-length"]))
        else:
            body = await self.reader.read()
        return Answer(head.version, head.status, head.headers, body)

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | str = b"",
        headers: Mapping[str, str] | None = None,
        version: str = "HTTP/1.1",
    ) -> Answer:
        """Sends a request and gives its answer."""
        self.ask(method, path, body, headers, version)
        return await self.answer()

    async def chunk(self) -> bytes:
        """The next chunk of a streaming response; empty at its end."""
        size = int(await self.reader.readline(), 16)
        data = await self.reader.readexactly(size + 2)
        return data[:-2]

    async def ended(self) -> bool:
        """Waits for the connection's end, before which nothing may come."""
        return await self.reader.read(1) == b""


async def drop(writer: asyncio.StreamWriter) -> None:
    """Ends a connection at once."""
    writer.transport.abort()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()


class Stream(Http):
    """A streaming response.

    Attributes:
        transport: By its SockJS name.
        start: The answer, its body left out.
        prelude: What came before the first packet.
    """

    transport: str
    start: Answer
    prelude: bytes
    PRELUDES: Mapping[str, bytes] = {"xhr_streaming": b"h" * 2048 + b"\n", "eventsource": b"\r\n"}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, port: int, session: str, transport: str, **options: Any) -> Any:
        """Begins to fetch, the prelude included."""
        query = "?c=cb" if transport == "htmlfile" else ""
        async with cls.connect(port, **options) as stream:
            stream.transport = transport
            stream.ask("POST" if transport == "xhr_streaming" else "GET", f"{session}/{transport}{query}")
            stream.start = await stream.head()
            assert stream.start.status == 200, stream.start
            stream.prelude = await stream.chunk()
            yield stream

    async def packet(self) -> str | None:
        """The next packet; None at the response's end."""
        chunk = await self.chunk()
        if not chunk:
            return None
        return _UNWRAP[self.transport](chunk.decode())


def _unwrap_html(chunk: str) -> str:
    head, tail = "<script>\np(", ");\n</script>\r\n"
    assert chunk.startswith(head)
    assert chunk.endswith(tail)
    literal = chunk[len(head) : -len(tail)]
    assert "<" not in literal
    packet: str = json.loads(literal)
    return packet


def read_sse(chunk: str) -> str:
    """The packet in an event, as sockjs-client reads it (``decodeURI``)."""
    assert chunk.startswith("data: ")
    assert chunk.endswith("\r\n\r\n")
    data = chunk[6:-4]
    assert not set(data) & {"\r", "\n", "\0"}
    assert data.count("%") == data.count("%25")
    return data.replace("%25", "%")


_UNWRAP: Mapping[str, Callable[[str], str]] = {
    "xhr_streaming": lambda chunk: chunk.removesuffix("\n"),
    "eventsource": read_sse,
    "htmlfile": _unwrap_html,
}


@contextlib.asynccontextmanager
async def begin_poll(served: Served, session: str, **options: Any) -> AsyncIterator[Http]:
    """A poll that waits at the server when the block begins."""
    async with Http.connect(served.port, **options) as http:
        http.ask("POST", f"{session}/xhr")
        name = session.rsplit("/", 1)[1]

        def waits() -> bool:
            found = served.router.http_sessions.get(name)
            return found is not None and found.has_receiver

        await until(waits, "the poll arrives")
        yield http


# ------------------------------------------------------------------------------------------------------- websockets


class WebSocket:
    """A client on a websocket; it reads only when the test does.

    Attributes:
        pings: How many have come.
        pongs: The payloads of those that have come.
        order: ``ping``, ``pong`` and ``message``, as they came.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, path: str, compress: bool = False
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.pings = 0
        self.pongs: list[bytes] = []
        self.order: list[str] = []
        offers = [ClientPerMessageDeflateFactory(client_max_window_bits=True)] if compress else None
        self.wire = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}{path}"), max_size=None, extensions=offers)
        self._frames: deque[bytes | str] = deque()
        self._opened = False
        self._ended = False

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls,
        served: Served,
        path: str = "/echo/000/ws/websocket",
        *,
        headers: Mapping[str, str] | None = None,
        before: bytes = b"",
        buffer: int | None = None,
        tls: ssl.SSLContext | None = None,
        compress: bool = False,
    ) -> AsyncIterator[WebSocket]:
        """Connects and shakes hands.

        Args:
            served: The server.
            path: The endpoint.
            headers: Sent beside those of the handshake.
            before: Bytes that are sent in one piece with the handshake.
            buffer: Size of the receiving socket's own buffer.
            tls: How to encrypt.
            compress: Whether to offer permessage-deflate, and then to compress.
        """
        line = socket.socket()
        if buffer is not None:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        line.setblocking(False)
        await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", served.port))
        name = None if tls is None else "127.0.0.1"
        reader, writer = await asyncio.open_connection(sock=line, ssl=tls, server_hostname=name, limit=2**12)
        self = cls(reader, writer, served.port, path, compress)
        try:
            request = self.wire.connect()
            for field_name, value in (headers or {}).items():
                request.headers[field_name] = value
            self.wire.send_request(request)
            writer.write(b"".join(self.wire.data_to_send()) + before)
            while not self._opened:
                await self._receive()
            yield self
        finally:
            await drop(writer)

    async def opened(self) -> WebSocket:
        """Takes the open packet."""
        assert await self.receive() == "o"
        return self

    def text(self, text: str) -> None:
        self.wire.send_text(text.encode())
        self._flush()

    def binary(self, data: bytes) -> None:
        self.wire.send_binary(data)
        self._flush()

    def raw(self, data: bytes) -> None:
        """Sends bytes that need not be a frame."""
        self.writer.write(data)

    def frame(self, opcode: Opcode, data: bytes, *, fin: bool = True) -> None:
        """Sends one frame, masked, that need not make sense."""
        self.raw(masked(opcode, data, fin=fin))

    async def receive(self) -> str | bytes | None:
        """The next message; None when the connection has ended."""
        while not self._frames:
            if self._ended:
                return None
            await self._receive()
        return self._frames.popleft()

    async def closed(self) -> tuple[int | None, str]:
        """Waits for the end, before which nothing may come; the server's close code and reason."""
        assert await self.receive() is None
        close = self.wire.close_rcvd
        return (None, "") if close is None else (close.code, close.reason)

    async def _receive(self) -> None:
        try:
            data = await self.reader.read(2**16)
        except ConnectionResetError:
            data = b""
        if data:
            self.wire.receive_data(data)
        else:
            self._ended = True
            self.wire.receive_eof()
        for event in self.wire.events_received():
            if isinstance(event, Response):
                self._opened = True
                assert self.wire.handshake_exc is None, self.wire.handshake_exc
            else:
                self._take(event)
        self._flush()
        if self._ended and not self._opened:
            raise ConnectionError("the handshake was refused")

    def _take(self, event: Any) -> None:
        assert isinstance(event, WireFrame)
        if event.opcode is Opcode.PING:
            self.order.append("ping")
            self.pings += 1
        elif event.opcode is Opcode.PONG:
            self.order.append("pong")
            self.pongs.append(bytes(event.data))
        elif event.opcode in (Opcode.TEXT, Opcode.BINARY):
            assert event.fin
            self.order.append("message")
            data = bytes(event.data)
            self._frames.append(data.decode() if event.opcode is Opcode.TEXT else data)

    def _flush(self) -> None:
        if self.wire.state is not State.CONNECTING and not self.writer.is_closing():
            for data in self.wire.data_to_send():
                if data:
                    self.writer.write(data)


def masked(opcode: int, data: bytes, *, fin: bool = True, mask: bool = True) -> bytes:
    """A frame as a client sends it (RFC 6455, section 5.2); without ``mask`` as it must not."""
    first = (0x80 if fin else 0) | opcode
    bit = 0x80 if mask else 0
    if len(data) < 126:
        head = bytes([first, bit | len(data)])
    elif len(data) < 2**16:
        head = bytes([first, bit | 126]) + len(data).to_bytes(2, "big")
    else:
        head = bytes([first, bit | 127]) + len(data).to_bytes(8, "big")
    return head + (bytes(4) if mask else b"") + data
