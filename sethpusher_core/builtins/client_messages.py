"""What clients may say beyond the seed documentation: ping, publish, presence, history, refresh."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from .. import errors, jsontext, protocol
from ..access import NO_TOKENS
from ..addresses import Address
from ..answers import Handled
from ..errors import RequestError
from ..hookspecs import hookimpl

if TYPE_CHECKING:
    from ..connection import Connection
    from ..protocol import ClientMessage

__all__ = ["ClientMessages"]


class ClientMessages:
    """Handles ping, publish, presence, history and refresh."""

    name = "client_messages"

    def __init__(self) -> None:
        self._handlers: dict[str, Callable[[Connection, ClientMessage], Awaitable[dict[str, Any]]]] = {
            "history": self._history,
            "ping": self._ping,
            "presence": self._presence,
            "publish": self._publish,
            "refresh": self._refresh,
        }

    @hookimpl
    async def dispatch(self, connection: Connection, message: ClientMessage) -> Handled | None:
        """See :func:`sethpusher_core.hookspecs.dispatch`."""
        handler = self._handlers.get(message.type)
        return None if handler is None else Handled(await handler(connection, message))

    async def _ping(self, connection: Connection, message: ClientMessage) -> dict[str, Any]:
        return {}

    async def _publish(self, connection: Connection, message: ClientMessage) -> dict[str, Any]:
        server = connection.server
        channel = message.text("channel", server.settings.max_channel_length)
        if "message" not in message.fields:
            raise RequestError(errors.BAD_FIELD, "Must provide message for publish message.")
        body = message.get("message")
        sender_id = connection.subscriber_id
        if isinstance(body, dict) and body.get("sender_id", sender_id) != sender_id:
            raise RequestError(errors.BAD_FIELD, "sender_id inside message is not that of this connection.")
        address = Address.channel(channel)
        await server.access.authorize(connection.identity, "publish", address, by_client=True)
        published = await server.publish_one(
            address,
            message.json_of("message"),
            jsontext.encode(sender_id),
            idempotency_key=_key(message, sender_id),
            skip="" if message.flag("echo", True) else connection.id,
        )
        return {"channel": channel, "publication_id": published.id, **protocol.position_fields(published.position)}

    async def _presence(self, connection: Connection, message: ClientMessage) -> dict[str, Any]:
        message.need_id()
        server = connection.server
        channel = message.text("channel", server.settings.max_channel_length)
        await server.access.authorize(connection.identity, "presence", Address.channel(channel), by_client=True)
        return {"channel": channel, **protocol.roster_fields(await server.presence.roster(channel))}

    async def _refresh(self, connection: Connection, message: ClientMessage) -> dict[str, Any]:
        if connection.admission is None:
            raise RequestError(errors.UNSUPPORTED, NO_TOKENS)
        return await connection.admission.refresh(message)

    async def _history(self, connection: Connection, message: ClientMessage) -> dict[str, Any]:
        message.need_id()
        server = connection.server
        channel = message.text("channel", server.settings.max_channel_length)
        await server.access.authorize(connection.identity, "history", Address.channel(channel), by_client=True)
        page = await server.history.read(
            channel,
            since=protocol.position_of(message, "since"),
            limit=message.count("limit", 100),
            reverse=message.flag("reverse", False),
        )
        return {"channel": channel, **protocol.history_fields(page)}


def _key(message: ClientMessage, sender_id: str | None) -> str | None:
    """A client's idempotency key, apart from those of other senders."""
    key = message.get("idempotency_key")
    if key is None:
        return None
    if not isinstance(key, str) or not 0 < len(key) <= 255:
        raise RequestError(errors.BAD_FIELD, "idempotency_key must be a text of 1 to 255 characters.")
    return jsontext.encode([sender_id, key]).decode()
