"""How many sessions an endpoint takes, in all and from one address, and what becomes of those beyond.

A browser cannot read why a websocket was refused with an HTTP status, and sockjs-client then knocks with every other
transport, too. So who finds no room is let in for as long as it takes to hear when to come back: a *farewell*.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .. import errors
from ..errors import CloseCode

if TYPE_CHECKING:
    from .session import Session

__all__ = ["RESERVED_FILES", "Room"]

RESERVED_FILES: Final = 128
"""Open files that are not for sessions: logs, the backend, listening sockets, API calls, farewells."""
UNTOUCHED_FILES: Final = 64
"""So many of these are not for farewells either."""
MAX_FAREWELLS: Final = 1000
"""Sessions of HTTP transports at once that only say farewell, for ``disconnect_delay``, mostly without a file."""


class Room:
    """Who may come in.

    Attributes:
        draining: Whether nobody may come in any more.
        counts: How often which bound was met: ``sessions_over_limit``, ``sessions_over_ip_limit``,
            ``sessions_while_draining``, ``messages_over_size``, ``bodies_over_size``.
        lines: Websockets whose stream is open, those that say farewell or wait for the peer's close frame included.
        parting: Sessions of HTTP transports that say farewell.
    """

    def __init__(
        self,
        max_sessions: int,
        max_per_ip: int,
        counts: Counter[str] | None = None,
        farewell: Callable[[], bytes] | None = None,
    ) -> None:
        """Makes an empty room.

        Args:
            max_sessions: Sessions at once; 0 takes what the limit of open files leaves room for.
            max_per_ip: Sessions at once from one address; 0 sets no such bound.
            counts: Where to count who finds no room.
            farewell: Gives the message for one client that finds no room; without it they are refused with 503.
        """
        self.draining = False
        self.counts: Counter[str] = Counter() if counts is None else counts
        self.lines = 0
        self.parting: set[Session] = set()
        self._farewell = farewell
        self._max_sessions = max_sessions
        self._max_per_ip = max_per_ip
        self._limit = 0
        self._files = 0
        self._per_ip: Counter[str] = Counter()

    def open(self) -> None:
        """Lets sessions in, as many as the limit of open files allows now."""
        self.draining = False
        self._files = _file_limit()
        self._limit = self._max_sessions or max(1, self._files - RESERVED_FILES)

    def refusal(self, sessions: int, remote_ip: str) -> CloseCode | None:
        """Why no session of an address may begin; None if one may. Counted.

        Args:
            sessions: How many there are.
            remote_ip: The peer's address.
        """
        if self.draining:
            self.counts["sessions_while_draining"] += 1
            return errors.SHUTDOWN
        if sessions - len(self.parting) >= self._limit:
            self.counts["sessions_over_limit"] += 1
            return errors.OVERLOAD
        if self._max_per_ip and self._per_ip[remote_ip] >= self._max_per_ip:
            self.counts["sessions_over_ip_limit"] += 1
            return errors.OVERLOAD
        return None

    def farewell(self, *, line: bool, sessions: int) -> bytes | None:
        """The message for a client that finds no room; None if there is not even room for that.

        Args:
            line: Whether it costs an open file, as on a websocket.
            sessions: How many HTTP sessions there are; each may have a file open.
        """
        if self._farewell is None:
            return None
        files = self.lines + sessions
        fits = files < self._files - UNTOUCHED_FILES if line else len(self.parting) < MAX_FAREWELLS
        return self._farewell() if fits else None

    def enter(self, remote_ip: str) -> None:
        """Counts a session that has begun."""
        if self._max_per_ip:
            self._per_ip[remote_ip] += 1

    def leave(self, remote_ip: str) -> None:
        """Counts one that was entered and has ended."""
        if self._max_per_ip:
            self._per_ip[remote_ip] -= 1
            if not self._per_ip[remote_ip]:
                del self._per_ip[remote_ip]


def _file_limit() -> int:
    """How many files may be open, where the system has such a limit."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit
