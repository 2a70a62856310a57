"""One HTTP request to the SockJS endpoint, and its answer: what all of them share.

Like the websocket handshake this is an HTTPMessageDelegate of Tornado and not a RequestHandler: an idle poll costs a
fraction, no setting of the application around it (compression, XSRF, cross-origin protection, access log) can break the
protocol, and an answer may be what sockjs-protocol asks for (a 204 with a Content-Type).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from functools import lru_cache
from http.client import responses
from time import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
    format_timestamp,
)
from tornado.routing import Router

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
        session_id = kwargs.get("path_kwargs", {}).get("session_id") or b""
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

    def __init__(self, router: PushRouter, request: HTTPServerRequest, session_id: str) -> None:
        self.router = router
        self.request = request
        self.session_id = session_id
        self.body = bytearray()
        self._size = 0
        self._answered = False
        # HTTP1Connection; set_close_callback, close and stream are public, but not part of HTTPConnection.
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
        headers = self.headers(type, cache)
        for name, value in (extra or {}).items():
            headers[name] = value
        if status not in (204, 304):
            headers["Content-Length"] = str(len(body))
        self._connection.write_headers(self._start_line(status), headers, body)
        self._connection.finish()

    def headers(self, type: str | None, cache: str) -> HTTPHeaders:
        """The headers that every answer has."""
        headers = HTTPHeaders({"Date": _date(int(time())), "Cache-Control": cache, "X-Content-Type-Options": "nosniff"})
        if type is not None:
            headers["Content-Type"] = type
        self._add_cors(headers)
        if self.session_id and self.router.cookie_needed and cache == NEVER:
            headers["Set-Cookie"] = f"JSESSIONID={self._sticky_value()}; Path=/"
        return headers

    @staticmethod
    def _start_line(status: int) -> ResponseStartLine:
        return ResponseStartLine("HTTP/1.1", status, responses.get(status, "Unknown"))

    def _refuse_body(self) -> None:
        """Answers before the body has come; Tornado then closes the connection, since it will not read the rest."""
        self.router.room.counts["bodies_over_size"] += 1
        self.answer(413, b"The body is too large.\n", extra={"Connection": "close"})

    # --------------------------------------------------------------------------------------------------------- CORS

    def _add_cors(self, headers: HTTPHeaders) -> None:
        """Lets the page read the answer, if its origin is admitted (Fetch standard, "CORS protocol")."""
        router = self.router
        origin = self.request.headers.get("Origin")
        echoes = router.credentials or not router.origins.any
        if echoes:
            headers["Vary"] = "Origin"
        if origin is not None and echoes:
            if router.origin_allowed(self.request.headers):
                headers["Access-Control-Allow-Origin"] = origin
                if router.credentials:
                    headers["Access-Control-Allow-Credentials"] = "true"
        elif router.origins.any:
            headers["Access-Control-Allow-Origin"] = "*"

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
        cookie = self.request.cookies.get("JSESSIONID")
        value = cookie.value if cookie is not None else ""
        return value if _COOKIE_VALUE.fullmatch(value) else "dummy"


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return format_timestamp(second)
