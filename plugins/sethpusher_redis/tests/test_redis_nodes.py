"""Two nodes that behave as one, seen from their clients."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from redis_servers import Server
from support.clients import Client
from support.server import RunningServer
from support.timing import UNIT

from sethpusher_core.settings.rules import ChannelRule

RULES = (ChannelRule(match="kept.*", history=100, history_age=60.0, presence=True, announce=False),)

Nodes = Callable[..., RunningServer]
Settings = Callable[..., Any]


@pytest.fixture
def pair(nodes: Nodes, settings: Settings) -> tuple[RunningServer, RunningServer]:
    return nodes(settings(), channels=RULES), nodes(settings(), channels=RULES)


def messages(client: Client, count: int) -> list[Any]:
    """The next so many messages that are no notices."""
    found: list[Any] = []
    while len(found) < count:
        message = client.next()
        if not (
            isinstance(message.get("message"), dict) and message["message"].get("type") in ("connect", "subscribe")
        ):
            found.append(message)
    return found


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until something holds; counts may lag behind by a second."""
    deadline = time.monotonic() + UNIT
    while not holds():
        assert time.monotonic() < deadline, "it does not come to hold"
        time.sleep(0.02)


def test_what_one_node_takes_the_other_delivers(pair: tuple[RunningServer, RunningServer]) -> None:
    here, there = pair
    clients = [here.bare(), there.sockjs()]
    for client in clients:
        client.subscribe("news")
    here.publish("news", {"number": 1})
    there.publish("news", {"number": 2})
    for client in clients:
        assert [one["message"]["number"] for one in messages(client, 2)] == [1, 2]


def test_users_and_disconnects_cross_nodes(pair: tuple[RunningServer, RunningServer]) -> None:
    here, there = pair
    alice = there.bare()
    alice.connect("alice")
    here.publish_to_user("alice", "hello")
    assert messages(alice, 1)[0]["message"] == "hello"
    eventually(lambda: here.http.get("/api/users/alice/").json["connections"] == 1)
    assert here.http.call("DELETE", "/api/users/alice/").status == 200
    assert alice.closed()[0] == 3503


def test_a_message_is_decoded_once_and_only_where_somebody_needs_it(
    pair: tuple[RunningServer, RunningServer], shared_server: Server
) -> None:
    here, there = pair
    clients = [there.bare() for _ in range(5)]
    for client in clients:
        client.subscribe("kept.news")
    before = (here.push.hub.delivered, there.push.hub.delivered)
    here.publish("kept.news", 1)
    for client in clients:
        messages(client, 1)
    assert (here.push.hub.delivered, there.push.hub.delivered) == (before[0], before[1] + 1)
    prefix = there.push._component_settings["redis"].prefix  # type: ignore[attr-defined]
    heard = [
        name.decode().removeprefix(f"{prefix}:") for name in shared_server.ask("PUBSUB", "CHANNELS", f"{prefix}:*")
    ]
    assert sorted(name for name in heard if not name.startswith("n:")) == ["c:kept.news", "x:"]
    for client in clients:
        client.unsubscribe("kept.news")
    eventually(lambda: shared_server.ask("PUBSUB", "NUMSUB", f"{prefix}:c:kept.news")[1] == 0)


def test_keys_of_a_channel_share_a_hash_tag_and_all_have_the_prefix(
    pair: tuple[RunningServer, RunningServer], shared_server: Server, settings: Settings
) -> None:
    here, _ = pair
    client = here.bare()
    client.subscribe("kept.{a}b")
    headers = {"Idempotency-Key": "k}1"}
    assert here.http.post("/api/channels/kept.{a}b/", 1, headers=headers).status == 200
    keys = [key.decode() for key in shared_server.ask("KEYS", f"{settings().prefix}:*")]
    own = [key for key in keys if "kept" in key]
    assert len(own) == 5, own
    assert {re.search(r"\{(.*?)\}", key)[1] for key in own} == {"c:kept.{a%7Db"}  # type: ignore[index]


def test_history_is_one_over_the_nodes(pair: tuple[RunningServer, RunningServer]) -> None:
    here, there = pair
    client = here.bare()
    ack = client.request({"type": "subscribe", "channel": "kept.news"})
    client.drop()
    for number in range(1, 6):
        (here, there)[number % 2].publish("kept.news", number)
    again = there.bare().request(
        {
            "type": "subscribe",
            "channel": "kept.news",
            "recover": {"epoch": ack["epoch"], "offset": ack["offset"]},
        }
    )
    assert again["recovered"] is True
    assert [one["message"] for one in again["publications"]] == [1, 2, 3, 4, 5]
    assert [one["offset"] for one in again["publications"]] == [1, 2, 3, 4, 5]


def test_presence_and_counts_are_those_of_all_nodes(pair: tuple[RunningServer, RunningServer]) -> None:
    here, there = pair
    for node, name in ((here, "alice"), (there, "bob"), (there, "alice")):
        client = node.bare()
        client.connect(name)
        client.subscribe("kept.room")
    wanted = {"alice": 2, "bob": 1}  # a moment after the acks: presence is noted behind them

    def people() -> dict[str, int]:
        answer = here.http.get("/api/presence/kept.room/").json
        return {one["subscriber_id"]: one["connections"] for one in answer["people"]}

    eventually(lambda: people() == wanted)
    eventually(lambda: here.http.get("/api/channels/kept.room/").json["subscribers"] == 3)


def test_an_idempotency_key_counts_on_all_nodes(pair: tuple[RunningServer, RunningServer]) -> None:
    client = pair[0].bare()
    client.subscribe("kept.news")
    headers = {"Idempotency-Key": "once"}
    answers = [node.http.post("/api/channels/kept.news/", 1, headers=headers).json for node in (*pair, *pair)]
    assert len({(answer["id"], answer["offset"]) for answer in answers}) == 1
    pair[1].publish("kept.news", 2)
    assert [one["message"] for one in messages(client, 2)] == [1, 2]
