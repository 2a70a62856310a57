"""A POST to the API and its answer, without Tornado's RequestHandler, which costs more than publishing does.

Like the transports' exchanges these are HTTPMessageDelegates: they serve under any Tornado application
(:class:`PostEndpoint` is a target for its rules) and at the front door of :mod:`..front`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from http.client import responses
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
    format_timestamp,
    parse_body_arguments,
)
from tornado.routing import Router

from .. import errors
from ..accesslog import log_answer
from ..coroutines import started
from ..errors import RequestError
from ..front.visitor import Visitor
from ..identity import ANONYMOUS, Credentials, Identity
from .base import JSON, refusal_fields
from .hygiene import SECURITY_HEADERS

if TYPE_CHECKING:
    from ..server import PushServer

__all__ = ["ApiExchange", "PostEndpoint"]

log = logging.getLogger("sethpusher.api")

_json: Final = msgspec.json.encode


class PostEndpoint(Router):
    """A target for a Tornado routing rule: POSTs are served by an exchange, the rest is left to the next rule.

    Attributes:
        path: What the path must match; its group ``name``, if it has one, is what the request is for.
    """

    def __init__(self, server: PushServer, path: str, exchange: type[ApiExchange]) -> None:
        """Makes a target.

        Args:
            server: Whose requests these are.
            path: A regular expression.
            exchange: Made for each of them.
        """
        self.path: Final = re.compile(path)
        self._server = server
        self._exchange = exchange

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """See Tornado; for requests of which it is known that they are for this endpoint."""
        return self._exchange(self._server, request_conn, self.path)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """See Tornado."""
        if request.method != "POST" or request.connection is None:
            return None
        return self.start_request(request.server_connection, request.connection)


class ApiExchange(HTTPMessageDelegate, ABC):
    """One request and its answer.

    Attributes:
        server: Whose request it is.
        start_line: Method and target.
        headers: Of the request.
        identity: Who the caller is.
        body: What was sent.
    """

    start_line: RequestStartLine
    headers: HTTPHeaders
    identity: Identity

    def __init__(self, server: PushServer, connection: HTTPConnection, path: re.Pattern[str]) -> None:
        self.server = server
        self.body = b""
        self._path = path
        self._connection: Any = connection
        self._began = monotonic()
        self._gone = False
        self._remote_ip = ""
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def perform(self) -> dict[str, Any]:
        """Does what is asked, and gives the members of the answer.

        Raises:
            RequestError: It is refused.
        """

    def name(self) -> str:
        """What the path names.

        Raises:
            RequestError: It is not UTF-8.
        """
        plain = self._connection.request if type(self._connection) is Visitor else None
        found = plain.path if plain else self._path.fullmatch(self.start_line.path.partition("?")[0])
        text = found["name"] if found else ""
        if "%" not in text:
            return text
        try:
            return unquote_to_bytes(text).decode()
        except UnicodeDecodeError:
            raise RequestError(errors.BAD_FIELD, "The name in the path must be UTF-8.") from None

    # -------------------------------------------------------------------------------------------- called by Tornado

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """See Tornado."""
        assert isinstance(start_line, RequestStartLine)
        self.start_line = start_line
        self.headers = headers
        self._remote_ip = getattr(getattr(self._connection, "context", None), "remote_ip", None) or ""
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """See Tornado."""
        self.body = self.body + chunk if self.body else chunk
        return None

    def finish(self) -> None:
        """See Tornado: the request is complete."""
        self._task = started(self._serve(), taskless=self.server.taskless)

    def on_connection_close(self) -> None:
        """See Tornado: what is being done is done to its end, but nobody hears of it."""
        self._gone = True

    # --------------------------------------------------------------------------------------------------- the answer

    async def _serve(self) -> None:
        status, challenge = 200, False
        try:
            access = self.server.access
            self.identity = await access.authenticate(self._credentials()) if access.asks else ANONYMOUS
            fields = await self.perform()
        except RequestError as error:
            status = error.code.status
            fields = refusal_fields(error)
            challenge = status == 401
        except Exception:
            log.exception("%s %s failed", self.start_line.method, self.start_line.path.partition("?")[0])
            status = 500
            fields = refusal_fields(RequestError(errors.INTERNAL))
        self._answer(status, fields, challenge)

    def _answer(self, status: int, fields: Mapping[str, Any], challenge: bool) -> None:
        if not self._gone:
            self._write(status, _json(fields) + b"\n", challenge)
            self._connection.finish()
        method, uri, _ = self.start_line
        log_answer(status, method, uri, self._remote_ip, monotonic() - self._began)

    def _write(self, status: int, body: bytes, challenge: bool) -> None:
        connection, second = self._connection, int(time())
        if status == 200 and type(connection) is Visitor:
            connection.answer(_accepted_head(second), body)
            return
        headers = HTTPHeaders(_headers(second))
        headers["Content-Length"] = str(len(body))
        if challenge:  # RFC 9110, section 15.5.2
            headers["WWW-Authenticate"] = self.server.challenge
        connection.write_headers(ResponseStartLine("HTTP/1.1", status, responses.get(status, "Unknown")), headers, body)

    def _credentials(self) -> Credentials:
        """What the caller presents. They know the exchange, so it must not keep them: a cycle would keep the body."""
        return Credentials(
            purpose="http",
            transport="http",
            remote_ip=self._remote_ip,
            method=self.start_line.method,
            uri=self.start_line.path,
            headers=self.headers.copy(),  # a connection's requests may share theirs
            make_request=self._request,
        )

    def _request(self) -> HTTPServerRequest:
        request = HTTPServerRequest(
            connection=self._connection, start_line=self.start_line, headers=self.headers.copy(), body=self.body
        )
        request.remote_ip = self._remote_ip
        with contextlib.suppress(HTTPInputError):  # a form that cannot be read has no fields
            content_type = self.headers.get("Content-Type", "")
            parse_body_arguments(content_type, self.body, request.body_arguments, request.files, self.headers)
        for name, values in request.body_arguments.items():
            request.arguments.setdefault(name, []).extend(values)
        return request


@lru_cache(maxsize=2)
def _headers(second: int) -> dict[str, str]:
    return {"Content-Type": JSON, "Date": format_timestamp(second), **SECURITY_HEADERS}


@lru_cache(maxsize=2)
def _accepted_head(second: int) -> bytes:
    """The head of an answer that says yes, as far as it is the same for all of a second."""
    lines = [f"{name}: {value}\r\n" for name, value in HTTPHeaders(_headers(second)).get_all()]
    return "".join(["HTTP/1.1 200 OK\r\n", *lines]).encode("latin-1")
