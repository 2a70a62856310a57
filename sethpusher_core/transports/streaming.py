"""Streaming responses: many packets, each in a chunk of its own, until the response has grown to its limit."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

from tornado.httputil import HTTPHeaders, HTTPServerRequest

from .exchange import NEVER
from .packets import script_string
from .receiving import SCRIPT, PacketExchange

if TYPE_CHECKING:
    from .router import PushRouter

__all__ = ["EventSourceStream", "HtmlFileStream", "XhrStream"]


class Stream(PacketExchange):
    """A response that stays open.

    It ends after ``response_limit``, because browsers keep all of it in memory; the client comes back at once
    (sockjs-protocol, ``test_response_limit``). What comes before the first packet does not count.
    """

    ends_with_connection = True
    content_type: ClassVar[str]

    def __init__(self, router: PushRouter, request: HTTPServerRequest, session_id: str) -> None:
        super().__init__(router, request, session_id)
        self._sent = 0

    @property
    def room(self) -> int:
        """See :class:`~.http_session.Receiver`."""
        return self.router.response_limit - self._sent

    @property
    def complete(self) -> bool:
        """See :class:`PacketExchange`."""
        return self._last or self._sent >= self.router.response_limit

    def write_prelude(self) -> asyncio.Future[None]:
        """See :class:`PacketExchange`."""
        headers = self.headers(self.content_type, NEVER)
        headers["X-Accel-Buffering"] = "no"  # nginx would keep the packets until its buffer is full
        self._connection.stream.set_nodelay(True)
        write: asyncio.Future[None] = self._connection.write_headers(self._start_line(200), headers, self.prelude())
        return write

    def write_packet(self, packet: bytes) -> asyncio.Future[None]:
        """See :class:`PacketExchange`."""
        chunk = self.chunk_of(packet)
        self._sent += len(chunk)
        write: asyncio.Future[None] = self._connection.write(chunk)
        return write

    @abstractmethod
    def prelude(self) -> bytes:
        """What comes before the first packet."""

    @abstractmethod
    def chunk_of(self, packet: bytes) -> bytes:
        """A packet in the transport's form."""


class XhrStream(Stream):
    """``xhr_streaming``: a packet is a line. The prelude gets old browsers to show what has come (2 KiB)."""

    methods = ("POST",)
    transport = "xhr_streaming"
    content_type = SCRIPT

    def prelude(self) -> bytes:
        """See :class:`Stream`."""
        return _PRELUDE

    def chunk_of(self, packet: bytes) -> bytes:
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

    def chunk_of(self, packet: bytes) -> bytes:
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

    def chunk_of(self, packet: bytes) -> bytes:
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
