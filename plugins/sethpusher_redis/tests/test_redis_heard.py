"""What a node hears, in any interleaving of publications, losses and restarts: each once and in order, or the word."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from sethpusher_redis.heard import Hearing
from sethpusher_redis.pages import Page
from support.loops import in_loop, turns

from sethpusher_core import Address
from sethpusher_core.backends.base import Position
from sethpusher_core.backends.capabilities import Stored
from sethpusher_core.errors import BackendError

NEWS = Address.channel("news")
NAME = b"bus"
KEPT = 12


class Store:
    """A stream that can lose its end, as ``stream.lua`` keeps it."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.epoch = "e0"
        self.ended: dict[str, int] = {}
        self.epochs = 0
        self.numbers = 0
        self.past = [(self.epoch, self.ended)]
        """Epoch, and where earlier ones ended, at each length that it has had."""

    @property
    def top(self) -> Position:
        return Position(self.epoch, len(self.kept))

    def append(self) -> bytes:
        self.numbers += 1
        self.kept.append(b"%d" % self.numbers)
        del self.past[len(self.kept) :]
        self.past.append((self.epoch, dict(self.ended)))
        return f"{self.epoch} {len(self.kept)}\n{self.numbers}".encode()

    def restart(self, lost: int) -> None:
        if lost:  # then everything is as it was then
            self.kept = self.kept[: max(0, len(self.kept) - lost)]
            self.epoch, ended = self.past[len(self.kept)]
            self.ended = dict(ended)
        self.epochs += 1
        self.ended[self.epoch] = len(self.kept)
        self.epoch = f"e{self.epochs}"

    async def read(self, places: Sequence[tuple[Address, Position]], limit: int) -> Sequence[Page | BackendError]:
        await asyncio.sleep(0)
        pages = [self._page(since, limit) for _, since in places]
        await asyncio.sleep(0)
        return pages

    def _page(self, since: Position, limit: int) -> Page:
        offset = since.offset
        if since.epoch != self.epoch:
            if since.epoch not in self.ended:
                return Page(self.top, self.top, False, ())
            offset = min(offset, self.ended[since.epoch])
        start = max(offset, len(self.kept) - KEPT)
        stored = [
            Stored(Position(self.epoch, start + place), payload)
            for place, payload in enumerate(self.kept[start : start + limit], 1)
        ]
        return Page(self.top, Position(self.epoch, start), start == offset, tuple(stored))


class Checking:
    """A sink that knows what must come next."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.here: Position | None = None

    def deliver(self, address: Address, payload: bytes, position: Position | None = None) -> None:
        assert position is not None
        if self.here is not None:
            assert position == Position(self.here.epoch, self.here.offset + 1), f"{position} after {self.here}"
        self.here = position

    def resumed(self, address: Address, position: Position | None, whole: bool) -> None:
        assert position is not None
        assert self.here is not None
        if whole and position.epoch == self.here.epoch:
            assert position == self.here
        elif whole:
            assert position.offset <= self.here.offset
        self.here = position


EVENTS = st.lists(
    st.sampled_from(["publish", "publish", "publish", "lost on the way", "twice", "lose", "confirm", "turn", "restart"])
    | st.tuples(st.just("restart"), st.integers(0, 5)),
    max_size=60,
)


@settings(max_examples=300)
@given(EVENTS)
def test_each_once_and_in_order_or_the_word(events: list[object]) -> None:
    @in_loop
    async def play() -> None:
        store = Store()
        sink = Checking(store)
        hearing = Hearing(sink, store.read)
        heard = hearing.add(NAME, NEWS, True)
        hearing.confirm(NAME)
        hearing.settle(NAME, heard, store.top)
        sink.here = store.top
        connected = True
        for event in events:
            match event:
                case "publish" | "twice":
                    message = store.append()
                    for _ in range(2 if event == "twice" else 1):
                        if connected:
                            hearing.take(NAME, message)
                case "lost on the way":
                    store.append()
                case "turn":
                    await turns(1)
                case "confirm":
                    hearing.confirm(NAME)
                    connected = True
                case "lose":
                    hearing.lose()
                    connected = False
                case "restart" | ("restart", _):
                    hearing.lose()
                    connected = False
                    store.restart(event[1] if isinstance(event, tuple) else 0)
        hearing.confirm(NAME)
        hearing.take(NAME, store.append())
        async with asyncio.timeout(5):
            while heard.behind or sink.here != store.top:
                await asyncio.sleep(0)
        assert heard.last == store.top
        await hearing.close()

    play()
