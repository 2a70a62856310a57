from __future__ import annotations

from collections.abc import Callable

import pytest

from sethpusher_core.backends.base import Backend
from sethpusher_core.backends.memory import SWEEP_SECONDS, MemoryBackend
from sethpusher_core.testing import BackendCompliance, kit_time


class TestMemory(BackendCompliance):
    one_node = "two processes with this one do not hear each other"
    forgets_idle_after = SWEEP_SECONDS
    virtual_time = True

    @pytest.fixture
    def make_backend(self) -> Callable[[], Backend]:
        return lambda: MemoryBackend(clock=kit_time)


class TestMemoryInRealTime(BackendCompliance):
    """As an author without a clock would run it. (Nothing here waits for the sweep; above it costs nothing.)"""

    one_node = TestMemory.one_node

    @pytest.fixture
    def make_backend(self) -> Callable[[], Backend]:
        return MemoryBackend
