"""What plain functions begin is finished by the coroutine around them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from sethpusher._begun import Begun
from sethpusher._work import DONE, Work, begun, current, settled
from support.loops import in_loop


async def quick(log: list[str], name: str) -> str:
    log.append(name)
    return name


async def slow(log: list[str], name: str) -> str:
    log.append(f"{name} begins")
    await asyncio.sleep(0)
    await asyncio.get_running_loop().run_in_executor(None, lambda: None)
    log.append(f"{name} ends")
    return name


@in_loop
async def test_what_need_not_wait_is_done_at_once() -> None:
    log: list[str] = []
    async with Work():
        first = begun(quick(log, "a"))
        assert log == ["a"]
        begun(slow(log, "b"))
        assert log == ["a", "b begins"]
        begun(quick(log, "c"))
        assert log == ["a", "b begins"]  # in order: c is behind b
    assert log == ["a", "b begins", "b ends", "c"]
    assert await first == "a"


@in_loop
async def test_awaiting_one_finishes_those_before_it() -> None:
    log: list[str] = []
    async with Work():
        begun(slow(log, "a"))
        assert await begun(quick(log, "b")) == "b"
        assert log == ["a begins", "a ends", "b"]


@in_loop
async def test_several_may_be_awaited_by_tasks() -> None:
    log: list[str] = []
    async with Work():
        results = await asyncio.gather(begun(slow(log, "a")), begun(slow(log, "b")), begun(quick(log, "c")))
    assert results == ["a", "b", "c"]
    assert log == ["a begins", "a ends", "b begins", "b ends", "c"]


@in_loop
async def test_what_is_begun_within_does_not_wait_for_what_is_around_it() -> None:
    log: list[str] = []

    async def outer() -> None:
        await asyncio.sleep(0)
        assert await begun(slow(log, "inner")) == "inner"
        begun(slow(log, "left"))
        log.append("outer ends")

    async with Work():
        begun(outer())
        begun(quick(log, "behind"))
    assert log == ["inner begins", "inner ends", "left begins", "outer ends", "left ends", "behind"]


async def failing(wait: bool) -> None:
    if wait:
        await asyncio.sleep(0)
    raise ValueError("no")


@in_loop
async def test_a_failure_is_raised_where_it_was_begun() -> None:
    async with Work():
        with pytest.raises(ValueError, match="no"):
            begun(failing(wait=False))


@in_loop
async def test_a_late_failure_ends_the_work_and_what_is_behind_it() -> None:
    log: list[str] = []

    async def work() -> None:
        async with Work():
            begun(failing(wait=True))
            begun(quick(log, "behind"))

    with pytest.raises(ValueError, match="no"):
        await work()
    assert log == []


@in_loop
async def test_a_late_failure_may_be_caught() -> None:
    log: list[str] = []
    async with Work():
        with pytest.raises(ValueError, match="no"):
            await begun(failing(wait=True))
        begun(quick(log, "behind"))
    assert log == ["behind"]


@in_loop
async def test_an_exception_around_it_gives_up_what_was_begun() -> None:
    log: list[str] = []

    async def work() -> None:
        async with Work():
            begun(slow(log, "a"))
            begun(quick(log, "b"))
            raise KeyError

    with pytest.raises(KeyError):
        await work()
    assert log == ["a begins"]
    assert current() is None


@in_loop
async def test_cancelling_reaches_what_is_finished() -> None:
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    log: list[str] = []

    async def waiting() -> None:
        try:
            await never
        finally:
            log.append("cancelled")

    async def work() -> None:
        async with Work():
            begun(waiting())

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["cancelled"]


@in_loop
async def test_a_timeout_within_ends_what_is_within() -> None:
    async def impatient() -> str:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            return "too late"
        return ""

    async with Work():
        assert await begun(impatient()) == "too late"


@in_loop
async def test_outside_of_any_work_there_is_a_task() -> None:
    log: list[str] = []
    watched: list[Any] = []
    task = begun(slow(log, "a"), watched.append)
    assert watched == [task]
    assert await task == "a"


@in_loop
async def test_what_another_task_begins_runs_apart_and_is_waited_for() -> None:
    """The line may be waiting for that task; so it must not wait in the line."""
    log: list[str] = []

    async def other() -> None:
        await asyncio.sleep(0)
        await begun(slow(log, "other's own"))
        log.append("other")

    async with Work():
        begun(settled(asyncio.create_task(other())))
        begun(quick(log, "behind"))
    assert log == ["other's own begins", "other's own ends", "other", "behind"]

    async def dropping() -> None:
        begun(slow(log, "dropped"))

    log.clear()
    async with Work():
        await asyncio.create_task(dropping())
    assert log == ["dropped begins", "dropped ends"]


def test_without_a_loop_it_says_so() -> None:
    with pytest.raises(RuntimeError, match="running event loop"):
        begun(quick([], "a"))


@in_loop
async def test_a_task_that_outlives_the_work_begins_in_tasks() -> None:
    log: list[str] = []
    gate = asyncio.Event()

    async def later() -> None:
        await gate.wait()
        await begun(quick(log, "later"))

    async with Work():
        task = asyncio.create_task(later())
        await asyncio.sleep(0)
    gate.set()
    await task
    assert log == ["later"]


@in_loop
async def test_settled() -> None:
    async def seven() -> int:
        return 7

    assert await settled(seven()) == 7
    assert await settled(7) == 7
    assert await settled(DONE) is None
    assert isinstance(DONE, Awaitable)
    assert await Begun(seven()) == 7
