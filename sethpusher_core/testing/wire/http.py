"""HTTP calls, over real sockets."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..timing import patience

__all__ = ["Answer", "Http"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's value, which is JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class Http:
    """Calls one server; with ``keep`` all calls share a connection."""

    def __init__(self, port: int, *, keep: bool = False) -> None:
        self._port = port
        self._connection = self._connect() if keep else None

    def call(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One call. A body that is not bytes is sent as JSON; a POST, PUT or PATCH without a body has an empty one."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is None and method in ("POST", "PUT", "PATCH"):
            body = b""
        connection = self._connection or self._connect()
        try:
            return _exchange(connection, method, path, body, headers or {})
        finally:
            if self._connection is None:
                connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """See :meth:`call`."""
        return self.call("GET", path, headers=headers)

    def post(self, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """See :meth:`call`."""
        return self.call("POST", path, body, headers)

    def begin(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> None:
        """Sends a request without a body on the shared connection, and does not wait for its answer."""
        assert self._connection is not None, "needs keep"
        _send(self._connection, method, path, b"" if method == "POST" else None, headers or {})

    def end(self) -> Answer:
        """The answer to what :meth:`begin` began."""
        assert self._connection is not None, "needs keep"
        return _answer(self._connection)

    def close(self) -> None:
        """Closes the shared connection."""
        if self._connection is not None:
            self._connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=patience())


def _exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
) -> Answer:
    _send(connection, method, path, body, headers)
    return _answer(connection)


def _answer(connection: http.client.HTTPConnection) -> Answer:
    response = connection.getresponse()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def _send(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
) -> None:
    connection.putrequest(method, path, skip_accept_encoding=True)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
