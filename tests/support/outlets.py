"""Outlets without a network, for the fan-out and what is behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from websockets.frames import Frame as WireFrame
from websockets.streams import StreamReader

from sethpusher_core.errors import CloseCode
from sethpusher_core.frames import Form
from sethpusher_core.transports.outlet import Budget, Outlet

__all__ = ["FakeOutlet", "envelopes_of"]


class FakeOutlet(Outlet):
    """A client with a socket of some size.

    Attributes:
        handed: What its socket was given, each time.
        taken: All bytes that its socket has taken.
        room: How many bytes the socket takes before it is full; None: any number.
        broken: What ``send`` raises instead.
        cuts: Why it was cut.
    """

    def __init__(self, form: Form = Form.BARE, budget: Budget | None = None, room: int | None = None) -> None:
        super().__init__(form, budget or Budget())
        self.handed: list[bytes] = []
        self.taken = b""
        self.room = room
        self.broken: Exception | None = None
        self.cuts: list[CloseCode] = []
        self.before_send: Callable[[], object] | None = None
        self.send = self._take
        self.blocked = False
        self._rest = b""

    @property
    def messages(self) -> list[Any]:
        """The messages that have reached the client."""
        return [json.loads(envelope) for envelope in envelopes_of(self.taken, self.form)]

    def drain(self, room: int | None = None) -> None:
        """The client reads, so that the socket has room again."""
        self.room = room
        self.pump()

    def _take(self, data: bytes) -> int:
        self.handed.append(data)
        if self.before_send is not None:
            self.before_send()
        if self.broken is not None:
            raise self.broken
        if self.room == 0:
            raise BlockingIOError
        part = data if self.room is None else data[: self.room]
        self.taken += part
        if self.room is not None:
            self.room -= len(part)
        return len(part)

    def partial(self, data: bytes, sent: int) -> None:
        self.blocked = True
        self._rest = data[sent:]
        self._account(len(self._rest))

    def failed(self, data: bytes, error: OSError) -> None:
        if isinstance(error, BlockingIOError):
            self.partial(data, 0)
        else:
            self.closed = self.blocked = True

    def pump(self) -> None:
        while True:
            if not self._rest:
                entry = self._pop()
                if entry is None:
                    self.blocked = self.closed
                    return
                self._rest = entry.data
            try:
                sent = self._take(self._rest)
            except BlockingIOError:
                return
            self._rest = self._rest[sent:]
            self._account(-sent)

    def cut(self, reason: CloseCode) -> None:
        self.cuts.append(reason)
        self.closed = self.blocked = True
        self._forget_backlog()


def envelopes_of(data: bytes, form: Form) -> list[bytes]:
    """The messages in what went out in a form, as a client of another make reads them; the last may be cut short."""
    if form is Form.SESSION:
        decoder, text, found, at = json.JSONDecoder(), data.decode(), [], 0
        while at < len(text):
            message, at = decoder.raw_decode(text, at)
            found.append(message.encode())
            at += text[at : at + 1] == ","
        return found
    payloads = _payloads(data)
    if form is Form.BARE:
        return payloads
    return [message.encode() for payload in payloads if payload[:1] == b"a" for message in json.loads(payload[1:])]


def _payloads(data: bytes) -> list[bytes]:
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    payloads = []
    while reader.buffer:
        parser = WireFrame.parse(reader.read_exact, mask=False)
        try:
            while True:
                next(parser)
        except StopIteration as done:
            payloads.append(bytes(done.value.data))
        except EOFError:
            break
    return payloads
