"""The debug pages of the seed documentation, section 1.2. Served with ``--debug`` only; about this node only."""

from __future__ import annotations

from typing import Any

import msgspec

from ..addresses import CHANNEL, SERVER, Address
from .base import ApiHandler

__all__ = ["ChannelDebugHandler", "DebugHandler"]


class DebugHandler(ApiHandler):
    """All channels: ``{"subscriber_count", "subscribers": {channel: [subscriber_id or null]}}``."""

    async def get(self) -> None:
        """The count is the sum over the channels."""
        await self.authorize("inspect", SERVER)
        self._show({address.name: ids for address, ids in self.server.members().items() if address.kind == CHANNEL})

    def _show(self, subscribers: dict[str, list[str | None]]) -> None:
        count = sum(len(ids) for ids in subscribers.values())
        page: dict[str, Any] = {"subscriber_count": count, "subscribers": subscribers}
        self.write(msgspec.json.encode(page))


class ChannelDebugHandler(DebugHandler):
    """One channel, in the same shape; one without subscribers has an empty list."""

    async def get(self, channel: str) -> None:  # type: ignore[override]  # Tornado passes the groups of the path
        """See the class."""
        await self.authorize("inspect", SERVER)
        self._show({channel: self.server.members().get(Address.channel(channel), [])})
