"""The compliance list of the core, on real servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from redis_servers import Server, free_port
from sethpusher_redis import RedisBackend

from sethpusher_core.backends.base import Backend
from sethpusher_core.testing import BackendCompliance


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
