"""One HTTP request to the SockJS endpoint, and its answer: what all of them share.

Like the websocket handshake this is an HTTPMessageDelegate of Tornado and not a RequestHandler: an idle poll costs a
fraction, no setting of the application around it (compression, XSRF, cross-origin protection, access log) can break the
protocol, and an answer may be what sockjs-protocol asks for (a 204 with a Content-Type).
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from time import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
    format_timestamp,
    parse_cookie,
)
from tornado.routing import Router

from ..front.request import PlainRequest
from ..front.visitor import Visitor
from .heads import Traits, head_fields, head_lines, reason_of
from .origins import ANY

if TYPE_CHECKING:
    from .router import PushRouter

__all__ = ["FOREVER", "NEVER", "TEXT", "Endpoint", "Exchange"]

TEXT: Final = "text/plain; charset=UTF-8"
YEAR: Final = 31_536_000
FOREVER: Final = f"public, max-age={YEAR}"
"""Cache-Control of what stays the same for a version of the server."""
NEVER: Final = "no-store, no-cache, no-transform, must-revalidate, max-age=0"
"""Cache-Control of everything else, as sockjs-protocol words it (``verify_not_cached``)."""

_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1024}")
_COOKIE_VALUE: Final = re.compile(r"[A-Za-z0-9!#$%&'*+./:=?@^_`|~-]{1,256}")


class Endpoint(Router):
    """A target for a Tornado routing rule: answers each request with an exchange of one class."""

    def __init__(self, router: PushRouter, exchange: type[Exchange]) -> None:
        """Makes a target.

        Args:
            router: Whose requests these are.
            exchange: Made for each of them.
        """
        self._router = router
        self._exchange = exchange

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate:
        """See Tornado; the rule's path may name a ``session_id``."""
        return self._begin(request, kwargs.get("path_kwargs", {}).get("session_id") or b"")

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """See Tornado; for what comes through a lane of the front door, whose path names a ``session_id``."""
        request: PlainRequest = cast("Any", request_conn).request
        return self._begin(request, request.part("session_id"))

    def _begin(self, request: HTTPServerRequest | PlainRequest, session_id: bytes) -> Exchange:
        return self._exchange(self._router, request, session_id.decode("utf-8", "surrogateescape"))


class Exchange(HTTPMessageDelegate, ABC):
    """One request and its answer.

    Attributes:
        methods: The methods it answers to; OPTIONS is answered for all.
        keeps_body: Whether ``respond`` wants the request's body.
        router: The endpoint's shared state.
        request: The request, its body left out.
        session_id: From the path; empty for pages.
        body: What was sent, if ``keeps_body``.
    """

    methods: ClassVar[tuple[str, ...]] = ("GET",)
    keeps_body: ClassVar[bool] = False

    def __init__(self, router: PushRouter, request: HTTPServerRequest | PlainRequest, session_id: str) -> None:
        self.router = router
        self.request = request
        self.session_id = session_id
        self.body = bytearray()
        self._size = 0
        self._answered = False
        # HTTP1Connection, whose set_close_callback, close and stream are public, but not part of HTTPConnection; or a
        # Visitor, which has the same.
        self._connection: Any = request.connection

    # ------------------------------------------------------------------------------------------- called by Tornado

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """See Tornado."""
        length = headers.get("Content-Length", "")
        if length.isdecimal() and int(length[:20]) > self.router.max_body_size:
            self._refuse_body()
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """See Tornado."""
        self._size += len(chunk)
        if self._size > self.router.max_body_size:
            if not self._answered:
                self._refuse_body()
        elif self.keeps_body:
            self.body += chunk
        return None

    def finish(self) -> None:
        """See Tornado: the request is complete."""
        if self._answered:
            return
        method = self.request.method
        if not self.router.running:
            self.answer(503, b"This server is not running.\n", extra={"Retry-After": "5"})
        elif not self.router.origin_allowed(self.request.headers):
            self.answer(403, b"Origin not allowed.\n")
        elif method == "OPTIONS":
            self._answer_preflight()
        elif method not in self.methods:
            self.answer(405, type=None, extra={"Allow": ", ".join(("OPTIONS", *self.methods))})
        else:
            self.respond()

    def on_connection_close(self) -> None:
        """See Tornado: the request will never be complete."""
        self._answered = True

    @abstractmethod
    def respond(self) -> None:
        """Answers a complete request that may be served, now or later."""

    # --------------------------------------------------------------------------------------------------- the answer

    def answer(
        self,
        status: int,
        body: bytes = b"",
        *,
        type: str | None = TEXT,
        cache: str = NEVER,
        extra: dict[str, str] | None = None,
    ) -> None:
        """Sends a whole answer.

        Args:
            status: HTTP status.
            body: Its body, whose length is told.
            type: Content-Type, or None for none.
            cache: Cache-Control.
            extra: Further headers.
        """
        self._answered = True
        self.write_answer(status, body, type=type, cache=cache, extra=extra)
        self._connection.finish()

    def write_answer(
        self,
        status: int,
        body: bytes,
        *,
        type: str | None,
        cache: str = NEVER,
        extra: dict[str, str] | None = None,
    ) -> asyncio.Future[None] | None:
        """Writes a whole answer, and says when the socket has taken it; None if it has. See :meth:`answer`."""
        connection = self._connection
        lengthless = status in (204, 304)
        if extra is None and isinstance(connection, Visitor):
            head = head_lines(status, self._traits(type, cache))
            return connection.answer(head, None if lengthless else body)
        headers = self.headers(type, cache)
        for name, value in (extra or {}).items():
            headers[name] = value
        if not lengthless:
            headers["Content-Length"] = str(len(body))
        write: asyncio.Future[None] | None = connection.write_headers(self._start_line(status), headers, body)
        return write

    def headers(self, type: str | None, cache: str) -> HTTPHeaders:
        """The headers that every answer has."""
        return HTTPHeaders(head_fields(self._traits(type, cache)))

    @staticmethod
    def _start_line(status: int) -> ResponseStartLine:
        return ResponseStartLine("HTTP/1.1", status, reason_of(status))

    def _refuse_body(self) -> None:
        """Answers before the body has come; Tornado then closes the connection, since it will not read the rest."""
        self.router.room.counts["bodies_over_size"] += 1
        self.answer(413, b"The body is too large.\n", extra={"Connection": "close"})

    # --------------------------------------------------------------------------------------------------------- CORS

    def _traits(self, type: str | None, cache: str) -> Traits:
        """Lets the page read the answer, if its origin is admitted (Fetch standard, "CORS protocol")."""
        router = self.router
        echoes = router.credentials or not router.origins.any
        origin = self.request.headers.get("Origin") if echoes else None
        credentials = False
        if origin is None:
            origin = ANY if router.origins.any else None
        elif router.origin_allowed(self.request.headers):
            credentials = router.credentials
        else:
            origin = None
        sticky = router.cookie_needed and self.session_id and cache == NEVER
        cookie = self._sticky_value() if sticky else None
        return Traits(int(time()), type, cache, echoes, origin, credentials, cookie)

    def _answer_preflight(self) -> None:
        extra = {
            "Access-Control-Allow-Methods": ", ".join(("OPTIONS", *self.methods)),
            "Access-Control-Max-Age": str(YEAR),
            "Expires": format_timestamp(time() + YEAR),
        }
        wanted = self.request.headers.get("Access-Control-Request-Headers", "")
        if _HEADER_NAMES.fullmatch(wanted):
            extra["Access-Control-Allow-Headers"] = wanted
        self.answer(204, type=None, cache=FOREVER, extra=extra)

    # ------------------------------------------------------------------------------------------------------ cookies

    def _sticky_value(self) -> str:
        """What a load balancer put into JSESSIONID, given back as it is, or ``dummy`` to make it put something in."""
        value = parse_cookie(self.request.headers.get("Cookie", "")).get("JSESSIONID", "")
        return value if _COOKIE_VALUE.fullmatch(value) else "dummy"
