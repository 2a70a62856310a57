"""The sender: takes letters from their lanes and posts them, at least once each and in order per lane."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

from .bundles import Bundle
from .groups import Stored
from .lanes import Lane, behind_of
from .origins import Origins
from .pace import Figures, Pace
from .posting import Delivered, Failed, Outcome, Post, Refused
from .retrying import backoff
from .troubles import Troubles
from .writer import Writer

__all__ = ["Courier"]

HELD_BYTES: Final = 32 << 20
"""Memory in which all lanes together may keep what just came; the rest is read when its turn comes."""
HELD_POSTS: Final = 16
"""How many posts one lane may keep in memory, so that one that is not taken does not have it all."""


class Courier:
    """Posts what is in the outbox.

    Attributes:
        figures: What it has done.
    """

    def __init__(
        self,
        writer: Writer,
        post: Post,
        url_of: Callable[[str], str | Awaitable[str]],
        pace: Pace,
        troubles: Troubles,
    ) -> None:
        """Makes one; :meth:`start` starts it.

        Args:
            writer: Where letters are read, and where it is noted what has become of them.
            post: How they are posted.
            url_of: Gives the URL for a target; an empty one: it need not be posted.
            pace: How fast.
            troubles: Told what goes wrong, and when it goes well again.
        """
        self._writer = writer
        self._post = post
        self._url_of = url_of
        self._pace = pace
        self._troubles = troubles
        self._lanes: dict[int, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._origins = Origins(pace.circuit_failures, pace.retry_first, pace.retry_max, self._give_turns)
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = 0
        self._stopping = True
        self._emptied: asyncio.Event | None = None
        self.figures = Figures()

    # ------------------------------------------------------------------------------------------------ from outside

    def start(self, lanes: Mapping[int, int]) -> None:
        """Starts, on the running loop, with what is in the outbox."""
        self._loop = asyncio.get_running_loop()
        self._origins.start()
        self._stopping = False
        self.look_again(lanes)

    async def drain(self, seconds: float) -> None:
        """Waits until everything is posted, for some seconds at the most."""
        if self._lanes:
            self._emptied = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._emptied.wait()

    async def stop(self, grace: float) -> None:
        """Begins no more posts, and gives those under way some seconds."""
        self._stopping = True
        self._origins.stop()
        for lane in self._lanes.values():
            if lane.timer is not None:
                lane.timer.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def arrived(self, stored: Stored) -> None:
        """Takes note of what is new in the outbox, or gone from it."""
        if stored.dropped:
            self.figures.dropped += stored.dropped
            self._troubles.dropped(stored.dropped)
            self._forget(stored.dropped_to)
        for lane in dict.fromkeys([self._offer(bundle) for bundle in stored.bundles]):
            self._wake(lane)

    def look_again(self, lanes: Mapping[int, int]) -> None:
        """Takes note of lanes into which somebody else has put letters."""
        for key, newest in lanes.items():
            lane = self._lane(key, 0)
            lane.newest = max(lane.newest, newest)
            self._wake(lane)

    @property
    def state(self) -> str:
        """``idle``, ``posting``, or ``waiting`` (for the API, to be back)."""
        if self._troubles.last is not None:
            return "waiting"
        return "posting" if self._lanes else "idle"

    # ----------------------------------------------------------------------------------------------- lanes and turns

    def _lane(self, key: int, loaded: int) -> Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key, loaded)
        return lane

    def _give_turns(self, lanes: Iterable[Lane]) -> None:
        self._ready.extendleft(lanes)
        self._pump()

    def _offer(self, bundle: Bundle) -> Lane:
        """Gives new letters to their lane, into its memory if there is room."""
        lane = self._lane(bundle.lane, bundle.seq - 1)
        room = self._held < HELD_BYTES and lane.rows < HELD_POSTS * self._pace.batch_size
        if lane.offer(bundle, room=room):
            self._held += bundle.memory
        return lane

    def _forget(self, up_to: int) -> None:
        """Drops what is gone from the outbox; what is being posted goes on."""
        for lane in list(self._lanes.values()):
            self._held -= lane.forget(up_to)
            if lane.queued:
                continue
            kept = behind_of(lane.batch, up_to)
            self._held -= _memory(lane.batch) - _memory(kept)
            lane.batch = kept
            if lane.empty:
                self._troubles.gone(lane.key)
                self._drop(lane)

    def _wake(self, lane: Lane, delay: float | None = None) -> None:
        """Gives a lane its turn: as soon as it has a full post, else after a while.

        A lane that sleeps after a failure is left asleep.
        """
        if lane.queued or self._stopping:
            return
        full = lane.behind or lane.alone_to > 0 or lane.rows >= self._pace.batch_size
        if delay is None:
            if lane.failures:
                return
            delay = 0.0 if full else self._pace.batch_delay
        if delay > 0:
            if lane.timer is None:
                lane.timer = self._loop.call_later(delay, self._ring, lane)
            return
        self._ring(lane)

    def _ring(self, lane: Lane) -> None:
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        lane.queued = True
        self._ready.append(lane)
        self._pump()

    def _pump(self) -> None:
        while self._ready and len(self._tasks) < self._pace.parallel and not self._stopping:
            task = self._loop.create_task(self._serve(self._ready.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._pump()

    def _finish(self, lane: Lane, delay: float | None = None) -> None:
        """Ends a lane's turn; it gets another when there is more to post."""
        lane.queued = False
        if lane.alone_to and (not lane.waiting or lane.waiting[0].seq > lane.alone_to) and not lane.batch:
            lane.alone_to = 0
        if lane.empty:
            self._drop(lane)
        else:
            self._wake(lane, delay)

    def _drop(self, lane: Lane) -> None:
        if lane.timer is not None:
            lane.timer.cancel()
        del self._lanes[lane.key]
        if not self._lanes and self._emptied is not None:
            self._emptied.set()

    # --------------------------------------------------------------------------------------------------- one post

    async def _serve(self, lane: Lane) -> None:
        try:
            batch = lane.batch or await self._next(lane)
            if not batch:
                self._finish(lane)
                return
            lane.batch = batch
            url = self._url_of(batch[0].targets[0])
            if inspect.isawaitable(url):
                url = await url
            if not url:
                self._settle(lane, batch)
                return
            if not self._origins.lets_through(url, lane):
                return
        except Exception as error:  # noqa: BLE001 - the outbox cannot be read, or an application's function raised
            self._sleep(lane, f"{type(error).__name__}: {error}", "")
            return
        try:
            outcome = await self._post(url, batch)
        except Exception as error:  # noqa: BLE001 - of whatever kind: the letters are there still
            outcome = Failed(f"{type(error).__name__}: {error}")
        self._judge(lane, url, batch, outcome)

    async def _next(self, lane: Lane) -> list[Bundle]:
        pace = self._pace
        if not lane.waiting and lane.behind:
            newest = lane.newest
            bundles = await self._writer.read(lane.key, lane.loaded, pace.batch_size, pace.batch_bytes)
            self._held += _memory(bundles)
            lane.load(bundles, newest)
        return lane.take(pace.batch_size, pace.batch_bytes)

    def _judge(self, lane: Lane, url: str, batch: list[Bundle], outcome: Outcome) -> None:
        if isinstance(outcome, Failed):
            self.figures.failed += 1
            lane.failures += 1
            self._troubles.failed(lane.key, url, outcome.why)
            if not self._origins.failed(url, lane, outcome.pause):
                self._finish(lane, self._backoff(lane))
            return
        self._origins.answered(url, lane)
        if isinstance(outcome, Delivered):
            self.figures.posted += sum(map(len, batch))
            self.figures.posts += 1
            self._settle(lane, batch)
        else:
            self._refuse(lane, batch, outcome)

    def _settle(self, lane: Lane, batch: Sequence[Bundle]) -> None:
        self._held -= _memory(batch)
        lane.batch = []
        lane.failures = 0
        self._writer.done([(bundle.seq, bundle.last) for bundle in batch])
        self._troubles.passed(lane.key)
        self._finish(lane)

    def _refuse(self, lane: Lane, batch: list[Bundle], outcome: Refused) -> None:
        lane.batch = []
        lane.failures = 0
        self._troubles.passed(lane.key)
        if len(batch) > 1 or len(batch[0]) > 1:
            lane.give_back(batch, alone=True)
        else:
            [letter] = batch
            self._held -= letter.memory
            self.figures.refused += 1
            self._troubles.refused(letter.ids[0], letter.targets[0], outcome.why)
            self._writer.bury(letter.seq, outcome.why)
        self._finish(lane)

    def _sleep(self, lane: Lane, why: str, url: str) -> None:
        lane.failures += 1
        self._troubles.failed(lane.key, url, why)
        self._finish(lane, self._backoff(lane))

    def _backoff(self, lane: Lane) -> float:
        return backoff(lane.failures, self._pace.retry_first, self._pace.retry_max)


def _memory(bundles: Sequence[Bundle]) -> int:
    return sum([bundle.memory for bundle in bundles])
