"""The table of the server's own HTTP routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .debug import ChannelDebugHandler, DebugHandler
from .health import HealthHandler, ReadyHandler
from .publish import ChannelHandler, UserHandler

if TYPE_CHECKING:
    from ..server import PushServer

__all__ = ["api_routes"]


def api_routes(server: PushServer) -> list[Any]:
    """Rules for a Tornado Application. Names in paths may hold slashes, and the last slash may be missing."""
    options = {"server": server}
    routes: list[Any] = [
        (r"/api/channels/(?P<channel>.+?)/?", ChannelHandler, options),
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
