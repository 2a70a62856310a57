"""Fixtures that do not give what the kit asks for, or say what is not so."""

from __future__ import annotations

import asyncio
import itertools

from testing.joined import Bus, JoinedBackend
from testing.trials.marks import fails

from sethpusher_core.backends.base import Backend, Sink
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import BackendError
from sethpusher_core.testing import kit_time
from sethpusher_core.testing.nodes import BackendBench
from sethpusher_core.testing.samples import NEWS, keep


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


# ------------------------------------------------------------------------------------------- what cannot be reached


class Unreachable(MemoryBackend):
    @classmethod
    def bench(cls) -> BackendBench:
        return BackendBench(MemoryBackend, one_node="in memory", virtual=True, make_unreachable=cls)


@fails("start_says_that_it_cannot")
class RaisesWhatTheDriverRaises(Unreachable):
    async def start(self, sink: Sink, node_id: str) -> None:
        raise ConnectionRefusedError


@fails("start_says_that_it_cannot")
class SaysTooMuch(Unreachable):
    async def start(self, sink: Sink, node_id: str) -> None:
        raise BackendError("Traceback:\n  File ...\nConnectionRefusedError")


@fails("start_says_that_it_cannot")
class SaysNothing(Unreachable):
    async def start(self, sink: Sink, node_id: str) -> None:
        raise BackendError


@fails("start_says_that_it_cannot")
class TriesForEver(Unreachable):
    async def start(self, sink: Sink, node_id: str) -> None:
        await asyncio.sleep(3600)


@fails("start_says_that_it_cannot")
class GoesOnWithoutIt(Unreachable):
    """Starts, and hopes."""
