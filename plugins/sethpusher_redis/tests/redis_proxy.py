"""A small proxy before a server: it passes on, or cuts, or swallows what comes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from types import TracebackType

from support.timing import UNIT

__all__ = ["Proxy"]


class Proxy:
    """Runs in a thread of its own while the ``with`` block lasts.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, target: int) -> None:
        """Makes one.

        Args:
            target: The port that it passes on to.
        """
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._lines: set[_Line] = set()
        self._open = True
        self.port = 0

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(UNIT)
        self._loop.close()

    def cut(self) -> None:
        """Ends all connections, and takes none until :meth:`mend`."""
        self._open = False
        self._run(self._end_all())

    def mend(self) -> None:
        """Takes connections again."""
        self._open = True

    def swallow(self, chosen: Callable[[bytes], bool]) -> None:
        """Passes on nothing more of the connections whose client has said something chosen; they stay open."""
        for line in list(self._lines):
            line.swallowed = line.swallowed or chosen(bytes(line.said))

    def _run(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(UNIT)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        await self._end_all()

    async def _end_all(self) -> None:
        lines = list(self._lines)
        for line in lines:
            line.end()
        for line in lines:
            with contextlib.suppress(OSError):
                await line.writer.wait_closed()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        line = _Line(writer, back)
        self._lines.add(line)
        try:
            await asyncio.gather(line.pass_on(reader, back, note=True), line.pass_on(there, writer))
        except OSError:
            pass
        finally:
            line.end()
            self._lines.discard(line)


class _Line:
    """A connection of a client, and its way on."""

    def __init__(self, writer: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.back = back
        self.said = bytearray()
        self.swallowed = False

    async def pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, note: bool = False) -> None:
        while data := await source.read(65536):
            if note:
                self.said += data[: max(0, 10_000 - len(self.said))]
            if not self.swallowed:
                target.write(data)
                await target.drain()
        self.end()

    def end(self) -> None:
        self.writer.transport.abort()
        self.back.transport.abort()
