"""The client messages of the seed documentation, section 1.6: connect, subscribe, unsubscribe. And their notices."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .. import errors, jsontext, protocol
from ..addresses import COMMON_CHANNEL, Address
from ..answers import Handled
from ..errors import RequestError
from ..hookspecs import hookimpl

if TYPE_CHECKING:
    from ..backends.base import Position
    from ..connection import Connection
    from ..protocol import ClientMessage

__all__ = ["SeedMessages"]

log = logging.getLogger("sethpusher.connection")

INFO_LIMIT: Final = 1024
"""Bytes that the presence information of a member may have."""

_COMMON = Address.channel(COMMON_CHANNEL)


class SeedMessages:
    """Handles connect, subscribe and unsubscribe."""

    name = "seed_messages"

    def __init__(self) -> None:
        self._handlers: dict[str, Callable[[Connection, ClientMessage], Awaitable[None]]] = {
            protocol.CONNECT: self._connect,
            protocol.SUBSCRIBE: self._subscribe,
            protocol.UNSUBSCRIBE: self._unsubscribe,
        }

    @hookimpl
    async def dispatch(self, connection: Connection, message: ClientMessage) -> Handled | None:
        """See :func:`sethpusher_core.hookspecs.dispatch`."""
        handler = self._handlers.get(message.type)
        if handler is None:
            return None
        await handler(connection, message)
        return Handled()

    async def _connect(self, connection: Connection, message: ClientMessage) -> None:
        server = connection.server
        subscriber_id = _own_id(connection, message)
        if subscriber_id is None:
            await self._connect_anonymously(connection, message)
            return
        user = Address.user(subscriber_id)
        if connection.is_in(user):
            connection.reply(message, _identity_fields(connection, message))
            return
        if connection.subscriber_id not in (None, subscriber_id):
            if (
                connection.connected and message.id is None
            ):  # release 0.2.2 ignored it without a word, and its clients may rely on that
                log.info("%s stays %r: its second connect is ignored", connection.id, connection.subscriber_id)
                return
            raise RequestError(errors.ALREADY_CONNECTED)
        identity = connection.identity
        if identity.subscriber_id is None:  # a claim: what an authenticator has vouched for is not this id
            identity = replace(identity, subscriber_id=subscriber_id, proven=False)
        await server.access.authorize(identity, "subscribe", _COMMON, by_client=True)
        await connection.enter(user)
        newcomer = not connection.is_in(_COMMON)
        if newcomer:
            try:
                await connection.enter(_COMMON)
            except RequestError:
                connection.leave(user)
                raise
        if connection.closed:
            return
        connection.identity = identity
        connection.reply(message, _identity_fields(connection, message))
        for channel in connection.channels:
            if channel != COMMON_CHANNEL:  # it was in there without a name
                await server.presence.enter(connection, channel)
        if await server.presence.enter(connection, COMMON_CHANNEL):
            await server.notices.announce(connection, protocol.CONNECT)
        if server.hooks.connected is not None:
            await server.hooks.connected(connection)
        if newcomer and server.hooks.subscribed is not None:
            await server.hooks.subscribed(connection, COMMON_CHANNEL)

    async def _connect_anonymously(self, connection: Connection, message: ClientMessage) -> None:
        """Lets one without an id into the channel ``all``: counted, but nobody whose coming could be announced."""
        server = connection.server
        if not connection.is_in(_COMMON):
            await server.access.authorize(connection.identity, "subscribe", _COMMON, by_client=True)
            await connection.enter(_COMMON)
            if connection.closed:
                return
            await server.presence.enter(connection, COMMON_CHANNEL)
            if server.hooks.subscribed is not None:
                await server.hooks.subscribed(connection, COMMON_CHANNEL)
        connection.reply(message, _identity_fields(connection, message))

    async def _subscribe(self, connection: Connection, message: ClientMessage) -> None:
        server = connection.server
        channel = message.text("channel", server.settings.max_channel_length)
        since = protocol.position_of(message, "recover")
        info = _info(connection, message)
        address = Address.channel(channel)
        known = connection.is_in(address)
        if known and since is None:
            connection.reply(message, {"channel": channel, **protocol.position_fields(connection.stay(address))})
            return
        if not known and len(connection.channels) >= server.settings.max_subscriptions:
            limit = server.settings.max_subscriptions
            server.counts["subscriptions_over_limit"] += 1
            raise RequestError(errors.LIMIT, f"At most {limit} subscriptions per connection.")
        await server.access.authorize(connection.identity, "subscribe", address, by_client=True)
        fields = await self._enter(connection, message, address, since)
        if connection.closed:
            return
        # Before anything is awaited: no later frame of the channel may overtake it.
        connection.reply(message, {"channel": channel, **fields})
        if known:
            return
        if await server.presence.enter(connection, channel, info):
            await server.notices.announce(connection, protocol.SUBSCRIBE, channel)
        if server.hooks.subscribed is not None:
            await server.hooks.subscribed(connection, channel)

    async def _enter(
        self, connection: Connection, message: ClientMessage, address: Address, since: Position | None
    ) -> dict[str, Any]:
        """Joins; what the reply says of position and recovery."""
        server = connection.server
        if since is None:
            return protocol.position_fields(await connection.enter(address))
        if message.id is None:
            raise RequestError(errors.BAD_FIELD, "A subscribe message with recover needs an id.")
        await server.access.authorize(connection.identity, "history", address, by_client=True)
        if not server.rules.rule_for(address.name).history:
            if not connection.is_in(address):
                await connection.enter(address)
            return {"recovered": False, "publications": []}
        recovered = await connection.recover(address.name, since)
        return protocol.history_fields(recovered)

    async def _unsubscribe(self, connection: Connection, message: ClientMessage) -> None:
        server = connection.server
        channel = message.text("channel", server.settings.max_channel_length)
        left = connection.leave(Address.channel(channel))
        connection.reply(message, {"channel": channel})
        if not left:
            return
        if await server.presence.leave(connection, channel):
            await server.notices.announce(connection, protocol.UNSUBSCRIBE, channel)
        if server.hooks.unsubscribed is not None:
            await server.hooks.unsubscribed(connection, channel)


def _own_id(connection: Connection, message: ClientMessage) -> str | None:
    """Who a ``connect`` comes from: a proven id stands; a claimed one counts only while nobody can prove any.

    Raises:
        RequestError: The id is missing or not well-formed, or it is a claim that does not count.
    """
    identity, access = connection.identity, connection.server.access
    if message.get("subscriber_id") is None and (identity.proven or access.proves_ids):
        return identity.subscriber_id
    claimed = message.text("subscriber_id", connection.server.settings.max_id_length)
    if access.proves_ids and identity.subscriber_id is None:
        raise RequestError(errors.DENIED, "subscriber_id must be proven; leave it out, or present credentials for it.")
    return claimed


def _identity_fields(connection: Connection, message: ClientMessage) -> dict[str, Any]:
    """Who the client is, for one that did not say so itself."""
    if connection.admission is None or (message.get("subscriber_id") is not None and message.get("token") is None):
        return {}
    return connection.admission.fields()


def _info(connection: Connection, message: ClientMessage) -> bytes:
    """What others may read of a member in the channel's presence: what its authenticator says, else what it says."""
    identity = connection.identity
    info = identity.info.get("presence") if identity.proven else message.get("info")
    if info is None:
        return b""
    text = jsontext.encode(info)
    if len(text) > INFO_LIMIT:
        raise RequestError(errors.BAD_FIELD, f"info may have at most {INFO_LIMIT} bytes.")
    return text
