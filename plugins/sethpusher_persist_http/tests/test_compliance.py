"""The compliance kit for persisters: on what waits in the outbox, and on what comes to the API."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sethpusher_persist_http import HttpPersister, HttpPersistSettings
from sethpusher_persist_http.files import OutboxFiles
from sethpusher_persist_http.office import Plan
from support.endpoint import Endpoint, running
from support.timing import UNIT

from sethpusher_core.server import PushServer
from sethpusher_core.testing import Kept, PersistCompliance, PluginCompliance


class Persister(HttpPersister):
    """The plugin, in the kit's own server, which has no state_dir."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(HttpPersistSettings(**{"parallel": 1, "batch_delay": 0.001, "retry_first": 0.01, **settings}))
        self._folder = folder

    def _plan(self, folder: str | None) -> Plan:
        return super()._plan(str(self._folder))


def kept(publication: dict[str, Any]) -> Kept:
    fields = ("id", "message", "channel", "user", "sender_id")
    return Kept(*(publication.get(name) for name in fields))


def waiting(folder: Path) -> list[Kept]:
    database = folder / "persist-http.sqlite"
    if not database.exists():
        return []
    connection = sqlite3.connect(database)
    try:
        rows = connection.execute("SELECT bodies FROM bundles ORDER BY seq").fetchall()
    finally:
        connection.close()
    return [kept(publication) for (bodies,) in rows for publication in json.loads(b"[%b]" % bodies)]


async def until_nothing_waits(folder: Path) -> None:
    async with asyncio.timeout(UNIT):
        while waiting(folder):
            await asyncio.sleep(0.001)


class TestInTheOutbox(PersistCompliance):
    """Nothing leaves it, because nobody listens at the other end."""

    @pytest.fixture(params=["power", "process"])
    def make_plugin(self, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], object]:
        return lambda: Persister(tmp_path, api_url="http://127.0.0.1:1/", durability=request.param, retry_first=60.0)

    @pytest.fixture
    def read_back(self, tmp_path: Path) -> Callable[[], list[Kept]]:
        return lambda: waiting(tmp_path)

    @pytest.fixture
    def make_failing(self, tmp_path: Path) -> Callable[[], object]:
        return lambda: Persister(tmp_path, api_url="http://127.0.0.1:1/", max_rows=1, max_size=1)


class TestAtTheEndpoint(PersistCompliance):
    """What the API has got, once nothing waits any more."""

    @pytest.fixture
    def endpoint(self) -> Iterator[Endpoint]:
        with running() as endpoint:
            yield endpoint

    @pytest.fixture
    def make_plugin(self, tmp_path: Path, endpoint: Endpoint) -> Callable[[], object]:
        return lambda: Persister(tmp_path, api_url=endpoint.url)

    @pytest.fixture
    def read_back(self, tmp_path: Path, endpoint: Endpoint) -> Callable[[], Awaitable[list[Kept]]]:
        async def read() -> list[Kept]:
            if waiting(tmp_path) and OutboxFiles(tmp_path).owner() is None:
                # It was shut down before it had posted all; the next start posts the rest.
                server = PushServer(plugins=[Persister(tmp_path, api_url=endpoint.url)])
                await server.start()
                await until_nothing_waits(tmp_path)
                await server.stop()
            await until_nothing_waits(tmp_path)
            return [kept(publication) for publication in endpoint.publications]

        return read


class TestPlugin(PluginCompliance):
    @pytest.fixture
    def plugin_name(self) -> str:
        return "persist_http"

    @pytest.fixture
    def settings(self) -> Mapping[str, str]:
        return {"api_url": "http://127.0.0.1:1/messages"}


class TestCommand(PluginCompliance):
    @pytest.fixture
    def plugin_name(self) -> str:
        return "outbox"
