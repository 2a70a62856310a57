"""``/api/channels/``, ``/api/history/`` and ``/api/presence/``: looking into channels."""

from __future__ import annotations

from typing import Any

import msgspec

from .. import errors, protocol
from ..addresses import CHANNEL, SERVER, Address
from ..backends.base import Position
from ..errors import RequestError
from ..protocol import check_name
from .base import ApiHandler

__all__ = ["ChannelHandler", "ChannelsHandler", "HistoryHandler", "PresenceHandler"]

MAX_PAGE = 1000
"""Channels in one answer at the most."""


class ChannelsHandler(ApiHandler):
    """The channels that have subscribers, over all nodes."""

    async def get(self) -> None:
        """Arguments: ``prefix``, ``after`` (a name: the ``next`` of the page before), ``limit``."""
        await self.authorize("inspect", SERVER)
        limit = min(self.number("limit", 100), MAX_PAGE)
        prefix, after = self.text("prefix") or "", self.text("after") or ""
        page = await self.server.census.occupied(CHANNEL, prefix, after, limit)
        channels = [{"channel": found.address.name, "subscribers": found.count} for found in page]
        following = page[-1].address.name if limit and len(page) == limit else None
        self.answer({"status": 200, "channels": channels, "next": following})


class ChannelHandler(ApiHandler):
    """One channel, apart from publishing in it."""

    elsewhere = ("POST",)

    async def get(self, channel: str) -> None:
        """How many subscribers it has over all nodes, and where its history stands."""
        check_name("channel", channel, self.server.settings.max_channel_length)
        address = Address.channel(channel)
        await self.authorize("inspect", address)
        answer: dict[str, Any] = {"status": 200, "channel": channel}
        answer["subscribers"] = await self.server.census.count(address)
        if self.server.rules.rule_for(channel).history:
            page = await self.server.history.read(channel, limit=0)
            answer |= protocol.position_fields(page.position)
        self.answer(answer)


class HistoryHandler(ApiHandler):
    """What was published in a channel."""

    async def get(self, channel: str) -> None:
        """Arguments: ``limit``; ``reverse`` (newest first); ``epoch`` with ``offset``: only what is newer (older)."""
        check_name("channel", channel, self.server.settings.max_channel_length)
        await self.authorize("history", Address.channel(channel))
        page = await self.server.history.read(
            channel, since=self._since(), limit=self.number("limit", 100), reverse=self._reverse()
        )
        publications = [msgspec.Raw(envelope) for envelope in page.envelopes]
        answer = {"status": 200, "channel": channel, **protocol.position_fields(page.position)}
        self.answer({**answer, "whole": page.whole, "publications": publications})

    def _since(self) -> Position | None:
        epoch = self.text("epoch")
        if (epoch is None) != (self.text("offset") is None):
            raise RequestError(errors.BAD_FIELD, "epoch and offset go together.")
        return None if epoch is None else Position(epoch, self.number("offset", 0))

    def _reverse(self) -> bool:
        value = self.text("reverse") or "false"
        if value not in ("true", "false"):
            raise RequestError(errors.BAD_FIELD, "reverse must be true or false.")
        return value == "true"


class PresenceHandler(ApiHandler):
    """Who is in a channel."""

    async def get(self, channel: str) -> None:
        """People by subscriber_id with their connections, and how many are anonymous."""
        check_name("channel", channel, self.server.settings.max_channel_length)
        await self.authorize("presence", Address.channel(channel))
        roster = await self.server.presence.roster(channel)
        self.answer({"status": 200, "channel": channel, **protocol.roster_fields(roster)})
