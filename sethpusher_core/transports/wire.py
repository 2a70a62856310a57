"""The inbound side of RFC 6455: whole messages out of bytes. No I/O; the ``websockets`` library does the reading."""

from __future__ import annotations

from collections.abc import Iterator

from websockets.extensions import Extension
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side, State

__all__ = ["Wire"]


class Wire(Protocol):
    """One websocket, as the peer's bytes make it.

    ``receive_data`` takes bytes, :meth:`messages` gives what they completed, ``data_to_send`` what must be answered.
    """

    def __init__(self, max_size: int, extension: Extension | None = None) -> None:
        """Makes a websocket whose handshake is done.

        Args:
            max_size: Bytes that a message may have, inflated, too; a larger one ends the websocket with 1009.
            extension: What has been agreed on for reading.
        """
        super().__init__(Side.SERVER, state=State.OPEN, max_size=max_size)
        if extension is not None:
            self.extensions = [extension]
        self.debug = False  # it would log what clients say, tokens included
        self._opcode = Opcode.TEXT
        self._fragments: bytearray | None = None

    def recv_frame(self, frame: WireFrame) -> None:
        """See websockets, which answers 1002 to a close frame in the middle of a fragmented message.

        Control frames may come there (RFC 6455, section 5.4), and a close is then a close (Autobahn, case 7.1.5).
        """
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)

    def messages(self) -> Iterator[str | bytes]:
        """The messages that are complete, in order: text as text, binary as bytes.

        Raises:
            UnicodeDecodeError: A text is not UTF-8. What came behind it is lost.
        """
        for event in self.events_received():
            if not isinstance(event, WireFrame):
                continue
            if event.opcode in (Opcode.TEXT, Opcode.BINARY):
                self._opcode = event.opcode
                if event.fin:
                    yield self._decoded(event.data)
                else:
                    self._fragments = bytearray(event.data)
            elif event.opcode is Opcode.CONT and self._fragments is not None:
                # One buffer, not a list of frames: the library bounds their size, but not the number of empty ones.
                self._fragments += event.data
                if event.fin:
                    whole, self._fragments = self._fragments, None
                    yield self._decoded(whole)

    def _decoded(self, data: bytes | bytearray | memoryview) -> str | bytes:
        return str(data, "utf-8") if self._opcode is Opcode.TEXT else bytes(data)
