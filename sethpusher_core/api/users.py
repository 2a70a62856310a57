"""``/api/users/<subscriber_id>/``: whether a user is there, and an end to that."""

from __future__ import annotations

from ..addresses import Address
from ..protocol import check_name
from .base import ApiHandler

__all__ = ["UserHandler"]


class UserHandler(ApiHandler):
    """One user, with all connections on all nodes; sending to it is elsewhere."""

    elsewhere = ("POST",)

    async def get(self, subscriber_id: str) -> None:
        """Whether the user is online, and over how many connections."""
        address = self._address(subscriber_id)
        await self.authorize("presence", address)
        connections = await self.server.census.count(address)
        online = connections > 0
        self.answer({"status": 200, "subscriber_id": subscriber_id, "online": online, "connections": connections})

    async def delete(self, subscriber_id: str) -> None:
        """Ends the user's connections with a code that says not to come back."""
        address = self._address(subscriber_id)
        await self.authorize("administer", address)
        await self.server.disconnect_user(subscriber_id)
        self.answer({"status": 200})

    def _address(self, subscriber_id: str) -> Address:
        check_name("subscriber_id", subscriber_id, self.server.settings.max_id_length)
        return Address.user(subscriber_id)
