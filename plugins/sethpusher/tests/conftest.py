"""Fixtures for tests of class applications."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sethpusher.applications import DefaultSethApplication
from support.logs import LogWatch
from support.server import RunningServer

Serve = Callable[..., RunningServer]


@pytest.fixture
def serve(logs: LogWatch) -> Iterator[Serve]:
    """Starts applications: ``serve(app)``."""
    servers: list[RunningServer] = []

    def start(app: DefaultSethApplication) -> RunningServer:
        servers.append(RunningServer(app.push).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
