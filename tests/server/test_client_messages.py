"""What clients say and what they are told, over every transport."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable

import pytest
from support.clients import Client
from support.server import RunningServer

from sethpusher_core import errors
from sethpusher_core.errors import ErrorCode
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]


@pytest.fixture
def client(server: RunningServer, transport: str) -> Client:
    return server.client(transport)


def notice(type: str, id: str | None, body: str) -> dict[str, object]:
    return {"message": {"body": body, "subscriber_id": id, "type": type}}


# --------------------------------------------------------------------------------------------------------- replies


def test_messages_with_an_id_are_acknowledged_once_each(client: Client) -> None:
    client.send({"type": "connect", "subscriber_id": "alice", "id": "one"})
    client.send({"type": "subscribe", "channel": "news", "id": 2})
    client.send({"type": "unsubscribe", "channel": "news", "id": -3})
    client.send({"type": "subscribe", "channel": "news", "id": ""})
    client.send({"type": "subscribe", "channel": "news", "id": 2**70})
    own = notice("subscribe", "alice", "User: alice subscribed to news")
    assert client.next() == {"type": "ack", "id": "one"}
    assert client.next() == {"type": "ack", "id": 2, "channel": "news"}, "before the notice of it"
    got = [client.next() for _ in range(5)]
    replies = [message for message in got if "type" in message]
    assert replies == [{"type": "ack", "id": id, "channel": "news"} for id in (-3, "", 2**70)]
    assert [message for message in got if "type" not in message] == [own, own]
    assert client.take() == []


def test_messages_without_an_id_are_answered_by_what_they_do(client: Client) -> None:
    client.send({"type": "connect", "subscriber_id": "alice"}, {"type": "subscribe", "channel": "news"})
    client.send({"type": "unsubscribe", "channel": "news"}, {"type": "connect", "subscriber_id": "alice"})
    assert client.take() == [notice("subscribe", "alice", "User: alice subscribed to news")]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({}, errors.BAD_MESSAGE),
        ({"type": None}, errors.BAD_MESSAGE),
        ({"type": ["subscribe"]}, errors.BAD_MESSAGE),
        ({"type": "Subscribe", "channel": "news"}, errors.UNKNOWN_TYPE),
        ({"type": "\ud800"}, errors.UNKNOWN_TYPE),
        ({"type": "x" * 10_000}, errors.UNKNOWN_TYPE),
        ({"type": "subscribe"}, errors.BAD_FIELD),
        ({"type": "subscribe", "channel": None}, errors.BAD_FIELD),
        ({"type": "subscribe", "channel": 1.5}, errors.BAD_FIELD),
        ({"type": "subscribe", "channel": {}}, errors.BAD_FIELD),
        ({"type": "subscribe", "channel": ""}, errors.BAD_FIELD),
        ({"type": "subscribe", "channel": "x" * 256}, errors.BAD_FIELD),
        ({"type": "subscribe", "channel": "\udfff"}, errors.BAD_FIELD),
        ({"type": "unsubscribe"}, errors.BAD_FIELD),
        ({"type": "unsubscribe", "channel": []}, errors.BAD_FIELD),
        ({"type": "connect"}, errors.BAD_FIELD),
        ({"type": "connect", "subscriber_id": True}, errors.BAD_FIELD),
        ({"type": "connect", "subscriber_id": ""}, errors.BAD_FIELD),
        ({"type": "connect", "subscriber_id": "x" * 256}, errors.BAD_FIELD),
    ],
    ids=lambda value: value.name if isinstance(value, ErrorCode) else json.dumps(value)[:60],
)
def test_what_cannot_be_served_is_an_error_with_and_without_an_id(
    server: RunningServer, message: dict[str, object], code: ErrorCode
) -> None:
    client = server.sockjs()
    reply = client.request(message)
    assert (reply["type"], reply["code"]) == ("error", code.code)
    assert len(reply["message"]) < 200
    client.send(message)
    told = client.next()
    assert "id" not in told
    assert {**told, "id": reply["id"]} == reply
    assert client.take() == []


@pytest.mark.parametrize(
    "text",
    ["hello", "{", "[]", "1", "null", '{"type": NaN}', '[{"type": "connect"}]', "[" * 5000, "\ufeff{}"],
)
def test_what_is_no_message_is_an_error_and_costs_nothing_else(server: RunningServer, text: str) -> None:
    for client in (server.sockjs(), server.bare()):
        client.send_texts(text)
        assert client.next()["code"] == errors.BAD_MESSAGE.code
        client.subscribe("news")


@pytest.mark.parametrize("id", [1.5, True, [], {"a": 1}])
def test_an_id_of_another_kind_is_refused_without_it(client: Client, id: object) -> None:
    client.send({"type": "subscribe", "channel": "news", "id": id})
    told = client.next()
    assert (told["type"], told["code"], "id" in told) == ("error", errors.BAD_FIELD.code, False)
    client.subscribe("news")
    assert len(client.take()) == 1, "it was not subscribed before"


def test_an_id_that_utf_8_has_no_form_for_comes_back_as_it_was_sent(client: Client) -> None:
    client.send_texts('{"type": "subscribe", "channel": "news", "id": "\\ud800"}')
    assert client.next() == {"type": "ack", "id": "\ud800", "channel": "news"}
    client.send_texts('{"type": "nothing", "id": "\\udfff"}')
    assert next(message["id"] for message in client.take() if "id" in message) == "\udfff"


# ------------------------------------------------------------------------------------------------ ids and channels


def test_integers_are_their_decimal_text(server: RunningServer, client: Client) -> None:
    client.send({"type": "connect", "subscriber_id": 7}, {"type": "subscribe", "channel": -12})
    client.take()
    client.connect("7")
    client.subscribe("-12")
    server.publish("-12", 1)
    server.publish_to_user("7", 2)
    assert [message["message"] for message in client.take()] == [1, 2]


def test_a_second_connect_with_another_id_is_an_error_for_those_who_ask(server: RunningServer, client: Client) -> None:
    client.connect("alice")
    reply = client.request({"type": "connect", "subscriber_id": "bob"})
    assert (reply["type"], reply["code"]) == ("error", errors.ALREADY_CONNECTED.code)
    client.send({"type": "connect", "subscriber_id": "bob"})
    server.publish_to_user("bob", 1)
    server.publish_to_user("alice", 2)
    assert [message["message"] for message in client.take()] == [2]


def test_names_are_told_apart_to_the_last_character(server: RunningServer) -> None:
    names = ["news", "News", "news ", " news", "news/", "néws", "ne\u0301ws", "n%65ws", "*", "all/", "🎉"]
    client = server.sockjs()
    for name in names:
        client.subscribe(name)
    client.take()
    for n, name in enumerate(names):
        server.run(server.push.publish(name, n))
    assert [(message["channel"], message["message"]) for message in client.take()] == list(
        zip(names, range(len(names)), strict=True)
    )


# --------------------------------------------------------------------------------------------------------- limits


def test_subscriptions_are_bounded(serve: Serve, transport: str) -> None:
    server = serve(max_subscriptions=3)
    client = server.client(transport)
    client.connect("alice")  # the channel all is one of them
    for channel in ("a", "b", "a"):
        client.subscribe(channel)
    assert client.request({"type": "subscribe", "channel": "c"})["code"] == errors.LIMIT.code
    assert server.push.counts == {"subscriptions_over_limit": 1}
    client.unsubscribe("a")
    client.subscribe("c")


def test_names_are_bounded_in_characters(serve: Serve) -> None:
    client = serve(max_channel_length=5, max_id_length=3).sockjs()
    client.subscribe("ééééé")
    assert client.request({"type": "subscribe", "channel": "123456"})["code"] == errors.BAD_FIELD.code
    assert client.request({"type": "connect", "subscriber_id": 1234})["code"] == errors.BAD_FIELD.code
    client.connect("ééé")


@pytest.mark.parametrize("kind", ["raw", "sockjs"])
def test_a_message_above_the_limit_ends_its_connection_only(serve: Serve, kind: str) -> None:
    server = serve(max_message_size=1000)
    other, client = server.client(kind), server.client(kind)
    client.send({"type": "subscribe", "channel": "x", "padding": "x" * 1000})
    assert client.closed()[0] == 1009
    other.subscribe("x")
    assert server.push.counts == {"messages_over_size": 1}


def test_a_body_and_a_message_in_it_above_the_limit_are_refused_and_counted(serve: Serve) -> None:
    server = serve(max_message_size=1000, max_body_size=5000)
    client = server.xhr()
    for size, count in ((2000, "messages_over_size"), (6000, "bodies_over_size")):
        answer = server.http.post(f"{client._base}/xhr_send", ["x" * size])
        assert answer.status == 413
        assert server.push.counts[count] == 1
    client.subscribe("still here")


def test_a_client_that_says_too_much_is_told_to_slow_down(serve: Serve) -> None:
    server = serve(message_rate=5)
    client = server.sockjs()
    replies = [client.request({"type": "unsubscribe", "channel": "x"}) for _ in range(20)]
    assert [reply["type"] for reply in replies[:5]] == ["ack"] * 5
    refused = [reply["code"] for reply in replies if reply["type"] == "error"]
    assert set(refused) == {errors.OVERLOADED.code}
    assert server.push.counts == {"messages_over_rate": len(refused)}


# ----------------------------------------------------------------------------------------------------------- order


def test_many_messages_at_once_are_handled_in_order(serve: Serve, transport: str) -> None:
    client = serve(message_rate=0, max_subscriptions=1000).client(transport)
    for start in range(0, 600, 200):
        client.send(*({"type": "subscribe", "channel": f"c{n}", "id": n} for n in range(start, start + 200)))
    replies = [message for message in client.take() if message.get("type") == "ack"]
    assert [reply["id"] for reply in replies] == list(range(600))


def test_the_ack_of_a_subscribe_stands_between_what_was_before_and_what_comes_after(serve: Serve) -> None:
    server = serve(channels=(ChannelRule("*", announce=False),))
    push, client = server.push, server.sockjs()

    async def publish_for_ever() -> None:
        for n in itertools.count():
            await push.publish("news", n)
            await asyncio.sleep(0)

    async def begin() -> asyncio.Task[None]:
        return asyncio.create_task(publish_for_ever())

    task = server.run(begin())
    try:
        for _ in range(20):
            client.send({"type": "subscribe", "channel": "news", "id": "s"})
            while client.next().get("id") != "s":
                pass
            first = client.next()["message"]
            following = [client.next()["message"] for _ in range(5)]
            assert following == list(range(first + 1, first + 6)), "nothing is missing after the ack"
            client.send({"type": "unsubscribe", "channel": "news", "id": "u"})
            while client.next().get("id") != "u":
                pass
            assert client.take() == [], "nothing comes after the ack of an unsubscribe"
    finally:
        server.call(task.cancel)


def test_what_a_client_did_before_it_left_is_done(server: RunningServer, transport: str) -> None:
    watcher = server.sockjs()
    watcher.connect("watcher")
    client = server.client(transport)
    client.send({"type": "connect", "subscriber_id": "alice"}, {"type": "subscribe", "channel": "all"})
    client.take()
    client.close()
    bodies = [watcher.next()["message"]["body"] for _ in range(2)]
    assert bodies == ["User: alice connected.", "User: alice disconnected."]
