"""Thousands of clients in one loop: each stays subscribed to a channel, comes back when it is cut off, and recovers."""

from __future__ import annotations

import asyncio
import json
import random
import struct
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from support.timing import UNIT

__all__ = ["Crowd"]

TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
LONGEST_PAUSE = 1.0


class Crowd:
    """Clients that come and go between some ports, while the ``with`` block lasts.

    Attributes:
        wrong: What no client should have been told, or not in this order, and how often.
        recovered: How often a client has come back and was given what it missed.
        refused: With what, and how often, a client was told to ask again.
    """

    def __init__(self, channel: str, count: int, ports: Callable[[], Sequence[int]]) -> None:
        """Makes it; nobody has come yet.

        Args:
            channel: What each is subscribed to. In it numbers are published, from 0.
            count: How many there are.
            ports: Where they may connect now.
        """
        self.wrong: Counter[str] = Counter()
        self.recovered = 0
        self.refused: Counter[str] = Counter()
        self.channel = channel
        self.ports = ports
        self.over = False
        self._members = [_Member(self, number) for number in range(count)]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="crowd", daemon=True)

    def __enter__(self) -> Crowd:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(12 * UNIT)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.over = True
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(12 * UNIT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(UNIT)
        self._loop.close()

    def __repr__(self) -> str:
        told = f"wrong {dict(self.wrong)}, refused {dict(self.refused)}, recovered {self.recovered}"
        return f"{self.seated()} of {len(self._members)} are there; {told}; their last: {dict(self.last())}"

    def seated(self) -> int:
        """How many are subscribed now."""
        return sum(member.seated for member in self._members)

    def last(self) -> Counter[int]:
        """How many have had which number last."""
        return Counter(member.next - 1 for member in self._members)

    async def _begin(self) -> None:
        for start in range(0, len(self._members), 100):
            await asyncio.gather(*(member.come() for member in self._members[start : start + 100]))

    async def _end(self) -> None:
        for member in self._members:
            member.leave()
        await asyncio.sleep(0.1)


class _Member(asyncio.Protocol):
    """One client."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self.crowd = crowd
        self.seated = False
        self.next = 0
        self._number = number
        self._position: dict[str, Any] | None = None
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._shaken = False
        self._failures = 0

    async def come(self) -> None:
        """Connects to one of the ports."""
        ports = self.crowd.ports()
        if not ports:
            self._come_again()
            return
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: self, "127.0.0.1", ports[self._number % len(ports)])
        except OSError:
            self._come_again()

    def leave(self) -> None:
        """Just goes away."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._shaken = transport, False
        self._buffer.clear()
        transport.write(
            b"GET /connect/websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )

    def connection_lost(self, error: Exception | None) -> None:
        self._transport, self.seated = None, False
        self._come_again()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._shaken:
            head, separator, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not separator:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.leave()
                return
            self._shaken = True
            self._buffer = bytearray(rest)
            request = {"type": "subscribe", "channel": self.crowd.channel, "id": 1}
            self._send(TEXT, json.dumps(request | ({"recover": self._position} if self._position else {})).encode())
        self._take_frames()

    def _take_frames(self) -> None:
        buffer = self._buffer
        while len(buffer) >= 2:
            length, start = buffer[1] & 0x7F, 2
            if length == 126:
                length, start = (struct.unpack_from(">H", buffer, 2)[0] if len(buffer) >= 4 else 1 << 30), 4
            elif length == 127:
                length, start = (struct.unpack_from(">Q", buffer, 2)[0] if len(buffer) >= 10 else 1 << 30), 10
            if len(buffer) < start + length:
                return
            kind, payload = buffer[0], bytes(buffer[start : start + length])
            del buffer[: start + length]
            if kind == TEXT:
                self._hear(json.loads(payload))
            elif kind == PING:
                self._send(PONG, payload)
            elif kind == CLOSE:
                self._send(CLOSE, payload[:2])

    def _hear(self, said: dict[str, Any]) -> None:
        kind = said.get("type")
        if kind == "ack":
            self._seat(said)
        elif kind == "error" and said["code"] < 1500:
            self.crowd.refused[str(said)] += 1
            self.leave()  # and come again
        elif kind is None and isinstance(said.get("message"), int):
            self._publication(said)
        elif kind not in (None, "reconnect"):
            self.crowd.wrong[str({**said, "offset": 0, "epoch": ""})] += 1

    def _seat(self, ack: dict[str, Any]) -> None:
        self.seated, self._failures = True, 0
        if self._position is None:
            self._position = {"epoch": ack["epoch"], "offset": ack["offset"]}
        elif ack["recovered"]:
            self.crowd.recovered += 1
            for publication in ack["publications"]:
                self._publication(publication)
        else:
            self.crowd.wrong["not recovered"] += 1

    def _publication(self, said: dict[str, Any]) -> None:
        if said["message"] != self.next:
            self.crowd.wrong["a hole" if said["message"] > self.next else "a repeat"] += 1
        self.next = said["message"] + 1
        self._position = {"epoch": said["epoch"], "offset": said["offset"]}

    def _send(self, kind: int, payload: bytes) -> None:
        assert self._transport is not None
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
        self._transport.write(bytes([kind]) + size + b"\0\0\0\0" + payload)

    def _come_again(self) -> None:
        if not self.crowd.over:
            self._failures += 1
            pause = random.uniform(0.1, min(0.2 * self._failures, LONGEST_PAUSE) + 0.1)
            loop = asyncio.get_running_loop()
            loop.call_later(pause, lambda: loop.create_task(self.come()))
