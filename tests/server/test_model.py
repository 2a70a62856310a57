"""Whatever several clients do, each gets exactly what a simple model says, in order within each channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.clients import Client
from support.replay import stream_of
from support.server import RunningServer

from sethpusher_core import errors, hub
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]
Json = Any


@dataclass
class Someone:
    """A client, and what the model knows of it."""

    client: Client
    id: str | None = None
    channels: set[str] = field(default_factory=set)
    due: dict[str, list[Json]] = field(default_factory=dict)

    def owes(self, frame: Json) -> None:
        self.due.setdefault(stream_of(frame), []).append(frame)


class World:
    """Acts on a server over real sockets, and keeps the model beside it."""

    def __init__(self, server: RunningServer, announce: bool) -> None:
        self.server = server
        self.announce = announce
        self.everyone: list[Someone] = []
        self.numbers = 0

    # -------------------------------------------------------------------------------------------------- what happens

    def open(self, transport: str) -> None:
        self.everyone.append(Someone(self.server.client(transport)))

    def connect(self, who: int, id: str) -> None:
        someone = self._pick(who)
        if someone is None:
            return
        reply = someone.client.request({"type": "connect", "subscriber_id": id})
        if someone.id not in (None, id):
            assert reply["code"] == errors.ALREADY_CONNECTED.code
            return
        assert reply["type"] == "ack"
        if someone.id is None:
            someone.id = id
            someone.channels.add("all")
            self._announce(someone, "connect", "all", f"User: {id} connected.")

    def subscribe(self, who: int, channel: str) -> None:
        someone = self._pick(who)
        if someone is not None:
            reply = someone.client.request({"type": "subscribe", "channel": channel})
            assert (reply["type"], reply["channel"]) == ("ack", channel)
            self._subscribed(someone, channel)

    def unsubscribe(self, who: int, channel: str) -> None:
        someone = self._pick(who)
        if someone is not None:
            someone.client.unsubscribe(channel)
            self._unsubscribed(someone, channel)

    def burst(self, who: int, changes: list[tuple[str, str]]) -> None:
        """Several messages at once, none of which asks for a reply."""
        someone = self._pick(who)
        if someone is None:
            return
        someone.client.send(*({"type": type, "channel": channel} for type, channel in changes))
        someone.client.request({"type": "unsubscribe", "channel": "fence"})
        for type, channel in changes:
            (self._subscribed if type == "subscribe" else self._unsubscribed)(someone, channel)

    def publish(self, channel: str) -> None:
        self.numbers += 1
        self.server.publish(channel, {"n": self.numbers, "sender_id": self.numbers})
        self._published(channel, self.numbers)

    def send_to_user(self, id: str) -> None:
        self.numbers += 1
        self.server.publish_to_user(id, self.numbers)
        for someone in self.everyone:
            if someone.id == id:
                someone.owes({"message": self.numbers, "sender_id": None, "target_id": id})

    def storm(self, channels: list[str]) -> None:
        """Many publications within one turn of the server's loop."""
        push, first = self.server.push, self.numbers + 1

        async def publish() -> None:
            for n, channel in enumerate(channels, first):
                await push.publish(channel, {"n": n, "sender_id": n})

        self.server.run(publish())
        self.numbers += len(channels)
        for n, channel in enumerate(channels, first):
            self._published(channel, n)

    def leave(self, who: int, abruptly: bool) -> None:
        someone = self._pick(who)
        if someone is None:
            return
        self._look(someone)
        self.everyone.remove(someone)
        someone.client.drop() if abruptly and someone.client.transport != "xhr" else someone.client.close()
        here = len(self.everyone)
        self.server.wait_until(lambda: len(self.server.push.connections) == here, "it is gone")
        if someone.id is not None:
            self._announce(someone, "disconnect", "all", f"User: {someone.id} disconnected.")

    def look(self, who: int) -> None:
        someone = self._pick(who)
        if someone is not None:
            self._look(someone)

    # -------------------------------------------------------------------------------------------------------- inside

    def begin(self) -> None:
        """Takes away what an earlier story has left."""
        push = self.server.push
        self.server.call(lambda: [session.close() for session in list(push.router.sessions)])
        self.server.wait_until(lambda: not push.connections and not list(push.hub), "the stage is empty")

    def end(self) -> None:
        for someone in self.everyone:
            self._look(someone)

    def _look(self, someone: Someone) -> None:
        # An ack may overtake what another channel has not sent yet, so that is waited for.
        self.server.wait_until(lambda: not self.server.push.hub._dirty, "all is sent")
        got: dict[str, list[Json]] = {}
        for frame in someone.client.take():
            got.setdefault(stream_of(frame), []).append(frame)
        due, someone.due = someone.due, {}
        assert got == due

    def _pick(self, who: int) -> Someone | None:
        return self.everyone[who % len(self.everyone)] if self.everyone else None

    def _subscribed(self, someone: Someone, channel: str) -> None:
        if channel not in someone.channels:
            someone.channels.add(channel)
            self._announce(someone, "subscribe", channel, f"User: {someone.id} subscribed to {channel}")

    def _unsubscribed(self, someone: Someone, channel: str) -> None:
        if channel in someone.channels:
            someone.channels.remove(channel)
            self._announce(someone, "unsubscribe", channel, f"User: {someone.id} unsubscribed from {channel}")

    def _announce(self, who: Someone, type: str, channel: str, body: str) -> None:
        if self.announce:
            for someone in self.everyone:
                if channel in someone.channels and (someone is not who or type == "subscribe"):
                    someone.owes({"message": {"body": body, "subscriber_id": who.id, "type": type}})

    def _published(self, channel: str, n: int) -> None:
        for someone in self.everyone:
            if channel in someone.channels:
                someone.owes({"message": {"n": n, "sender_id": n}, "sender_id": n, "channel": channel})


TRANSPORTS = st.sampled_from(["raw", "sockjs", "sockjs", "xhr"])
WHO = st.integers(0, 5)
IDS = st.sampled_from(["alice", "bob"])
CHANNELS = st.sampled_from(["all", "news", "sport/1"])
CHANGES = st.tuples(st.sampled_from(["subscribe", "unsubscribe"]), CHANNELS)
STEPS = st.one_of(
    st.tuples(st.just(World.open), TRANSPORTS),
    st.tuples(st.just(World.connect), WHO, IDS),
    st.tuples(st.just(World.subscribe), WHO, CHANNELS),
    st.tuples(st.just(World.subscribe), WHO, CHANNELS),
    st.tuples(st.just(World.unsubscribe), WHO, CHANNELS),
    st.tuples(st.just(World.burst), WHO, st.lists(CHANGES, min_size=1, max_size=5)),
    st.tuples(st.just(World.publish), CHANNELS),
    st.tuples(st.just(World.send_to_user), IDS),
    st.tuples(st.just(World.storm), st.lists(CHANNELS, max_size=6)),
    st.tuples(st.just(World.leave), WHO, st.booleans()),
    st.tuples(st.just(World.look), WHO),
)
FIRST = st.lists(TRANSPORTS, min_size=2, max_size=4)
STORIES = st.lists(STEPS, min_size=5, max_size=40)

short = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
long = settings(short, max_examples=200)


@pytest.fixture(params=[True, False], ids=["announced", "quiet"])
def announce(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def stage(serve: Serve, announce: bool) -> RunningServer:
    """One server for all stories of a test; a new one each time would take most of the time."""
    return serve(channels=(ChannelRule("*", announce=announce),), message_rate=0)


@contextmanager
def slices_of_one() -> Iterator[None]:
    """Every fan-out yields to the loop after each recipient."""
    with patch.object(hub, "SLICE", 1), patch.object(hub, "SLICE_SECONDS", 0.0):
        yield


def tell(stage: RunningServer, announce: bool, first: list[str], story: list[tuple[Callable[..., None], Any]]) -> None:
    world = World(stage, announce)
    world.begin()
    for transport in first:
        world.open(transport)
    for act, *arguments in story:
        act(world, *arguments)
    world.end()


@short
@given(first=FIRST, story=STORIES)
def test_everyone_gets_what_the_model_says(stage: RunningServer, announce: bool, first: Any, story: Any) -> None:
    tell(stage, announce, first, story)


@short
@given(first=FIRST, story=STORIES)
def test_and_so_when_every_fan_out_yields(stage: RunningServer, announce: bool, first: Any, story: Any) -> None:
    with slices_of_one():
        tell(stage, announce, first, story)


@pytest.mark.slow
@long
@given(first=FIRST, story=STORIES)
def test_for_long(stage: RunningServer, announce: bool, first: Any, story: Any) -> None:
    tell(stage, announce, first, story)


@pytest.mark.slow
@long
@given(first=FIRST, story=STORIES)
def test_for_long_when_every_fan_out_yields(stage: RunningServer, announce: bool, first: Any, story: Any) -> None:
    with slices_of_one():
        tell(stage, announce, first, story)
