from __future__ import annotations

from collections.abc import Callable

import pytest
from testing.joined import Bus, JoinedBackend

from sethpusher_core.backends.base import Backend, Sink
from sethpusher_core.errors import BackendError
from sethpusher_core.testing import BackendCompliance, kit_time


class NoBus(JoinedBackend):
    async def start(self, sink: Sink, node_id: str) -> None:
        raise BackendError("there is no bus at port 1")


class TestJoined(BackendCompliance):
    virtual_time = True

    @pytest.fixture
    def make_backend(self) -> Callable[[], Backend]:
        bus = Bus(kit_time)
        return lambda: JoinedBackend(bus)

    @pytest.fixture
    def break_connection(self) -> Callable[[JoinedBackend], None]:
        return JoinedBackend.cut

    @pytest.fixture
    def make_unreachable(self) -> Callable[[], Backend]:
        return lambda: NoBus(Bus(kit_time))
