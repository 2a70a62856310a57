from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from support.logs import LogWatch
from support.loops import in_loop, turns
from support.timing import UNIT

from sethpusher_core.backends import supervision
from sethpusher_core.backends.supervision import MISSED, Canary, Supervised
from sethpusher_core.errors import BackendError, BackendUnavailable


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.0)


class Line:
    """A session that does what a test tells it to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.begun = 0
        self.ended = 0
        self.broken: asyncio.Future[None] | None = None

    async def __call__(self, stands: Callable[[], None]) -> None:
        self.begun += 1
        try:
            if self.failures:
                raise self.failures.pop(0)
            stands()
            self.broken = asyncio.get_running_loop().create_future()
            await self.broken
        finally:
            self.ended += 1

    def break_by(self, error: Exception) -> None:
        assert self.broken is not None
        self.broken.set_exception(error)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(UNIT):
        while not holds():
            await asyncio.sleep(0)


@in_loop
async def test_the_first_failure_refuses_the_start() -> None:
    line = Line(BackendError("nobody is there"))
    supervised = Supervised("the line", line)
    with pytest.raises(BackendError, match=r"^nobody is there$"):
        await supervised.start()
    assert (line.begun, line.ended) == (1, 1)
    assert supervised.trouble == "stopped"


def test_with_patience_it_tries_again(logs: LogWatch) -> None:
    @in_loop
    async def test() -> None:
        line = Line(BackendError("not yet"), BackendError("not yet"))
        supervised = Supervised("the line", line)
        await supervised.start(UNIT)
        assert (line.begun, supervised.trouble) == (3, None)
        await supervised.stop()
        await supervised.stop()
        assert line.ended == 3

    test()
    logs.expect(r"waiting for up to .* s: not yet")


def test_what_breaks_is_begun_again_and_says_so(logs: LogWatch) -> None:
    @in_loop
    async def test() -> None:
        line = Line()
        supervised = Supervised("the line", line)
        await supervised.start()
        line.failures = [BackendUnavailable("still away")] * 2
        line.break_by(BackendUnavailable("cut"))
        await until(lambda: supervised.trouble == "the line is lost: cut")
        await until(lambda: supervised.trouble == "the line is lost: still away")
        await until(lambda: supervised.trouble is None)
        assert line.begun == 4
        line.break_by(ZeroDivisionError("a fault"))
        await until(lambda: line.begun == 5)
        await supervised.stop()

    test()
    logs.expect("the line is lost: cut")
    logs.expect("the line failed", level=40)
    logs.expect("the line is lost: ZeroDivisionError: a fault")


def test_a_session_that_hangs_is_ended_by_a_restart(logs: LogWatch) -> None:
    @in_loop
    async def test() -> None:
        line = Line()
        supervised = Supervised("the line", line)
        supervised.restart("nothing runs yet")
        await supervised.start()
        supervised.restart("it is deaf")
        await until(lambda: line.begun == 2 and supervised.trouble is None)
        assert line.ended == 1
        await supervised.stop()
        assert line.ended == 2

    test()
    logs.expect("the line is lost: it is deaf")


def test_pauses_grow_up_to_a_bound(monkeypatch: pytest.MonkeyPatch, logs: LogWatch) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def no_sleep(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    @in_loop
    async def test() -> None:
        supervised = Supervised("the line", Line(*[BackendError("away")] * 30))
        monkeypatch.setattr(asyncio, "sleep", no_sleep)
        await supervised.start(UNIT)
        monkeypatch.setattr(asyncio, "sleep", sleep)
        await supervised.stop()

    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.1)
    test()
    logs.expect("waiting for up to")
    assert len(pauses) == 30
    for number, pause in enumerate(pauses):
        longest = min(0.1 * 2**number, supervision.LONGEST_PAUSE)
        assert longest / 2 <= pause <= longest


class Bus:
    """Carries tokens back, or does not."""

    def __init__(self) -> None:
        self.deaf = False
        self.error: BackendError | None = None
        self.sung: list[bytes] = []
        self.calls: list[str] = []
        self.canary = Canary(0.001, self.sing, self.calls.append)

    async def sing(self, token: bytes) -> None:
        self.sung.append(token)
        if self.error is not None:
            raise self.error
        if not self.deaf:
            self.canary.heard(token)


def test_a_node_that_does_not_hear_itself_says_so(logs: LogWatch) -> None:
    @in_loop
    async def test() -> None:
        bus = Bus()
        bus.canary.start()
        await until(lambda: len(bus.sung) > 2 * MISSED)
        assert (bus.canary.trouble, bus.calls) == (None, [])
        bus.deaf = True
        await until(lambda: bus.canary.trouble is not None)
        assert len(bus.calls) == 1
        await until(lambda: len(bus.calls) == 3)
        bus.canary.heard(b"1")
        bus.canary.heard(b"no token")
        assert bus.canary.trouble is not None, "what it heard is of long ago"
        bus.deaf = False
        await until(lambda: bus.canary.trouble is None)
        bus.canary.stop()
        await turns()

    test()
    logs.expect("this node has not heard itself through the backend for")


@in_loop
async def test_a_canary_that_cannot_sing_proves_nothing() -> None:
    bus = Bus()
    bus.error = BackendUnavailable("the line is lost")
    bus.canary.start()
    await until(lambda: len(bus.sung) > 3 * MISSED)
    assert (bus.canary.trouble, bus.calls) == (None, [])
    bus.canary.stop()
    await turns()
