"""WebSocket (RFC 6455): the SockJS transport ``websocket`` and the bare endpoint ``/connect/websocket``.

Its handshake is in :mod:`.handshake`, the reading of frames in :mod:`.wire`, the way out in :mod:`.stream_session`.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final

from tornado.iostream import IOStream, StreamClosedError
from websockets.exceptions import ProtocolError
from websockets.extensions import Extension
from websockets.protocol import State

from .. import errors
from ..errors import CloseCode
from ..frames import Form, websocket_frame
from ..identity import Credentials
from .packets import HEARTBEAT, OPEN, close_packet, read_messages
from .session import ABNORMAL
from .stream_session import StreamSession
from .wire import Wire

if TYPE_CHECKING:
    from .router import PushRouter

__all__ = ["WebSocketSession"]

READ_SIZE: Final = 8192
"""Bytes that are read at once. Tornado makes a buffer of that size, twice, for each read."""
CLOSE_TIMEOUT: Final = 5.0
"""Seconds that a client has to answer a close frame, and a slow one to take the frame under way."""

TOO_BIG: Final = 1009
"""The close code for a message that is too large (RFC 6455, section 7.4.1)."""

_DEFLATED: Final = {Form.FRAMED: Form.FRAMED_DEFLATED, Form.BARE: Form.BARE_DEFLATED}
_PING: Final = websocket_frame(b"", 0x9)
_OPEN: Final = websocket_frame(OPEN)
_HEARTBEAT: Final = websocket_frame(HEARTBEAT)


class WebSocketSession(StreamSession):
    """A client on a websocket."""

    __slots__ = ("_bare", "_closer", "_paused", "_reading", "_wire")

    def __init__(
        self, router: PushRouter, form: Form, remote_ip: str, stream: IOStream, extension: Extension | None = None
    ) -> None:
        """Makes a session that has yet to answer its handshake.

        Args:
            router: Whose session it is.
            form: ``Form.FRAMED`` or ``Form.BARE``.
            remote_ip: Address of the peer.
            stream: Taken over.
            extension: How compressed messages are read, if that has been agreed on; then they are sent, too.
        """
        name = "websocket" if form is Form.FRAMED else "rawwebsocket"
        super().__init__(router, form if extension is None else _DEFLATED[form], name, remote_ip, stream)
        self._bare = form is Form.BARE
        self._wire = Wire(router.max_message_size, extension)
        self._paused = False
        self._reading = False
        self._closer: asyncio.TimerHandle | None = None

    def start(self, answer: bytes, credentials: Credentials) -> None:
        """Answers the handshake and begins."""
        self._shake_hands(answer)
        self.server.remember(self)
        self.opened(credentials)
        self._read()

    def turn_away(self, answer: bytes, reason: CloseCode, message: bytes) -> None:
        """Instead of :meth:`start`: answers the handshake, says one message and ends. No SockJSConnection is made."""
        self._shake_hands(answer)
        self.post(message)
        self.close(reason.code, reason.reason)
        self._read()

    def _shake_hands(self, answer: bytes) -> None:
        stream = self._stream
        self.server.room.lines += 1
        stream.set_close_callback(self._stream_closed)
        stream.set_nodelay(True)
        stream.read_chunk_size = READ_SIZE
        self._open_way()
        self._send_now(answer if self._bare else answer + _OPEN)

    def send_binary(self, data: bytes) -> None:
        """See :meth:`Session.send_binary`."""
        if not self._bare:
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
        self._silent_since = 0.0
        wire = self._wire
        wire.receive_data(future.result())
        if wire.state is State.OPEN:
            self._answer()  # pongs do not wait until the messages have been dealt with; a close frame does
        try:
            for message in wire.messages():
                self._message(message)
        except UnicodeDecodeError:
            wire.fail(1007, "not UTF-8")
        self._answer()
        self._read()

    def _answer(self) -> None:
        """Sends what the protocol has to say (pong, close), and ends when the peer or an error has closed."""
        wire = self._wire
        for data in wire.data_to_send():
            if data:
                self._send_now(data)
            elif wire.close_rcvd is None:
                self._send_eof()
        if wire.state is not State.OPEN:
            self._finish()
        elif self.backlog_bytes > self._budget.limit and not self.closed:
            self.cut(errors.SLOW)  # it sends pings and does not read our pongs

    def _message(self, message: str | bytes) -> None:
        """A message of the bare endpoint is handed on; a SockJS client sends JSON texts, by whatever opcode."""
        if self._bare:
            self.received(message)
        elif message and not self.closed:
            self._unpack(message)

    def _unpack(self, text: str | bytes) -> None:
        """A SockJS client sends an array of texts, or one text; anything else cuts it off (``test_broken_json``)."""
        try:
            messages = read_messages(text)
        except ValueError:
            self.ended(errors.BAD_FRAME.code)
            self._stream.close()
            return
        for message in (messages,) if isinstance(messages, str) else messages:
            self.received(message)

    # --------------------------------------------------------------------------------------------------- the end

    def close(self, code: int = 3000, message: str = "Go away!") -> None:
        """See :meth:`Session.close`."""
        if self.closed:
            return
        if not self._bare:
            self._send_now(websocket_frame(close_packet(code, message)))
        if self._wire.state is State.OPEN:
            try:
                self._wire.send_close(code, _fitting(message))
            except ProtocolError:  # a code that may not be sent
                self._wire.send_close(1011)
            for data in self._wire.data_to_send():
                if data:
                    self._send_now(data)
        self._finish(code)

    def _finish(self, code: int | None = None) -> None:
        """No more frames; the stream goes when the peer has answered, or after CLOSE_TIMEOUT."""
        wire = self._wire
        if code is None:
            close = wire.close_rcvd or wire.close_sent
            code = close.code if close is not None else ABNORMAL
            if close is not None and close is wire.close_sent and code == TOO_BIG and not self.closed:
                self.server.room.counts["messages_over_size"] += 1
        self.closed = self.blocked = True
        loop = asyncio.get_running_loop()
        if self.conn is not None:
            # Not within the fan-out that may have caused it, but before the stream's close callback, which has no code.
            loop.call_soon(self.ended, code)
        if wire.close_rcvd is not None and not self._writing:
            self._stream.close()
        elif self._closer is None:
            self._closer = loop.call_later(CLOSE_TIMEOUT, self._stream.close)

    def _drained(self) -> None:
        """See :class:`StreamSession`."""
        if self.closed and self._wire.close_rcvd is not None:
            self._stream.close()
        elif self._wire.eof_sent:
            self._send_eof()

    def _send_eof(self) -> None:
        """Closes our half after a failure, behind what waits: the peer then closes the rest (RFC 6455, section 7.1.7).

        Closing all of it at once could destroy the close frame on its way, if bytes have come that nobody has read; but
        TLS has no halves.
        """
        if self._writing or self.waiting:
            return  # :meth:`_drained` comes back
        if not self._is_plain:
            self._stream.close()
            return
        try:
            self._stream.socket.shutdown(socket.SHUT_WR)
        except (OSError, AttributeError):  # gone
            self._stream.close()

    def _stream_closed(self) -> None:
        if self._closer is not None:
            self._closer.cancel()
            self._closer = None
        self.server.room.lines -= 1
        self.ended(ABNORMAL)
        self._forget_backlog()

    # -------------------------------------------------------------------------------------------------- heartbeat

    def heartbeat(self) -> None:
        """See :meth:`Session.heartbeat`."""
        if not self.closed and not self._writing:
            self._send_now(_HEARTBEAT)

    def ping(self, now: float) -> None:
        """Sends a ping. From the first one that stays unanswered the peer counts as silent.

        Args:
            now: The loop's time.
        """
        if self.closed:
            return
        if not self._silent_since:
            self._silent_since = now
        if not self._writing:  # behind a frame that the peer does not take it would only wait
            self._send_now(_PING)

    def check(self, now: float, timeout: float) -> None:
        """Ends a peer that has sent nothing, and taken nothing of what waits for it, for ``timeout`` since a ping."""
        if self.closed or not self._silent_since or now - self._silent_since < timeout:
            return
        if self._paused:  # then it is we who have not looked
            self._silent_since = 0.0
            return
        if self._writing:
            self.ended(errors.SILENT.code)
            self._stream.close()
        else:
            self.close(errors.SILENT.code, errors.SILENT.reason)


def _fitting(reason: str) -> str:
    """A close reason cut to the 123 bytes that a control frame has room for (RFC 6455, section 5.5)."""
    return reason.encode()[:123].decode(errors="ignore")
