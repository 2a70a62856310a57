"""A push server in this process: on a free port, in a loop and thread of its own, so that tests are plain functions."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from ..addresses import Address
from ..front.server import http_server
from ..proxies import TrustedProxies
from ..publisher import Published
from ..server import PushServer
from ..settings.core import CoreSettings
from .timing import patience
from .wire.client import Client
from .wire.clients import Bare, SockJS, Xhr
from .wire.http import Http

__all__ = ["TRANSPORTS", "RunningServer"]

T = TypeVar("T")
C = TypeVar("C", bound=Client)

TRANSPORTS: Mapping[str, Callable[..., Client]] = {"raw": Bare, "sockjs": SockJS, "xhr": Xhr}
"""Clients by the name of their transport: a bare websocket, a SockJS websocket, SockJS by polling."""


class RunningServer:
    """A server that runs while a test needs it.

    Attributes:
        push: The server itself.
        port: Where it listens; it stays the same over :meth:`down` and :meth:`restart`.
        http: Calls to it.
    """

    pause: ClassVar[float] = 0.001
    """Seconds between two looks of :meth:`wait_until`."""

    def __init__(
        self,
        push: PushServer | None = None,
        application: Application | None = None,
        *,
        plugins: Sequence[object] = (),
        **settings: Any,
    ) -> None:
        """Makes one; :meth:`start` runs it.

        Args:
            push: The server; one with ``plugins`` and ``settings`` when left out.
            application: What is served; the server alone when left out.
            plugins: Plugin objects, in the order in which they run. Nothing is discovered.
            settings: Of the core.
        """
        self.push = push or PushServer(CoreSettings(**settings), plugins=plugins)
        self.port = 0
        self._application = application
        self._clients: list[Client] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="server under test", daemon=True)
        self.stopped = False

    # ---------------------------------------------------------------------------------------------------- life cycle

    def start(self) -> Self:
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
        """Lets all clients that were made here go, and stops the server."""
        if self.stopped:
            return
        self.stopped = True
        try:
            for client in self._clients:
                client.drop()
            self.run(self._finish())
        finally:
            self._end_loop()

    @contextlib.contextmanager
    def down(self, *, abrupt: bool = False) -> Iterator[None]:
        """Stops the server while the ``with`` block lasts, and starts it again at the same port.

        What it kept in memory (histories, presence) is lost, as it is with the process.

        Args:
            abrupt: Cut all lines first, so that no client is told; as a crash would.
        """
        self.run(self._close(abrupt=abrupt))
        try:
            yield
        finally:
            self.run(self._listen())

    def restart(self, *, abrupt: bool = False) -> None:
        """Stops the server and starts it again; see :meth:`down`."""
        with self.down(abrupt=abrupt):
            pass

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def _listen(self) -> None:
        await self.push.start()
        own = http_server(self.push, TrustedProxies(()))
        self._listener = own if self._application is None else HTTPServer(self._application)
        [socket] = bind_sockets(self.port, "127.0.0.1")
        self._listener.add_socket(socket)
        self.port = socket.getsockname()[1]

    async def _close(self, *, abrupt: bool = False) -> None:
        self._listener.stop()
        if abrupt:
            for connection in list(self.push.connections.values()):
                connection.abort()
        await self.push.stop()
        await self._listener.close_all_connections()

    async def _finish(self) -> None:
        self.push.router.http_sessions.stop()  # whose clients have gone between two polls; a stop would wait for them
        await self._close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:  # an embedding application's, or a plugin's
            task.cancel()

    def _end_loop(self) -> None:
        gc.collect()  # so that exceptions that nobody took are logged while the log is watched
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(patience())
        assert not self._thread.is_alive(), "the loop does not end"
        self._loop.close()

    # ------------------------------------------------------------------------------------------------ inside its loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the server's loop, and waits for it for a bounded time."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(2 * patience())
        except TimeoutError:
            future.cancel()
            raise

    def call(self, function: Callable[[], T]) -> T:
        """Calls a function in the server's loop."""

        async def call() -> T:
            return function()

        return self.run(call())

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until something holds of the server's state; it is asked in the server's loop.

        Raises:
            AssertionError: It has not come to hold in time.
        """
        self.run(self._until(condition, what))

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience()
        while not condition():
            assert loop.time() < deadline, f"waited in vain for this: {what}"
            await asyncio.sleep(self.pause)

    # -------------------------------------------------------------------------------------------- for applications

    @property
    def url(self) -> str:
        """Its address: ``http://127.0.0.1:port``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        """Where clients without SockJS connect; SockJS clients do at ``url`` + ``/connect``."""
        return f"ws://127.0.0.1:{self.port}/connect/websocket"

    def connect(self, subscriber_id: str | None = None, *, transport: str = "sockjs", **options: Any) -> Client:
        """A new client, which has sent ``connect`` if it has a name.

        Args:
            subscriber_id: Who it says it is.
            transport: One of :data:`TRANSPORTS`.
            options: ``headers``, ``query`` (with its question mark).
        """
        client = self.client(transport, **options)
        if subscriber_id is not None:
            client.connect(subscriber_id)
        return client

    def publish(self, channel: str, message: Any, **options: Any) -> Any:
        """Publishes in a channel, whoever may; ``options`` are those of :meth:`PushServer.publish`.

        Returns:
            A :class:`~sethpusher_core.Published`.
        """
        published: Published = self.run(self.push.publish(channel, message, **options))
        return published

    def publish_to_user(self, subscriber_id: str, message: Any, **options: Any) -> Any:
        """Sends a message to a user; see :meth:`publish`."""
        published: Published = self.run(self.push.publish_to_user(subscriber_id, message, **options))
        return published

    def wait_for_subscribers(self, channel: str, *subscriber_ids: str, count: int = 1) -> None:
        """Waits until an application's clients are in a channel, so that a publication will not miss them.

        Args:
            channel: The channel.
            subscriber_ids: Who must be there; whoever it is, if left out.
            count: How many must be there at least.

        Raises:
            AssertionError: They are not there in time.
        """

        def there() -> bool:
            members = self.push.members().get(Address.channel(channel), [])
            return len(members) >= count and set(subscriber_ids) <= set(members)

        self.wait_until(there, f"{', '.join(subscriber_ids) or f'{count} subscribers'} in {channel}")

    def cut_off(self, subscriber_id: str | None = None) -> int:
        """Cuts clients off without a word, as a fault of the network would; they may come back.

        Args:
            subscriber_id: Whose connections; everybody's, if left out.

        Returns:
            How many connections there were.
        """

        def cut() -> int:
            chosen = [
                connection
                for connection in list(self.push.connections.values())
                if subscriber_id is None or connection.subscriber_id == subscriber_id
            ]
            for connection in chosen:
                connection.abort()
            return len(chosen)

        return self.call(cut)

    # --------------------------------------------------------------------------------------------- clients as such

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

    def _keep(self, client: C) -> C:
        self._clients.append(client)
        return client
