"""A connection at the front door: one plain request after the other, until one comes that is not."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream

from .head import Head, read_head
from .request import PlainRequest

if TYPE_CHECKING:
    from .server import FrontServer

__all__ = ["Visitor"]

log = logging.getLogger("sethpusher.api")

READ_SIZE: Final = 65536
"""Bytes that are looked at for the next request, or read of a body, at once."""

_LINE_END: Final = re.compile(r"[\r\n]")


class Context:
    """Where a request comes from, as Tornado's requests have it.

    Attributes:
        remote_ip: Address of the caller, by the word of trusted proxies where there are such.
        protocol: ``http`` or, by their word, ``https``.
        address: Of the peer.
        address_family: Of its socket.
    """

    __slots__ = ("address", "address_family", "protocol", "remote_ip")

    def __init__(self, stream: IOStream, address: Any) -> None:
        self.address = address
        self.address_family = stream.socket.family
        internet = self.address_family in (socket.AF_INET, socket.AF_INET6)
        self.remote_ip: str = address[0] if internet and address else "0.0.0.0"  # noqa: S104 - what Tornado calls a unix socket's peer
        self.protocol = "http"


class _Known(NamedTuple):
    """A head that has been read: the next one of a publisher, or of a poller, is mostly the same to the byte.

    So its headers are shared by requests: who gives them to a plugin gives a copy.
    """

    text: bytes
    head: Head
    start_line: RequestStartLine
    stays: bool
    endpoint: HTTPServerConnectionDelegate
    path: re.Match[str]


class Visitor:
    """An HTTP connection that has shown nothing but plain requests so far.

    While it waits, the request is looked at in the socket and not taken out (``MSG_PEEK``); so a connection whose next
    request is not plain, or for nobody here, is handed to Tornado as if nobody had looked.

    To the delegate that serves a request it is that request's connection: the part of Tornado's HTTPConnection that
    delegates here use.

    Attributes:
        context: Where the request under way comes from.
        request: The request under way; from before its delegate is made until it has been answered.
        stream: Of the connection.
        since: The loop's time when the connection became idle, or a body began to come; 0 while a request is served.
        wants_body: Whether the rest of a body is awaited.
    """

    __slots__ = (
        "_delegate",
        "_fd",
        "_front",
        "_known",
        "_listens",
        "_loop",
        "_missing",
        "_on_close",
        "_peer",
        "_stays",
        "_watched",
        "_written",
        "context",
        "request",
        "since",
        "stream",
        "wants_body",
    )

    def __init__(self, front: FrontServer, stream: IOStream, address: Any) -> None:
        self.context = Context(stream, address)
        self.request: PlainRequest | None = None
        self.stream = stream
        self.wants_body = False
        self._peer = (self.context.remote_ip, self.context.protocol)
        self._front = front
        self._fd = stream.fileno()
        self._loop = asyncio.get_running_loop()
        self.since = self._loop.time()
        self._delegate: HTTPMessageDelegate | None = None
        self._on_close: Callable[[], None] | None = None
        self._known: _Known | None = None
        self._missing = 0
        self._written: asyncio.Future[None] | None = None
        self._watched = False  # by the stream, which does so once it has had something to write
        self._stays = True
        self._listens = False
        self._listen()

    def close(self) -> None:
        """Ends the connection; who serves a request on it learns that."""
        self._leave()
        self.stream.close()
        delegate, on_close = self._delegate, self._on_close
        self._delegate = self._on_close = self.request = None
        if on_close is not None:
            on_close()
        elif delegate is not None:
            delegate.on_connection_close()

    # ------------------------------------------------------------------------------------------------------- reading

    def _listen(self) -> None:
        if not self._listens and not self.stream.closed():
            self._listens = True
            self._loop.add_reader(self._fd, self._readable)

    def _stop_listening(self) -> None:
        if self._listens:
            self._listens = False
            self._loop.remove_reader(self._fd)

    def _leave(self) -> None:
        self._stop_listening()
        self._front.visitors.discard(self)

    def _hand_over(self) -> None:
        self._leave()
        self._front.receive(self.stream, self.context.address)

    def _readable(self) -> None:
        try:
            if self.wants_body:
                self._take_body(self.stream.socket.recv(min(READ_SIZE, self._missing)))
            elif self._delegate is None:
                self._look(self.stream.socket.recv(READ_SIZE, socket.MSG_PEEK))
            elif self._on_close is not None and not self.stream.socket.recv(1, socket.MSG_PEEK):
                self.close()
            else:
                self._stop_listening()  # the next request, or the end, is looked at when this one has been answered
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        except Exception:
            log.exception("a request could not be served; its connection ends")
            self.close()

    def _look(self, data: bytes) -> None:
        if not data:
            self.close()
            return
        known = self._known
        if known is None or not data.startswith(known.text):
            known = self._known = self._read(data)
            if known is None:
                self._hand_over()
                return
        head = known.head
        have = min(len(data), head.size + head.length)
        self.stream.socket.recv(have)  # all of it is there: it is what was looked at
        self.since = 0.0
        self._stays = known.stays
        self._missing = head.length
        self._front.trusted.read(head.headers, self.context)
        self.request = PlainRequest(self, known.start_line, head.headers, known.path)
        self._delegate = known.endpoint.start_request(self, cast("HTTPConnection", self))
        self._delegate.headers_received(known.start_line, head.headers)
        if self._delegate is not None:  # it has not taken the stream, and not answered already
            self._take_body(data[head.size : have], ended=False)

    def _read(self, data: bytes) -> _Known | None:
        """Reads a head; None if it is not plain, or for nobody here."""
        head = read_head(data)
        found = None if head is None else self._front.find(head)
        if head is None or found is None:
            return None
        stays = head.headers.get("Connection", "").lower() != "close"
        return _Known(data[: head.size], head, RequestStartLine(head.method, head.target, "HTTP/1.1"), stays, *found)

    def _take_body(self, chunk: bytes, ended: bool = True) -> None:
        """Hands on what has come of the body.

        Args:
            chunk: What has come.
            ended: Whether nothing means that the peer has ended.
        """
        delegate = self._delegate
        if delegate is None or (ended and not chunk):
            self.close()
            return
        if chunk:
            self._missing -= len(chunk)
            delegate.data_received(chunk)
        self.wants_body = self._missing > 0
        if self.wants_body:
            self.since = self.since or self._loop.time()
        else:
            self.since = 0.0
            delegate.finish()

    # ---------------------------------------------------------------------- for the delegate, as HTTPConnection has it

    def detach(self) -> IOStream:
        """Gives the stream away."""
        self._delegate = self.request = None
        self._leave()
        return self.stream

    def set_close_callback(self, callback: Callable[[], None]) -> None:
        """Has the connection's end noticed while the answer is still to come, and told to a callback.

        As with Tornado's connections it is not noticed behind a request that was sent too early.
        """
        self._on_close = callback

    def write_headers(
        self, start_line: ResponseStartLine, headers: HTTPHeaders, chunk: bytes = b""
    ) -> asyncio.Future[None] | None:
        """Sends the answer: all of it, with its Content-Length among the headers. See :meth:`answer`."""
        if headers.get("Connection", "") == "close":
            self._stays = False
        elif not self._stays:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {start_line.code} {start_line.reason}\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in headers.get_all()]
        head = "".join(lines)
        if _LINE_END.search(head.replace("\r\n", "")):
            raise ValueError(f"a header with a line break: {head!r}")
        return self._send(b"%b\r\n%b" % (head.encode("latin-1"), chunk))

    def answer(self, head: bytes, body: bytes | None) -> asyncio.Future[None] | None:
        """Sends an answer whose head is known but for its length; :meth:`finish` follows.

        Args:
            head: The status line and headers, each with its line end, without Content-Length and Connection.
            body: The body; None for an answer that has neither body nor length (204).

        Returns:
            What is done once the socket has taken all of it; None if it has.
        """
        close = b"" if self._stays else b"Connection: close\r\n"
        if body is None:
            return self._send(b"%b%b\r\n" % (head, close))
        return self._send(b"%bContent-Length: %d\r\n%b\r\n%b" % (head, len(body), close, body))

    def _send(self, data: bytes) -> asyncio.Future[None] | None:
        if self._delegate is None:
            return None  # the connection has gone meanwhile
        try:
            sent = self.stream.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return None
        if sent < len(data):
            self._stop_listening()
            self._watched = True
            self._written = self.stream.write(data[sent:])
            self._written.add_done_callback(self._taken)
        return self._written

    def finish(self) -> None:
        """The answer is complete: waits for the next request, once the socket has taken it."""
        if self._delegate is None:
            return  # the connection has gone meanwhile
        self._delegate = self._on_close = self.request = None
        self.since = self._loop.time()
        self.context.remote_ip, self.context.protocol = self._peer
        if self._written is None:
            self._go_on()

    def _taken(self, _: asyncio.Future[None]) -> None:
        """The stream has written what the socket did not take at once, or has failed to."""
        self._written = None
        if self.stream.closed():
            self.close()
        elif self._delegate is None:
            self._go_on()

    def _go_on(self) -> None:
        if not self._stays:
            self.close()
        elif self._watched:
            self._hand_over()
        else:
            self._listen()
