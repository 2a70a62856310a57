"""What goes wrong with an outbox: it cannot be used, is full, belongs to another server, or is damaged."""

from __future__ import annotations

from sethpusher_core import SethPusherError

__all__ = ["OutboxDamaged", "OutboxError", "OutboxFull", "OutboxInUse"]


class OutboxError(SethPusherError):
    """The outbox cannot be used."""


class OutboxFull(OutboxError):
    """The outbox is at a bound."""


class OutboxInUse(OutboxError):
    """Another server has the outbox."""


class OutboxDamaged(OutboxError):
    """The outbox file is damaged, or no outbox."""
