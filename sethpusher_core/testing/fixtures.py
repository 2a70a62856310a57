"""Fixtures for tests of applications: a push server on a free port, in this process.

They are there once a project asks for them, in its outermost ``conftest.py``::

    pytest_plugins = ["sethpusher_core.testing.fixtures"]

They are not registered under ``pytest11``: whoever has the server installed would then load them in every test run of
every project. Nothing but pytest is imported before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .running import RunningServer

__all__ = ["make_push_server", "push_server"]


@pytest.fixture
def make_push_server() -> Iterator[Callable[..., RunningServer]]:
    """Starts push servers: ``make_push_server(plugins=[...], debug=True, ...)``, with settings of the core.

    Another server than one with these settings is given as the first argument, a ``PushServer``; an ``application``
    that it is embedded in as the second. All are stopped when the test is over. Unless told otherwise, a server that
    stops tells its clients to come back at once (``return_window``).
    """
    from .running import RunningServer

    servers: list[RunningServer] = []

    def make(*arguments: Any, **settings: Any) -> RunningServer:
        if not arguments:
            settings = {"return_window": 0.0, **settings}
        servers.append(RunningServer(*arguments, **settings).start())
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def push_server(make_push_server: Callable[..., RunningServer]) -> RunningServer:
    """A push server as it comes: no plugins, default settings, a free port."""
    return make_push_server()
