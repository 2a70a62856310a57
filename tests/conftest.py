"""Fixtures for tests that need a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.logs import LogWatch
from support.server import RunningServer

Serve = Callable[..., RunningServer]


@pytest.fixture
def serve(logs: LogWatch) -> Iterator[Serve]:
    """Starts servers: ``serve(push)``, or ``serve(debug=True, ...)`` with settings of the core."""
    servers: list[RunningServer] = []

    def start(*args: object, **options: object) -> RunningServer:
        servers.append(RunningServer(*args, **options).start())  # type: ignore[arg-type]
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(serve: Serve) -> RunningServer:
    """A server as it comes, with its debug pages."""
    return serve(debug=True)
