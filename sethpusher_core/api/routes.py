"""The table of the server's own HTTP routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .batch import BatchHandler
from .channels import ChannelHandler, ChannelsHandler, HistoryHandler, PresenceHandler
from .debug import ChannelDebugHandler, DebugHandler
from .health import HealthHandler, ReadyHandler
from .users import UserHandler

if TYPE_CHECKING:
    from ..server import PushServer

__all__ = ["api_routes"]


def api_routes(server: PushServer) -> list[Any]:
    """Rules for a Tornado Application. Names in paths may hold slashes, and the last slash may be missing."""
    options = {"server": server}
    routes: list[Any] = [
        (r"/api/batch/?", BatchHandler, options),
        (r"/api/channels/?", ChannelsHandler, options),
        (r"/api/channels/(?P<channel>.+?)/?", ChannelHandler, options),
        (r"/api/history/(?P<channel>.+?)/?", HistoryHandler, options),
        (r"/api/presence/(?P<channel>.+?)/?", PresenceHandler, options),
        (r"/api/users/(?P<subscriber_id>.+?)/?", UserHandler, options),
        (r"/health/?", HealthHandler, options),
        (r"/ready/?", ReadyHandler, options),
    ]
    if server.settings.debug:
        routes += [
            (r"/debug/?", DebugHandler, options),
            (r"/debug/channels/(?P<channel>.+?)/?", ChannelDebugHandler, options),
        ]
    return routes
