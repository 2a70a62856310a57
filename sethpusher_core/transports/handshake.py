"""The beginning of a websocket: its HTTP handshake (RFC 6455, section 4.2).

It comes through Tornado's HTTPServerConnectionDelegate, which costs a fraction of a RequestHandler, and ``detach``
gives the stream.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from websockets.utils import accept_key

from ..errors import CloseCode
from ..frames import Form
from ..identity import Credentials
from .compression import Agreement, agree
from .websocket import WebSocketSession

if TYPE_CHECKING:
    from .router import PushRouter

__all__ = ["WebSocketEndpoint"]


class WebSocketEndpoint(HTTPServerConnectionDelegate):
    """Where websockets begin: a target for a Tornado routing rule."""

    def __init__(self, router: PushRouter, form: Form) -> None:
        """Makes an endpoint.

        Args:
            router: Whose sessions begin here.
            form: ``Form.FRAMED`` for SockJS, ``Form.BARE`` without.
        """
        self._router = router
        self._form = form

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """See Tornado."""
        return _Handshake(self._router, self._form, request_conn)


class _Refusal(Exception):
    def __init__(self, status: int, reason: str, text: str, **headers: str) -> None:
        self.status = status
        self.reason = reason
        self.text = text
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class _Handshake(HTTPMessageDelegate):
    """One upgrade request."""

    def __init__(self, router: PushRouter, form: Form, connection: Any) -> None:
        self._router = router
        self._form = form
        self._connection = connection

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """See Tornado."""
        assert isinstance(start_line, RequestStartLine)
        try:
            if not self._router.running:
                raise _Refusal(503, "Service Unavailable", "This server is not running.\n", Retry_After="5")
            key = _check_upgrade(start_line, headers)
            if not self._router.origin_allowed(headers):
                raise _Refusal(403, "Forbidden", "Origin not allowed.\n")
            farewell = self._find_room()
        except _Refusal as refusal:
            self._refuse(refusal)
            return None
        credentials = self._credentials(start_line, headers)
        stream = self._connection.detach()
        if stream.closed():  # it went right after its request
            return None
        agreement = agree(headers) if self._router.compression and farewell is None else None
        extension = None if agreement is None else agreement.extension
        session = WebSocketSession(self._router, self._form, credentials.remote_ip, stream, extension)
        if farewell is None:
            session.start(_answer(key, agreement), credentials)
        else:
            session.turn_away(_answer(key, None), *farewell)
        return None

    def _find_room(self) -> tuple[CloseCode, bytes] | None:
        """Why the client must go again, and what it is told; None if it may stay.

        Raises:
            _Refusal: There is not even room for that.
        """
        reason = self._router.refusal(self._remote_ip)
        if reason is None:
            return None
        message = self._router.farewell(line=True)
        if message is None:
            raise _Refusal(503, "Service Unavailable", "Too many connections.\n", Retry_After="5")
        return reason, message

    @property
    def _remote_ip(self) -> str:
        return getattr(getattr(self._connection, "context", None), "remote_ip", None) or ""

    def _credentials(self, start_line: RequestStartLine, headers: HTTPHeaders) -> Credentials:
        connection = self._connection

        def request() -> HTTPServerRequest:
            return HTTPServerRequest(connection=connection, start_line=start_line, headers=headers)

        return Credentials(
            purpose="connection",
            transport="websocket" if self._form is Form.FRAMED else "rawwebsocket",
            remote_ip=self._remote_ip,
            method=start_line.method,
            uri=start_line.path,
            headers=headers,
            make_request=request,
        )

    def _refuse(self, refusal: _Refusal) -> None:
        body = refusal.text.encode()
        headers = HTTPHeaders({"Content-Length": str(len(body)), "Connection": "close", **refusal.headers})
        if body:
            headers["Content-Type"] = "text/plain; charset=UTF-8"
        start_line = ResponseStartLine("HTTP/1.1", refusal.status, refusal.reason)
        self._connection.write_headers(start_line, headers, body)
        self._connection.finish()


def _answer(key: str, agreement: Agreement | None) -> bytes:
    extensions = "" if agreement is None else f"Sec-WebSocket-Extensions: {agreement.header}\r\n"
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n{extensions}\r\n"
    ).encode()


def _check_upgrade(start_line: RequestStartLine, headers: HTTPHeaders) -> str:
    """The key of a well-formed upgrade request (RFC 6455, section 4.2.1; the texts are sockjs-protocol's).

    Raises:
        _Refusal: It is none.
    """
    if start_line.method != "GET":
        raise _Refusal(405, "Method Not Allowed", "", Allow="GET")
    if start_line.version == "HTTP/1.0":
        raise _Refusal(400, "Bad Request", "A websocket needs HTTP/1.1.\n")
    if headers.get("Upgrade", "").lower() != "websocket":
        raise _Refusal(400, "Bad Request", 'Can "Upgrade" only to "WebSocket".')
    connection = headers.get("Connection", "").lower()
    if "upgrade" not in [word.strip() for word in connection.split(",")]:
        raise _Refusal(400, "Bad Request", '"Connection" must be "Upgrade".')
    if headers.get("Sec-WebSocket-Version") != "13":
        raise _Refusal(426, "Upgrade Required", "Only version 13 is spoken here.\n", Sec_WebSocket_Version="13")
    key = headers.get("Sec-WebSocket-Key", "")
    try:
        if len(b64decode(key, validate=True)) == 16:
            return key
    except (ValueError, binascii.Error):
        pass
    raise _Refusal(400, "Bad Request", "Sec-WebSocket-Key is missing or malformed.\n")
