"""An echo server on the push server's own transports, and beside it the page that talks to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from server.sockjs.kit import Channel
from support.front import front_server
from support.timing import SCALE, UNIT
from tornado.netutil import bind_sockets
from tornado.web import StaticFileHandler

from sethpusher_core.transports.router import PushRouter
from sethpusher_core.transports.session import HandshakeInfo
from sethpusher_core.transports.sockjs import SockJSConnection

__all__ = ["CLIENT", "PAGE", "EchoServer", "goodbye"]

HERE: Final = Path(__file__).parent
CLIENT: Final = HERE / "node_modules/sockjs-client/dist"
PAGE: Final = HERE.parents[1] / "examples/page/index.html"

T = TypeVar("T")


def goodbye(code: int, reason: str) -> str:
    """What makes the server close."""
    return f"goodbye {code} {reason}"


class Echo(SockJSConnection):  # type: ignore[misc]  # sockjs-tornado has no types
    """Says what it hears, and closes when asked to."""

    def on_message(self, message: str) -> None:
        if message.startswith("goodbye "):
            _, code, reason = message.split(" ", 2)
            self.session.close(int(code), reason)
        else:
            self.send(message)


class Fanned(Echo):
    """Says it by way of a fan-out."""

    def on_open(self, request: HandshakeInfo) -> None:
        self._channel = Channel([self.session])

    def send(self, message: str, binary: bool = False) -> None:
        self._channel.publish(message)


class Closed(SockJSConnection):  # type: ignore[misc]  # sockjs-tornado has no types
    """Closes at once."""

    def on_open(self, request: HandshakeInfo) -> None:
        self.session.close(3000, "Go away!")


class EchoServer:
    """The endpoints ``/echo``, ``/fanned``, ``/beating`` (as the first, with many heartbeats) and ``/closed``,
    ``/page.html`` for them, and the page among the examples as ``/index.html``.

    It runs in a thread, and listens on two ports.

    Attributes:
        port: Where clients connect.
        other_port: The same by another port, so of another origin.
    """

    def __init__(self) -> None:
        settings = {"sockjs_url": "/sockjs.min.js", "disconnect_delay": 2 * SCALE}
        beating = {**settings, "heartbeat_delay": 0.05 * SCALE}
        self._routers = [
            PushRouter(Echo, "/echo", settings),
            PushRouter(Fanned, "/fanned", settings),
            PushRouter(Echo, "/beating", beating),
            PushRouter(Closed, "/closed", settings),
        ]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="echo server", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._run(self._listen())

    def stop(self) -> None:
        """Ends it, and checks that nothing of its clients is left."""
        try:
            self._run(self._finish())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(UNIT)

    async def _listen(self) -> None:
        for router in self._routers:
            router.start()
        files = [
            (r"/(page\.html|conversation\.js)", StaticFileHandler, {"path": HERE}),
            (r"/(sockjs\.min\.js)", StaticFileHandler, {"path": CLIENT}),
            (r"/(index\.html)", StaticFileHandler, {"path": PAGE.parent}),
        ]
        self._http = front_server(self._routers, *files, waits=60.0)
        sockets = [*bind_sockets(0, "127.0.0.1"), *bind_sockets(0, "127.0.0.1")]
        self._http.add_sockets(sockets)
        self.port, self.other_port = (listener.getsockname()[1] for listener in sockets)

    async def _finish(self) -> None:
        self._http.stop()
        for router in self._routers:
            await _until(lambda: not router.sessions and not len(router.http_sessions), "end of all sessions")  # noqa: B023
            router.stop()
        await self._http.close_all_connections()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(4 * UNIT)


async def _until(condition: Callable[[], bool], what: str) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + UNIT
    while not condition():
        assert loop.time() < deadline, f"waited in vain for this: {what}"
        await asyncio.sleep(0)
