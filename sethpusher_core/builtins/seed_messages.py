"""The client messages of the seed documentation, section 1.6: connect, subscribe, unsubscribe. And their notices."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import errors, protocol
from ..addresses import COMMON_CHANNEL, Address
from ..answers import Handled
from ..errors import RequestError
from ..hookspecs import hookimpl

if TYPE_CHECKING:
    from ..connection import Connection
    from ..protocol import ClientMessage

__all__ = ["SeedMessages"]

log = logging.getLogger("sethpusher.connection")

_COMMON = Address.channel(COMMON_CHANNEL)


class SeedMessages:
    """Handles connect, subscribe and unsubscribe."""

    name = "seed_messages"

    @hookimpl
    async def dispatch(self, connection: Connection, message: ClientMessage) -> Handled | None:
        """See :func:`sethpusher_core.hookspecs.dispatch`."""
        type_ = message.type
        if type_ == protocol.SUBSCRIBE:
            await self._subscribe(connection, message)
        elif type_ == protocol.UNSUBSCRIBE:
            await self._unsubscribe(connection, message)
        elif type_ == protocol.CONNECT:
            await self._connect(connection, message)
        else:
            return None
        return Handled()

    async def _connect(self, connection: Connection, message: ClientMessage) -> None:
        server = connection.server
        subscriber_id = message.text("subscriber_id", server.settings.max_id_length)
        if connection.subscriber_id == subscriber_id:
            return
        if connection.subscriber_id is not None:
            if message.id is None:  # release 0.2.2 ignored it without a word, and its clients may rely on that
                log.info("%s stays %r: its second connect is ignored", connection.id, connection.subscriber_id)
                return
            raise RequestError(errors.ALREADY_CONNECTED)
        await server.authorize(connection.identity, "subscribe", _COMMON, by_client=True)
        user = Address.user(subscriber_id)
        await connection.enter(user)
        if not connection.is_in(_COMMON):
            try:
                await connection.enter(_COMMON)
            except RequestError:
                connection.leave(user)
                raise
        if connection.closed:
            return
        connection.identity = replace(connection.identity, subscriber_id=subscriber_id)
        connection.reply(message)
        await server.notices.announce(connection, protocol.CONNECT)
        if server.hooks.connected is not None:
            await server.hooks.connected(connection)

    async def _subscribe(self, connection: Connection, message: ClientMessage) -> None:
        server = connection.server
        channel = message.text("channel", server.settings.max_channel_length)
        address = Address.channel(channel)
        if connection.is_in(address):
            connection.reply(message, {"channel": channel})
            return
        if len(connection.channels) >= server.settings.max_subscriptions:
            limit = server.settings.max_subscriptions
            raise RequestError(errors.LIMIT, f"At most {limit} subscriptions per connection.")
        await server.authorize(connection.identity, "subscribe", address, by_client=True)
        await connection.enter(address)
        if connection.closed:
            return
        connection.reply(message, {"channel": channel})  # before anything is awaited: no later frame may overtake it
        await server.notices.announce(connection, protocol.SUBSCRIBE, channel)
        if server.hooks.subscribed is not None:
            await server.hooks.subscribed(connection, channel)

    async def _unsubscribe(self, connection: Connection, message: ClientMessage) -> None:
        server = connection.server
        channel = message.text("channel", server.settings.max_channel_length)
        left = connection.leave(Address.channel(channel))
        connection.reply(message, {"channel": channel})
        if not left:
            return
        await server.notices.announce(connection, protocol.UNSUBSCRIBE, channel)
        if server.hooks.unsubscribed is not None:
            await server.hooks.unsubscribed(connection, channel)
