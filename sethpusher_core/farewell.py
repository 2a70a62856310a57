"""Sending clients away without a stampede: each is told when to come back, and closed at its own moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Final

from . import errors

if TYPE_CHECKING:
    from .connection import Connection
    from .identity import Identity

__all__ = ["FETCH_TIME", "come_back", "revoke", "see_off"]

FETCH_TIME: Final = 1.0
"""Seconds that a stop gives clients that are between two requests: to fetch the message, then the close."""
AT_ONCE: Final = 100
"""Clients closed before the loop turns, where no window spreads them."""


def come_back(window: float) -> dict[str, object]:
    """The message that tells one client when to come back: at random within so many seconds."""
    after = random.uniform(0, window)  # noqa: S311 - spreads load, keeps no secret
    return {"type": "reconnect", "after": round(after, 3)}


async def see_off(connections: Iterable[Connection], window: float, return_window: float) -> None:
    """Closes connections with code 3001 (come back), in random order.

    Just before, each gets ``{"type": "reconnect", "after": seconds}`` with a moment of its own.

    Args:
        connections: Who is to go.
        window: Seconds over which the closing is spread.
        return_window: Seconds over which the coming back is spread.
    """
    leaving = list(connections)
    random.shuffle(leaving)
    begin = monotonic()
    for place, connection in enumerate(leaving):
        due = begin + window * place / len(leaving)
        now = monotonic()
        if due > now:
            await asyncio.sleep(due - now)
        elif place % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
        if not connection.closed:
            connection.send(come_back(return_window))
            connection.close(errors.SHUTDOWN)


def revoke(connections: Iterable[Connection], gone: Callable[[Identity], bool]) -> int:
    """Closes the connections whose credentials do not hold any more, with code 3500. For authenticators.

    Args:
        connections: Who may be concerned: ``server.connections.values()``.
        gone: Whether an identity is one of those; ``identity.plugin`` says whose it is.

    Returns:
        How many were closed.
    """
    leaving = [connection for connection in connections if not connection.closed and gone(connection.identity)]
    for connection in leaving:
        connection.close(errors.REJECTED)
    return len(leaving)
