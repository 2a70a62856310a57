"""The compliance list of the core, on real servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from redis_servers import Server, free_port
from sethpusher_redis import RedisBackend

from sethpusher_core.backends.base import Backend
from sethpusher_core.testing import BackendCompliance, PluginCompliance


class TestRedis(BackendCompliance):
    @pytest.fixture
    def make_backend(self, settings: Callable[..., Any]) -> Callable[[], Backend]:
        return lambda: RedisBackend(settings(lease=0.6))

    @pytest.fixture
    def break_connection(self, shared_server: Server) -> Callable[[Backend], None]:
        def cut(backend: Backend) -> None:
            shared_server.ask("CLIENT", "KILL", "TYPE", "normal")
            shared_server.ask("CLIENT", "KILL", "TYPE", "pubsub")

        return cut

    @pytest.fixture
    def make_unreachable(self, settings: Callable[..., Any]) -> Callable[[], Backend]:
        return lambda: RedisBackend(settings(url=f"redis://127.0.0.1:{free_port()}"))


class TestBackendPlugin(PluginCompliance):
    @pytest.fixture
    def plugin_name(self) -> str:
        return "redis"

    @pytest.fixture
    def settings(self) -> Mapping[str, str]:
        return {"url": "redis://127.0.0.1:1"}


class TestPersisterPlugin(PluginCompliance):
    @pytest.fixture
    def plugin_name(self) -> str:
        return "persist_redis"

    @pytest.fixture
    def settings(self) -> Mapping[str, str]:
        return {"url": "redis://127.0.0.1:1"}
