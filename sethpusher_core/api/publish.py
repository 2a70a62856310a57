"""Publishing by HTTP: ``POST /api/channels/<channel>/`` and ``POST /api/users/<subscriber_id>/``."""

from __future__ import annotations

from typing import Any

from .. import errors
from ..addresses import Address
from ..errors import RequestError
from ..protocol import check_name
from .base import ApiHandler

__all__ = ["ChannelHandler", "UserHandler"]


class _PublishHandler(ApiHandler):
    async def _publish(self, address: Address) -> None:
        try:
            published = await self.server.publish_json(
                address,
                self.request.body,
                identity=self.identity,
                idempotency_key=self.request.headers.get("Idempotency-Key"),
            )
        except ValueError:
            raise RequestError(errors.BAD_MESSAGE, "Request body is not valid JSON.") from None
        answer: dict[str, Any] = {"status": 200, "id": published.id}
        if published.position is not None:
            answer["epoch"] = published.position.epoch
            answer["offset"] = published.position.offset
        self.answer(answer)


class ChannelHandler(_PublishHandler):
    """Publishes the body in a channel."""

    async def post(self, channel: str) -> None:
        """See the documentation of the HTTP API."""
        check_name("channel", channel, self.server.settings.max_channel_length)
        await self._publish(Address.channel(channel))


class UserHandler(_PublishHandler):
    """Sends the body to all connections of a user."""

    async def post(self, subscriber_id: str) -> None:
        """See the documentation of the HTTP API."""
        check_name("subscriber_id", subscriber_id, self.server.settings.max_id_length)
        await self._publish(Address.user(subscriber_id))
