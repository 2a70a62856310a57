"""The line on which a node hears: one connection in pub/sub, subscribed to what the node needs and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from sethpusher_core.backends.supervision import Supervised
from sethpusher_core.errors import BackendUnavailable

from .connector import Connector
from .ending import until_one_ends

__all__ = ["Ear"]

CHUNK: Final = 500
"""Names in one command."""

_SUBSCRIBE: Final = b"SUBSCRIBE"

Heard = Callable[[bytes, bytes], None]
Confirmed = Callable[[bytes], None]


class Ear:
    """Hears by name.

    Attributes:
        supervised: Its connection.
    """

    def __init__(self, connector: Connector, heard: Heard, confirmed: Confirmed, lost: Callable[[], None]) -> None:
        """Hears nothing yet.

        Args:
            connector: Opens connections.
            heard: Called with name and data of each message, in order.
            confirmed: Called with a name once what is published under it from now on will be heard; again after each
                loss of the connection.
            lost: Called when the connection is lost.
        """
        self._connector = connector
        self._heard = heard
        self._confirmed = confirmed
        self._lost = lost
        self._names: dict[bytes, None] = {}
        self._orders: list[tuple[bytes, bytes]] = []
        self._awaited: dict[bytes, int] = {}  # confirmations that are still to come
        self._wake: asyncio.Event | None = None
        self._open = False
        self.supervised = Supervised(f"the subscription at {connector.where}", self._session)

    async def start(self, patience: float) -> None:
        """Connects; for ``patience`` see :meth:`Supervised.start`.

        Raises:
            BackendError: It cannot be connected.
        """
        self._wake = asyncio.Event()
        await self.supervised.start(patience)

    async def close(self) -> None:
        """Ends it."""
        await self.supervised.stop()
        self._names.clear()
        self._orders.clear()

    def listen(self, name: bytes) -> None:
        """Begins to hear a name: ``confirmed`` is called once that is so."""
        self._names[name] = None
        self._order(_SUBSCRIBE, name)

    def ignore(self, name: bytes) -> None:
        """Stops hearing a name."""
        if name in self._names:
            del self._names[name]
            self._order(b"UNSUBSCRIBE", name)

    # ------------------------------------------------------------------------------------------------------ inside

    def _order(self, word: bytes, name: bytes) -> None:
        if self._open and self._wake is not None:  # else the next connection begins with what is wanted then
            self._orders.append((word, name))
            if word == _SUBSCRIBE:
                self._awaited[name] = self._awaited.get(name, 0) + 1
            self._wake.set()

    async def _session(self, stands: Callable[[], None]) -> None:
        opened = await self._connector.open("hear")
        connection = opened.connection
        # The driver's own handler turns every message into text for a log line that nobody reads.
        parser: Any = connection._parser
        parser.set_pubsub_push_handler(_as_it_is)
        self._awaited = dict.fromkeys(self._names, 1)
        self._orders = [(_SUBSCRIBE, name) for name in self._names]
        self._open = True
        assert self._wake is not None
        self._wake.set()
        try:
            await until_one_ends(self._write(connection, stands), self._read(connection))
        except (RedisError, OSError) as error:
            raise BackendUnavailable(str(error) or type(error).__name__) from None
        finally:
            self._open = False
            self._lost()
            await connection.disconnect(nowait=True)

    async def _write(self, connection: AbstractConnection, stands: Callable[[], None]) -> None:
        assert self._wake is not None
        stands()
        while True:
            await self._wake.wait()
            self._wake.clear()
            orders, self._orders = self._orders, []
            if orders:
                await connection.send_packed_command(list(_packed(orders)), check_health=False)

    async def _read(self, connection: AbstractConnection) -> None:
        while True:
            message = await connection.read_response(disconnect_on_error=False, push_request=True)
            if not isinstance(message, list) or len(message) != 3:
                continue
            word, name, data = message
            if word == b"message":
                self._heard(name, data)
            elif word == b"subscribe":
                self._note_confirmation(name)

    def _note_confirmation(self, name: bytes) -> None:
        left = self._awaited.pop(name, 1) - 1
        if left:  # a later order is under way, and one to stop before it
            self._awaited[name] = left
        elif name in self._names:
            self._confirmed(name)


async def _as_it_is(message: Any) -> Any:
    return message


def _packed(orders: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    """Commands, with neighbours of one kind in one."""
    words: list[Any] = []
    for word, name in orders:
        if words and (word != words[0] or len(words) > CHUNK):
            yield pack_command(tuple(words))
            words = []
        if not words:
            words.append(word)
        words.append(name)
    if words:
        yield pack_command(tuple(words))
