"""No line in the log that a test has not asked for."""

from __future__ import annotations

import pytest
from server.sockjs import kit
from support.front import front_server
from support.logs import LogWatch


@pytest.fixture(autouse=True)
def _quiet(logs: LogWatch) -> None:
    """Watches the log in every test here."""


@pytest.fixture(params=[pytest.param("plain", marks=pytest.mark.slow), "front"])
def doors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a test run twice: behind Tornado's own HTTPServer, and behind the front door."""
    if request.param == "front":
        monkeypatch.setattr(kit, "make_server", lambda router, **options: front_server([router], **options))
