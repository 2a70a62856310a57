"""The life of a backend: made, started, closed, gone."""

from __future__ import annotations

import asyncio

import pytest

from ...backends.base import Accepted
from ...errors import BackendError
from ..guard import Compliance, case
from ..loops import KitLoop, turns, within
from ..nodes import UNREACHABLE, BackendBench
from ..samples import NEWS, SPORT, say

__all__ = ["LifeCases"]


class LifeCases(Compliance):
    """From ``__init__`` to ``close`` and after."""

    @case()
    async def test_made_outside_a_loop(self, kit: BackendBench) -> None:
        """A backend is made by its factory outside or inside a running loop, and binds to a loop in start only.

        If this fails: make what needs a loop (tasks, connections, futures) in ``start``, not in ``__init__``.
        """
        node = kit.unstarted(kit.outside)
        await node.start()
        await node.subscribe(NEWS)
        await node.accepted(say(NEWS, b"1"))
        await node.sink.until(NEWS, 1)

    @case(UNREACHABLE)
    async def test_start_says_that_it_cannot(self, kit: BackendBench) -> None:
        """Start raises a BackendError when it cannot start; the text is one line for the operator.

        If this fails: turn what the driver raises into a BackendError that says what was tried and what is wrong, and
        limit how long connecting may take; leave nothing behind that ``close`` does not end.
        """
        node = kit.unreachable()
        with pytest.raises(BackendError) as raised:
            await node.start()
        text = str(raised.value)
        assert text.strip(), "the error has no text"
        assert "\n" not in text, f"the text has several lines: {text!r}"
        await node.close()

    @case()
    async def test_publish_before_start_is_refused(self, kit: BackendBench) -> None:
        """Publish returns a result for each; one that was not taken has a BackendError for its result.

        If this fails: before ``start``, return ``[BackendUnavailable(...)] * len(batch)`` at once; do not raise, do
        not wait for a connection.
        """
        node = kit.unstarted()
        results = await node.publish(say(NEWS, b"1"), say(SPORT, b"2"), say(NEWS, b"3"))
        assert len(results) == 3
        assert all(isinstance(result, BackendError) for result in results), f"taken by nobody: {results}"

    @case()
    async def test_publish_after_close_is_refused(self, kit: BackendBench) -> None:
        """Publish returns a result for each; one that was not taken has a BackendError for its result.

        If this fails: after ``close``, return ``[BackendUnavailable(...)] * len(batch)`` at once; do not raise, do
        not wait for a connection.
        """
        node = await kit.node()
        await node.close()
        results = await node.publish(say(NEWS, b"1"), say(SPORT, b"2"), say(NEWS, b"3"))
        assert len(results) == 3
        assert all(isinstance(result, BackendError) for result in results), f"taken by nobody: {results}"

    @case()
    async def test_subscribe_after_close_is_refused(self, kit: BackendBench) -> None:
        """Subscribe returns when everything published from now on will be handed to the sink, else raises BackendError.

        If this fails: after ``close``, raise ``BackendUnavailable(...)`` at once: nothing will be handed over any more.
        """
        node = await kit.node()
        await node.close()
        with pytest.raises(BackendError):
            await node.subscribe(NEWS)

    @case()
    async def test_close_twice(self, kit: BackendBench) -> None:
        """Close may be called twice.

        If this fails: have ``close`` take each thing out of its attribute before it ends it, so that a second call
        finds nothing to do.
        """
        node = await kit.node(NEWS)
        await node.close()
        await node.close()

    @case()
    async def test_close_without_start(self, kit: BackendBench) -> None:
        """Close may be called without start.

        If this fails: have ``__init__`` set every attribute that ``close`` looks at.
        """
        await kit.unstarted().close()

    @case()
    async def test_close_ends_what_is_under_way(self, kit: BackendBench) -> None:
        """Close ends all work: a publish that is under way gets its results, taken or not, and nobody waits for ever.

        If this fails: when ``close`` ends what publish waits for, resolve the waiters with BackendUnavailable; an
        exception or a cancellation must not reach the caller of publish.
        """
        node = await kit.node(NEWS)
        calls = [asyncio.ensure_future(node.backend.publish([say(NEWS, b"%d" % i)])) for i in range(20)]
        await asyncio.sleep(0)
        await node.close()
        answers = await within(asyncio.gather(*calls, return_exceptions=True), "a publish that was under way")
        for answer in answers:
            assert not isinstance(answer, BaseException), f"publish raised {answer!r}"
            assert len(answer) == 1
            assert isinstance(answer[0], Accepted | BackendError), f"publish returned {answer!r}"

    @case()
    async def test_nothing_is_left_after_close(self, kit: BackendBench) -> None:
        """Close ends all work and frees everything: no task, no timer and no connection is left.

        If this fails: cancel **and await** the tasks that the message names, cancel the timers, close the connections
        and wait until they are closed, before ``close`` returns.
        """
        loop = asyncio.get_running_loop()
        assert isinstance(loop, KitLoop)
        before = loop.leftovers()
        node = await kit.node(NEWS, SPORT)
        await node.accepted(say(NEWS, b"1"), say(SPORT, b"2"))
        await node.sink.until(SPORT, 1)
        await node.unsubscribe(SPORT)
        await node.close()
        await turns()
        left = loop.leftovers().since(before)
        assert not left, "left after close: " + "; ".join(left)

    @case()
    async def test_the_sink_is_left_alone_after_close(self, kit: BackendBench) -> None:
        """Close ends all work: once it has returned, the sink is not called any more.

        If this fails: end the reader before ``close`` returns, and do not deliver what is still queued.
        """
        node = await kit.node(NEWS)
        calls = [asyncio.ensure_future(node.backend.publish([say(NEWS, b"%d" % i)])) for i in range(20)]
        await asyncio.sleep(0)
        await node.close()
        came = len(node.sink.deliveries)
        await kit.quiet()
        await within(asyncio.wait(calls), "a publish that was under way")
        late = node.sink.payloads(NEWS)[came:]
        assert not late, f"handed over after close: {late}"

    @case()
    async def test_a_new_one_after_close(self, kit: BackendBench) -> None:
        """Close frees everything: a new backend can take the place of one that was closed.

        If this fails: look for what the first one holds on to: a port, a lock, a name that must be free.
        """
        first = await kit.node(NEWS)
        await first.close()
        second = await kit.node(NEWS)
        await second.accepted(say(NEWS, b"1"))
        await second.sink.until(NEWS, 1)

    @case()
    async def test_there_is_no_trouble(self, kit: BackendBench) -> None:
        """Trouble is None while all is well.

        If this fails: have ``trouble`` give None as soon as the node speaks and hears; set it when a connection is
        lost, not while one is idle.
        """
        node = await kit.node(NEWS)
        await node.accepted(say(NEWS, b"1"))
        await node.sink.until(NEWS, 1)
        assert node.backend.trouble is None

    @case()
    async def test_the_sink_is_called_as_it_should_be(self, kit: BackendBench) -> None:
        """The sink is called on the event loop of the node, with an Address, bytes, and a Position or None.

        If this fails: do what the message says. From a thread, come back by ``loop.call_soon_threadsafe``.
        """
        node = await kit.node(NEWS)
        await node.accepted(say(NEWS, b"1"))
        await node.sink.until(NEWS, 1)
        assert not node.sink.wrong, "; ".join(node.sink.wrong)
