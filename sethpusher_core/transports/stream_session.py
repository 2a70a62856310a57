"""A session on a stream of its own: the way out, past the stream and straight to the socket while that takes it.

What goes out is mostly frames that were built once for many clients, so it goes to the socket directly; only what the
socket does not take is left to Tornado's stream, one frame at a time, and what comes behind it waits in the backlog.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tornado.iostream import IOStream, StreamClosedError

from ..frames import Form
from .session import Session

if TYPE_CHECKING:
    from .router import PushRouter

__all__ = ["StreamSession"]

PIECE_SIZE: Final = 65536
"""Bytes of a frame that Tornado's stream is given at once: each piece that leaves shows that the peer still reads."""


class StreamSession(Session):
    """A client that has a stream to itself."""

    __slots__ = ("_in_flight", "_silent_since", "_stream", "_writing")

    def __init__(self, router: PushRouter, form: Form, transport_name: str, remote_ip: str, stream: IOStream) -> None:
        super().__init__(router, form, transport_name, remote_ip)
        self._stream = stream
        self._writing = False
        self._in_flight = 0
        # When the first ping was sent that the peer has neither answered nor followed by any other sign of life; or 0.
        self._silent_since = 0.0

    def abort(self) -> None:
        """See :meth:`Session.abort`."""
        self._stream.close()

    @property
    def _is_plain(self) -> bool:
        """Whether the socket may be written to directly; a TLS stream has its own way to the socket."""
        return type(self._stream) is IOStream

    def _open_way(self) -> None:
        """Lets the fan-out write to the socket itself, from now on."""
        if self._is_plain and not self._stream.writing():
            self.send = self._stream.socket.send
            self.blocked = False

    def _drained(self) -> None:
        """Nothing waits any more."""

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
        self._in_flight = len(rest)
        self._account(len(rest))
        self._write_piece(rest)

    def _write_piece(self, rest: memoryview) -> None:
        try:
            written = self._stream.write(rest[:PIECE_SIZE])
        except StreamClosedError:
            return  # the stream's close callback does the rest
        written.add_done_callback(lambda future: self._written(future, rest[PIECE_SIZE:]))

    def _written(self, written: asyncio.Future[None], rest: memoryview) -> None:
        if written.cancelled() or written.exception() is not None:
            return  # likewise
        self._silent_since = 0.0
        if rest:
            self._write_piece(rest)
            return
        self._writing = False
        in_flight, self._in_flight = self._in_flight, 0
        if in_flight:
            self._account(-in_flight)
        self.pump()

    def _forget_backlog(self) -> None:
        super()._forget_backlog()
        self._in_flight = 0

    def pump(self) -> None:
        """See :meth:`Outlet.pump`."""
        direct = self._is_plain
        while not self._writing:
            entry = self._pop()
            if entry is None:
                self.blocked = self.closed or not direct
                self._drained()
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
