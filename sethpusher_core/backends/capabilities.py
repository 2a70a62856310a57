"""What a backend may be able to do beyond carrying payloads, each as a small protocol with its contract.

A backend declares the names in its ``capabilities``; the server and the compliance kit go by them, never by a backend's
own name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from msgspec import Struct

from ..addresses import Address
from .base import Accepted, Backend, Position

__all__ = [
    "CENSUS",
    "HISTORY",
    "PRESENCE",
    "HistoryPage",
    "Occupancy",
    "Person",
    "Roster",
    "Stored",
    "SupportsCensus",
    "SupportsHistory",
    "SupportsPresence",
    "as_census",
    "as_history",
    "as_presence",
]

HISTORY: Final = "history"
"""The backend is a :class:`SupportsHistory`."""
PRESENCE: Final = "presence"
"""The backend is a :class:`SupportsPresence`."""
CENSUS: Final = "census"
"""The backend is a :class:`SupportsCensus`."""


class Stored(Struct, frozen=True):
    """A publication that is still in the history.

    Attributes:
        position: Where it stands.
        payload: What was published.
    """

    position: Position
    payload: bytes


class HistoryPage(Struct, frozen=True):
    """An answer of :meth:`SupportsHistory.read`.

    Attributes:
        top: The position of the newest publication at the moment of reading; offset 0 in a stream that has had none.
        stored: The publications, in the order asked for.
        whole: Whether nothing is missing between ``since`` and the first of ``stored`` (always true without ``since``):
            false when the epoch has changed, or when something after ``since`` is no longer kept.
    """

    top: Position
    stored: tuple[Stored, ...]
    whole: bool


class SupportsHistory(Protocol):
    """Capability HISTORY: positions, reading back, and idempotent publishing.

    A publication to an address with ``history`` gets the next offset of its stream; that, its place in the stream and
    the announcement to all sinks happen together. Bounds are those of the last publication: count, age and bytes; what
    is beyond them is never read back. A stream of which nothing is kept may be forgotten when nobody subscribes to it
    and it has been idle for its ``history_age``, or sooner where memory is short; then its epoch changes.

    A publication with an idempotency key, repeated to the same address within the backend's window, gives the first
    result again, marked ``repeated``, and does nothing else, also when the two race.
    """

    async def read(
        self, address: Address, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> HistoryPage:
        """Reads publications back.

        Args:
            address: The channel.
            since: Only what is newer than this position (with ``reverse``: older).
            limit: How many at the most; 0 asks for the top alone.
            reverse: Newest first.

        Raises:
            BackendError: It cannot be read now.
        """

    async def result_of(self, address: Address, idempotency_key: str) -> Accepted | None:
        """The stored result of an earlier publication with this key; None when there is none (any more).

        Raises:
            BackendError: It cannot be read now.
        """


@dataclass(frozen=True, slots=True)
class Person:
    """One member of a channel, over all nodes.

    Attributes:
        subscriber_id: Who.
        connections: How many connections of this person are in the channel.
        info: JSON text that came with the first of them; empty for none.
    """

    subscriber_id: str
    connections: int
    info: bytes = b""


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is in a channel.

    Attributes:
        people: By subscriber_id, sorted.
        anonymous: Connections without one.
    """

    people: tuple[Person, ...]
    anonymous: int


class SupportsPresence(Protocol):
    """Capability PRESENCE: who is in an address, over all nodes, first in and last out per person.

    Memberships belong to the node that entered them and are leased: when a node dies without leaving, they are gone
    within ``lease`` seconds. The core calls :meth:`renew` often enough. What :meth:`enter` or :meth:`leave` could not
    note, :meth:`renew` makes up for: else one lost call would show a person who is gone for as long as the node lives.

    Attributes:
        lease: Seconds; 0 when memberships end with the process anyway.
    """

    lease: float

    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes = b"") -> bool:
        """Notes that a connection has come in. Entering again replaces.

        Returns:
            Whether it is the first connection of that person; True for an anonymous one.

        Raises:
            BackendError: It is not noted for now; :meth:`renew` sees to it.
        """

    async def leave(self, address: Address, connection_id: str) -> bool:
        """Notes that a connection has gone.

        Returns:
            Whether it was the last connection of that person (True for an anonymous one); False if it was not in.

        Raises:
            BackendError: It is not noted for now; :meth:`renew` sees to it.
        """

    async def roster(self, address: Address) -> Roster:
        """Who is in.

        Raises:
            BackendError: It cannot be read now.
        """

    async def renew(self) -> None:
        """Keeps this node's memberships alive for another lease, and makes up for what could not be noted.

        Raises:
            BackendError: It could not; the core tries again.
        """


@dataclass(frozen=True, slots=True)
class Occupancy:
    """One occupied address.

    Attributes:
        address: The address.
        count: Its members, over all nodes.
    """

    address: Address
    count: int


class SupportsCensus(Protocol):
    """Capability CENSUS: which addresses have members, and how many, over all nodes.

    Counts are leased per node as presence is. They may lag behind by a second.
    """

    async def report(self, counts: Mapping[Address, int]) -> None:
        """Tells how many members addresses have on this node; 0 for none any more.

        Raises:
            BackendError: It is not noted; the core reports again.
        """

    async def occupied(self, kind: str, prefix: str = "", after: str = "", limit: int = 100) -> Sequence[Occupancy]:
        """Addresses with members, by name.

        Args:
            kind: ``channel`` or ``user``.
            prefix: Only names that begin so.
            after: Only names that sort after this one (the last of the page before).
            limit: How many at the most.

        Raises:
            BackendError: It cannot be read now.
        """

    async def count(self, address: Address) -> int:
        """Members of one address.

        Raises:
            BackendError: It cannot be read now.
        """


def as_history(backend: Backend | None) -> SupportsHistory | None:
    """The backend as what keeps history, if it declares that."""
    capable: Any = backend
    return capable if backend is not None and HISTORY in backend.capabilities else None


def as_presence(backend: Backend | None) -> SupportsPresence | None:
    """The backend as what keeps presence, if it declares that."""
    capable: Any = backend
    return capable if backend is not None and PRESENCE in backend.capabilities else None


def as_census(backend: Backend | None) -> SupportsCensus | None:
    """The backend as what counts members, if it declares that."""
    capable: Any = backend
    return capable if backend is not None and CENSUS in backend.capabilities else None
