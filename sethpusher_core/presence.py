"""Who is in a channel whose rule has ``presence``: first in and last out per person, over all nodes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from . import errors
from .addresses import Address
from .backends.capabilities import Roster, SupportsPresence, as_presence
from .errors import BackendError, RequestError
from .repeating import Repeating

if TYPE_CHECKING:
    from .backends.base import Backend
    from .connection import Connection
    from .settings.rules import ChannelRules

__all__ = ["Presence"]

log = logging.getLogger("sethpusher.presence")


class Presence:
    """Tells the backend who comes and goes, and keeps its leases."""

    def __init__(self, rules: ChannelRules) -> None:
        """Makes one without a backend; :meth:`bind` names it.

        Args:
            rules: What holds in which channel.
        """
        self._rules = rules
        self._backend: SupportsPresence | None = None
        self._infos: dict[tuple[str, str], bytes] = {}
        self._timer = Repeating(self._renew)

    def bind(self, backend: Backend | None) -> None:
        """Names the backend and begins to keep its leases; None: ends that."""
        self._timer.stop()
        self._backend = as_presence(backend)
        if self._backend is not None and self._backend.lease > 0:
            self._timer.start(self._backend.lease / 3)

    def is_kept(self, channel: str) -> bool:
        """Whether a channel knows its members."""
        return self._rules.rule_for(channel).presence

    async def enter(self, connection: Connection, channel: str, info: bytes = b"") -> bool:
        """Notes a new member, or one whose subscriber_id has become known.

        Args:
            connection: The member.
            channel: The channel.
            info: JSON text that others may read; empty: what it said when it came in.

        Returns:
            Whether its coming is to be announced: always where no presence is kept, else for a person's first
            connection.
        """
        if self._backend is None or not self.is_kept(channel):
            return True
        if info:
            self._infos[connection.id, channel] = info
        else:
            info = self._infos.get((connection.id, channel), b"")
        try:
            return await self._backend.enter(Address.channel(channel), connection.id, connection.subscriber_id, info)
        except BackendError as error:
            log.warning("%s is missing in the presence of %s for now: %s", connection.id, channel, error)
            return False

    async def leave(self, connection: Connection, channel: str) -> bool:
        """Notes that a member has gone.

        Returns:
            Whether its going is to be announced: always where no presence is kept, else for a person's last connection.
        """
        if self._backend is None or not self.is_kept(channel):
            return True
        self._infos.pop((connection.id, channel), None)
        try:
            return await self._backend.leave(Address.channel(channel), connection.id)
        except BackendError as error:
            log.warning("%s stays in the presence of %s for now: %s", connection.id, channel, error)
            return False

    async def roster(self, channel: str) -> Roster:
        """Who is in a channel.

        Raises:
            RequestError: The channel keeps no presence, or it cannot be read now.
        """
        if self._backend is None or not self.is_kept(channel):
            raise RequestError(errors.UNSUPPORTED, "This channel keeps no presence.")
        try:
            return await self._backend.roster(Address.channel(channel))
        except BackendError as error:
            log.warning("the presence of %s cannot be read: %s", channel, error)
            raise RequestError(errors.UNAVAILABLE) from error

    async def _renew(self) -> None:
        if self._backend is not None:
            try:
                await self._backend.renew()
            except BackendError as error:
                log.warning("presence could not be renewed: %s", error)
