"""The table of the server's own HTTP routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.web import Application

from ..errors import HookError
from .batch import BatchHandler, PublishBatch
from .channels import ChannelHandler, ChannelsHandler, HistoryHandler, PresenceHandler
from .debug import ChannelDebugHandler, DebugHandler
from .exchange import PostEndpoint
from .health import HealthHandler, ReadyHandler
from .publishing import PublishToChannel, PublishToUser
from .users import UserHandler

if TYPE_CHECKING:
    from ..server import PushServer

__all__ = ["api_routes", "plugin_routes", "post_endpoints"]


def post_endpoints(server: PushServer) -> list[PostEndpoint]:
    """Where publications come in. Names in paths may hold slashes, and the last slash may be missing."""
    return [
        PostEndpoint(server, r"/api/batch/?", PublishBatch),
        PostEndpoint(server, r"/api/channels/(?!/$)(?P<name>.+?)/?", PublishToChannel),
        PostEndpoint(server, r"/api/users/(?!/$)(?P<name>.+?)/?", PublishToUser),
    ]


def api_routes(server: PushServer) -> list[Any]:
    """Rules for a Tornado Application. Names in paths may hold slashes, and the last slash may be missing."""
    options = {"server": server}
    routes: list[Any] = [(endpoint.path.pattern, endpoint) for endpoint in post_endpoints(server)]
    routes += [
        (r"/api/batch/?", BatchHandler, options),
        (r"/api/channels/?", ChannelsHandler, options),
        (r"/api/channels/(?!/$)(?P<channel>.+?)/?", ChannelHandler, options),
        (r"/api/history/(?!/$)(?P<channel>.+?)/?", HistoryHandler, options),
        (r"/api/presence/(?!/$)(?P<channel>.+?)/?", PresenceHandler, options),
        (r"/api/users/(?!/$)(?P<subscriber_id>.+?)/?", UserHandler, options),
        (r"/health/?", HealthHandler, options),
        (r"/ready/?", ReadyHandler, options),
    ]
    if server.settings.debug:
        routes += [
            (r"/debug/?", DebugHandler, options),
            (r"/debug/channels/(?!/$)(?P<channel>.+?)/?", ChannelDebugHandler, options),
        ]
    return routes


def plugin_routes(server: PushServer) -> tuple[list[Any], list[HookError]]:
    """The rules that plugins add, and what is wrong with those that cannot be used."""
    offers = server.hooks.routes(server)
    rules: list[Any] = []
    failures = list(offers.errors)
    for offer in offers.accepted:
        try:
            Application(list(offer.rules))  # Tornado says what it makes of them, before they meet the others
        except Exception as error:  # noqa: BLE001 - whatever it raises, it is the plugin's
            failure = HookError(offer.plugin, "routes", f"its rules cannot be used: {error}")
            failure.__cause__ = error
            failures.append(failure)
        else:
            rules += offer.rules
    return rules, failures
