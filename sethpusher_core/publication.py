r"""A publication, from the moment it is accepted to the bytes that cross the backend.

The payload that a backend carries is ``<kind><skip>\0<envelope>``: one letter for what it is, the id of a connection
that must not get it (mostly empty), and the envelope that clients read, complete but for the position, which only the
backend can give and the delivering node adds.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID, uuid5

import msgspec

from . import jsontext
from .addresses import CHANNEL, Address

if TYPE_CHECKING:
    from .backends.base import Position

__all__ = [
    "CONTROL_KIND",
    "NOTICE_KIND",
    "PUBLICATION_KIND",
    "Delivery",
    "Publication",
    "derived_id",
    "notice_payload",
    "read_payload",
    "resumed_envelope",
    "with_position",
]

PUBLICATION_KIND: Final = b"P"
NOTICE_KIND: Final = b"N"
CONTROL_KIND: Final = b"C"

_IDEMPOTENCY_NAMESPACE: Final = UUID("5f0e8f0a-6a1c-4f0b-9d39-2f1f3f4e7c55")
_KEEP: Final = object()
_json = msgspec.json.encode


class Publication(msgspec.Struct, frozen=True, dict=True):
    """One message in a channel or to a user.

    Attributes:
        address: The channel or user it is for.
        data: What was published, as JSON text, unchanged.
        id: Unique; derived from the idempotency key and the address where there is a key, so that a repeat carries
            the same id.
        sender: JSON text of the sender's id; ``null`` when there is none.
        idempotency_key: What the publisher gave to make a repeat harmless, or None.
        skip: Id of a connection that shall not get it (its own sender, with ``"echo": false``); mostly empty.

    ``msgspec.structs.replace`` makes a changed one.
    """

    address: Address
    data: bytes
    id: str
    sender: bytes = b"null"
    idempotency_key: str | None = None
    skip: str = ""

    @cached_property
    def message(self) -> Any:
        """The value that was published."""
        return jsontext.decode(self.data)

    @cached_property
    def sender_id(self) -> Any:
        """Who published it: a text for a client, any JSON value over HTTP, None when unknown."""
        return jsontext.decode(self.sender)

    @property
    def channel(self) -> str | None:
        """The channel's name; None for a message to a user."""
        return self.address.name if self.address.kind == CHANNEL else None

    @property
    def user(self) -> str | None:
        """The subscriber_id it is for; None for a message in a channel."""
        return None if self.address.kind == CHANNEL else self.address.name

    def replace(self, message: Any, *, sender_id: Any = _KEEP) -> Publication:
        """The same publication with another message (for ``transform``).

        Args:
            message: Anything that JSON has a form for.
            sender_id: Another sender; left out, it stays (over HTTP it is a copy of the message's own member, so who
                removes that must say so here, too).

        Raises:
            ValueError, TypeError: The message has no form in JSON.
        """
        sender = self.sender if sender_id is _KEEP else jsontext.encode(sender_id)
        return msgspec.structs.replace(self, data=jsontext.encode(message), sender=sender)

    def payload(self) -> bytes:
        """What the backend carries."""
        address = self.address
        place = b'"channel":' if address.kind == CHANNEL else b'"target_id":'
        return b"".join(
            (
                PUBLICATION_KIND,
                self.skip.encode(),
                b'\0{"message":',
                self.data,
                b',"sender_id":',
                self.sender,
                b",",
                place,
                _json(address.name),
                b"}",
            )
        )


class Delivery(NamedTuple):
    """A payload, read at the node that delivers it.

    Attributes:
        kind: PUBLICATION_KIND, NOTICE_KIND or CONTROL_KIND.
        skip: Id of a connection that must not get it; mostly empty.
        envelope: JSON text for the clients; for CONTROL_KIND the order itself.
    """

    kind: bytes
    skip: str
    envelope: bytes


def read_payload(payload: bytes) -> Delivery:
    """Reads what :meth:`Publication.payload` or :func:`notice_payload` wrote.

    Raises:
        ValueError: It was written by something else.
    """
    head, separator, envelope = payload.partition(b"\0")
    if not separator or not head:
        raise ValueError("not a payload of this server")
    return Delivery(head[:1], head[1:].decode(), envelope)


def notice_payload(envelope: bytes, skip: str = "", kind: bytes = NOTICE_KIND) -> bytes:
    """The payload of a notice (or, with CONTROL_KIND, of an order to the other nodes)."""
    return b"%b%b\0%b" % (kind, skip.encode(), envelope)


def with_position(envelope: bytes, position: Position) -> bytes:
    """The envelope of a publication in a channel that keeps history."""
    return b'%b,"offset":%d,"epoch":%b}' % (envelope[:-1], position.offset, _json(position.epoch))


def resumed_envelope(address: Address, position: Position | None, whole: bool) -> bytes:
    """What members of an address read when it is heard again after a loss on the server's side."""
    place = {"channel" if address.kind == CHANNEL else "target_id": address.name}
    if position is None:
        return _json({"type": "gap", **place})
    return _json({"type": "position", **place, "epoch": position.epoch, "offset": position.offset, "recovered": whole})


def derived_id(idempotency_key: str, address: Address) -> str:
    """The id of every publication to one address under one idempotency key."""
    return uuid5(_IDEMPOTENCY_NAMESPACE, f"{address.kind}\0{address.name}\0{idempotency_key}").hex
