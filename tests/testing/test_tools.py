"""What the cases work with: time, waiting, and the author's optional fixtures."""

from __future__ import annotations

import asyncio
from time import monotonic, perf_counter

import pytest
from testing.joined import Bus, JoinedBackend

from sethpusher_core.addresses import Address
from sethpusher_core.backends.base import Backend
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.testing.backend_cases.bounds import BoundsCases
from sethpusher_core.testing.backend_cases.presence import PresenceCases
from sethpusher_core.testing.loops import kit_time, run
from sethpusher_core.testing.nodes import BackendBench
from sethpusher_core.testing.samples import NEWS
from sethpusher_core.testing.sinks import Recorder
from sethpusher_core.testing.timing import moment, patience


@pytest.mark.parametrize("is_async", [False, True])
def test_time_passes_as_the_author_says(is_async: bool) -> None:
    clock = [0.0]

    def advance(seconds: float) -> None:
        clock[0] += seconds

    async def advance_later(seconds: float) -> None:
        advance(seconds)

    began = perf_counter()
    for name in ("test_bounded_by_age", "test_age_is_that_of_each"):
        kit = BackendBench(
            lambda: MemoryBackend(clock=lambda: clock[0]), advance=advance_later if is_async else advance
        )
        getattr(BoundsCases(), name)(kit)
    assert clock[0] > 0
    assert perf_counter() - began < clock[0], "nobody has waited"


def test_a_lease_that_is_too_long_to_wait_for_is_said() -> None:
    bus = Bus(monotonic, lease=60.0)
    with pytest.raises(AssertionError, match="s are too long to wait for: have make_backend give one"):
        PresenceCases().test_members_end_with_their_lease(BackendBench(lambda: JoinedBackend(bus)))


def test_the_scale_stretches_all_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SETHPUSHER_TEST_TIME_SCALE", raising=False)
    short = patience(), moment()
    monkeypatch.setenv("SETHPUSHER_TEST_TIME_SCALE", "3")
    assert (patience(), moment()) == pytest.approx((3 * short[0], 3 * short[1]))


def test_virtual_time_is_skipped_and_never_stands_still() -> None:
    async def wait() -> float:
        began = kit_time()
        await asyncio.gather(asyncio.sleep(1000), asyncio.sleep(2000))
        return kit_time() - began

    began = perf_counter()
    assert run(wait(), virtual=True) >= 2000
    assert perf_counter() - began < 100


def test_a_case_that_hangs_comes_to_an_end() -> None:
    kit = BackendBench(MemoryBackend, virtual=True)
    with pytest.raises(AssertionError, match="the case has not come to its end within"):
        kit.run(asyncio.Event().wait())  # type: ignore[arg-type]


def test_a_call_that_hangs_is_named() -> None:
    class Hanging(MemoryBackend):
        async def unsubscribe(self, address: Address) -> None:
            await asyncio.sleep(3600)

    async def case() -> None:
        node = await kit.node(NEWS)
        await node.unsubscribe(NEWS)

    kit = BackendBench(Hanging, virtual=True)
    with pytest.raises(AssertionError, match=r"unsubscribe\(channel news\) has not come to its end within"):
        kit.run(case())


def test_a_timeout_of_the_backend_itself_is_not_taken_for_the_kits() -> None:
    async def case() -> None:
        raise TimeoutError("the backend's own")

    with pytest.raises(TimeoutError, match="the backend's own"):
        BackendBench(MemoryBackend, virtual=True).run(case())


def test_what_came_is_listed_when_something_is_missing() -> None:
    async def wait() -> None:
        sink = Recorder()
        for number in range(30):
            sink.deliver(NEWS, b"%d" % number)
        sink.deliver(NEWS, b"x" * 100)
        await sink.until(NEWS, 32)

    with pytest.raises(AssertionError, match=r"31 of 32 payloads for channel news came within .*b'9', \.\.\., b'21'"):
        run(wait(), virtual=True)


def test_nodes_are_closed_when_a_case_fails() -> None:
    made: list[Backend] = []

    def make() -> Backend:
        made.append(MemoryBackend())
        return made[-1]

    async def case() -> None:
        await kit.pair(NEWS)
        raise ZeroDivisionError

    kit = BackendBench(make, virtual=True)
    with pytest.raises(ZeroDivisionError):
        kit.run(case())
    assert [backend._closed for backend in made] == [False, True, True], "the first one was never started"
