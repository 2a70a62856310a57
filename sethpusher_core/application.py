"""``--app=DOTTED.NAME``: a server that somebody's own class puts together.

The name leads to anything with ``for_server(settings) -> PushServer``; the application classes of the distribution
``sethpusher`` are such.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING

from .errors import SettingsError
from .settings.core import CoreSettings

if TYPE_CHECKING:
    from .server import PushServer
    from .start import Start

__all__ = ["server_of"]


def server_of(name: str, settings: CoreSettings, start: Start | None = None) -> PushServer:
    """Makes the server of an application.

    Args:
        name: Dotted name, such as ``sethpusher.applications.SethPusherOnRedisApplication``.
        settings: The core's settings, handed to it.
        start: What the command knows besides (plugins, their settings); handed to a ``for_server(settings, start)``.

    Raises:
        SettingsError: There is no such thing, or it makes no server; one line that says what to do.
    """
    from .server import PushServer

    module_name, dot, attribute = name.rpartition(".")
    if not dot:
        raise SettingsError(f"{name!r} is no dotted name; write package.module.Class", key="app")
    try:
        application = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        package = missing.partition(".")[0]
        remedy = f"run: pip install {package}" if package == "sethpusher" else "is it installed, or on PYTHONPATH?"
        raise SettingsError(f"{name}: there is no module {missing}; {remedy}", key="app") from None
    except AttributeError:
        raise SettingsError(f"the module {module_name} has no {attribute}", key="app") from None
    make = getattr(application, "for_server", None)
    if not callable(make):
        raise SettingsError(f"{name} has no for_server(settings), so no server can be made of it", key="app")
    knows_start = "start" in inspect.signature(make).parameters
    server = make(settings, start=start) if knows_start else make(settings)
    if not isinstance(server, PushServer):
        raise SettingsError(f"{name}.for_server gave a {type(server).__name__}, not a PushServer", key="app")
    return server
