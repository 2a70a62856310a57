"""Calls in, batches out: whatever is put in and taken when, each gets its own results."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from sethpusher_core import Address, Publication
from sethpusher_core.batching import Line


def publications(numbers: range) -> tuple[Publication, ...]:
    return tuple(Publication(Address.channel("news"), b"%d" % number, str(number)) for number in numbers)


@given(steps=st.lists(st.one_of(st.integers(1, 12), st.just("take")), max_size=30), limit=st.integers(1, 7))
def test_each_call_gets_its_own_results(steps: list[int | str], limit: int) -> None:
    async def scenario() -> None:
        line: Line[str] = Line()
        calls: list[tuple[range, asyncio.Future[list[str]]]] = []
        batches = []
        count = 0
        for step in [*steps, *["take"] * 400]:
            if isinstance(step, int):
                future: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
                calls.append((range(count, count + step), future))
                line.put(publications(calls[-1][0]), future)
                count += step
            elif line:
                batches.append(line.take(limit))
                assert 1 <= len(batches[-1].publications) <= limit
                assert len(batches[-1].publications) == limit or not line, "no batch is smaller than it need be"
        taken = [int(one.id) for batch in batches for one in batch.publications]
        assert taken == list(range(count))
        for batch in reversed(batches):  # in whatever order they are answered
            batch.settle([f"of {one.id}" for one in batch.publications])
        for numbers, future in calls:
            assert future.result() == [f"of {number}" for number in numbers]

    asyncio.run(scenario())


def test_a_publisher_that_has_gone_is_not_told() -> None:
    async def scenario() -> None:
        line: Line[str] = Line()
        future: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        line.put(publications(range(2)), future)
        future.cancel()
        line.take(10).settle(["a", "b"])
        assert future.cancelled()

    asyncio.run(scenario())
