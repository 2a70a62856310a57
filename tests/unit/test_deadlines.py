"""Many deadlines, one timer."""

from __future__ import annotations

import asyncio
from typing import Any

from support.loops import in_loop

from sethpusher_core.deadlines import SLACK, Deadlines


class One:
    def __init__(self, told: list[One]) -> None:
        self._told = told

    def due(self) -> None:
        self._told.append(self)


def timers() -> int:
    loop: Any = asyncio.get_running_loop()
    return sum(not timer.cancelled() for timer in loop._scheduled)


@in_loop
async def test_each_is_told_at_its_time_by_one_timer() -> None:
    deadlines, told, all_told = Deadlines(), [], asyncio.Event()

    class Last(One):
        def due(self) -> None:
            super().due()
            all_told.set()

    before = timers()
    late, early, dropped, moved = Last(told), One(told), One(told), One(told)
    for one, seconds in ((late, 0.05), (early, 0.01), (dropped, 0.02), (moved, 0.0)):
        deadlines.set(one, seconds)
    deadlines.clear(dropped)
    deadlines.clear(dropped)
    deadlines.set(moved, 0.03)
    assert timers() == before + 1
    await all_told.wait()
    assert told == [early, moved, late]
    assert timers() == before


@in_loop
async def test_one_that_is_due_may_set_another_and_stop_ends_all() -> None:
    deadlines, told = Deadlines(), []
    done = asyncio.Event()

    class Again(One):
        def due(self) -> None:
            super().due()
            if len(told) == 3:
                done.set()
            else:
                deadlines.set(self, 0.0)

    deadlines.set(Again(told), 0.0)
    await done.wait()
    deadlines.set(One(told), 3600)
    deadlines.stop()
    assert timers() <= 1, "the bound of the test itself"


@in_loop
async def test_what_is_dropped_does_not_pile_up() -> None:
    deadlines = Deadlines()
    one = One([])
    for _ in range(10 * SLACK):
        deadlines.set(one, 3600)
    assert len(deadlines._heap) <= SLACK + 3
    deadlines.stop()
