"""A fixture: servers that take tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jwt_tokens import SECRET
from sethpusher_auth_jwt import JwtAuth
from sethpusher_auth_jwt.settings import JwtSettings
from support.logs import LogWatch
from support.server import RunningServer

from sethpusher_core.server import PushServer
from sethpusher_core.settings import Secret
from sethpusher_core.settings.core import CoreSettings

Guarded = Callable[..., RunningServer]


@pytest.fixture
def guarded(logs: LogWatch) -> Iterator[Guarded]:
    """Starts servers that take tokens: ``guarded(settings of the core, other plugins, settings of the plugin)``."""
    servers: list[RunningServer] = []

    def start(core: dict[str, Any] | None = None, plugins: tuple[object, ...] = (), **settings: Any) -> RunningServer:
        if not settings.keys() & {"key", "keys", "jwks_file"}:
            settings["key"] = Secret(SECRET)
        push = PushServer(
            CoreSettings(**{"debug": True, **(core or {})}), plugins=[JwtAuth(JwtSettings(**settings)), *plugins]
        )
        servers.append(RunningServer(push).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
