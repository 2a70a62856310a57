"""What a node counts of its fan-out: plain integers, read whenever somebody asks, such as a plugin for metrics."""

from __future__ import annotations

__all__ = ["Occupancy", "Tally"]


class Occupancy:
    """How full the addresses of one kind are on this node, now.

    Attributes:
        addresses: Addresses with members.
        members: Their members; one connection counts in each address that it is in.
    """

    __slots__ = ("addresses", "members")

    def __init__(self) -> None:
        self.addresses = 0
        self.members = 0


class Tally:
    """The counts of one hub.

    Those that grow are added to once for each frame and wire form, or for each slice of a fan-out, never per recipient:
    they say what was handed to clients, not what each of them has read.

    Attributes:
        channels: How full the channels are.
        users: How many users are here, and over how many connections.
        deliveries: Messages handed to clients, each counted for each of them.
        delivered_bytes: Bytes of the frames that carried them, in the form of each client's transport.
    """

    __slots__ = ("channels", "delivered_bytes", "deliveries", "users")

    def __init__(self) -> None:
        self.channels = Occupancy()
        self.users = Occupancy()
        self.deliveries = 0
        self.delivered_bytes = 0
