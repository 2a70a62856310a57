"""Letters: what the outbox takes. One letter is one publication on its way to the API."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from sethpusher_core import Address, Publication

__all__ = ["NewLetter", "Route", "SteadyClock", "address_of", "end_of", "letter_of", "stripe_of", "target_of"]

_json: Final = msgspec.json.encode
_decode_target: Final = msgspec.json.Decoder(dict[str, str]).decode


class NewLetter(msgspec.Struct, frozen=True, gc=False):
    """A letter that is not in the outbox yet.

    Attributes:
        id: The publication's id: what the API knows repeats by.
        lane: Which letters it must not overtake: those of the same lane.
        target: The address, as JSON text: ``{"channel": ...}`` or ``{"user": ...}``.
        body: What is posted, alone or in a batch: JSON text.
        keyed: Whether it may be given to the outbox again, under the same id.
    """

    id: str
    lane: int
    target: str
    body: bytes
    keyed: bool


def target_of(address: Address) -> str:
    """The JSON text of an address."""
    return _json({address.kind: address.name}).decode()


def address_of(target: str) -> Address:
    """The address of a letter."""
    [(kind, name)] = _decode_target(target).items()
    return Address(kind, name)


class Route(NamedTuple):
    """Where publications to an address go.

    Attributes:
        lane: Their lane.
        target: The address, as :func:`target_of` writes it.
        members: What stands in a body between the id and the message.
    """

    lane: int
    target: str
    members: bytes

    @classmethod
    def of(cls, address: Address, lane: int) -> Route:
        """The route of an address."""
        target = target_of(address)
        return cls(lane, target, f',{target[1:-1]},"message":'.encode())


def end_of(accepted_at: float) -> bytes:
    """How the bodies end of all that is accepted at a moment, in seconds since 1970."""
    return b',"accepted_at":%.3f}' % accepted_at


def letter_of(publication: Publication, route: Route, end: bytes) -> NewLetter:
    """A publication as a letter.

    Args:
        publication: The publication.
        route: Where it goes.
        end: See :func:`end_of`.
    """
    body = b"".join(
        (
            b'{"id":',
            _json(publication.id),
            route.members,
            publication.data,
            b',"sender_id":',
            publication.sender,
            end,
        )
    )
    return NewLetter(publication.id, route.lane, route.target, body, publication.idempotency_key is not None)


def stripe_of(text: str) -> int:
    """A number of 63 bits that is always the same for a text, and in practice never for two."""
    from hashlib import blake2b  # here, because it loads OpenSSL, which a start without this plugin need not pay

    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1


class SteadyClock:
    """Seconds since 1970 that only grow, whatever is done to the system's clock after this was made.

    Ages are measured with it, so that a jump of the clock makes nothing old.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._begin = wall() - monotonic()

    def __call__(self) -> float:
        """Now."""
        return self._begin + self._monotonic()
