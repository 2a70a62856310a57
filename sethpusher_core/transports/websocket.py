"""WebSocket (RFC 6455): the SockJS transport ``websocket`` and the bare endpoint ``/connect/websocket``.

The handshake comes through Tornado's HTTPServerConnectionDelegate, which costs a fraction of a RequestHandler, and
``detach`` gives the stream. What comes in is read by the sans-I/O protocol of the ``websockets`` library. What goes
out is mostly frames that were built once for many clients, so it goes straight to the socket; only what the socket
does not take is left to Tornado's stream, one frame at a time.
"""

from __future__ import annotations

import asyncio
import binascii
import logging
from base64 import b64decode
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

import msgspec
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream, StreamClosedError
from websockets.exceptions import ProtocolError
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.protocol import Protocol as WireProtocol
from websockets.protocol import Side, State
from websockets.utils import accept_key

from .. import errors
from ..errors import CloseCode
from ..frames import Form, websocket_frame
from ..identity import Credentials
from .session import ABNORMAL, Session

if TYPE_CHECKING:
    from .router import PushRouter

__all__ = ["WebSocketEndpoint", "WebSocketSession"]

log = logging.getLogger("sethpusher.transport")

READ_SIZE: Final = 65536
CLOSE_TIMEOUT: Final = 5.0
"""Seconds that a client has to answer a close frame, and a slow one to take the frame under way."""

_PING: Final = websocket_frame(b"", 0x9)
_OPEN: Final = websocket_frame(b"o")
_HEARTBEAT: Final = websocket_frame(b"h")
_decode_json = msgspec.json.decode


class WebSocketEndpoint(HTTPServerConnectionDelegate):
    """Where websockets begin: a target for a Tornado routing rule."""

    def __init__(self, router: PushRouter, form: Form) -> None:
        """Makes an endpoint.

        Args:
            router: Whose sessions begin here.
            form: ``Form.FRAMED`` for SockJS, ``Form.BARE`` without.
        """
        self._router = router
        self._form = form

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """See Tornado."""
        return _Handshake(self._router, self._form, request_conn)


class _Refusal(Exception):
    def __init__(self, status: int, reason: str, text: str, **headers: str) -> None:
        self.status = status
        self.reason = reason
        self.text = text
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class _Handshake(HTTPMessageDelegate):
    """One upgrade request."""

    def __init__(self, router: PushRouter, form: Form, connection: Any) -> None:
        self._router = router
        self._form = form
        self._connection = connection

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """See Tornado."""
        assert isinstance(start_line, RequestStartLine)
        try:
            key = _check_upgrade(start_line, headers)
            if not self._router.origin_allowed(headers.get("Origin")):
                raise _Refusal(403, "Forbidden", "Origin not allowed.\n")
            if not self._router.has_room():
                raise _Refusal(503, "Service Unavailable", "Too many connections.\n", Retry_After="5")
        except _Refusal as refusal:
            self._refuse(refusal)
            return None
        credentials = self._credentials(start_line, headers)
        stream = self._connection.detach()
        WebSocketSession(self._router, self._form, stream).start(accept_key(key), credentials)
        return None

    def _credentials(self, start_line: RequestStartLine, headers: HTTPHeaders) -> Credentials:
        connection = self._connection
        context = getattr(connection, "context", None)

        def request() -> HTTPServerRequest:
            return HTTPServerRequest(connection=connection, start_line=start_line, headers=headers)

        return Credentials(
            purpose="connection",
            transport="websocket" if self._form is Form.FRAMED else "rawwebsocket",
            remote_ip=getattr(context, "remote_ip", None) or "",
            method=start_line.method,
            uri=start_line.path,
            headers=headers,
            make_request=request,
        )

    def _refuse(self, refusal: _Refusal) -> None:
        body = refusal.text.encode()
        headers = HTTPHeaders({"Content-Length": str(len(body)), "Connection": "close", **refusal.headers})
        if body:
            headers["Content-Type"] = "text/plain; charset=UTF-8"
        start_line = ResponseStartLine("HTTP/1.1", refusal.status, refusal.reason)
        self._connection.write_headers(start_line, headers, body)
        self._connection.finish()


def _check_upgrade(start_line: RequestStartLine, headers: HTTPHeaders) -> str:
    """The key of a well-formed upgrade request (RFC 6455, section 4.2.1; the texts are sockjs-protocol's).

    Raises:
        _Refusal: It is none.
    """
    if start_line.method != "GET":
        raise _Refusal(405, "Method Not Allowed", "", Allow="GET")
    if headers.get("Upgrade", "").lower() != "websocket":
        raise _Refusal(400, "Bad Request", 'Can "Upgrade" only to "WebSocket".')
    connection = headers.get("Connection", "").lower()
    if "upgrade" not in [word.strip() for word in connection.split(",")]:
        raise _Refusal(400, "Bad Request", '"Connection" must be "Upgrade".')
    if headers.get("Sec-WebSocket-Version") != "13":
        raise _Refusal(426, "Upgrade Required", "Only version 13 is spoken here.\n", Sec_WebSocket_Version="13")
    key = headers.get("Sec-WebSocket-Key", "")
    try:
        if len(b64decode(key, validate=True)) == 16:
            return key
    except (ValueError, binascii.Error):
        pass
    raise _Refusal(400, "Bad Request", "Sec-WebSocket-Key is missing or malformed.\n")


class WebSocketSession(Session):
    """A client on a websocket."""

    __slots__ = ("_closer", "_fragments", "_heard", "_paused", "_reading", "_stream", "_wire", "_writing")

    def __init__(self, router: PushRouter, form: Form, stream: IOStream) -> None:
        super().__init__(router, form, "websocket" if form is Form.FRAMED else "rawwebsocket")
        self._stream = stream
        self._wire = WireProtocol(Side.SERVER, state=State.OPEN, max_size=router.max_message_size)
        self._fragments: list[WireFrame] | None = None
        self._writing = False
        self._paused = False
        self._reading = False
        self._heard = True
        self._closer: asyncio.TimerHandle | None = None

    def start(self, accept: str, credentials: Credentials) -> None:
        """Answers the handshake and begins."""
        stream = self._stream
        stream.set_close_callback(self._stream_closed)
        stream.set_nodelay(True)
        answer = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ).encode()
        if self.form is Form.FRAMED:
            answer += _OPEN
        self.server.remember(self)
        if type(stream) is IOStream and not stream.writing():  # a TLS stream has its own way to the socket
            self.send = stream.socket.send
            self.blocked = False
        self._send_now(answer)
        self.opened(credentials)
        self._read()

    # -------------------------------------------------------------------------------------------------- outbound

    def partial(self, data: bytes, sent: int) -> None:
        """See :meth:`Outlet.partial`."""
        self._leave_to_stream(memoryview(data)[sent:])

    def failed(self, data: bytes, error: OSError) -> None:
        """See :meth:`Outlet.failed`."""
        if isinstance(error, BlockingIOError):
            self._leave_to_stream(memoryview(data))
        else:
            self.blocked = True
            self._stream.close()  # its close callback runs in the next turn, not within the fan-out

    def _leave_to_stream(self, rest: memoryview) -> None:
        """Gives the stream the one frame under way; what comes next waits in the backlog until it is written."""
        self.blocked = self._writing = True
        size = len(rest)
        self._account(size)
        try:
            written = self._stream.write(rest)
        except StreamClosedError:
            self._account(-size)
            return
        written.add_done_callback(lambda future: self._written(future, size))

    def _written(self, written: asyncio.Future[None], size: int) -> None:
        self._writing = False
        if self.backlog_bytes:  # it was forgotten if the session has ended
            self._account(-min(size, self.backlog_bytes))
        if not written.cancelled() and written.exception() is None:
            self.pump()

    def pump(self) -> None:
        """See :meth:`Outlet.pump`."""
        direct = type(self._stream) is IOStream
        while not self._writing:
            entry = self._pop()
            if entry is None:
                self.blocked = self.closed or not direct
                if self.closed and self._wire.close_rcvd is not None:
                    self._stream.close()
                return
            size = len(entry.data)
            sent = 0
            if direct:
                try:
                    sent = self._stream.socket.send(entry.data)
                except BlockingIOError:
                    pass
                except (OSError, AttributeError):  # gone; the stream's close callback does the rest
                    self._stream.close()
                    return
            self._account(-size)
            if sent != size:
                self._leave_to_stream(memoryview(entry.data)[sent:])

    def _send_now(self, data: bytes) -> None:
        """Sends bytes that are no frame of the fan-out, behind what waits, whatever the bounds say."""
        if self.blocked:
            self._append_raw(data)
            self.pump()
            return
        try:
            sent = self.send(data)
        except OSError as error:
            self.failed(data, error)
        else:
            if sent != len(data):
                self.partial(data, sent)

    def send_binary(self, data: bytes) -> None:
        """See :meth:`Session.send_binary`."""
        if self.form is not Form.BARE:
            super().send_binary(data)
        if not self.closed:
            self._send_now(websocket_frame(data, 0x2))

    # --------------------------------------------------------------------------------------------------- inbound

    def pause(self) -> None:
        """See :meth:`Session.pause`."""
        self._paused = True

    def resume(self) -> None:
        """See :meth:`Session.resume`."""
        if self._paused:
            self._paused = False
            self._read()

    def _read(self) -> None:
        if self._reading or self._paused or self._stream.closed():
            return
        self._reading = True
        try:
            future: Any = self._stream.read_bytes(READ_SIZE, partial=True)
        except StreamClosedError:
            self._reading = False
            return
        future.add_done_callback(self._arrived)

    def _arrived(self, future: asyncio.Future[bytes]) -> None:
        self._reading = False
        if future.cancelled() or future.exception() is not None:
            return  # the stream's close callback does the rest
        self._heard = True
        wire = self._wire
        wire.receive_data(future.result())
        for event in wire.events_received():
            if isinstance(event, WireFrame):
                self._frame(event)
        self._answer()
        self._read()

    def _answer(self) -> None:
        """Sends what the protocol has to say (pong, close), and ends when the peer or an error has closed."""
        wire = self._wire
        for data in wire.data_to_send():
            if data:
                self._send_now(data)
        if wire.state is not State.OPEN:
            self._finish()

    def _frame(self, frame: WireFrame) -> None:
        """Puts fragments together and hands whole messages on."""
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            if frame.fin:
                self._message(frame.opcode, bytes(frame.data))
            else:
                self._fragments = [frame]
        elif frame.opcode is Opcode.CONT and self._fragments is not None:
            self._fragments.append(frame)
            if frame.fin:
                fragments, self._fragments = self._fragments, None
                self._message(fragments[0].opcode, b"".join([part.data for part in fragments]))

    def _message(self, opcode: int, data: bytes) -> None:
        if opcode == Opcode.BINARY and self.form is Form.BARE:
            self.received(data)
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._wire.fail(1007, "not UTF-8")
            return
        if self.form is Form.BARE:
            self.received(text)
        elif text:
            self._unpack(text)

    def _unpack(self, text: str) -> None:
        """A SockJS client sends an array of texts, or one text (sockjs-protocol, WebsocketHttpErrors and others)."""
        try:
            messages = _decode_json(text)
        except (msgspec.DecodeError, RecursionError):
            self._abort(errors.BAD_FRAME)
            return
        if isinstance(messages, str):
            messages = [messages]
        if not isinstance(messages, list) or not all(isinstance(message, str) for message in messages):
            self._abort(errors.BAD_FRAME)
            return
        for message in messages:
            self.received(message)

    # --------------------------------------------------------------------------------------------------- the end

    def close(self, code: int = 3000, message: str = "Go away!") -> None:
        """See :meth:`Session.close`."""
        if self.closed:
            return
        if self.form is Form.FRAMED:
            self._send_now(websocket_frame(b"c" + msgspec.json.encode([code, message])))
        if self._wire.state is State.OPEN:
            try:
                self._wire.send_close(code, _fitting(message))
            except ProtocolError:  # a code that may not be sent
                self._wire.send_close(1011)
            for data in self._wire.data_to_send():
                if data:
                    self._send_now(data)
        self._finish(code)

    def _abort(self, reason: CloseCode) -> None:
        """Ends without the SockJS close frame: what the peer sends is not SockJS."""
        self.ended(reason.code)
        self._stream.close()

    def _finish(self, code: int | None = None) -> None:
        """No more frames; the stream goes when the peer has answered, or after CLOSE_TIMEOUT."""
        if code is None:
            received = self._wire.close_rcvd
            code = received.code if received is not None else ABNORMAL
        self.closed = self.blocked = True
        loop = asyncio.get_running_loop()
        if self._wire.close_rcvd is not None and not self._writing:
            self._stream.close()
        elif self._closer is None:
            self._closer = loop.call_later(CLOSE_TIMEOUT, self._stream.close)
        if self.conn is not None:
            loop.call_soon(self.ended, code)  # not within the fan-out that may have caused it

    def _stream_closed(self) -> None:
        if self._closer is not None:
            self._closer.cancel()
            self._closer = None
        self.ended(ABNORMAL)
        self._forget_backlog()

    # ------------------------------------------------------------------------------------------------- heartbeat

    def heartbeat(self) -> bool:
        """Sends a ping (and the SockJS heartbeat); False if nothing was heard since the last one."""
        heard, self._heard = self._heard, False
        if not self.closed and not self._writing:
            self._send_now(_HEARTBEAT + _PING if self.form is Form.FRAMED else _PING)
        return heard


def _fitting(reason: str) -> str:
    """A close reason cut to the 123 bytes that a control frame has room for (RFC 6455, section 5.5)."""
    return reason.encode()[:123].decode(errors="ignore")
