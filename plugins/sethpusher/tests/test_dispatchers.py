"""Dispatchers: by themselves, and with types of messages that an application adds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from sethpusher.applications import SethPusherInMemoryApplication
from sethpusher.dispatchers import DefaultMessageDispatcher
from sethpusher.ws.views import SethSocketHandler
from support.clients import Client
from support.server import RunningServer

from sethpusher_core import ChannelRule, CoreSettings, Handled

Serve = Callable[..., RunningServer]


class Recorder:
    def __init__(self) -> None:
        self.calls: list[Any] = []

    def handle_connect(self, source_msg: Any, subscriber_id: Any) -> None:
        self.calls.append(("connect", source_msg, subscriber_id))

    def handle_subscribe(self, source_msg: Any) -> None:
        self.calls.append(("subscribe", source_msg))

    def handle_unsubscribe(self, source_msg: Any) -> None:
        self.calls.append(("unsubscribe", source_msg))


def test_by_itself() -> None:
    dispatcher, handler = DefaultMessageDispatcher(), Recorder()
    with pytest.raises(AttributeError, match="register_handler"):
        dispatcher.dispatch({"type": "connect", "subscriber_id": "alice"})
    dispatcher.register_handler(handler)
    assert (dispatcher.is_connected, dispatcher.channels) == (False, [])
    connect = {"type": "connect", "subscriber_id": "alice"}
    dispatcher.dispatch(connect)
    assert (dispatcher.is_connected, dispatcher.subscriber_id) == (True, "alice")
    dispatcher.dispatch({"type": "connect", "subscriber_id": "bob"})
    assert dispatcher.subscriber_id == "alice"
    for type_ in ("subscribe", "subscribe", "unsubscribe"):
        dispatcher.dispatch({"type": type_, "channel": "news"})
        assert dispatcher.channels == (["news"] if type_ == "subscribe" else [])
    dispatcher.dispatch({"type": "subscribe", "channel": 7})
    assert dispatcher.channels == ["7"]
    assert handler.calls[0] == ("connect", connect, "alice")
    assert [call[0] for call in handler.calls[1:]] == ["subscribe", "subscribe", "unsubscribe", "subscribe"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("hi", "Message must be a JSON object."),
        ({}, "Message must have a type."),
        ({"type": ["connect"]}, "Message must have a type."),
        ({"type": "dance"}, "Wrong type: dance."),
        ({"type": "connect"}, "Must provide subscriber_id for connect message."),
        ({"type": "subscribe", "channel": None}, "Must provide channel for subscribe message."),
        ({"type": "unsubscribe"}, "Must provide channel for unsubscribe message."),
        ({"type": "connect", "subscriber_id": "alice"}, None),
        ({"type": "subscribe", "channel": "news"}, None),
    ],
)
def test_validate_message(message: Any, error: str | None) -> None:
    assert DefaultMessageDispatcher().validate_message(message) == (error is None, error)


# ------------------------------------------------------------------------------------------------- in an application


class Chat(DefaultMessageDispatcher):
    """Three types more, written as for release 0.2.2, and one that is a coroutine."""

    SAY = "say"

    def __init__(self) -> None:
        super().__init__()
        self.messages[self.SAY] = self.handle_say
        self.messages["join"] = self.handle_join
        self.messages["where"] = self.handle_where
        self.messages["later"] = self.handle_later

    def validate_message(self, msg: Any) -> tuple[bool, str | None]:
        is_valid, error = super().validate_message(msg)
        if is_valid and msg["type"] == self.SAY and not msg.get("text"):
            return False, "Say something."
        return is_valid, error

    def handle_say(self, msg: Any) -> None:
        said = {"text": msg["text"], "sender_id": self.subscriber_id}
        self.handler.application.send_to_channel(msg=said, channel=msg["channel"])

    def handle_join(self, msg: Any) -> None:
        self.handler.handle_subscribe(msg)
        self.handler.application.broadcast({"joined": self.subscriber_id}, msg["channel"])

    def handle_where(self, msg: Any) -> Handled:
        return Handled({"channels": self.channels})

    async def handle_later(self, msg: Any) -> None:
        await asyncio.sleep(0)
        self.handler.send(json.dumps({"later": msg["n"]}))


class ChatApp(SethPusherInMemoryApplication):
    def get_dispatcher(self) -> Any:
        return Chat()


@pytest.fixture(params=["raw", "sockjs", "xhr"])
def alice(serve: Serve, request: pytest.FixtureRequest) -> Client:
    client = serve(ChatApp()).client(request.param)
    client.connect("alice")
    client.subscribe("room")
    assert [notice["message"]["type"] for notice in client.take()] == ["subscribe"]
    return client


def test_a_type_of_ones_own(alice: Client) -> None:
    assert alice.request({"type": "say", "channel": "room", "text": "hi"})["type"] == "ack"
    said = {"text": "hi", "sender_id": "alice"}
    assert alice.take() == [{"message": said, "sender_id": "alice", "channel": "room"}]


def test_a_refusal_of_ones_own(alice: Client) -> None:
    error = alice.request({"type": "say", "channel": "room"})
    assert (error["type"], error["code"], error["message"]) == ("error", 1502, "Say something.")


def test_a_type_that_leads_to_subscribing(alice: Client) -> None:
    """What is broadcast after ``handle_subscribe`` reaches the one that has joined by it, after its own notice."""
    reply = alice.request({"type": "join", "channel": "bar"})
    assert (reply["type"], reply["channel"]) == ("ack", "bar")
    first, second = alice.take()
    assert first["message"]["body"] == "User: alice subscribed to bar"
    assert second == {"joined": "alice"}


def test_an_answer_and_a_coroutine(alice: Client) -> None:
    assert alice.request({"type": "where"})["channels"] == ["room"]
    alice.send({"type": "later", "n": 1}, {"type": "later", "n": 2})
    assert alice.take() == [{"later": 1}, {"later": 2}]


def test_the_cores_own_types_are_still_known(alice: Client) -> None:
    assert alice.request({"type": "ping"})["type"] == "ack"
    assert alice.request({"type": "dance"})["message"] == "Wrong type: dance."
    alice.send({"type": "dance"}, {"type": "subscribe"}, {"type": "connect"})
    assert [error["code"] for error in alice.take()] == [1501, 1502, 1502]


def test_the_dispatcher_believes_no_more_than_what_is_so(serve: Serve) -> None:
    made: list[DefaultMessageDispatcher] = []

    class App(SethPusherInMemoryApplication):
        def get_dispatcher(self) -> Any:
            made.append(DefaultMessageDispatcher())
            return made[-1]

        def get_core_settings(self, **kwargs: Any) -> CoreSettings:
            return CoreSettings(channels=(ChannelRule(match="secret", subscribe="nobody"),))

    client = serve(App()).bare()
    assert client.request({"type": "subscribe", "channel": "secret"})["code"] == 1504
    assert client.request({"type": "subscribe", "channel": ["x"]})["code"] == 1502
    client.subscribe("news")
    assert made[0].channels == ["news"]
    assert client.request({"type": "connect", "subscriber_id": "x" * 300})["code"] == 1502
    assert not made[0].is_connected
    client.connect("alice")
    assert client.request({"type": "connect", "subscriber_id": "bob"})["code"] == 1508
    client.connect("alice")
    assert made[0].subscriber_id == "alice"


def test_what_super_does_is_done_when_it_returns(serve: Serve) -> None:
    """An override of release 0.2.2 went on with what ``super()`` had done: joined, counted, announced."""

    class Counting(SethSocketHandler):
        def handle_connect(self, source_msg: Any, subscriber_id: Any) -> None:
            super().handle_connect(source_msg, subscriber_id)
            assert self.application.get_user(subscriber_id) is self

        def handle_subscribe(self, source_msg: Any) -> None:
            super().handle_subscribe(source_msg)
            channel = source_msg["channel"]
            self.application.broadcast({"here": self.application.get_subscribers(channel)}, channel)

        def handle_unsubscribe(self, source_msg: Any) -> None:
            super().handle_unsubscribe(source_msg)
            assert self.application.get_subscriber_count(source_msg["channel"]) == 0

    class App(SethPusherInMemoryApplication):
        socket_handler_class = Counting

    client = serve(App()).bare()
    client.connect("alice")
    client.subscribe("news")
    assert client.take()[1] == {"here": {"news": ["alice"]}}
    client.unsubscribe("news")


def test_an_id_may_come_from_elsewhere(serve: Serve) -> None:
    """An override names the subscriber itself, from a ticket."""

    class Tickets(DefaultMessageDispatcher):
        def validate_message(self, msg: Any) -> tuple[bool, str | None]:
            return (True, None) if msg.get("type") == self.CONNECT else super().validate_message(msg)

        def handle_connect(self, msg: Any) -> Any:
            self.subscriber_id = msg["ticket"].partition(":")[2]
            return self.handler.handle_connect(msg, self.subscriber_id)

    class App(SethPusherInMemoryApplication):
        def get_dispatcher(self) -> Any:
            return Tickets()

    server = serve(App())
    client = server.bare()
    assert client.request({"type": "connect", "ticket": "t:alice"})["type"] == "ack"
    server.publish_to_user("alice", "hi")
    assert client.take() == [{"message": "hi", "sender_id": None, "target_id": "alice"}]


def test_a_dispatcher_of_another_make(serve: Serve) -> None:
    class Parrot:
        subscriber_id = None

        def register_handler(self, handler: Any) -> None:
            self.handler = handler

        def validate_message(self, msg: Any) -> tuple[bool, str | None]:
            return "word" in msg, "No word."

        def dispatch(self, msg: Any) -> None:
            self.handler.send(json.dumps(msg["word"]))

    class App(SethPusherInMemoryApplication):
        def get_dispatcher(self) -> Any:
            return Parrot()

    client = serve(App()).bare()
    client.send({"type": "x", "word": "polly"}, {"type": "x"})
    assert client.next() == "polly"
    assert client.next()["message"] == "No word."


def test_get_dispatcher_may_be_a_coroutine(serve: Serve) -> None:
    class App(SethPusherInMemoryApplication):
        async def get_dispatcher(self) -> Any:
            await asyncio.sleep(0)
            return Chat()

    client = serve(App()).bare()
    client.subscribe("room")
    assert client.request({"type": "where"})["channels"] == ["room"]


def test_a_method_that_fails_costs_one_message(serve: Serve, logs: Any) -> None:
    class Broken(DefaultMessageDispatcher):
        def handle_subscribe(self, msg: Any) -> None:
            raise KeyError("oops")

    class App(SethPusherInMemoryApplication):
        def get_dispatcher(self) -> Any:
            return Broken()

    client = serve(App()).bare()
    assert client.request({"type": "subscribe", "channel": "a"})["code"] == 1001
    logs.expect("plugin application, hook dispatch: KeyError: 'oops'", level=40)
    client.connect("alice")
