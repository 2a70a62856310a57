"""Coroutines that begin at once: what is left of them, what they raise, and what a request gains."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from support.loops import in_loop
from tornado.httputil import HTTPHeaders, RequestStartLine

from sethpusher_core.api.routes import post_endpoints
from sethpusher_core.coroutines import begun, started
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.server import PushServer

EAGER = sys.version_info >= (3, 12)


@in_loop
async def test_what_never_waits_has_ended_when_it_is_started() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    assert started(work(), taskless=True) is None
    assert done == [1]


@in_loop
async def test_what_waits_goes_on_in_a_task() -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    done: list[object] = []

    async def work() -> None:
        done.append("begun")
        done.append(await future)
        done.append(asyncio.current_task())

    task = started(work(), taskless=True)
    assert task is not None
    assert done == ["begun"]
    future.set_result(7)
    await task
    assert done == ["begun", 7, task]


@in_loop
async def test_what_asks_for_its_task_finds_it() -> None:
    """Before Python 3.12 such a coroutine must wait for the next turn."""
    done: list[bool] = []

    async def work() -> None:
        async with asyncio.timeout(5):
            done.append(True)

    task = started(work(), taskless=False)
    assert bool(done) is EAGER
    if task is not None:
        await task
    assert done == [True]


@in_loop
async def test_a_cancellation_reaches_what_was_begun() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    task = started(work(), taskless=True)
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cancelled"]


@in_loop
async def test_an_exception_after_the_first_wait_is_the_tasks() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise ValueError("late")

    task = started(work(), taskless=True)
    assert task is not None
    with pytest.raises(ValueError, match="late"):
        await task


def test_begun_tells_the_result() -> None:
    async def work() -> int:
        return 3

    assert begun(work()) == (True, 3)


class Answered:
    """The connection of a request."""

    context = None

    def __init__(self) -> None:
        self.codes: list[int] = []

    def write_headers(self, start_line: Any, headers: HTTPHeaders, chunk: bytes) -> None:
        self.codes.append(start_line.code)

    def finish(self) -> None:
        """See Tornado."""


class Authorizer:
    """A plugin that lets everybody do everything, and asks for its task."""

    @hookimpl
    def authorize(self) -> Any:
        return self._answer()

    async def _answer(self) -> None:
        async with asyncio.timeout(5):
            return


@in_loop
@pytest.mark.parametrize("plugins", [(), (Authorizer(),)], ids=["no plugin", "a plugin"])
async def test_a_publisher_is_answered_in_the_turn_of_its_request(plugins: tuple[object, ...]) -> None:
    """Where no plugin has a say; with plugins on Python 3.12 and later."""
    server = PushServer(plugins=plugins)
    await server.start()
    try:
        [endpoint] = [one for one in post_endpoints(server) if one.path.fullmatch("/api/channels/news/")]
        connection: Any = Answered()
        exchange: Any = endpoint.start_request(None, connection)
        exchange.headers_received(RequestStartLine("POST", "/api/channels/news/", "HTTP/1.1"), HTTPHeaders({}))
        exchange.data_received(b"1")
        exchange.finish()
        assert bool(connection.codes) is (EAGER or not plugins)
        if exchange._task is not None:
            await exchange._task
        assert connection.codes == [200]
    finally:
        await server.stop()
