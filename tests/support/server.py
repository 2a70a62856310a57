"""The compliance kit's server in this process, held to more: stopping it is a check.

When the clients have gone nothing of them may be left, and no task when the server has.
"""

from __future__ import annotations

import asyncio
import json
from typing import ClassVar

from sethpusher_core.testing import running
from sethpusher_core.testing.running import TRANSPORTS
from support.http import Answer

__all__ = ["TRANSPORTS", "RunningServer"]


class RunningServer(running.RunningServer):
    """A server that runs from the first line of a test to its last, and publishes over HTTP."""

    pause: ClassVar[float] = 0.0  # in every turn of the loop

    async def _finish(self) -> None:
        self._listener.stop()
        push = self.push
        await self._until(lambda: not self._on_websockets(), "clients on websockets leave")
        push.router.http_sessions.stop()  # whose clients have gone between two polls; a stop would wait for them
        await push.stop()
        await self._until(lambda: not push.connections and not push.router.sessions, "connections end")
        await self._until(lambda: not list(push.hub), "channels are left")
        await self._until(lambda: push.router.budget.used == 0, "bytes of clients that have gone leave the account")
        await self._listener.close_all_connections()
        await self._until(lambda: len(asyncio.all_tasks()) == 1, f"end: {asyncio.all_tasks()}")

    def _on_websockets(self) -> list[str]:
        connections = self.push.connections.values()
        return [connection.id for connection in connections if connection.transport.endswith("websocket")]

    def publish(self, channel: str, message: object) -> Answer:
        """Publishes over HTTP; it must be accepted."""
        return self._accepted(f"/api/channels/{channel}/", message)

    def publish_to_user(self, subscriber_id: str, message: object) -> Answer:
        """Sends to a user over HTTP; it must be accepted."""
        return self._accepted(f"/api/users/{subscriber_id}/", message)

    def _accepted(self, path: str, message: object) -> Answer:
        answer = self.http.post(path, message if isinstance(message, bytes) else json.dumps(message).encode())
        assert answer.status == 200, answer
        return answer
