"""Fixtures: an API, and servers that post to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sethpusher_persist_http import HttpPersister, HttpPersistSettings
from support.endpoint import Endpoint, running
from support.logs import LogWatch
from support.server import RunningServer

from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings

Posting = Callable[..., RunningServer]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An API that takes everything."""
    with running() as endpoint:
        yield endpoint


@pytest.fixture
def posting(logs: LogWatch, endpoint: Endpoint, tmp_path: Path) -> Iterator[Posting]:
    """Starts servers that post to the endpoint: ``posting(settings of the plugin)``, quick to try again."""
    servers: list[RunningServer] = []

    def start(core: dict[str, Any] | None = None, **settings: Any) -> RunningServer:
        quick = {"api_url": endpoint.url, "batch_delay": 0.001, "retry_first": 0.01, "retry_max": 0.05}
        plugin = HttpPersister(HttpPersistSettings(**{**quick, **settings}))
        push = PushServer(CoreSettings(**{"state_dir": str(tmp_path / "state"), **(core or {})}), plugins=[plugin])
        servers.append(RunningServer(push).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
