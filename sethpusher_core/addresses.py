"""Addresses: what a publication is for, and what a backend carries.

An address is a channel, a user (all connections of one subscriber_id, on every node) or ``control`` (messages from
node to node). The same value names the target of an ``authorize`` question.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["CHANNEL", "COMMON_CHANNEL", "CONTROL", "SERVER", "USER", "Address"]

CHANNEL: Final = "channel"
USER: Final = "user"

COMMON_CHANNEL: Final = "all"
"""The channel that every client is in once it has sent ``connect`` (seed documentation, section 1.8)."""


class Address(NamedTuple):
    """Where a message goes.

    Attributes:
        kind: ``"channel"``, ``"user"``, ``"control"`` or, in ``authorize`` only, ``"server"``.
        name: The channel's name or the subscriber_id; empty for the other kinds.
    """

    kind: str
    name: str

    @classmethod
    def channel(cls, name: str) -> Address:
        """The address of a channel."""
        return cls(CHANNEL, name)

    @classmethod
    def user(cls, subscriber_id: str) -> Address:
        """The address of all connections of one subscriber_id."""
        return cls(USER, subscriber_id)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.name else self.kind


CONTROL: Final = Address("control", "")
SERVER: Final = Address("server", "")
