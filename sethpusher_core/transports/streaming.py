"""Streaming responses: many packets, each in a chunk of its own, until the response has grown to its limit.

What the fan-out brings goes straight to the socket while that takes it, as on a websocket (:mod:`.stream_session`), in
a form that is built once for all responses of a kind. Everything else goes through Tornado's connection.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, TypeAlias

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import IOStream

from .exchange import NEVER
from .packets import array, script_string
from .receiving import SCRIPT, PacketExchange

if TYPE_CHECKING:
    from .router import PushRouter

__all__ = ["Chunker", "EventSourceStream", "HtmlFileStream", "XhrStream", "chunker"]


class Chunk(NamedTuple):
    """Messages as they go over the line in a response of one kind.

    Attributes:
        data: The bytes, framed as HTTP asks for.
        size: How many of them count for ``response_limit``: those that are not HTTP's.
    """

    data: bytes
    size: int


Chunker: TypeAlias = Callable[[bytes], Chunk]
"""Makes the chunk of the items of a frame (:attr:`~sethpusher_core.frames.Frame.items`)."""


def chunker(chunk_of: Callable[[bytes], bytes], chunked: bool) -> Chunker:
    """What makes chunks for one kind of response.

    The last one is kept: a fan-out asks for the same one as often as it has recipients.

    Args:
        chunk_of: Wraps a packet as the transport has it.
        chunked: Whether the response is in chunks of HTTP/1.1.
    """

    @lru_cache(maxsize=1)
    def chunk(items: bytes) -> Chunk:
        data = chunk_of(array((items,)))
        return Chunk(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data, len(data))

    return chunk


class Stream(PacketExchange):
    """A response that stays open.

    It ends after ``response_limit``, because browsers keep all of it in memory; the client comes back at once
    (sockjs-protocol, ``test_response_limit``). What comes before the first packet does not count.
    """

    ends_with_connection = True
    content_type: ClassVar[str]

    def __init__(self, router: PushRouter, request: HTTPServerRequest, session_id: str) -> None:
        super().__init__(router, request, session_id)
        self._room = router.response_limit
        self._send: Callable[[bytes], int] | None = None
        self._chunk: Chunker

    @property
    def room(self) -> int:
        """See :class:`~.http_session.Receiver`."""
        return self._room

    @property
    def complete(self) -> bool:
        """See :class:`PacketExchange`."""
        return self._last or self._room <= 0

    def write_prelude(self) -> asyncio.Future[None]:
        """See :class:`PacketExchange`."""
        headers = self.headers(self.content_type, NEVER)
        headers["X-Accel-Buffering"] = "no"  # nginx would keep the packets until its buffer is full
        stream = self._connection.stream
        stream.set_nodelay(True)
        write: asyncio.Future[None] = self._connection.write_headers(self._start_line(200), headers, self.prelude())
        if type(stream) is IOStream and not stream.closed():  # TLS has its own way to the socket
            self._chunk = self.router.chunker(self.chunk_of, "Transfer-Encoding" in headers)  # Tornado has put it there
            self._send = stream.socket.send
        return write

    def take(self, items: bytes) -> bool:
        """See :class:`~.http_session.Receiver`."""
        if self._writing or self._send is None:
            return False
        data, size = self._chunk(items)
        try:
            sent = self._send(data)
        except BlockingIOError:
            return False
        except OSError:
            self._connection.stream.close()  # its close callback runs in the next turn, not within the fan-out
            return False
        self._room -= size
        if sent != len(data):
            self._leave_to_stream(memoryview(data)[sent:])
        elif self._room <= 0:
            self._written()
        return True

    def _leave_to_stream(self, rest: memoryview) -> None:
        """Has the stream write what the socket did not take of a chunk, and goes on after that: in no case at once."""
        self._writing = True
        if self._session is not None:
            self._session.left_over(len(rest))
        self._connection.stream.write(rest).add_done_callback(self._written_later)

    def write_packet(self, packet: bytes) -> asyncio.Future[None]:
        """See :class:`PacketExchange`."""
        chunk = self.chunk_of(packet)
        self._room -= len(chunk)
        write: asyncio.Future[None] = self._connection.write(chunk)
        return write

    @abstractmethod
    def prelude(self) -> bytes:
        """What comes before the first packet."""

    @staticmethod
    @abstractmethod
    def chunk_of(packet: bytes) -> bytes:
        """A packet in the transport's form."""


class XhrStream(Stream):
    """``xhr_streaming``: a packet is a line. The prelude gets old browsers to show what has come (2 KiB)."""

    methods = ("POST",)
    transport = "xhr_streaming"
    content_type = SCRIPT

    def prelude(self) -> bytes:
        """See :class:`Stream`."""
        return _PRELUDE

    @staticmethod
    def chunk_of(packet: bytes) -> bytes:
        """See :class:`Stream`."""
        return packet + b"\n"


_PRELUDE: Final = b"h" * 2048 + b"\n"


class EventSourceStream(Stream):
    """``eventsource``: a packet is the data of an event.

    sockjs-client passes it through ``decodeURI``, so ``%`` is escaped; line breaks and U+0000, which events cannot
    hold, are escaped by JSON already. Without a charset, since the format has but one (sockjs-protocol, "EventSource").
    """

    transport = "eventsource"
    content_type = "text/event-stream"

    def prelude(self) -> bytes:
        """An empty line, for a fault of Opera."""
        return b"\r\n"

    @staticmethod
    def chunk_of(packet: bytes) -> bytes:
        """See :class:`Stream`."""
        return b"data: %b\r\n\r\n" % packet.replace(b"%", b"%25")


class HtmlFileStream(Stream):
    """``htmlfile``: an endless page in a frame, in which each packet is a script that calls its parent."""

    transport = "htmlfile"
    takes_callback = True
    content_type = "text/html; charset=UTF-8"

    def headers(self, type: str | None, cache: str) -> HTTPHeaders:
        """See :class:`Exchange`; only pages that may connect may frame it."""
        headers = super().headers(type, cache)
        policy = self.router.origins.frame_ancestors()
        if policy is not None:
            headers["Content-Security-Policy"] = policy
        return headers

    def prelude(self) -> bytes:
        """The page's head, long enough for browsers to begin (more than 1 KiB)."""
        head = _PAGE % self.callback.encode()
        return head + b" " * (1024 - len(head) + 1) + b"\r\n\r\n"

    @staticmethod
    def chunk_of(packet: bytes) -> bytes:
        """See :class:`Stream`."""
        return b"<script>\np(%b);\n</script>\r\n" % script_string(packet)


_PAGE: Final = rb"""<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.%b;
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>
"""
