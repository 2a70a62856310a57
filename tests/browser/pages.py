"""What the tests of the JavaScript client and of the chat need: pages, Node, the project's files, a bad line."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final

from browser.programs import PATIENCE, Program, needed, node
from support.timing import UNIT

__all__ = ["NodeClient", "Page", "Pages", "Proxy", "files"]

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]


class Driven(Program):
    """A program that is told what to do, and answers: a line of JSON each."""

    def __init__(self, *command: str | Path) -> None:
        super().__init__(*command, stdin=PIPE)
        self._numbers = itertools.count()

    def ask(self, command: str, **about: Any) -> Any:
        """Gives a command, and waits for its answer."""
        number = next(self._numbers)
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"number": number, "command": command, "about": about}) + "\n")
        self.process.stdin.flush()
        while line := self.line():
            answer = json.loads(line)
            if answer["number"] == number:  # not the late one to a call that was given up
                assert "error" not in answer, answer["error"]
                return answer["value"]
        raise AssertionError("the program has ended")

    def end(self) -> None:
        """Asks it to end by itself."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()


class NodeClient(Driven):
    """A client in Node; see js_client/watch.mjs for its commands."""

    def __init__(self) -> None:
        super().__init__(node(), "--experimental-websocket", "--no-warnings", HERE / "js_client/node.mjs")

    def finish(self) -> None:
        """Ends it: nothing that the client has left behind may keep it alive."""
        self.end()
        assert self.process.wait(UNIT) == 0


class Pages(Driven):
    """A headless Chromium with pages; see pages.js."""

    def __init__(self) -> None:
        chromium = needed(os.environ.get("CHROMIUM", "chromium"), "apt-get install chromium")
        super().__init__(node(), HERE / "pages.js", chromium, str(PATIENCE))
        try:
            first = self.line()
            assert first, f"{chromium} does not start"
            self._browser = int(first)
        except BaseException:
            super().__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            super().__exit__()
        finally:
            if self.process.returncode != 0:  # else the driver has seen the browser's end
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._browser, signal.SIGKILL)


class Page:
    """One page."""

    _numbers = itertools.count()

    def __init__(self, pages: Pages, url: str) -> None:
        self._pages = pages
        self._name = str(next(self._numbers))
        self._ask("open", url=url)

    def ask(self, command: str, **about: Any) -> Any:
        """Gives a command to the client in js_client/page.html; see js_client/watch.mjs."""
        return self._ask("call", name=command, about=about)

    def fill(self, selector: str, text: str) -> None:
        self._ask("fill", selector=selector, text=text)

    def press(self, selector: str, key: str) -> None:
        self._ask("press", selector=selector, key=key)

    def click(self, selector: str) -> None:
        self._ask("click", selector=selector)

    def click_even_hidden(self, selector: str) -> None:
        """Clicks on what may have gone out of sight by itself."""
        self._ask("clickEvenHidden", selector=selector)

    def see(self, selector: str, text: str) -> None:
        """Waits until an element shows a text."""
        self._ask("see", selector=selector, text=text, gone=False)

    def see_no(self, selector: str, text: str) -> None:
        """Waits until no element shows a text."""
        self._ask("see", selector=selector, text=text, gone=True)

    def texts(self, selector: str) -> list[str]:
        return list(self._ask("texts", selector=selector))

    def complaints(self) -> list[str]:
        """What a developer would find in the console, but for connections that could not be made.

        A client that comes back at once may meet, over an HTTP connection that it has kept, the server that has sent it
        away and is about to end: it is told 503 there.
        """
        found: list[str] = self._ask("complaints")
        unmade = ("ERR_", "WebSocket connection to", "status of 503 (Service Unavailable)")
        return [text for text in found if not any(words in text for words in unmade)]

    def close(self) -> None:
        self._ask("close")

    def _ask(self, command: str, **arguments: Any) -> Any:
        return self._pages.ask(command, page=self._name, **arguments)


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def files() -> Iterator[str]:
    """Serves the project's files, as ``python -m http.server`` would; gives their address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=ROOT)) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(UNIT)


class Proxy:
    """A line to a server, which can be cut, and which can lose what the server says.

    Attributes:
        port: Where clients connect.
        lost: Websocket frames that it has lost.
        open: Whether new connections are let through.
    """

    def __init__(self, target: int, lose: Callable[[bytes], bool] | None = None) -> None:
        """Makes one; it works as a context manager.

        Args:
            target: The server's port.
            lose: Asked for the payload of each websocket frame of the server.
        """
        self.lost = 0
        self.open = True
        self._target = target
        self._lose = lose
        self._writers: set[asyncio.StreamWriter] = set()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=[self._run()], name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        assert self._listening.wait(UNIT)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(2 * UNIT)
        assert not self._thread.is_alive(), "the proxy does not end"

    def cut(self) -> None:
        """Ends all connections that there are, without a word."""

        async def cut() -> None:
            self._abort()

        asyncio.run_coroutine_threadsafe(cut(), self._loop).result(UNIT)

    def lossless(self) -> None:
        """Loses nothing any more."""
        self._lose = lambda payload: False

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._ending.wait()
        for listening in server.sockets:  # a server that is closed leaves open what it is about to accept
            self._loop.remove_reader(listening)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            self._abort()
            await asyncio.wait(others, timeout=0.01)
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with self._closing(writer):
                if not self.open:
                    return
                there, back = await asyncio.open_connection("127.0.0.1", self._target)
                async with self._closing(back):
                    copy_down = self._copy if self._lose is None else self._copy_frames
                    both = [asyncio.ensure_future(way) for way in (self._copy(reader, back), copy_down(there, writer))]
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                    writer.close()
                    back.close()
                    await asyncio.gather(*both, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _closing(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def _copy_frames(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        if b" 101 " not in head.split(b"\r\n")[0]:
            await self._copy(reader, writer)
            return
        while True:
            start = await reader.readexactly(2)
            size = start[1] & 0x7F  # what servers send is not masked
            more = await reader.readexactly({126: 2, 127: 8}.get(size, 0))
            payload = await reader.readexactly(int.from_bytes(more) if more else size)
            assert self._lose is not None
            if self._lose(payload):
                self.lost += 1
            else:
                writer.write(start + more + payload)
                await writer.drain()
