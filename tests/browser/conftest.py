"""The echo server and the browser, once for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser.echo import EchoServer
from browser.programs import Chromium


@pytest.fixture(scope="session")
def echo() -> Iterator[EchoServer]:
    """A running echo server."""
    server = EchoServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def one_chromium() -> Iterator[Chromium]:
    """A running browser."""
    with Chromium() as browser:
        yield browser


@pytest.fixture
def chromium(one_chromium: Chromium) -> Iterator[Chromium]:
    """The browser, for one test: its page is closed afterwards."""
    yield one_chromium
    one_chromium.close()
