"""A connection at the front door: one plain request after the other, until one comes that is not."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from typing import TYPE_CHECKING, Any, Final, cast

from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

from .head import read_head

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


class Visitor:
    """An HTTP connection that has shown nothing but plain requests so far.

    While it waits, the request is looked at in the socket and not taken out (``MSG_PEEK``); so a connection whose next
    request is not plain, or for nobody here, is handed to Tornado as if nobody had looked.

    To the delegate that serves a request it is that request's connection: the part of Tornado's HTTPConnection that
    delegates here use.

    Attributes:
        context: Where the request under way comes from.
        since: The loop's time when the connection became idle, or a body began to come; 0 while a request is served.
        wants_body: Whether the rest of a body is awaited.
    """

    __slots__ = (
        "_clock",
        "_delegate",
        "_front",
        "_listens",
        "_loop",
        "_missing",
        "_peer",
        "_stays",
        "_stream",
        "_written",
        "context",
        "since",
        "wants_body",
    )

    def __init__(self, front: FrontServer, stream: IOStream, address: Any) -> None:
        self.context = Context(stream, address)
        self.wants_body = False
        self._peer = (self.context.remote_ip, self.context.protocol)
        self._front = front
        self._stream = stream
        self._loop = IOLoop.current()
        self._clock = asyncio.get_running_loop().time
        self.since = self._clock()
        self._delegate: HTTPMessageDelegate | None = None
        self._missing = 0
        self._written: asyncio.Future[None] | None = None
        self._stays = True
        self._listens = False
        self._listen()

    def close(self) -> None:
        """Ends the connection; who serves a request on it learns that."""
        self._leave()
        self._stream.close()
        delegate, self._delegate = self._delegate, None
        if delegate is not None:
            delegate.on_connection_close()

    # ------------------------------------------------------------------------------------------------------- reading

    def _listen(self) -> None:
        if not self._listens and not self._stream.closed():
            self._listens = True
            self._loop.add_handler(self._stream.socket, self._readable, IOLoop.READ)

    def _stop_listening(self) -> None:
        if self._listens:
            self._listens = False
            self._loop.remove_handler(self._stream.socket)

    def _leave(self) -> None:
        self._stop_listening()
        self._front.visitors.discard(self)

    def _hand_over(self) -> None:
        self._leave()
        self._front.receive(self._stream, self.context.address)

    def _readable(self, _socket: object, _events: int) -> None:
        if self._delegate is not None and not self.wants_body:
            self._stop_listening()  # the next request, or the end, is looked at when this one has been answered
            return
        try:
            if self.wants_body:
                self._take_body(self._stream.socket.recv(min(READ_SIZE, self._missing)))
            else:
                self._look(self._stream.socket.recv(READ_SIZE, socket.MSG_PEEK))
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
        head = read_head(data)
        endpoint = None if head is None else self._front.endpoint_of(head)
        if head is None or endpoint is None:
            self._hand_over()
            return
        have = min(len(data), head.size + head.length)
        self._stream.socket.recv(have)  # all of it is there: it is what was looked at
        self.since = 0.0
        self._stays = head.headers.get("Connection", "").lower() != "close"
        self._missing = head.length
        self._front.trusted.read(head.headers, self.context)
        self._delegate = endpoint.start_request(self, cast("HTTPConnection", self))
        self._delegate.headers_received(RequestStartLine(head.method, head.target, "HTTP/1.1"), head.headers)
        if self._delegate is not None:  # it has not taken the stream, and not answered already
            self._take_body(data[head.size : have], ended=False)

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
            self.since = self.since or self._clock()
        else:
            self.since = 0.0
            delegate.finish()

    # ---------------------------------------------------------------------- for the delegate, as HTTPConnection has it

    def detach(self) -> IOStream:
        """Gives the stream away."""
        self._delegate = None
        self._leave()
        return self._stream

    def write_headers(self, start_line: ResponseStartLine, headers: HTTPHeaders, chunk: bytes = b"") -> None:
        """Sends the answer: all of it, with its Content-Length among the headers."""
        if headers.get("Connection", "") == "close":
            self._stays = False
        elif not self._stays:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {start_line.code} {start_line.reason}\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in headers.get_all()]
        head = "".join(lines)
        if _LINE_END.search(head.replace("\r\n", "")):
            raise ValueError(f"a header with a line break: {head!r}")
        self._send(b"%b\r\n%b" % (head.encode("latin-1"), chunk))

    def answer(self, head: bytes, body: bytes) -> None:
        """Sends an answer whose head is known but for its length; :meth:`finish` follows.

        Args:
            head: The status line and headers, each with its line end, without Content-Length and Connection.
            body: The body.
        """
        close = b"" if self._stays else b"Connection: close\r\n"
        self._send(b"%bContent-Length: %d\r\n%b\r\n%b" % (head, len(body), close, body))

    def finish(self) -> None:
        """The answer is complete: waits for the next request."""
        if self._delegate is None:
            return  # the connection has gone meanwhile
        self._delegate = None
        self.since = self._clock()
        self.context.remote_ip, self.context.protocol = self._peer
        if self._written is not None:
            self._written.add_done_callback(self._taken)
        elif self._stays:
            self._listen()
        else:
            self.close()

    def _send(self, data: bytes) -> None:
        try:
            sent = self._stream.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:  # it has gone; the next look finds that
            return
        if sent < len(data):
            self._stop_listening()
            self._written = self._stream.write(data[sent:])

    def _taken(self, written: asyncio.Future[None]) -> None:
        """The stream has written what the socket did not take at once; it watches the socket from then on."""
        if self._stays and not written.cancelled() and written.exception() is None:
            self._hand_over()
        else:
            self.close()
