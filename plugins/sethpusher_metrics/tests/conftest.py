"""A fixture: servers with metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sethpusher_metrics import Metrics
from support.logs import LogWatch
from support.server import RunningServer

from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings

Metered = Callable[..., RunningServer]


@pytest.fixture
def metered(logs: LogWatch) -> Iterator[Metered]:
    """Starts servers with metrics: ``metered(other plugins, settings of the core)``."""
    servers: list[RunningServer] = []

    def start(plugins: tuple[object, ...] = (), **core: Any) -> RunningServer:
        push = PushServer(CoreSettings(**core), plugins=[Metrics(), *plugins])
        servers.append(RunningServer(push).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
