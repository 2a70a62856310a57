from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.logs import LogWatch
from support.loops import in_loop, turns

from sethpusher_core import errors, publisher
from sethpusher_core.addresses import Address
from sethpusher_core.answers import Refused
from sethpusher_core.backends.base import Accepted, Outgoing
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import BackendError, BackendUnavailable, RequestError
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.plugins.hooks import Hooks
from sethpusher_core.publication import Publication
from sethpusher_core.publisher import Published, Publisher

NEWS = Address.channel("news")


class Taken(MemoryBackend):
    """A backend that notes what it takes, in order.

    Attributes:
        answers: What it answers next, instead of taking it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.answers: list[Any] = []
        self.gate: asyncio.Event | None = None

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return list(answer)
        self.ids.extend(outgoing.id for outgoing in batch)
        if self.gate is not None:
            await self.gate.wait()
        return [Accepted() for _ in batch]


class Transformer:
    @hookimpl
    def transform(self, publication: Publication) -> Any:
        match publication.message:
            case "refuse":
                return Refused("not here")
            case "raise":
                raise ZeroDivisionError
            case "nothing":
                return None
            case "move":
                return replace(publication, address=Address.channel("elsewhere"))
            case "break":
                return replace(publication, data="no bytes")
        return publication.replace([publication.message])


class Persister:
    """Stores in memory, when its gate is open.

    Attributes:
        batches: Ids of what it was given, call by call.
    """

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.under_way = 0

    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        assert not self.under_way, "the next batch waits for this one"
        self.under_way += 1
        self.batches.append([publication.id for publication in publications])
        try:
            await self.gate.wait()
            if self.error is not None:
                raise self.error
        finally:
            self.under_way -= 1


class House:
    def __init__(self, *plugins: object, persist_failure: str = "refuse") -> None:
        self.backend = Taken()
        self.publisher = Publisher(Hooks.compile(plugins), lambda address: None, persist_failure)
        self.publisher.bind(self.backend)

    def publish(self, *publications: Publication) -> asyncio.Task[list[Published | RequestError]]:
        return asyncio.ensure_future(self.publisher.publish(publications))


def made(id: object, data: bytes = b"1") -> Publication:
    return Publication(NEWS, data, str(id))


def codes(results: Sequence[Published | RequestError]) -> list[object]:
    return [result.code if isinstance(result, RequestError) else result.id for result in results]


@in_loop
async def test_without_hooks_publications_go_straight_to_the_backend_in_order() -> None:
    house = House()
    results = await house.publish(made(1), made(2))
    assert results == [Published("1", None), Published("2", None)]
    assert house.backend.ids == ["1", "2"]


@in_loop
async def test_a_server_that_does_not_run_takes_nothing() -> None:
    house = House()
    house.publisher.bind(None)
    assert codes(await house.publish(made(1), made(2))) == [errors.UNAVAILABLE] * 2


@in_loop
async def test_each_publication_has_its_own_result() -> None:
    with LogWatch() as logs:
        house = House()
        house.backend.answers = [[Accepted(), BackendUnavailable("away"), BackendError("bad")]]
        assert codes(await house.publish(made(1), made(2), made(3))) == ["1", errors.UNAVAILABLE, errors.UNAVAILABLE]
        logs.expect("not published, channel news: away")
        logs.expect("not published, channel news: bad")


@pytest.mark.parametrize("answer", [ZeroDivisionError(), BackendUnavailable("away"), (), (Accepted(),) * 3])
@pytest.mark.parametrize("persisted", [False, True])
@in_loop
async def test_a_backend_that_fails_or_miscounts_leaves_no_publisher_waiting(answer: Any, persisted: bool) -> None:
    with LogWatch() as logs:
        house = House(*[Persister()] * persisted)
        house.backend.answers = [answer]
        assert codes(await house.publish(made(1), made(2))) == [errors.UNAVAILABLE] * 2
        assert codes(await house.publish(made(3))) == ["3"]
        logs.expect("the backend failed on 2 publications", level=40)


@pytest.mark.parametrize("persisted", [False, True])
@in_loop
async def test_transform_changes_refuses_and_fails_one_by_one(persisted: bool) -> None:
    with LogWatch() as logs:
        house = House(Transformer(), *[Persister()] * persisted)
        words = ["refuse", "x", "raise", "nothing", "move", "y"]
        results = await house.publish(*(made(n, f'"{word}"'.encode()) for n, word in enumerate(words)))
        internal = errors.INTERNAL
        assert codes(results) == [errors.REFUSED, "1", internal, internal, internal, "5"]
        assert isinstance(results[0], RequestError)
        assert results[0].text == "not here"
        assert house.backend.ids == ["1", "5"]
        for pattern in ("ZeroDivisionError", "answered None", "changed its address"):
            logs.expect("not published, channel news: .*" + pattern, level=40)


@pytest.mark.parametrize("persisted", [False, True])
@in_loop
async def test_a_transform_that_breaks_a_publication_leaves_no_publisher_waiting(persisted: bool) -> None:
    with LogWatch() as logs:
        house = House(Transformer(), *[Persister()] * persisted)
        assert codes(await house.publish(made(1, b'"break"'))) == [errors.INTERNAL]
        assert codes(await house.publish(made(2))) == ["2"]
        logs.expect("not JSON text", level=40)


@in_loop
async def test_nothing_is_sent_before_it_is_persisted() -> None:
    persister = Persister()
    house = House(persister)
    persister.gate.clear()
    task = house.publish(made(1))
    await turns()
    assert (persister.batches, house.backend.ids) == ([["1"]], [])
    persister.gate.set()
    assert codes(await task) == ["1"]


@in_loop
async def test_what_comes_while_a_batch_is_persisted_makes_the_next_one() -> None:
    persister = Persister()
    house = House(persister)
    persister.gate.clear()
    tasks = [house.publish(made(1))]
    await turns()
    tasks += [house.publish(made(n), made(n + 1)) for n in (2, 4, 6)]
    await turns()
    persister.gate.set()
    await asyncio.gather(*tasks)
    assert persister.batches == [["1"], ["2", "3", "4", "5", "6", "7"]]
    assert house.backend.ids == ["1", "2", "3", "4", "5", "6", "7"]


@in_loop
async def test_a_batch_has_its_limit() -> None:
    persister = Persister()
    house = House(persister)
    await house.publish(*(made(n) for n in range(2 * publisher.BATCH_LIMIT + 1)))
    assert [len(batch) for batch in persister.batches] == [publisher.BATCH_LIMIT, publisher.BATCH_LIMIT, 1]
    assert house.backend.ids == [str(n) for n in range(2 * publisher.BATCH_LIMIT + 1)]


@in_loop
async def test_the_next_batch_is_persisted_while_the_backend_is_at_work() -> None:
    persister = Persister()
    house = House(persister)
    house.backend.gate = asyncio.Event()
    first = house.publish(made(1))
    await turns()
    second = house.publish(made(2))
    await turns()
    assert persister.batches == [["1"], ["2"]]
    assert house.backend.ids == ["1", "2"], "and enters it in order"
    assert not first.done()
    house.backend.gate.set()
    await asyncio.gather(first, second)


@in_loop
async def test_when_persist_fails_nothing_of_the_batch_is_sent() -> None:
    with LogWatch() as logs:
        persister = Persister()
        house = House(persister)
        persister.error = OSError("disk full")
        assert codes(await house.publish(made(1), made(2))) == [errors.UNAVAILABLE] * 2
        persister.error = None
        assert codes(await house.publish(made(3))) == ["3"]
        assert house.backend.ids == ["3"]
        logs.expect("persist failed for 2 publications.*disk full", level=40)


@in_loop
async def test_a_persister_that_fails_again_and_again_is_logged_once_a_minute() -> None:
    with LogWatch() as logs:
        persister = Persister()
        house = House(persister)
        persister.error = OSError("disk full")
        for number in range(3):
            assert codes(await house.publish(made(number))) == [errors.UNAVAILABLE]
        logs.expect("persist failed for 1 publications.*disk full", level=40)
        logs.check()


@in_loop
async def test_with_persist_failure_log_it_is_sent_all_the_same() -> None:
    with LogWatch() as logs:
        persister = Persister()
        house = House(persister, persist_failure="log")
        persister.error = OSError("disk full")
        assert codes(await house.publish(made(1))) == ["1"]
        assert house.backend.ids == ["1"]
        logs.expect("persist failed", level=40)


@in_loop
async def test_every_persister_is_asked_and_one_that_fails_is_enough() -> None:
    with LogWatch() as logs:
        first, second = Persister(), type("Second", (Persister,), {})()
        house = House(first, second)
        await house.publish(made(1))
        second.error = OSError()
        assert codes(await house.publish(made(2))) == [errors.UNAVAILABLE]
        assert first.batches == second.batches == [["1"], ["2"]]
        logs.expect("Second", level=40)


@in_loop
async def test_a_publisher_that_goes_away_takes_nothing_back() -> None:
    persister = Persister()
    house = House(persister)
    persister.gate.clear()
    task = house.publish(made(1))
    await turns()
    task.cancel()
    await asyncio.wait([task])
    persister.gate.set()
    await house.publisher.drain()
    assert house.backend.ids == ["1"]


@pytest.mark.parametrize("persisted", [False, True])
@in_loop
async def test_drain_waits_for_all_that_was_accepted(persisted: bool) -> None:
    house = House(*[Persister()] * persisted)
    house.backend.gate = asyncio.Event()
    publishing = [house.publish(made(n)) for n in range(3)]
    await turns()
    draining = asyncio.ensure_future(house.publisher.drain())
    await turns()
    assert not draining.done()
    house.backend.gate.set()
    await draining
    await asyncio.gather(*publishing)
    assert house.backend.ids == ["0", "1", "2"]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("publish"), st.integers(1, 4)),
            st.tuples(st.just("turn"), st.integers(1, 5)),
            st.tuples(st.just("close"), st.just(0)),
            st.tuples(st.just("open"), st.just(0)),
            st.tuples(st.just("fail"), st.just(0)),
            st.tuples(st.just("mend"), st.just(0)),
        ),
        max_size=30,
    )
)
def test_the_backend_gets_what_was_persisted_in_the_order_of_publishing(steps: list[tuple[str, int]]) -> None:
    @in_loop
    async def story() -> None:
        persister = Persister()
        house = House(persister)
        tasks: list[asyncio.Task[list[Published | RequestError]]] = []
        count = 0
        for what, n in steps:
            if what == "publish":
                tasks.append(house.publish(*(made(count + k) for k in range(n))))
                count += n
            elif what == "turn":
                await turns(n)
            elif what in ("open", "close"):
                persister.gate.set() if what == "open" else persister.gate.clear()
            else:
                persister.error = OSError("disk full") if what == "fail" else None
        persister.gate.set()
        results = [result for task in tasks for result in await task]
        accepted = [result.id for result in results if isinstance(result, Published)]
        assert house.backend.ids == accepted == sorted(accepted, key=int)
        assert [id for batch in persister.batches for id in batch] == [str(n) for n in range(count)]

    with LogWatch():
        story()
