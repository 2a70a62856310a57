"""Addresses, names and payloads that cases share."""

from __future__ import annotations

import itertools
from typing import Any, Final

from .. import jsontext
from ..addresses import CHANNEL, Address
from ..backends.base import Outgoing
from ..publication import Publication, derived_id

__all__ = ["ADA", "AWKWARD_NAMES", "EVERY_BYTE", "LOOKALIKES", "NEWS", "PAYLOADS", "SPORT", "keep", "published", "say"]

NEWS: Final = Address.channel("news")
SPORT: Final = Address.channel("sport")
ADA: Final = Address.user("ada")

EVERY_BYTE: Final = bytes(range(256))
PAYLOADS: Final = (
    EVERY_BYTE,
    b"",
    b"\0",
    b"\r\n\r\n",
    b'{"message": "looks like JSON"}',
    b'P\0{"message":1}',
    b"\xff\xfe no UTF-8",
    "Grüße, 世界 👋".encode(),
    b"$5\r\nhello\r\n",
)
"""Nothing in a payload means anything to a backend."""

AWKWARD_NAMES: Final = (
    " ",
    "a b",
    " led by a space",
    "/",
    "a/b/../c",
    ":",
    "user:ada",
    "sethpusher:channel:news",
    "line\nbreak",
    "\r\n",
    "tab\tand\0null",
    "*",
    "news.*",
    "news?[a-z]",
    "{tag}",
    "%2F%00",
    "back\\slash",
    "'\"; drop",
    "Zoë",
    "世界",
    "👋🏽👨‍👩‍👧",
    "control",
    "n" * 255,
    "👋" * 255,
)
"""Names are text of up to 255 characters, any characters."""

LOOKALIKES: Final = (
    "news",
    "News",
    "NEWS",
    "news ",
    " news",
    "news/",
    "news.",
    "new",
    "newss",
    "caf\u00e9",
    "cafe\u0301",
    "news\u200b",
    "1",
    "01",
    "1.0",
)
"""No two of these are the same name."""

_numbers = itertools.count(1)


def say(address: Address, payload: bytes, *, key: str | None = None) -> Outgoing:
    """A publication to an address that keeps no history."""
    return Outgoing(address, payload, _id(address, key), key)


def keep(
    address: Address,
    payload: bytes,
    *,
    key: str | None = None,
    count: int = 1000,
    age: float = 600.0,
    size: int = 2**26,
) -> Outgoing:
    """A publication to a channel that keeps history.

    Args:
        address: The channel.
        payload: The payload.
        key: The idempotency key.
        count: How many are kept.
        age: For how many seconds.
        size: How many bytes of them.
    """
    assert address.kind == CHANNEL
    return Outgoing(address, payload, _id(address, key), key, count, age, size)


def published(
    message: Any = "hello",
    address: Address = NEWS,
    *,
    key: str | None = None,
    sender: Any = None,
    data: bytes | None = None,
) -> Publication:
    """A publication as the core would have made it; one with a key has its id from the key."""
    id = _id(address, key)
    return Publication(address, data or jsontext.encode(message), id, jsontext.encode(sender), key)


def _id(address: Address, key: str | None) -> str:
    """As the core makes them: a repeat has the same id."""
    return f"publication-{next(_numbers)}" if key is None else derived_id(key, address)
