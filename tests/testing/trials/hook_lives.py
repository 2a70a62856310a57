"""Plugins that do not live as they should, whatever their hook."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from testing.trials.authenticators import Right
from testing.trials.marks import fails

from sethpusher_core import hookimpl


@fails("it_does_not_hold_the_loop")
class Sleeps(Right):
    @hookimpl
    async def authenticate(self, credentials: Any) -> Any:
        time.sleep(0.1)
        return self.answer(credentials)


@fails("it_starts_again")
class EndsWhatItMadeOnce(Right):
    def __init__(self) -> None:
        self.open = True

    @hookimpl
    def authenticate(self, credentials: Any) -> Any:
        assert self.open
        return self.answer(credentials)

    @hookimpl
    def shutdown(self) -> None:
        self.open = False


@fails("nothing_is_left_after_shutdown", "it_starts_again")
class LeavesATask(Right):
    task: asyncio.Task[None] | None = None

    @hookimpl
    def startup(self) -> None:
        assert self.task is None
        self.task = asyncio.get_running_loop().create_task(asyncio.sleep(3600))


@fails("nothing_is_left_after_shutdown")
class LeavesATimer(Right):
    @hookimpl
    def startup(self) -> None:
        asyncio.get_running_loop().call_later(3600, print)
