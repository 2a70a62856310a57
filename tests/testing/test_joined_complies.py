from __future__ import annotations

from collections.abc import Callable

import pytest

from sethpusher_core.backends.base import Backend
from sethpusher_core.testing import BackendCompliance, kit_time
from testing.joined import Bus, JoinedBackend


class TestJoined(BackendCompliance):
    virtual_time = True

    @pytest.fixture
    def make_backend(self) -> Callable[[], Backend]:
        bus = Bus(kit_time)
        return lambda: JoinedBackend(bus)

    @pytest.fixture
    def break_connection(self) -> Callable[[JoinedBackend], None]:
        return JoinedBackend.cut
