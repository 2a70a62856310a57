"""The real server, several clients and a model of what each must see.

The invariant, as docs/architecture.md has it: across publish, subscribe, recover, coalesced frame, yielding fan-out,
slow client and disconnect, in any interleaving, holds within a channel: no gap, no duplicate, no reordering, or the
plain word that something is missing. That word is ``recovered: false``, ``dropped``, or a close.

The ledger (``support.ledger``) is the order in which the backend took publications; each client (``support.follower``)
checks every message that it reads against it. Clients read only when a rule says so, so any of them may be slow.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, ClassVar, Final
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from support.clients import Xhr
from support.follower import Follower, Memory
from support.ledger import Ledgered
from support.logs import LogWatch
from support.server import RunningServer

from sethpusher_core import hub
from sethpusher_core.backends.base import Position
from sethpusher_core.connection import Connection
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.settings.rules import ChannelRule

AGE: Final = 100.0
LIMIT: Final = 32 * 1024
BUFFER: Final = 4096


def _rule(name: str, history: int = 0, **more: Any) -> ChannelRule:
    return ChannelRule(match=name, history=history, history_age=AGE, announce=False, publish="anyone", **more)


RULES: Final = (
    _rule("kept", 6),
    _rule("long", 200),
    _rule("small", 100, history_bytes=4096),
    _rule("kept-oldest", 50, on_slow="drop_oldest"),
    _rule("kept-newest", 50, on_slow="drop_newest"),
    _rule("plain"),
    _rule("oldest", on_slow="drop_oldest"),
    _rule("newest", on_slow="drop_newest"),
)
WHO: Final = st.integers(0, 4)
CHANNEL: Final = st.sampled_from([rule.match for rule in RULES])
KEPT: Final = st.sampled_from([rule.match for rule in RULES if rule.history])
SIZE: Final = st.sampled_from([0, 0, 0, 300, 3000, 20_000])
KINDS: Final = ("raw", "sockjs", "xhr", "sockjs", "raw")
ACT: Final = st.sampled_from(["publish", "publish", "burst", "subscribe", "unsubscribe", "recover", "say", "whisper"])
TURNS: Final = st.integers(0, 3)
KEY: Final = st.sampled_from(["a", "b", "c"])


class Narrow(RunningServer):
    """A server whose sockets hold little, so that clients are soon slow."""

    async def _listen(self) -> None:
        await super()._listen()
        for listener in self._listener._sockets.values():
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)


class Persister:
    """Takes its time."""

    def __init__(self, lags: Iterator[int]) -> None:
        self._lags = lags

    @hookimpl
    async def persist(self) -> None:
        for _ in range(next(self._lags)):
            await asyncio.sleep(0)


class Seen:
    """Counts the messages of each connection that have reached the server."""

    def __init__(self) -> None:
        self.messages: Counter[str] = Counter()

    @hookimpl
    def dispatch(self, connection: Connection) -> None:
        self.messages[connection.id] += 1


class Delivery(RuleBasedStateMachine):
    """See the module's text. Between two steps the server comes to rest, so that a story can be told again."""

    steps: ClassVar[int] = 0
    hasty: ClassVar[bool] = False

    @initialize(lags=st.lists(st.integers(0, 3), min_size=1, max_size=7), slices=st.booleans(), persist=st.booleans())
    def start(self, lags: list[int], slices: bool, persist: bool) -> None:
        self.stack = ExitStack()
        self.logs = self.stack.enter_context(LogWatch())
        if slices:
            self.stack.enter_context(patch.object(hub, "SLICE", 1))
            self.stack.enter_context(patch.object(hub, "SLICE_SECONDS", 0.0))
        self.plugin = Ledgered(itertools.cycle(lags))
        self.ledger, self.clock = self.plugin.ledger, self.plugin.clock
        core = CoreSettings(
            channels=RULES, outbound_limit=LIMIT, disconnect_delay=60.0, message_rate=0, idempotency_window=300.0
        )
        self.seen = Seen()
        plugins = [self.plugin, self.seen, *[Persister(itertools.cycle(lags))] * persist]
        self.push = PushServer(core, plugins=plugins)
        self.server = Narrow(self.push).start()
        self.stack.callback(self.server.stop)
        self.people: dict[int, Follower] = {}
        self.memories: dict[int, Memory] = {number: {} for number in range(5)}
        self.results: dict[tuple[str, str], tuple[float, Any]] = {}
        self.numbers = itertools.count(1)

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            with self.stack:
                if sys.exc_info()[0] is None:
                    self._settle()
                    self.logs.check()

    # --------------------------------------------------------------------------------------------- coming and going

    @rule(who=WHO)
    def come_back(self, who: int) -> None:
        """Recovers all that it knows, before reading anything."""
        self._step()
        if who not in self.people:
            person = self._come(who)
            for channel, position in list(person.memory.items()):
                person.send("subscribe", channel, position)

    @rule(who=WHO)
    def vanish(self, who: int) -> None:
        self._step()
        if (person := self.people.pop(who, None)) is not None:
            person.client.drop()

    @rule()
    def restart(self) -> None:
        """All are told to come back; no stream survives."""
        self._step()
        for who, person in list(self.people.items()):
            if isinstance(person.client, Xhr):
                self.vanish(who)
        self.server.call(self.push.router.http_sessions.stop)  # a stop would wait for them
        self.server.run(self.push.stop())
        self.server.run(self.push.start())
        self.results.clear()
        for who in list(self.people):
            person = self.people.pop(who)
            person.catch_up()
            assert person.ended is not None

    # --------------------------------------------------------------------------------------------------- memberships

    @rule(who=WHO, channel=CHANNEL)
    def subscribe(self, who: int, channel: str) -> None:
        self._step()
        self._live(who).send("subscribe", channel)

    @rule(who=WHO, channel=CHANNEL)
    def unsubscribe(self, who: int, channel: str) -> None:
        self._step()
        self._live(who).send("unsubscribe", channel)

    @rule(who=WHO, channel=CHANNEL, back=st.integers(0, 3))
    def recover(self, who: int, channel: str, back: int) -> None:
        """From what it knows, or from before that; also while it is subscribed."""
        self._step()
        self._live(who).send("subscribe", channel, self._since(who, channel, back))

    @rule(who=WHO, channel=KEPT, future=st.booleans())
    def recover_the_impossible(self, who: int, channel: str, future: bool) -> None:
        self._step()
        known = self.memories[who].get(channel, Position("", 0))
        self._live(who).send("subscribe", channel, Position(known.epoch if future else "no such", known.offset + 1000))

    # ---------------------------------------------------------------------------------------------------- publishing

    @rule(channel=CHANNEL, size=SIZE, count=st.integers(1, 4))
    def publish(self, channel: str, size: int, count: int) -> None:
        self._step()
        for _ in range(count):
            self.server.publish(channel, self._message(size))

    @rule(channels=st.lists(CHANNEL, min_size=1, max_size=12), size=SIZE)
    def publish_batch(self, channels: list[str], size: int) -> None:
        """All within one turn of the loop, so that those to one channel leave as one frame."""
        self._step()
        items = [{"channel": channel, "message": self._message(size)} for channel in channels]
        results = self.server.http.post("/api/batch/", {"publications": items}).json["results"]
        assert [result["status"] for result in results] == [200] * len(channels)

    @rule(channel=CHANNEL, key=KEY)
    def publish_again(self, channel: str, key: str) -> None:
        """With the same key: the first result, and nothing is sent."""
        self._step()
        headers = {"Idempotency-Key": key}
        answer = self.server.http.post(f"/api/channels/{channel}/", self._message(0), headers).json
        when, first = self.results.get((channel, key), (0.0, None))
        if first is not None and self.clock.now - when <= 300.0:
            assert answer == first
        else:
            assert first is None or answer["id"] == first["id"]
            self.results[channel, key] = self.clock.now, answer

    @rule(who=WHO, channel=CHANNEL, size=SIZE, echo=st.booleans())
    def say(self, who: int, channel: str, size: int, echo: bool) -> None:
        self._step()
        self._live(who).send("publish", channel, message=self._message(size), echo=echo)

    @rule(
        channel=CHANNEL, pair=st.tuples(WHO, WHO), acts=st.lists(st.tuples(ACT, st.integers(0, 1), TURNS), min_size=2)
    )
    def tangle(self, channel: str, pair: tuple[int, int], acts: list[tuple[str, int, int]]) -> None:
        """Many things in one channel within few turns of the loop, in exactly this order."""
        self._step()
        steps = [(self._prepared(act, pair[one], channel, turns), turns) for act, one, turns in acts]

        async def work() -> None:
            for step, turns in steps:
                step()
                for _ in range(turns):
                    await asyncio.sleep(0)

        self.server.run(work())

    # ----------------------------------------------------------------------------------------------- time and reading

    @rule(seconds=st.sampled_from([1.0, AGE / 2, AGE + 1]), sweep=st.booleans())
    def pass_time(self, seconds: float, sweep: bool) -> None:
        self._step()
        self.clock.advance(seconds)
        if sweep:
            self.server.call(self._backend().sweep)

    @rule(who=WHO)
    def read(self, who: int) -> None:
        self._step()
        self._live(who).catch_up()
        self._bury(who)

    @rule()
    def settle(self) -> None:
        """Nothing is on its way: everybody has everything."""
        self._step()
        self._settle()

    # -------------------------------------------------------------------------------------------------------- inside

    def _step(self) -> None:
        Delivery.steps += 1
        if not self.hasty:
            self._rest()

    def _rest(self) -> None:
        """Waits until the server has read, handled and sent everything."""
        here = list(self.people.values())
        self.server.wait_until(
            lambda: (
                self._backend().quiet
                and not any(local.queued for local in self.push.hub)
                and all(
                    person.connection._task is None
                    and (person.connection.closed or self.seen.messages[person.connection.id] == person.sent)
                    for person in here
                )
            ),
            "all is sent",
        )

    def _backend(self) -> Any:
        assert self.plugin.backend is not None
        return self.plugin.backend

    def _message(self, size: int) -> list[Any]:
        return [next(self.numbers), "x" * size]

    def _come(self, who: int) -> Follower:
        kind = KINDS[who]
        client = self.server.client(kind) if kind == "xhr" else self.server.client(kind, receive_buffer=BUFFER)
        connection = self.server.call(lambda: list(self.push.connections.values())[-1])
        person = Follower(client, connection, self.push.rules, self.ledger, self.clock, self.memories[who], LIMIT)
        person.settled_at = self.ledger.bytes
        self.people[who] = person
        return person

    def _live(self, who: int) -> Follower:
        """A person whose line is up; one whom the server has closed reads to the end first, and comes anew."""
        person = self.people.get(who)
        if person is not None and self.server.call(lambda: person.connection.closed):
            person.catch_up()
            self._bury(who)
        return self.people.get(who) or self._come(who)

    def _bury(self, who: int) -> None:
        if self.people[who].ended is not None:
            self.people.pop(who).client.drop()

    def _since(self, who: int, channel: str, back: int) -> Position:
        """What somebody knows of a channel, or else has from somebody who knows all, and something before that."""
        known = self.memories[who].get(channel)
        if known is None:
            entries = self.ledger.of(channel)
            known = (entries and entries[-1].position) or Position("unknown", 0)
        return Position(known.epoch, max(0, known.offset - back))

    def _prepared(self, act: str, who: int, channel: str, turns: int) -> Callable[[], object]:
        """One act of a tangle, done in the loop of the server."""
        if act in ("publish", "burst"):
            messages = [self._message(0) for _ in range(1 if act == "publish" else 3)]
            return lambda: [asyncio.ensure_future(self.push.publish(channel, message)) for message in messages]
        person = self._live(who)
        if act in ("say", "whisper"):
            text = person.prepare("publish", channel, message=self._message(0), echo=act == "say")
        elif act == "recover":
            text = person.prepare("subscribe", channel, self._since(who, channel, turns))
        else:
            text = person.prepare(act, channel)
        connection = person.connection
        return lambda: connection.closed or connection.receive(text)

    def _settle(self) -> None:
        for who in list(self.people):
            self._live(who)
        self._rest()
        for who in list(self.people):
            self.people[who].settle()
            self._bury(who)


class Racing(Delivery):
    """The same without any rest: what the network and two threads make of it."""

    hasty = True


BOUNDS: Final = settings(deadline=None, suppress_health_check=list(HealthCheck))


def test_no_gap_no_duplicate_no_reordering_or_the_plain_word() -> None:
    run_state_machine_as_test(
        Delivery, settings=settings(BOUNDS, max_examples=60, stateful_step_count=40, derandomize=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize("machine", [Delivery, Racing])
def test_no_gap_no_duplicate_no_reordering_or_the_plain_word_for_long(machine: type[Delivery]) -> None:
    """``SETHPUSHER_DELIVERY_EXAMPLES`` says how long; the count of steps is printed (``pytest -s``).

    With the variable, the examples are others each time.
    """
    examples = os.environ.get("SETHPUSHER_DELIVERY_EXAMPLES", "")
    before = Delivery.steps
    bounds = settings(BOUNDS, max_examples=int(examples or 100), stateful_step_count=60, database=None)
    run_state_machine_as_test(machine, settings=settings(bounds, derandomize=not examples))
    print(f"{machine.__name__}: {Delivery.steps - before} steps")
