"""The front door from outside: requests as bytes, the answers on one connection, and whose that connection is."""

from __future__ import annotations

import re
import socket

from sethpusher_core.front.server import FrontServer
from support.server import RunningServer
from support.timing import UNIT

__all__ = ["BODY", "Line", "comparable", "handed_over", "post", "visitors"]

BODY = b'{"a": 1}'


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
    answers = re.sub(rb"Date: [^\r]*", b"Date:", answers)
    answers = re.sub(rb'"id":"[0-9a-f]+-[0-9a-f]+"', b'"id":""', answers)
    answers = re.sub(rb'"epoch":"[^"]*"|"entropy":\s*\d+', b"", answers)
    return re.sub(rb"Content-Length: \d+", b"Content-Length:", answers)
