"""A plugin's life: it starts, it may start again, and it leaves nothing behind. And it shares its loop with others."""

from __future__ import annotations

import asyncio
from typing import Final

from ..guard import Compliance, case
from ..hooks import HookBench
from ..loops import KitLoop, turns, within
from ..timing import patience

__all__ = ["HookLifeCases", "longest_allowed"]

PART: Final = 10
"""The part of the patience that one call may hold the loop for."""


def longest_allowed() -> float:
    """For how many seconds a plugin may hold the loop. Far too long in life; here slow machines pass, too."""
    return patience() / PART


class HookLifeCases(Compliance):
    """From ``startup`` to ``shutdown``."""

    @case()
    async def test_it_does_not_hold_the_loop(self, kit: HookBench) -> None:
        """All clients share one event loop: while a hook computes or waits without ``await``, nobody is served.

        If this fails: await what takes long; run what cannot be awaited in a thread (``asyncio.to_thread``).
        """
        async with kit.server() as server:
            await kit.use(server)  # what is made with the first use is not measured
            held = await kit.hold(lambda: kit.use(server))
        assert held < longest_allowed(), f"the loop stood still for {held:.2f} s"

    @case()
    async def test_it_starts_again(self, kit: HookBench) -> None:
        """A server that was stopped may be started again: ``startup`` after ``shutdown`` begins anew.

        If this fails: make in ``startup`` what ``shutdown`` ends; what ``__init__`` makes must outlive both.
        """
        async with kit.server() as server:
            await kit.use(server)
            await within(server.stop(), "the stop of the server")
            await within(server.start(), "the second start of the server")
            await kit.use(server)

    @case()
    async def test_nothing_is_left_after_shutdown(self, kit: HookBench) -> None:
        """What a plugin has begun ends with its ``shutdown``: no task, no timer and no connection is left.

        If this fails: implement ``shutdown``: end and await tasks, close files and connections.
        """
        loop = asyncio.get_running_loop()
        assert isinstance(loop, KitLoop)
        before = loop.leftovers()
        async with kit.server() as server:
            await kit.use(server)
        await turns()
        left = loop.leftovers().since(before)
        assert not left, "left after shutdown: " + "; ".join(left)
