"""``POST /api/batch/``: many publications in one call, each with its own result."""

from __future__ import annotations

from typing import Any

import msgspec

from .. import errors, jsontext, protocol
from ..addresses import Address
from ..errors import RequestError
from ..publication import Publication
from ..publisher import Published
from .base import ApiHandler, refusal_fields
from .exchange import ApiExchange
from .publishing import NOT_JSON, check_key, published_fields

__all__ = ["BatchHandler", "PublishBatch"]

MAX_BATCH = 10_000
"""Publications in one call at the most."""


class _Batch(msgspec.Struct):
    publications: list[msgspec.Raw]


class _Item(msgspec.Struct):
    message: msgspec.Raw
    channel: Any = None
    user: Any = None
    idempotency_key: Any = None


_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_item = msgspec.json.Decoder(_Item).decode


class BatchHandler(ApiHandler):
    """Answers what is no POST."""

    elsewhere = ("POST",)


class PublishBatch(ApiExchange):
    """Publications to channels and users, mixed."""

    async def perform(self) -> dict[str, Any]:
        """Publishes in order; a bad item spoils only itself."""
        items = _items(self.body)
        results: list[dict[str, Any] | None] = [None] * len(items)
        publications: list[Publication] = []
        places: list[int] = []
        for place, item in enumerate(items):
            try:
                publications.append(await self._publication(bytes(item)))
                places.append(place)
            except RequestError as error:
                results[place] = refusal_fields(error)
        if publications:
            for place, result in zip(places, await self.server.publish_many(publications), strict=True):
                results[place] = _result(result)
        return {"status": 200, "results": results}

    async def _publication(self, text: bytes) -> Publication:
        """One item, checked and authorized.

        Raises:
            RequestError: It is not what it should be, or denied.
        """
        try:
            item = _decode_item(text)
            data = bytes(item.message)
            sender = jsontext.sender_of(data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise RequestError(errors.BAD_MESSAGE, "An item must be an object with a message.") from None
        address = self._address(item)
        check_key(item.idempotency_key)
        await self.server.access.authorize(self.identity, "publish", address)
        return self.server.publication(address, data, sender, item.idempotency_key)

    def _address(self, item: _Item) -> Address:
        settings = self.server.settings
        if (item.channel is None) == (item.user is None):
            raise RequestError(errors.BAD_FIELD, "An item must have either a channel or a user.")
        if item.channel is not None:
            return Address.channel(protocol.name_of("channel", item.channel, settings.max_channel_length))
        return Address.user(protocol.name_of("user", item.user, settings.max_id_length))


def _items(body: bytes) -> list[msgspec.Raw]:
    try:
        body.decode()
        items = _decode_batch(body).publications
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise RequestError(errors.BAD_MESSAGE, NOT_JSON if not _is_json(body) else _NO_LIST) from None
    if len(items) > MAX_BATCH:
        raise RequestError(errors.TOO_LARGE, f"At most {MAX_BATCH} publications in one batch.")
    return items


_NO_LIST = 'The body must be an object with a list "publications".'


def _is_json(body: bytes) -> bool:
    try:
        jsontext.decode(body)
    except ValueError:
        return False
    return True


def _result(result: Published | RequestError) -> dict[str, Any]:
    return refusal_fields(result) if isinstance(result, RequestError) else {"status": 200, **published_fields(result)}
