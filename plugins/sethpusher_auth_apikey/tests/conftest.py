"""Fixtures: a log that is watched, and servers with keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sethpusher_auth_apikey import ApiKeyAuth
from sethpusher_auth_apikey.settings import ApiKeySettings
from support.logs import LogWatch
from support.server import RunningServer

from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings

Keyed = Callable[..., RunningServer]


@pytest.fixture
def keyed(logs: LogWatch) -> Iterator[Keyed]:
    """Starts servers whose callers need keys: ``keyed(settings of the plugin, settings of the core)``."""
    servers: list[RunningServer] = []

    def start(core: dict[str, Any] | None = None, plugins: tuple[object, ...] = (), **settings: Any) -> RunningServer:
        auth = ApiKeyAuth(ApiKeySettings(**{"failure_delay": 0.0, **settings}))
        push = PushServer(CoreSettings(**{"debug": True, **(core or {})}), plugins=[auth, *plugins])
        servers.append(RunningServer(push).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
