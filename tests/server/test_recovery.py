"""What did I miss? Positions in acks and envelopes, and subscribing with ``recover``."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from support.clients import Client
from support.ledger import Ledgered
from support.server import RunningServer

from sethpusher_core import errors, history, hub
from sethpusher_core.addresses import Address
from sethpusher_core.backends.base import Position, Sink
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]

KEPT = ChannelRule(match="*", history=5, announce=False)


@pytest.fixture
def server(serve: Serve) -> RunningServer:
    rules = (ChannelRule(match="plain", announce=False), ChannelRule(match="closed", history=5, history_read="nobody"))
    return serve(channels=(*rules, KEPT))


def published(server: RunningServer, *messages: object, channel: str = "news") -> list[dict[str, Any]]:
    """Publishes, and gives the envelopes that clients must see."""
    envelopes = []
    for message in messages:
        answer = server.publish(channel, message).json
        position = {"offset": answer["offset"], "epoch": answer["epoch"]}
        envelopes.append({"message": message, "sender_id": None, "channel": channel, **position})
    return envelopes


def subscribe(client: Client, channel: str = "news", **more: object) -> dict[str, Any]:
    reply = client.request({"type": "subscribe", "channel": channel, **more})
    del reply["id"]
    assert isinstance(reply, dict)
    return reply


def position(envelope: dict[str, Any]) -> dict[str, Any]:
    return {"epoch": envelope["epoch"], "offset": envelope["offset"]}


# ------------------------------------------------------------------------------------------------------- positions


def test_the_ack_has_the_position_after_which_the_offsets_follow(server: RunningServer, transport: str) -> None:
    first = server.client(transport)
    ack = subscribe(first)
    assert ack == {"type": "ack", "channel": "news", "epoch": ack["epoch"], "offset": 0}
    envelopes = published(server, "a", "b", {"sender_id": 7})[:2]
    assert [position(envelope) for envelope in envelopes] == [{**position(ack), "offset": offset} for offset in (1, 2)]
    assert first.take()[:2] == envelopes
    assert position(subscribe(server.client(transport))) == {**position(ack), "offset": 3}


def test_there_is_no_position_where_no_history_is_kept(server: RunningServer, transport: str) -> None:
    client = server.client(transport)
    assert subscribe(client, "plain") == {"type": "ack", "channel": "plain"}
    assert server.publish("plain", 1).json.keys() == {"status", "id"}
    client.connect("alice")
    assert server.publish_to_user("alice", 2).json.keys() == {"status", "id"}
    assert client.take() == [
        {"message": 1, "sender_id": None, "channel": "plain"},
        {"message": 2, "sender_id": None, "target_id": "alice"},
    ]


def test_notices_have_no_place_in_the_history(serve: Serve) -> None:
    server = serve(channels=(ChannelRule(match="*", history=5),))
    client = server.bare()
    client.subscribe("news")
    server.publish("news", "a")
    notice, envelope = client.take()
    assert notice["message"]["type"] == "subscribe"
    assert notice.keys() == {"message"}
    assert envelope["offset"] == 1
    assert len(server.http.get("/api/history/news/").json["publications"]) == 1


def test_every_channel_counts_for_itself(server: RunningServer) -> None:
    offsets = [published(server, 0, channel=channel)[0]["offset"] for channel in ("a", "b", "a", "b", "b")]
    assert offsets == [1, 1, 2, 2, 3]


def test_a_second_subscribe_is_told_a_position_up_to_which_all_has_come(serve: Serve) -> None:
    """Found by test_delivery_stateful.py: the position was ahead of what was still to come."""
    push = PushServer(CoreSettings(channels=(KEPT,)))
    server = serve(push)
    clients = [server.bare() for _ in range(4)]
    for client in clients:
        client.subscribe("news")

    async def publish_and_subscribe() -> None:
        for number in range(3):
            await push.publish("news", number)
        for number, connection in enumerate(reversed(push.connections.values())):  # the last are served last
            connection.receive(json.dumps({"type": "subscribe", "channel": "news", "id": f"again {number}"}))
            await asyncio.sleep(0)

    with patch.object(hub, "SLICE", 1), patch.object(hub, "SLICE_SECONDS", 0.0):
        server.run(publish_and_subscribe())
        seen = [client.take() for client in clients]
    for messages in seen:
        *envelopes, ack = messages
        assert [envelope["offset"] for envelope in envelopes] == [1, 2, 3]
        assert (ack["type"], ack["offset"]) == ("ack", 3)


# -------------------------------------------------------------------------------------------------------- recovery


def test_what_was_missed_comes_whole_and_in_order(server: RunningServer, transport: str) -> None:
    client = server.client(transport)
    client.subscribe("news")
    [seen] = published(server, "a")
    assert client.take() == [seen]
    client.drop()
    missed = published(server, "b", {"c": [1, "\u2028"]}, None)
    back = server.client(transport)
    ack = subscribe(back, recover=position(seen))
    assert ack == {
        "type": "ack",
        "channel": "news",
        **position(missed[-1]),
        "recovered": True,
        "publications": missed,
    }
    assert (published(server, "d"), back.take()) == ([{**missed[-1], "message": "d", "offset": 5}],) * 2


def test_nothing_missed_is_recovered_too(server: RunningServer, transport: str) -> None:
    [*_, last] = published(server, "a", "b")
    ack = subscribe(server.client(transport), recover=position(last))
    assert (ack["recovered"], ack["publications"], ack["offset"]) == (True, [], 2)


def test_before_the_first_publication_there_is_a_position_too(server: RunningServer) -> None:
    """Found while testing: a channel that was empty and left had another epoch a moment later."""
    nothing = position(server.http.get("/api/history/news/").json)
    client = server.bare()
    assert position(subscribe(client)) == nothing
    client.drop()
    server.wait_until(lambda: not server.push.connections, "it has left")
    missed = published(server, "a")
    ack = subscribe(server.bare(), recover=nothing)
    assert (ack["recovered"], ack["publications"]) == (True, missed)


@pytest.mark.parametrize(
    ("epoch", "offset", "publish"),
    [("unknown", 0, 1), ("unknown", 2, 1), (None, 3, 0), (None, 10**30, 0), (None, 2, 6)],
    ids=["another epoch", "another epoch, same offset", "the future", "the far future", "too much missed"],
)
def test_what_cannot_be_had_whole_does_not_come_at_all(
    server: RunningServer, epoch: str | None, offset: int, publish: int
) -> None:
    [*_, last] = published(server, "a", "b")
    published(server, *range(publish))
    client = server.bare()
    ack = subscribe(client, recover={"epoch": epoch or last["epoch"], "offset": offset})
    top = {"epoch": last["epoch"], "offset": 2 + publish}
    assert ack == {"type": "ack", "channel": "news", **top, "recovered": False, "publications": []}
    assert (published(server, "next"), client.take()) == ([{**last, "message": "next", "offset": 3 + publish}],) * 2


def test_the_last_that_can_be_had_is_had(server: RunningServer) -> None:
    first, *missed = published(server, *range(6))
    assert subscribe(server.bare(), recover=position(first))["publications"] == missed
    assert subscribe(server.bare(), recover={**position(first), "offset": 0})["recovered"] is False


def test_after_a_restart_the_epoch_is_another(serve: Serve) -> None:
    push = PushServer(CoreSettings(channels=(KEPT,)))
    server = serve(push)
    [before] = published(server, "a")
    server.run(push.stop())
    server.run(push.start())
    published(server, "b", "c")
    ack = subscribe(server.bare(), recover=position(before))
    assert (ack["recovered"], ack["publications"], ack["offset"]) == (False, [], 2)
    assert ack["epoch"] != before["epoch"]


def test_a_channel_that_was_forgotten_has_another_epoch(serve: Serve) -> None:
    plugin = Ledgered(itertools.repeat(0))
    server = serve(PushServer(CoreSettings(channels=(KEPT,)), plugins=[plugin]))
    assert plugin.backend is not None
    [before] = published(server, "a")
    plugin.clock.advance(KEPT.history_age + 1)
    server.call(plugin.backend.sweep)
    ack = subscribe(server.bare(), recover=position(before))
    assert (ack["recovered"], ack["publications"], ack["offset"]) == (False, [], 0)
    assert ack["epoch"] != before["epoch"]


def test_a_hole_is_closed_while_subscribed(server: RunningServer, transport: str) -> None:
    client = server.client(transport)
    client.subscribe("news")
    envelopes = published(server, "a", "b", "c")
    assert client.take() == envelopes
    ack = subscribe(client, recover=position(envelopes[0]))
    assert (ack["recovered"], ack["publications"]) == (True, envelopes[1:])
    [after] = published(server, "d")
    assert client.take() == [after], "once"
    assert server.push.hub.get(next(iter(server.push.hub)).address).count == 1  # type: ignore[union-attr]


def test_a_channel_without_history_recovers_nothing(server: RunningServer, transport: str) -> None:
    client = server.client(transport)
    ack = subscribe(client, "plain", recover={"epoch": "e", "offset": 1})
    assert ack == {"type": "ack", "channel": "plain", "recovered": False, "publications": []}
    server.publish("plain", 1)
    assert len(client.take()) == 1
    assert subscribe(client, "plain", recover={"epoch": "e", "offset": 1}) == ack
    server.publish("plain", 2)
    assert len(client.take()) == 1


def test_too_much_for_one_client_is_not_recovered(serve: Serve) -> None:
    """It would be cut off by whatever came next, come back and ask for the same again, for ever."""
    server = serve(channels=(KEPT,), outbound_limit=10_000)
    first, *some = published(server, "a", *["x" * 3000] * 3)
    assert subscribe(server.bare(), recover=position(first))["publications"] == some
    published(server, "y" * 3000)
    ack = subscribe(server.bare(), recover=position(first))
    assert (ack["recovered"], ack["publications"], ack["offset"]) == (False, [], 5)


class Late(MemoryBackend):
    """Hands over what it has taken only when :meth:`hand_over` is called, as a bus hands over later to one node."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[tuple[Address, bytes, Position | None]] = []

    async def start(self, sink: Sink, node_id: str) -> None:
        self._hub = sink
        await super().start(self, node_id)

    def deliver(self, address: Address, payload: bytes, position: Position | None = None) -> None:
        self._kept.append((address, payload, position))

    def hand_over(self) -> None:
        kept, self._kept = self._kept, []
        for address, payload, position in kept:
            self._hub.deliver(address, payload, position)


class LatePlugin:
    name = "late"

    def __init__(self) -> None:
        self.backend = Late()

    @hookimpl
    def register_backends(self, register: Any) -> None:
        register("late", lambda settings: self.backend)


@pytest.fixture
def late(serve: Serve) -> tuple[RunningServer, Late]:
    plugin = LatePlugin()
    return serve(PushServer(CoreSettings(channels=(KEPT,), message_rate=0), plugins=[plugin])), plugin.backend


@pytest.mark.parametrize("after", [0, 2])
def test_who_has_seen_more_than_this_node_has_heard_gets_nothing_twice(
    late: tuple[RunningServer, Late], after: int
) -> None:
    """Found by test_delivery_stateful.py: a client that comes from a node which is ahead was sent the same again."""
    server, backend = late
    server.bare().subscribe("news")
    _, second, *missed = published(server, *range(2 + after))
    client = server.bare()
    client.send({"type": "subscribe", "channel": "news", "id": 1, "recover": position(second)})
    server.wait_until(lambda: server.push.interest._wishes[Address.channel("news")].wanted == 2, "it is being let in")
    server.call(backend.hand_over)
    ack = client.next()
    assert (ack["recovered"], ack["publications"], ack["offset"]) == (True, missed, 2 + after)
    [last] = published(server, "last")
    server.call(backend.hand_over)
    assert client.take() == [last]


def test_what_this_node_has_not_heard_yet_comes_when_it_has(late: tuple[RunningServer, Late]) -> None:
    server, backend = late
    server.bare().subscribe("news")
    first, second = published(server, "a", "b")
    server.call(backend.hand_over)
    later = published(server, "c", "d")
    client = server.bare()
    ack = subscribe(client, recover=position(first))
    assert (ack["recovered"], ack["publications"], ack["offset"]) == (True, [second], 2)
    server.call(backend.hand_over)
    assert client.take() == later, "once"


def test_a_node_that_stays_behind_says_so(late: tuple[RunningServer, Late]) -> None:
    server, backend = late
    server.bare().subscribe("news")
    [*_, last] = published(server, "a", "b")
    client = server.bare()
    with patch.object(history, "PAUSES", (0.0,)):
        ack = subscribe(client, recover=position(last))
    assert (ack["recovered"], ack["publications"], ack["offset"]) == (False, [], 0)
    server.call(backend.hand_over)
    assert [envelope["message"] for envelope in client.take()] == ["a", "b"]


# ---------------------------------------------------------------------------------------------------- what is refused


def test_recover_without_an_id_is_an_error(server: RunningServer, transport: str) -> None:
    client = server.client(transport)
    client.send({"type": "subscribe", "channel": "news", "recover": {"epoch": "e", "offset": 1}})
    [error] = client.take()
    assert (error["type"], error["code"]) == ("error", errors.BAD_FIELD.code)
    assert "id" not in error
    server.publish("news", 1)
    assert client.take() == [], "not subscribed"


@pytest.mark.parametrize(
    "recover",
    ["x", 1, True, [], {}, {"epoch": "e"}, {"offset": 1}, {"epoch": 1, "offset": 1}]
    + [{"epoch": "e", "offset": offset} for offset in (-1, 1.5, "1", True, None)],
)
def test_a_position_of_another_shape_is_an_error(server: RunningServer, recover: object) -> None:
    client = server.bare()
    error = subscribe(client, recover=recover)
    assert (error["type"], error["code"]) == ("error", errors.BAD_FIELD.code)
    server.publish("news", 1)
    assert client.take() == [], "not subscribed"


def test_no_position_is_no_recovery(server: RunningServer) -> None:
    assert "recovered" not in subscribe(server.bare(), recover=None)


def test_who_may_not_read_may_not_recover(server: RunningServer, transport: str) -> None:
    client = server.client(transport)
    error = subscribe(client, "closed", recover={"epoch": "e", "offset": 0})
    assert (error["type"], error["code"]) == ("error", errors.DENIED.code)
    server.publish("closed", 1)
    assert client.take() == [], "not subscribed"
    assert subscribe(client, "closed")["offset"] == 1
