"""Fixtures for tests that need a server."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import hypothesis
import pytest
from support.logs import LogWatch
from support.server import RunningServer

Serve = Callable[..., RunningServer]

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


def pytest_collection_finish() -> None:
    """What is there now stays: the garbage collection that ends each server's test need not look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def logs() -> Iterator[LogWatch]:
    """The log; a WARNING or worse that the test has not expected fails it."""
    with LogWatch() as watch:
        yield watch
    watch.check()


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
