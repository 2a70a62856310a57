"""Seth-Pusher's core: a push server over SockJS and WebSocket, every part of which a plugin can replace.

What plugin authors and embedding programs need is importable from here. Names are looked up when they are first used,
so that importing one light thing (the version, the marker of a hook) does not import the server.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .addresses import SERVER, Address
    from .answers import ALLOW, Allowed, Denied, Handled, Refused, Rejected
    from .api.base import ApiHandler
    from .backends.base import Accepted, Backend, Outgoing, Position, Sink
    from .connection import Connection
    from .errors import BackendError, BackendUnavailable, RequestError, SethPusherError, UsageError
    from .hookspecs import RegisterBackend, RegisterCommand, hookimpl
    from .identity import Credentials, Identity
    from .protocol import ClientMessage
    from .publication import Publication
    from .publisher import Published
    from .server import PushServer
    from .settings.core import CoreSettings
    from .settings.rules import ChannelRule

__all__ = [
    "ALLOW",
    "SERVER",
    "Accepted",
    "Address",
    "Allowed",
    "ApiHandler",
    "Backend",
    "BackendError",
    "BackendUnavailable",
    "ChannelRule",
    "ClientMessage",
    "Connection",
    "CoreSettings",
    "Credentials",
    "Denied",
    "Handled",
    "Identity",
    "Outgoing",
    "Position",
    "Publication",
    "Published",
    "PushServer",
    "Refused",
    "RegisterBackend",
    "RegisterCommand",
    "Rejected",
    "RequestError",
    "SethPusherError",
    "Sink",
    "UsageError",
    "__version__",
    "hookimpl",
]

_HOMES = {
    ".addresses": ("SERVER", "Address"),
    ".answers": ("ALLOW", "Allowed", "Denied", "Handled", "Refused", "Rejected"),
    ".api.base": ("ApiHandler",),
    ".backends.base": ("Accepted", "Backend", "Outgoing", "Position", "Sink"),
    ".connection": ("Connection",),
    ".errors": ("BackendError", "BackendUnavailable", "RequestError", "SethPusherError", "UsageError"),
    ".hookspecs": ("RegisterBackend", "RegisterCommand", "hookimpl"),
    ".identity": ("Credentials", "Identity"),
    ".protocol": ("ClientMessage",),
    ".publication": ("Publication",),
    ".publisher": ("Published",),
    ".server": ("PushServer",),
    ".settings.core": ("CoreSettings",),
    ".settings.rules": ("ChannelRule",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(module, __name__), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
