"""A small push server for the load generator, which does to each delivery what a test wants."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Self

__all__ = ["Hub", "frame"]

UPGRADE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def frame(payload: bytes, opcode: int = 0x81) -> bytes:
    """A frame as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes([opcode, size]) + payload
    if size < 65536:
        return bytes([opcode, 126]) + size.to_bytes(2, "big") + payload
    return bytes([opcode, 127]) + size.to_bytes(8, "big") + payload


class Hub:
    """GET with an upgrade subscribes to the path by websocket, without one by a stream; POST publishes to the path.

    Attributes:
        port: Where it listens.
        heard: What subscribers have said on their websockets: opcode and unmasked payload.
    """

    def __init__(
        self,
        deliver: Callable[[int, bytes], bytes] | None = None,
        *,
        greeting: bytes = b"",
        answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        upgrade: bytes = UPGRADE,
        stream: bytes = STREAM,
    ) -> None:
        """Makes one; it runs as a context manager.

        Args:
            deliver: From the number of a subscriber, in the order in which they came, and a published body, the bytes
                that are sent; after what ends with ``bye``, which is not, the connection is closed. What is published
                while nobody is there waits for the next one who comes.
            greeting: Sent to each subscriber at first.
            answer: To a POST.
            upgrade: To the request of a websocket.
            stream: To that of a stream.
        """
        self.port = 0
        self.heard: list[tuple[int, bytes]] = []
        self._deliver = deliver or (lambda subscriber, body: frame(body))
        self._greeting, self._answer, self._upgrade, self._stream = greeting, answer, upgrade, stream
        self._waiting: dict[str, list[bytes]] = {}
        self._subscribers: dict[str, list[tuple[int, asyncio.StreamWriter]]] = {}
        self._count = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = server.result(5)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                path = head.split()[1]
                if head.startswith("post"):
                    self._publish(path, await reader.readexactly(int(head.split("content-length:")[1].split()[0])))
                    writer.write(self._answer)
                    continue
                writer.write((self._upgrade if "upgrade:" in head else self._stream) + self._greeting)
                self._subscribers.setdefault(path, []).append((self._count, writer))
                self._count += 1
                for body in self._waiting.pop(path, []):
                    self._publish(path, body)
                if "upgrade:" in head:
                    await self._hear(reader)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # it has gone, or the test has
        finally:
            writer.close()

    def _publish(self, path: str, body: bytes) -> None:
        subscribers = self._subscribers.get(path, [])
        if not subscribers:
            self._waiting.setdefault(path, []).append(body)
        for subscriber, writer in subscribers[:]:
            data = self._deliver(subscriber, body)
            writer.write(data.removesuffix(b"bye"))
            if data.endswith(b"bye"):
                subscribers.remove((subscriber, writer))
                writer.close()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        while True:
            head = await reader.readexactly(6)
            assert head[1] & 0x80, "clients mask their frames"
            payload = await reader.readexactly(head[1] & 0x7F)
            mask = head[2:]
            self.heard.append((head[0], bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))))
