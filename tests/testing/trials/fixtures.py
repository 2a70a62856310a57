"""Fixtures that do not give what the kit asks for, or say what is not so."""

from __future__ import annotations

import itertools

from sethpusher_core.backends.base import Backend
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.testing import kit_time
from sethpusher_core.testing.nodes import BackendBench
from sethpusher_core.testing.samples import NEWS, keep
from testing.joined import Bus, JoinedBackend
from testing.trials.marks import fails


@fails("fixture_gives_a_new_unstarted_backend", "one_node_is_true")
class OneForAll:
    @staticmethod
    def bench() -> BackendBench:
        only = MemoryBackend(clock=kit_time)
        return BackendBench(lambda: only, one_node="in memory", virtual=True)


@fails("fixture_gives_a_clean_backend_again", "one_node_is_true")
class Unclean:
    bus = Bus(itertools.count().__next__)

    @classmethod
    def bench(cls) -> BackendBench:
        return BackendBench(lambda: JoinedBackend(cls.bus), one_node="so they say", virtual=True)


@fails("fixture_gives_a_clean_backend", "fixture_gives_a_clean_backend_again", "one_node_is_true")
class NeverClean(Unclean):
    bus = Bus(itertools.count().__next__)
    bus.take(keep(NEWS, b"here before"))


@fails("capabilities_are_known_and_true")
class NoLease:
    @staticmethod
    def bench() -> BackendBench:
        def make() -> Backend:
            backend = MemoryBackend(clock=kit_time)
            backend.lease = None  # type: ignore[assignment]
            return backend

        return BackendBench(make, one_node="in memory", virtual=True)
