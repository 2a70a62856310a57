"""The sender against any API: whatever it answers when, each letter comes, in the order of its channel."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from sethpusher_persist_http.bundles import Bundle
from sethpusher_persist_http.courier import Courier
from sethpusher_persist_http.groups import Bounds
from sethpusher_persist_http.letters import NewLetter
from sethpusher_persist_http.outbox import Outbox
from sethpusher_persist_http.pace import Pace
from sethpusher_persist_http.posting import Delivered, Failed, Outcome, Refused
from sethpusher_persist_http.troubles import Troubles
from sethpusher_persist_http.writer import Writer
from support.logs import LogWatch

from sethpusher_core.testing.loops import run

CHANNELS = 5
ANSWERS = ("yes", "yes", "yes, but the answer is lost", "not now", "come back later", "the line breaks")


class Api:
    """Answers as it was drawn, and then yes; it never wants what is bad."""

    def __init__(self, answers: Sequence[str], bad: frozenset[int]) -> None:
        self._answers = list(answers)
        self._bad = bad
        self._busy: set[str] = set()
        self.taken: list[tuple[str, str, int]] = []  # id, target, number
        self.together = 0

    async def __call__(self, url: str, batch: Sequence[Bundle]) -> Outcome:
        letters = [
            (id, target, int(body))
            for bundle in batch
            for id, target, body in zip(bundle.ids, bundle.targets, bundle.bodies, strict=True)
        ]
        targets = {target for _, target, _ in letters}
        assert not targets & self._busy, "two posts of one channel at once"
        self._busy |= targets
        self.together = max(self.together, len(letters))
        await asyncio.sleep(0.01)
        self._busy -= targets
        answer = self._answers.pop(0) if self._answers else "yes"
        if answer == "not now":
            return Failed("HTTP 500")
        if answer == "come back later":
            return Failed("HTTP 503", 5.0)
        if answer == "the line breaks":
            raise ConnectionResetError
        if any(number in self._bad for _, _, number in letters):
            return Refused("HTTP 400")
        self.taken += letters
        return Failed("Timeout") if "lost" in answer else Delivered()


@settings(max_examples=60)
@given(
    batches=st.lists(st.lists(st.integers(0, CHANNELS - 1), min_size=1, max_size=8), max_size=12),
    answers=st.lists(st.sampled_from(ANSWERS), max_size=30),
    bad=st.frozensets(st.integers(0, 60), max_size=4),
    size=st.integers(1, 6),
    parallel=st.integers(1, 4),
    lanes=st.integers(1, CHANNELS),
    memory=st.booleans(),
)
def test_each_comes_and_in_order(
    batches: list[list[int]],
    answers: list[str],
    bad: frozenset[int],
    size: int,
    parallel: int,
    lanes: int,
    memory: bool,
) -> None:
    api = Api(answers, bad)
    published: list[tuple[int, int]] = []  # channel, number
    outbox = Outbox(None, Bounds())

    async def scenario() -> None:
        pace = Pace(size, 1 << 20 if memory else 1, 0.02, parallel, 0.1, 1.0, 3)
        writer = Writer(outbox, lambda stored: courier.arrived(stored))
        courier = Courier(writer, api, lambda target: f"http://api/{len(target)}", pace, Troubles())
        courier.start(outbox.lanes())
        for batch in batches:
            letters = []
            for channel in batch:
                number = len(published)
                published.append((channel, number))
                letters.append(
                    NewLetter(f"id-{number}", channel % lanes, f'{{"channel":"{channel}"}}', b"%d" % number, False)
                )
            await writer.put(letters)
        await courier.drain(1e9)
        await courier.stop(0)
        await writer.call(lambda: None)
        while outbox.counts.waiting:
            await asyncio.sleep(0)
        counts = outbox.counts
        assert counts.dead == len(bad & {number for _, number in published})
        await writer.close()

    with LogWatch() as logs:
        run(scenario(), virtual=True)
        logs.drop("cannot be posted", "posted again", "has refused")
        logs.check()
    for channel in range(CHANNELS):
        mine = [number for at, number in published if at == channel and number not in bad]
        arrived = [number for _, target, number in api.taken if target == f'{{"channel":"{channel}"}}']
        assert list(dict.fromkeys(arrived)) == mine
    assert all(id == f"id-{number}" for id, _, number in api.taken)
    assert api.together <= size
