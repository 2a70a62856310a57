"""Clients: the same face over every transport."""

# ruff: noqa: D102 - subclasses of Client: what it says of its methods holds for them

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Mapping

from .client import Client, strict_json
from .http import Answer, Http
from .line import Line

__all__ = ["Bare", "SockJS", "Xhr"]

_ids = itertools.count(1)


class Bare(Client):
    """A websocket without SockJS: ``/connect/websocket``."""

    transport = "rawwebsocket"

    def __init__(
        self,
        port: int,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        receive_buffer: int | None = None,
        prefix: str = "/connect",
    ) -> None:
        super().__init__()
        self.line = Line(port, f"{prefix}/websocket{query}", headers, receive_buffer)

    def send_texts(self, *texts: str) -> None:
        for text in texts:
            self.line.text(text)

    def _receive(self) -> list[str] | None:
        data = self.line.frame()
        return None if data is None else [data.decode()]

    def closed(self) -> tuple[int | None, str]:
        while (data := self.line.frame()) is not None:
            self.inbox.append(data.decode())
        self.line.drop()
        return self.line.close_code, self.line.close_reason

    def close(self) -> None:
        self._ahead.extend(data.decode() for data in self.line.close())

    def drop(self) -> None:
        self.line.drop()


class SockJS(Client):
    """A SockJS websocket.

    Attributes:
        close_frame: What stood in the SockJS close frame, if there was one.
        heartbeats: How many have come.
    """

    transport = "websocket"

    def __init__(
        self,
        port: int,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        receive_buffer: int | None = None,
        prefix: str = "/connect",
    ) -> None:
        super().__init__()
        self.close_frame: tuple[int, str] | None = None
        self.heartbeats = 0
        self.line = Line(port, f"{prefix}/{_session()}/websocket{query}", headers, receive_buffer)
        opened = self.line.frame()
        assert opened == b"o", opened

    def send_texts(self, *texts: str) -> None:
        self.line.text(json.dumps(texts))

    def _receive(self) -> list[str] | None:
        while (data := self.line.frame()) is not None:
            messages = self._unpack(data.decode())
            if messages is not None:
                return messages
        return None

    def _unpack(self, frame: str) -> list[str] | None:
        kind, rest = frame[:1], frame[1:]
        assert self.close_frame is None, f"{frame!r} after the close frame"
        if kind == "a":
            messages: list[str] = strict_json(rest)
            return messages
        if kind == "c":
            code, reason = strict_json(rest)
            self.close_frame = code, reason
        else:
            assert frame == "h", frame
            self.heartbeats += 1
        return None

    def closed(self) -> tuple[int | None, str]:
        while (texts := self._receive()) is not None:
            self.inbox.extend(texts)
        self.line.drop()
        if self.close_frame is not None:
            assert self.close_frame == (self.line.close_code, self.line.close_reason)
        return self.line.close_code, self.line.close_reason

    def close(self) -> None:
        for data in self.line.close():
            self._ahead.extend(self._unpack(data.decode()) or ())

    def drop(self) -> None:
        self.line.drop()


class Xhr(Client):
    """A SockJS session by polling."""

    transport = "xhr"

    def __init__(
        self, port: int, *, query: str = "", headers: Mapping[str, str] | None = None, prefix: str = "/connect"
    ) -> None:
        super().__init__()
        self.close_frame: tuple[int, str] | None = None
        self._query = query
        self._headers = dict(headers or {})
        self._base = f"{prefix}/{_session()}"
        self._port = port
        self._down = Http(port, keep=True)
        self._polling = False
        self._up = Http(port, keep=True)
        opened = self._poll()
        assert opened == "o", opened

    def send_texts(self, *texts: str) -> None:
        answer = self._post(self._up, "xhr_send", json.dumps(texts).encode())
        assert answer.status == 204, answer

    def _receive(self) -> list[str] | None:
        while self.close_frame is None:
            frame = self._poll()
            if frame[:1] == "a":
                messages: list[str] = strict_json(frame[1:])
                return messages
            if frame[:1] == "c":
                code, reason = strict_json(frame[1:])
                self.close_frame = code, reason
            else:
                assert frame == "h", frame
        return None

    def closed(self) -> tuple[int | None, str]:
        while (texts := self._receive()) is not None:
            self.inbox.extend(texts)
        assert self.close_frame is not None
        return self.close_frame

    def poll_ahead(self) -> None:
        """Begins a poll, as a page that has nothing else to do; the server has taken it up at the return."""
        if not self._polling:
            self._polling = True
            self._down.begin("POST", f"{self._base}/xhr{self._query}", self._headers)
            with contextlib.closing(Http(self._port, keep=True)) as other:
                for _ in range(10):  # round trips, after which the server has read what was sent before
                    other.get("/connect/info")

    def close(self) -> None:
        """The way in which a page leaves: the poll is dropped."""
        self.poll_ahead()
        self.drop()

    def drop(self) -> None:
        self._down.close()
        self._up.close()

    def _poll(self) -> str:
        if self._polling:
            self._polling = False
            answer = self._down.end()
        else:
            answer = self._post(self._down, "xhr", b"")
        assert answer.status == 200, answer
        assert answer.text.endswith("\n"), answer
        return answer.text[:-1]

    def _post(self, http: Http, what: str, body: bytes) -> Answer:
        return http.post(f"{self._base}/{what}{self._query}", body, self._headers)


def _session() -> str:
    return f"{next(_ids) % 1000:03}/{os.urandom(6).hex()}"
