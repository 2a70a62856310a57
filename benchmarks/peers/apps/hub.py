"""What an application on a bare library has to write itself; ``hub.js`` in Python.

Same messages and same envelopes as this project's server, so that the bytes are comparable.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["Hub"]

Client = TypeVar("Client")


class Hub(Generic[Client]):
    """Who is in which channel.

    Args:
        deliver: Sends one text to a set of clients, as the library's documentation says.
    """

    def __init__(self, deliver: Callable[[set[Client], str], None]) -> None:
        self._deliver = deliver
        self._channels: defaultdict[str, set[Client]] = defaultdict(set)
        self._joined: defaultdict[Client, set[str]] = defaultdict(set)

    def publish(self, channel: str, message: Any) -> None:
        """To all that are in the channel."""
        if channel in self._channels:
            envelope = {"message": message, "sender_id": None, "channel": channel}
            self._deliver(self._channels[channel], json.dumps(envelope, separators=(",", ":")))

    def posted(self, path: str, body: bytes) -> None:
        """``/channels/NAME`` publishes the body, ``/batch`` the publications in it."""
        content = json.loads(body)
        if path == "/batch":
            for one in content["publications"]:
                self.publish(one["channel"], one["message"])
        else:
            self.publish(path.removeprefix("/channels/"), content)

    def said(self, client: Client, text: str | bytes) -> str | None:
        """A client's message; returns the answer, if there is one."""
        message = json.loads(text)
        channel = message["channel"]
        match message["type"]:
            case "subscribe":
                self._channels[channel].add(client)
                self._joined[client].add(channel)
            case "unsubscribe":
                self._leave(channel, client)
                self._joined[client].discard(channel)
            case "publish":
                self.publish(channel, message["message"])
        if (id := message.get("id")) is None:
            return None
        return json.dumps({"channel": channel, "type": "ack", "id": id}, separators=(",", ":"))

    def forget(self, client: Client) -> None:
        """The client is gone."""
        for channel in self._joined.pop(client, ()):
            self._leave(channel, client)

    def _leave(self, channel: str, client: Client) -> None:
        clients = self._channels[channel]
        clients.discard(client)
        if not clients:
            del self._channels[channel]
