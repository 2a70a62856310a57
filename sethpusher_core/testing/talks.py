"""A plugin under test, and clients that talk to its server over real sockets, all in the loop of the case."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from ..errors import ErrorCode
from ..settings.rules import ChannelRule
from .hooks import HookBench
from .loops import within

if TYPE_CHECKING:
    from ..server import PushServer

__all__ = ["DispatchBench", "Exchange", "Talk"]

PERSON: Final = "ada"
SPEAKING: Final = ChannelRule(match="*", publish="anyone")
MOST_BETWEEN: Final = 100
"""Messages that may come between a request and its reply."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A message that the plugin handles, and what it answers.

    Attributes:
        message: The message of the client ``ada``, who is connected and in the channel ``news``; without an ``id``.
        reply: Fields that the ``ack`` must have; other fields it may have.
        error: Instead: the error that it must be.
    """

    message: Mapping[str, Any]
    reply: Mapping[str, Any] | None = None
    error: ErrorCode | None = None

    @property
    def type(self) -> str:
        """The message's type."""
        return str(self.message["type"])


class Talk:
    """One client."""

    def __init__(self, line: ClientConnection) -> None:
        self.line = line
        self._ids = itertools.count(1)

    async def say(self, message: Mapping[str, Any] | str) -> None:
        """Sends a message."""
        await self.line.send(message if isinstance(message, str) else json.dumps(message))

    async def ask(self, message: Mapping[str, Any]) -> Any:
        """Sends a message with an ``id``, and gives its one reply."""
        id = f"ask-{next(self._ids)}"
        await self.say({**message, "id": id})
        return await self.reply(id)

    async def reply(self, id: object) -> Any:
        """The reply with an id; what comes before it is dropped.

        Raises:
            AssertionError: There is none.
        """
        for _ in range(MOST_BETWEEN):
            try:
                text = await within(self.line.recv(), f"the reply to {id}")
            except ConnectionClosed as error:
                raise AssertionError(f"the connection has ended before the reply to {id}: {error}") from None
            message = json.loads(text)
            if message.get("id") == id:
                return message
        raise AssertionError(f"{MOST_BETWEEN} messages, and no reply to {id} among them")

    async def alive(self) -> None:
        """Checks that the connection still works."""
        reply = await self.ask({"type": "ping"})
        assert reply["type"] == "ack", reply


class DispatchBench(HookBench):
    """The fixture ``kit`` of the cases for dispatchers.

    Attributes:
        exchanges: The author's.
    """

    hook: ClassVar[str] = "dispatch"

    def __init__(self, make: Callable[[], object], exchanges: Sequence[Exchange]) -> None:
        super().__init__(make)
        self.exchanges = list(exchanges)

    @property
    def types(self) -> frozenset[str]:
        """The types that the plugin handles."""
        return frozenset(one.type for one in self.exchanges)

    async def use(self, server: PushServer) -> None:
        """Has the first exchange."""
        async with self._listening(server) as port, self._talk(port) as ada:
            await ada.ask(self.exchanges[0].message)

    @contextlib.asynccontextmanager
    async def talk(self) -> AsyncIterator[Callable[..., contextlib.AbstractAsyncContextManager[Talk]]]:
        """Gives what makes clients, by the name that they connect under; None: they do not."""
        async with self.server(message_rate=0, channels=(SPEAKING,)) as server, self._listening(server) as port:
            yield functools.partial(self._talk, port)

    @contextlib.asynccontextmanager
    async def _listening(self, server: PushServer) -> AsyncIterator[int]:
        listener = HTTPServer(server.application())
        [socket] = bind_sockets(0, "127.0.0.1")
        listener.add_socket(socket)
        try:
            yield socket.getsockname()[1]
        finally:
            listener.stop()
            await within(_gone(server), "the end of all connections")
            await listener.close_all_connections()

    @contextlib.asynccontextmanager
    async def _talk(self, port: int, name: str | None = PERSON) -> AsyncIterator[Talk]:
        async with connect(f"ws://127.0.0.1:{port}/connect/websocket", ping_interval=None, max_size=None) as line:
            talk = Talk(line)
            if name is not None:
                await talk.ask({"type": "connect", "subscriber_id": name})
                await talk.ask({"type": "subscribe", "channel": "news"})
            yield talk


async def _gone(server: PushServer) -> None:
    while server.connections:
        await asyncio.sleep(0)
