"""No line in the log that a test has not asked for."""

from __future__ import annotations

import pytest
from support.logs import LogWatch


@pytest.fixture(autouse=True)
def _quiet(logs: LogWatch) -> None:
    """Watches the log in every test here."""
