"""Publishing over HTTP to a channel or a user, and what batches share with that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from .. import errors, protocol
from ..addresses import Address
from ..errors import RequestError
from ..protocol import check_name
from ..publisher import Published
from .exchange import ApiExchange

if TYPE_CHECKING:
    from ..identity import Identity
    from ..server import PushServer

__all__ = ["NOT_JSON", "PublishToChannel", "PublishToUser", "check_key", "publish_body", "published_fields"]

Fields: TypeAlias = dict[str, Any]

NOT_JSON = "Request body is not valid JSON."
KEY_LIMIT = 255
"""Characters that an idempotency key may have."""


async def publish_body(
    server: PushServer, identity: Identity, address: Address, body: bytes, key: str | None
) -> Fields:
    """Publishes the body of a request.

    Args:
        server: Where.
        identity: Who publishes.
        address: To whom.
        body: JSON text.
        key: The header ``Idempotency-Key``, if there is one.

    Returns:
        What the publisher is answered.

    Raises:
        RequestError: The body is not JSON, or the publication was not taken.
    """
    check_key(key)
    try:
        published = await server.publish_json(address, body, identity=identity, idempotency_key=key)
    except ValueError:
        raise RequestError(errors.BAD_MESSAGE, NOT_JSON) from None
    return {"status": 200, **published_fields(published)}


class PublishToChannel(ApiExchange):
    """``POST /api/channels/<channel>/``: publishes the body in a channel."""

    async def perform(self) -> Fields:
        """See :class:`ApiExchange`."""
        name = self.name()
        check_name("channel", name, self.server.settings.max_channel_length)
        return await self.publish(Address.channel(name))

    async def publish(self, address: Address) -> Fields:
        """Publishes the body; see :func:`publish_body`."""
        key = None
        if "Idempotency-Key" in self.headers:  # where it is not, get() would raise and catch a KeyError
            key = self.headers["Idempotency-Key"]
        return await publish_body(self.server, self.identity, address, self.body, key)


class PublishToUser(PublishToChannel):
    """``POST /api/users/<subscriber_id>/``: sends the body to all connections of a user."""

    async def perform(self) -> Fields:
        """See :class:`ApiExchange`."""
        name = self.name()
        check_name("subscriber_id", name, self.server.settings.max_id_length)
        return await self.publish(Address.user(name))


def published_fields(published: Published) -> Fields:
    """What the publisher learns: the id, and the position where there is one."""
    return {"id": published.id, **protocol.position_fields(published.position)}


def check_key(key: object) -> None:
    """Checks an idempotency key; None is none.

    Raises:
        RequestError: It is no text of 1 to KEY_LIMIT characters.
    """
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= KEY_LIMIT):
        raise RequestError(errors.BAD_FIELD, f"An idempotency key must be a text of 1 to {KEY_LIMIT} characters.")
