"""A push server in this process: on a free port, in a loop of its own in a thread, so that tests are plain functions.

Stopping it is a check, too: when the clients have gone nothing of them may be left, and no task when the server has.
"""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from support.clients import Bare, Client, SockJS, Xhr
from support.http import Answer, Http
from support.timing import UNIT

__all__ = ["TRANSPORTS", "RunningServer"]

T = TypeVar("T")
C = TypeVar("C", bound=Client)

TRANSPORTS: Mapping[str, type[Client]] = {"raw": Bare, "sockjs": SockJS, "xhr": Xhr}
"""Clients by the name of their transport in the recordings of release 0.2.2."""


class RunningServer:
    """A server that runs from the first line of a test to its last.

    Attributes:
        push: The server.
        port: Where it listens.
        http: Calls to it.
    """

    def __init__(self, push: PushServer | None = None, application: Application | None = None, **settings: Any) -> None:
        """Makes one; :meth:`start` runs it.

        Args:
            push: The server; one with ``settings`` when left out.
            application: What is served; the server alone when left out.
            settings: Of the core.
        """
        self.push = push or PushServer(CoreSettings(**settings))
        self._application = application
        self._clients: list[Client] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="server under test", daemon=True)
        self.stopped = False

    # ---------------------------------------------------------------------------------------------------- life cycle

    def start(self) -> RunningServer:
        """Starts it; what a refused start raises is raised here."""
        self._thread.start()
        try:
            self.run(self._listen())
        except BaseException:
            self._end_loop()
            raise
        self.http = Http(self.port)
        return self

    def stop(self) -> None:
        """Lets all clients go, stops the server, and checks that nothing is left."""
        if self.stopped:
            return
        self.stopped = True
        try:
            for client in self._clients:
                client.drop()
            self.run(self._finish())
        finally:
            self._end_loop()

    async def _listen(self) -> None:
        await self.push.start()
        self._listener = HTTPServer(self._application or self.push.application())
        [socket] = bind_sockets(0, "127.0.0.1")
        self._listener.add_socket(socket)
        self.port: int = socket.getsockname()[1]

    async def _finish(self) -> None:
        self._listener.stop()
        push = self.push
        await _until(lambda: not self._on_websockets(), "clients on websockets leave")
        await push.stop()  # ends sessions by polling, which would wait for their clients to come back
        await _until(lambda: not push.connections and not push.router.sessions, "connections end")
        await _until(lambda: not list(push.hub), "channels are left")
        await _until(lambda: push.router.budget.used == 0, "bytes of clients that have gone leave the account")
        await self._listener.close_all_connections()
        await _until(lambda: len(asyncio.all_tasks()) == 1, f"end: {asyncio.all_tasks()}")

    def _on_websockets(self) -> list[str]:
        connections = self.push.connections.values()
        return [connection.id for connection in connections if connection.transport.endswith("websocket")]

    def _end_loop(self) -> None:
        gc.collect()  # so that exceptions that nobody took are logged while the log is watched
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(UNIT)
        assert not self._thread.is_alive(), "the loop does not end"
        self._loop.close()

    # ------------------------------------------------------------------------------------------------ inside its loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the server's loop, and waits for it for a bounded time."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(2 * UNIT)
        except TimeoutError:
            future.cancel()
            raise

    def call(self, function: Callable[[], T]) -> T:
        """Calls a function in the server's loop."""

        async def call() -> T:
            return function()

        return self.run(call())

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until something holds of the server's state; it is asked in every turn of the loop."""
        self.run(_until(condition, what))

    # ------------------------------------------------------------------------------------------------- from outside

    def bare(self, **options: Any) -> Bare:
        """A new client on a websocket without SockJS."""
        return self._keep(Bare(self.port, **options))

    def sockjs(self, **options: Any) -> SockJS:
        """A new client on a SockJS websocket."""
        return self._keep(SockJS(self.port, **options))

    def xhr(self, **options: Any) -> Xhr:
        """A new client that polls."""
        return self._keep(Xhr(self.port, **options))

    def client(self, transport: str, **options: Any) -> Client:
        """A new client over a transport of :data:`TRANSPORTS`."""
        return self._keep(TRANSPORTS[transport](self.port, **options))

    def publish(self, channel: str, message: object) -> Answer:
        """Publishes over HTTP; it must be accepted."""
        return self._accepted(f"/api/channels/{channel}/", message)

    def publish_to_user(self, subscriber_id: str, message: object) -> Answer:
        """Sends to a user over HTTP; it must be accepted."""
        return self._accepted(f"/api/users/{subscriber_id}/", message)

    def _accepted(self, path: str, message: object) -> Answer:
        answer = self.http.post(path, message if isinstance(message, bytes) else json.dumps(message).encode())
        assert answer.status == 200, answer
        return answer

    def _keep(self, client: C) -> C:
        self._clients.append(client)
        return client


async def _until(condition: Callable[[], bool], what: str) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + UNIT
    while not condition():
        assert loop.time() < deadline, f"waited in vain for this: {what}"
        await asyncio.sleep(0)
