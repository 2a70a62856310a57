"""A websocket as a client holds it: the wire, with nothing between a test and the socket.

The sans-I/O protocol of the ``websockets`` library over a blocking socket: no thread reads behind the test's back, so a
test can be a client that does not read.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import deque
from collections.abc import Mapping
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from ..timing import patience

__all__ = ["Line"]

_DATA: Final = frozenset({Opcode.TEXT, Opcode.BINARY})


class Line:
    """One websocket.

    Attributes:
        socket: The socket, for what no good client would do.
        pings: How many pings have come.
    """

    def __init__(
        self,
        port: int,
        path: str,
        headers: Mapping[str, str] | None = None,
        receive_buffer: int | None = None,
        before: bytes = b"",
    ) -> None:
        """Connects and shakes hands.

        Args:
            port: On this machine.
            path: With its query.
            headers: Sent beside those of the handshake.
            receive_buffer: Size of the socket's own buffer, for clients that do not read.
            before: Bytes sent in one piece with the handshake, before its answer has come.
        """
        self.socket = socket.socket()
        self.socket.settimeout(patience())
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.pings = 0
        self._frames: deque[Frame] = deque()
        self._ended = False
        self._wire = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}{path}"), max_size=None)
        try:
            self.socket.connect(("127.0.0.1", port))
            self._shake_hands(headers or {}, before)
        except BaseException:
            self.socket.close()
            raise

    # ------------------------------------------------------------------------------------------------------ sending

    def text(self, text: str) -> None:
        """Sends a text message."""
        self._wire.send_text(text.encode())
        self._flush()

    def binary(self, data: bytes) -> None:
        """Sends a binary message."""
        self._wire.send_binary(data)
        self._flush()

    def ping(self) -> None:
        """Sends a ping."""
        self._wire.send_ping(b"")
        self._flush()

    def raw(self, data: bytes) -> None:
        """Sends bytes that need not be a frame."""
        self.socket.sendall(data)

    # ---------------------------------------------------------------------------------------------------- receiving

    def frame(self) -> bytes | None:
        """The next text or binary message; None when the server has ended the connection.

        Raises:
            TimeoutError: None came in time.
        """
        while not self._frames:
            if self._ended:
                return None
            self._receive()
        return bytes(self._frames.popleft().data)

    @property
    def close_code(self) -> int | None:
        """The code of the server's close frame; None if there was none. To be asked when :meth:`frame` gave None."""
        received = self._wire.close_rcvd
        return None if received is None else received.code

    @property
    def close_reason(self) -> str:
        """The reason in the server's close frame; empty if there was none."""
        received = self._wire.close_rcvd
        return "" if received is None else received.reason

    # ------------------------------------------------------------------------------------------------------ the end

    def close(self) -> list[bytes]:
        """Shakes hands on the end, up to the end of the stream; gives what came meanwhile."""
        with contextlib.suppress(ConnectionClosed):
            self._wire.send_close(1000)
            self._flush()
        left = []
        while (data := self.frame()) is not None:
            left.append(data)
        self.socket.close()
        return left

    def drop(self, *, reset: bool = False) -> None:
        """Just ends the stream, or resets it."""
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # ------------------------------------------------------------------------------------------------------- inside

    def _shake_hands(self, headers: Mapping[str, str], before: bytes) -> None:
        request = self._wire.connect()
        for name, value in headers.items():
            request.headers[name] = value
        self._wire.send_request(request)
        self.socket.sendall(b"".join(self._wire.data_to_send()) + before)
        while True:
            self._receive()
            if self._wire.handshake_exc is not None:
                raise self._wire.handshake_exc
            if self._answered or self._ended:
                return

    _answered = False

    def _receive(self) -> None:
        try:
            data = self.socket.recv(2**16)
        except ConnectionResetError:
            data = b""
        if data:
            self._wire.receive_data(data)
        else:
            self._ended = True
            self._wire.receive_eof()
        for event in self._wire.events_received():
            if isinstance(event, Response):
                self._answered = True
                continue
            assert isinstance(event, Frame)
            if event.opcode in _DATA:
                assert event.fin, "the server sends whole messages"
                self._frames.append(event)
            elif event.opcode is Opcode.PING:
                self.pings += 1
        self._flush()

    def _flush(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for data in self._wire.data_to_send():
                if data:
                    self.socket.sendall(data)
