"""Notices: the join and leave messages of the seed documentation.

They are not publications: no persist, no transform, no offset, no history. They go through the backend, so that all
nodes hear them, with the id of the connection that must not get its own.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import msgspec

from .addresses import COMMON_CHANNEL, Address
from .backends.base import Outgoing
from .errors import BackendError, BackendUnavailable
from .publication import notice_payload

if TYPE_CHECKING:
    from .backends.base import Backend
    from .connection import Connection
    from .hub import Hub
    from .settings.rules import ChannelRules

__all__ = ["Notices"]

log = logging.getLogger("sethpusher.notices")

# The texts of release 0.2.2, the full stops included and missing.
_TEXTS: Final = {
    "connect": "User: {id} connected.",
    "disconnect": "User: {id} disconnected.",
    "subscribe": "User: {id} subscribed to {channel}",
    "unsubscribe": "User: {id} unsubscribed from {channel}",
}


class Notices:
    """Announces who came and who went, where the channel's rule has ``announce``."""

    def __init__(self, rules: ChannelRules, hub: Hub, max_members: int) -> None:
        """Makes one without a backend; :meth:`bind` names it.

        Args:
            rules: What holds in which channel.
            hub: Where members are counted.
            max_members: Above this many members of a channel on this node its notices pause.
        """
        self._rules = rules
        self._hub = hub
        self._max_members = max_members
        self._paused: set[str] = set()
        self._backend: Backend | None = None

    def bind(self, backend: Backend | None) -> None:
        """Names the backend; None: nothing is announced."""
        self._backend = backend

    async def announce(self, connection: Connection, type: str, channel: str = COMMON_CHANNEL) -> None:
        """Announces a change of a connection; a notice that cannot be sent is logged, nothing else.

        Args:
            connection: Whose change it is. Its own subscribe notice is the only one that it gets itself.
            type: ``connect``, ``disconnect``, ``subscribe`` or ``unsubscribe``.
            channel: The channel in which it is announced.
        """
        if self._backend is None or not self._rules.rule_for(channel).announce or self._is_paused(channel):
            return
        subscriber_id = connection.subscriber_id
        body = _TEXTS[type].format(id=subscriber_id, channel=channel)
        envelope = msgspec.json.encode({"message": {"body": body, "subscriber_id": subscriber_id, "type": type}})
        try:
            await self.tell(channel, envelope, skip="" if type == "subscribe" else connection.id)
        except BackendError as error:
            log.warning("no %s notice in channel %s: %s", type, channel, error)
        except Exception:  # a fault in a backend must not look like one in the client's message
            log.exception("no %s notice in channel %s: the backend failed", type, channel)

    async def tell(self, channel: str, envelope: bytes, *, skip: str = "") -> None:
        """Sends JSON text to the members of a channel, on all nodes, as it is.

        Args:
            channel: The channel.
            envelope: What clients read.
            skip: Id of a connection that shall not get it.

        Raises:
            BackendError: It cannot be sent now.
        """
        if self._backend is None:
            raise BackendUnavailable("the server is not running")
        [result] = await self._backend.publish([Outgoing(Address.channel(channel), notice_payload(envelope, skip))])
        if isinstance(result, BackendError):
            raise result

    def _is_paused(self, channel: str) -> bool:
        local = self._hub.get(Address.channel(channel))
        if local is None or local.count <= self._max_members:
            self._paused.discard(channel)
            return False
        if channel not in self._paused:
            self._paused.add(channel)
            log.warning(
                "channel %s has more than %d members on this node: its notices pause (set announce = false for it, "
                "or raise announce_max_members)",
                channel,
                self._max_members,
            )
        return True
