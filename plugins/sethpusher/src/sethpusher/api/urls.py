"""The HTTP routes of an application's own handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import views

if TYPE_CHECKING:
    from ..applications import DefaultSethApplication

__all__ = ["get_api_handlers"]


def get_api_handlers(application_instance: DefaultSethApplication) -> list[Any]:
    """The rules for channels and users, and with ``debug`` those for the debug pages.

    The core's other routes (batch, history, presence, health) are behind them. A rule of your own that is to come
    before them is added by ``add_handlers`` of the application.
    """
    rules: list[Any] = [
        (r"/api/users/(?!/$)(?P<user>.+?)/?", views.UserHandler),
        (r"/api/channels/(?!/$)(?P<channel>.+?)/?", views.ChannelHandler),
    ]
    if application_instance.debug:
        rules += [
            (r"/debug/?", views.OverallDebugHandler),
            (r"/debug/channels/(?!/$)(?P<channel>.+?)/?", views.ChannelDebugHandler),
        ]
    return rules
