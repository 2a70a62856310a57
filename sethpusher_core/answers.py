"""What a hook implementation answers with. None always means: not mine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["ALLOW", "Allowed", "Denied", "Handled", "Refused", "Rejected"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """``authenticate``: the credentials are mine, and bad.

    Attributes:
        reason: For the log only; the caller learns no more than that it was refused.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """``authorize``: yes. Write :data:`ALLOW`."""


ALLOW: Final = Allowed()
"""The one positive answer of ``authorize``."""


@dataclass(frozen=True, slots=True)
class Denied:
    """``authorize``: no.

    Attributes:
        reason: For the log and ``seth-pusher explain``; a client learns no more than that it was denied.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Handled:
    """``dispatch``: the message was mine and is done with.

    Attributes:
        reply: Fields added to the ``ack``; sent only if the message carried an ``id``.
    """

    reply: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """``transform``: this publication must not go out.

    Attributes:
        reason: Sent to its publisher.
    """

    reason: str
