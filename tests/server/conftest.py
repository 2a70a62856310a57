"""Fixtures for tests over every transport."""

from __future__ import annotations

import pytest
from support.server import TRANSPORTS


@pytest.fixture(params=list(TRANSPORTS))
def transport(request: pytest.FixtureRequest) -> str:
    """Each transport in turn; ``server.client(transport)`` makes a client on it."""
    return str(request.param)
