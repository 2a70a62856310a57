"""The front door from outside: requests as bytes, the answers on one connection, and whose that connection is."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from typing import Any

from tornado.web import Application

from sethpusher_core.front.server import FrontServer
from sethpusher_core.proxies import TrustedProxies
from sethpusher_core.transports.router import PushRouter
from support.server import RunningServer
from support.timing import UNIT

__all__ = ["BODY", "Line", "comparable", "front_server", "handed_over", "post", "visitors"]

BODY = b'{"a": 1}'


def front_server(routers: Iterable[PushRouter], *rules: Any, waits: float = UNIT, **options: Any) -> FrontServer:
    """A server with a front door for some endpoints, and with what else is given.

    Args:
        routers: The endpoints.
        rules: Further rules of the application.
        waits: Seconds for a body, and between two requests.
        options: As for HTTPServer.
    """
    routers = list(routers)
    urls = [rule for router in routers for rule in router.urls]
    return FrontServer(
        Application([*urls, *rules], log_function=lambda handler: None),
        lanes=[lane for router in routers for lane in router.lanes],
        trusted=TrustedProxies(()),
        body_timeout=waits,
        idle_connection_timeout=waits,
        max_body_size=2**27,
        **options,
    )


def post(body: bytes = BODY, path: str = "/api/channels/news/", *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Line:
    """A connection, and the answers that come over it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), UNIT)
        self._rest = b""

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        while b"\r\n\r\n" not in self._rest:
            self._more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        while len(self._rest) < length:
            self._more()
        body, self._rest = self._rest[:length], self._rest[length:]
        return int(first.split()[1]), headers, body

    def ended(self) -> bool:
        return not self._rest and self.socket.recv(1) == b""

    def _more(self) -> None:
        data = self.socket.recv(65536)
        assert data, f"the server has hung up, after {self._rest!r}"
        self._rest += data


def visitors(server: RunningServer) -> int:
    listener = server._listener
    assert isinstance(listener, FrontServer)
    return server.call(lambda: len(listener.visitors))


def handed_over(server: RunningServer) -> int:
    return server.call(lambda: len(server._listener._connections))


def comparable(answers: bytes) -> bytes:
    """Answers without what differs from one server to the other, or from one second to the next."""
    answers = re.sub(rb"(Date|Expires): [^\r]*", rb"\1:", answers)
    answers = re.sub(rb'"id":"[0-9a-f]+-[0-9a-f]+"', b'"id":""', answers)
    answers = re.sub(rb'"epoch":"[^"]*"|"entropy":\s*\d+', b"", answers)
    return re.sub(rb"Content-Length: \d+", b"Content-Length:", answers)
