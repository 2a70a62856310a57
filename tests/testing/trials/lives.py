"""Backends of one node that live wrongly: they begin, end or answer at the wrong time."""

from __future__ import annotations

import asyncio
import socket
import threading
import weakref
from collections.abc import Sequence
from typing import Any

from testing.trials.altering import Altering, loop
from testing.trials.marks import fails

from sethpusher_core.addresses import Address
from sethpusher_core.backends.base import Accepted, Outgoing, Position, Sink
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import BackendError

NEVER = 3600.0


@fails("capabilities_are_known_and_true")
class Misspelt(MemoryBackend):
    capabilities = frozenset({"histroy"})


@fails("capabilities_are_known_and_true")
class Boaster(MemoryBackend):
    renew = None


@fails("made_outside_a_loop")
class BoundEarly(MemoryBackend):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        try:
            self.loop = asyncio.get_running_loop()
        except RuntimeError:
            self.loop = None

    async def start(self, sink: Sink, node_id: str) -> None:
        assert self.loop is not None, "no loop"
        await super().start(sink, node_id)


@fails("fixture_gives_a_new_unstarted_backend", "publish_before_start_is_refused")
class TakesUnstarted(MemoryBackend):
    started = False

    async def start(self, sink: Sink, node_id: str) -> None:
        self.started = True
        await super().start(sink, node_id)

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        return await super().publish(batch) if self.started else [Accepted()] * len(batch)


@fails("fixture_gives_a_new_unstarted_backend", "publish_before_start_is_refused", "publish_after_close_is_refused")
class Raises(MemoryBackend):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        results = await super().publish(batch)
        for result in results:
            if isinstance(result, BackendError):
                raise result
        return results


@fails("publish_after_close_is_refused", "subscribe_after_close_is_refused")
class WaitsForABetterTime(MemoryBackend):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        if self._closed:
            await asyncio.sleep(NEVER)
        return await super().publish(batch)

    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        if self._closed:
            return None
        return await super().subscribe(address, positioned)


@fails("close_twice")
class ClosesOnce(MemoryBackend):
    async def close(self) -> None:
        assert not self._closed
        await super().close()


@fails("close_without_start")
class ClosesWhatWasStarted(MemoryBackend):
    async def close(self) -> None:
        if not self._closed:
            assert self._sweeper is not None
        await super().close()


@fails("close_ends_what_is_under_way")
class Abandons(MemoryBackend):
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        results = await super().publish(batch)
        await asyncio.sleep(0)
        if self._closed and not isinstance(results[0], BackendError):
            raise ConnectionResetError
        return results


@fails("nothing_is_left_after_close")
class LeavesATask(MemoryBackend):
    async def start(self, sink: Sink, node_id: str) -> None:
        await super().start(sink, node_id)
        self.task = loop().create_task(asyncio.Event().wait())


@fails("nothing_is_left_after_close")
class LeavesATimer(MemoryBackend):
    async def start(self, sink: Sink, node_id: str) -> None:
        await super().start(sink, node_id)
        loop().call_later(NEVER, print)


@fails("nothing_is_left_after_close")
class LeavesALine(MemoryBackend):
    async def start(self, sink: Sink, node_id: str) -> None:
        await super().start(sink, node_id)
        self.ends = socket.socketpair()
        loop().add_reader(self.ends[0], print)
        # Not __del__: the collector may come to the sockets first, and they complain of being left open.
        for end in self.ends:
            weakref.finalize(self, end.close)


@fails("the_sink_is_left_alone_after_close")
class DeliversWhatIsQueued(Altering):
    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        loop().call_soon(lambda: loop().call_soon(sink.deliver, address, payload, position))


@fails("there_is_no_trouble")
class Worrier(MemoryBackend):
    @property
    def trouble(self) -> str | None:
        return "nothing has come for a while"


@fails("the_sink_is_called_as_it_should_be", "each_of_many_comes_once", "a_thousand_channels")
class HandsOverByteArrays(Altering):
    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        sink.deliver(address, bytearray(payload), position)


@fails("the_sink_is_called_as_it_should_be")
class CallsFromAThread(Altering):
    def hand_over(self, count: int, sink: Sink, address: Address, payload: bytes, position: Position | None) -> None:
        thread = threading.Thread(target=sink.deliver, args=(address, payload, position))
        thread.start()
        thread.join()
