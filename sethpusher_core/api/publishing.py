"""Publishing over HTTP: what the handlers of channels, users and batches share."""

from __future__ import annotations

from typing import Any

from .. import errors, protocol
from ..addresses import Address
from ..errors import RequestError
from ..publisher import Published
from .base import ApiHandler

__all__ = ["NOT_JSON", "PublishHandler", "check_key", "published_fields"]

NOT_JSON = "Request body is not valid JSON."
KEY_LIMIT = 255
"""Characters that an idempotency key may have."""


class PublishHandler(ApiHandler):
    """A handler that publishes the body of a request to an address."""

    async def publish(self, address: Address) -> None:
        """Publishes and answers.

        Raises:
            RequestError: The body is not JSON, or the publication was not taken.
        """
        key = self.request.headers.get("Idempotency-Key")
        check_key(key)
        try:
            published = await self.server.publish_json(
                address, self.request.body, identity=self.identity, idempotency_key=key
            )
        except ValueError:
            raise RequestError(errors.BAD_MESSAGE, NOT_JSON) from None
        self.answer({"status": 200, **published_fields(published)})


def published_fields(published: Published) -> dict[str, Any]:
    """What the publisher learns: the id, and the position where there is one."""
    return {"id": published.id, **protocol.position_fields(published.position)}


def check_key(key: object) -> None:
    """Checks an idempotency key; None is none.

    Raises:
        RequestError: It is no text of 1 to KEY_LIMIT characters.
    """
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= KEY_LIMIT):
        raise RequestError(errors.BAD_FIELD, f"An idempotency key must be a text of 1 to {KEY_LIMIT} characters.")
