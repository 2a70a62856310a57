"""Counting, looking up, sending: what an application can be asked, and its managers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from sethpusher.applications import DefaultSethApplication, SethPusherInMemoryApplication
from sethpusher.mixins import PubSubMixin
from sethpusher.utils import BasicPubSubManager
from sethpusher.ws.views import SethSocketHandler
from support.server import RunningServer

Serve = Callable[..., RunningServer]


def test_counting_and_looking_up(serve: Serve) -> None:
    app = SethPusherInMemoryApplication()
    server = serve(app)
    alice, bob, nobody = server.sockjs(), server.xhr(), server.bare()
    alice.connect("alice")
    bob.connect("bob")
    for client, channels in ((alice, ("a", "b")), (bob, ("a",)), (nobody, ("b",))):
        for channel in channels:
            client.subscribe(channel)
    assert app.get_subscribers() == {"all": ["alice", "bob"], "a": ["alice", "bob"], "b": ["alice", None]}
    assert app.get_subscribers("a") == {"a": ["alice", "bob"]}
    assert app.get_subscribers(channel="nobody") == {"nobody": []}
    assert app.get_subscriber_count() == 6
    assert app.get_subscriber_count("b") == 2
    assert app.get_subscriber_count(channel="nobody") == 0
    handler = app.get_user("alice")
    assert isinstance(handler, SethSocketHandler)
    assert handler.dispatcher.subscriber_id == "alice"
    assert sorted(handler.dispatcher.channels) == ["a", "b"]
    assert app.get_user("carol") is None
    assert app.pub_sub.channels["a"] == {app.get_user("alice"), app.get_user("bob")}
    assert app.subscriber is app.publisher is app.pub_sub


def test_the_newest_of_several_connections(serve: Serve) -> None:
    app = SethPusherInMemoryApplication()
    server = serve(app)
    for number in (1, 2):
        server.bare().connect("7")
        assert len(app.push.handlers_of("7")) == number
    assert app.get_user(7) is app.get_user("7") is app.push.handlers_of("7")[1]


@pytest.mark.parametrize("message", [{"a": 1}, ["x", None], "text", 7, None, {"message": 1, "sender_id": "s"}])
def test_what_is_broadcast_is_sent_unchanged(serve: Serve, message: Any) -> None:
    app = SethPusherInMemoryApplication()
    server = serve(app)
    alice, bob = server.sockjs(), server.xhr()
    alice.connect("alice")
    bob.subscribe("news")
    bob.take()

    async def send() -> None:
        await app.broadcast(message)
        await app.broadcast(message, "news")
        await app.publisher.publish("news", message)

    server.run(send())
    assert alice.take() == [message]
    assert bob.take() == [message, message]


def test_what_has_no_form_in_json_is_refused(serve: Serve) -> None:
    app = SethPusherInMemoryApplication()
    server = serve(app)
    with pytest.raises(TypeError):
        server.call(lambda: app.broadcast({1, 2}))
    with pytest.raises(ValueError, match="JSON"):
        server.call(lambda: app.broadcast(float("nan")))


def test_what_is_not_awaited_is_sent_in_order(serve: Serve) -> None:
    app = SethPusherInMemoryApplication()
    server = serve(app)
    alice = server.bare()
    alice.subscribe("news")
    alice.take()

    def send() -> None:
        for number in range(5):
            app.broadcast(number, "news")
            app.send_to_channel(number, "news")

    server.call(send)
    expected = [given for n in range(5) for given in (n, {"message": n, "sender_id": None, "channel": "news"})]
    assert [alice.next() for _ in range(10)] == expected


def test_outside_of_a_loop_it_says_so() -> None:
    with pytest.raises(RuntimeError, match="running event loop"):
        SethPusherInMemoryApplication().broadcast({"a": 1})


def test_a_server_that_does_not_run_sends_nothing(serve: Serve, logs: Any) -> None:
    app = SethPusherInMemoryApplication()

    async def send() -> None:
        app.broadcast({"a": 1})
        await asyncio.wait(app.under_way)

    asyncio.run(send())
    logs.expect("SethPusherInMemoryApplication: not sent: unavailable")


def test_an_override_of_sending_sees_the_calls_of_the_api(serve: Serve) -> None:
    sent: list[Any] = []

    class App(SethPusherInMemoryApplication):
        def send_to_channel(self, msg: Any, channel: str) -> Any:
            sent.append((msg, channel))
            super().send_to_channel(msg, channel)

        async def send_to_user(self, msg: Any, user: Any) -> Any:
            sent.append((msg, user))
            await super().send_to_user(msg, user)

    app = App()
    server = serve(app)
    alice = server.bare()
    alice.connect("alice")
    alice.subscribe("a/b")
    assert server.publish("a/b", {"my": "data"}).json == {"status": 200}
    assert server.publish_to_user("alice", {"my": "data"}).json == {"status": 200}
    assert sent == [({"my": "data"}, "a/b"), ({"my": "data"}, "alice")]
    assert [message["message"] for message in alice.take()][1:] == [{"my": "data"}, {"my": "data"}]
    bad = server.http.post("/api/channels/a/", b"{")
    assert bad.json == {"message": "Request body is not valid JSON.", "status": 400, "code": 1500}
    keyed = server.http.post("/api/channels/a/", 1, {"Idempotency-Key": "k"})
    assert (keyed.status, keyed.json["code"]) == (400, 1509)
    server.call(lambda: app.push.publisher.bind(None))  # as if it did not run
    failed = server.http.post("/api/channels/a/", 1)
    assert (failed.status, failed.json["code"]) == (503, 1002)


def test_an_override_of_get_user_decides_where_it_goes(serve: Serve) -> None:
    class App(SethPusherInMemoryApplication):
        def get_user(self, user_id: Any) -> Any:
            return super().get_user("alice" if user_id == "boss" else user_id)

    server = serve(App())
    alice = server.bare()
    alice.connect("alice")
    server.publish_to_user("boss", {"my": "data"})
    server.publish_to_user("nobody", 1)
    assert alice.take() == [{"message": {"my": "data"}, "target_id": "boss", "sender_id": None}]


def test_a_publisher_of_ones_own(serve: Serve) -> None:
    sent: list[Any] = []

    class Loud(BasicPubSubManager):
        def publish(self, channel: str, message: Any) -> Any:
            sent.append((channel, message))
            return super().publish(channel, message)

    class App(SethPusherInMemoryApplication):
        def get_publisher(self, **kwargs: Any) -> Any:
            return Loud()

    server = serve(App())
    alice = server.bare()
    alice.subscribe("news")
    server.publish("news", {"my": "data", "sender_id": "shop"})
    notice, message = alice.take()
    assert message == {"message": {"my": "data", "sender_id": "shop"}, "sender_id": "shop"}
    assert sent == [("news", notice), ("news", message)]


def test_pub_sub_of_ones_own(serve: Serve) -> None:
    """A manager made by a property, as an old mixin could have it."""

    class Loud(BasicPubSubManager):
        joined: list[Any]

        def subscribe(self, channels: Any, subscriber: Any) -> Any:
            self.joined.append(channels)
            return super().subscribe(channels, subscriber)

    class App(SethPusherInMemoryApplication):
        @property
        def pub_sub(self) -> Any:
            if self._pub_sub is None:
                self._pub_sub = Loud()
                self._pub_sub.joined = []
            return self._pub_sub

    app = App()
    server = serve(app)
    alice = server.bare()
    alice.connect("alice")
    alice.subscribe("news")
    server.publish("news", 1)
    assert app.pub_sub.joined == [["all"], ["news"]]
    assert alice.take()[1]["message"] == 1
    assert app.get_subscribers("news") == {"news": ["alice"]}


def test_subscribers_kept_elsewhere(serve: Serve) -> None:
    """A subscriber and publisher that know nothing of the core: the application's own world."""

    class Lists:
        def __init__(self) -> None:
            self.members: dict[str, list[Any]] = {}

        def subscribe(self, channels: list[str], subscriber: Any) -> None:
            for channel in channels:
                self.members.setdefault(channel, []).append(subscriber)

        def unsubscribe(self, channel: str, subscriber: Any) -> None:
            self.members[channel].remove(subscriber)

        def publish(self, channel: str, message: Any) -> None:
            for member in self.members.get(channel, ()):
                member.send(json.dumps(message))

    lists = Lists()

    class App(DefaultSethApplication, PubSubMixin):
        def get_subscriber(self, **kwargs: Any) -> Any:
            return lists

        def get_publisher(self, **kwargs: Any) -> Any:
            return lists

    app = App()
    server = serve(app)
    alice = server.bare()
    alice.connect("alice")
    alice.subscribe("news")
    server.publish("news", {"my": "data"})
    assert alice.take()[-1] == {"message": {"my": "data"}, "sender_id": None}
    alice.unsubscribe("news")
    assert list(lists.members.values()) == [[app.push.handlers_of("alice")[0]], []]
    alice.drop()
    server.wait_until(lambda: not any(lists.members.values()), "all are taken out")
    with pytest.raises(NotImplementedError):
        App().get_subscribers()


def test_an_application_needs_a_mixin() -> None:
    with pytest.raises(TypeError, match="InMemoryPubSubMixin"):
        DefaultSethApplication()
    for name in ("get_publisher", "get_subscriber"):
        with pytest.raises(NotImplementedError, match=name):
            getattr(PubSubMixin(), name)()


# ------------------------------------------------------------------------------------------------ a manager on its own


class Fake:
    def __init__(self, name: str, closed: bool = False) -> None:
        self.dispatcher = SimpleNamespace(subscriber_id=name)
        self.session = SimpleNamespace(is_closed=closed)
        self.sent: list[Any] = []

    def broadcast(self, clients: set[Fake], message: str) -> None:
        for client in clients:
            if not client.session.is_closed:
                client.sent.append(json.loads(message))


def test_a_manager_on_its_own() -> None:
    manager, alice, bob = BasicPubSubManager(), Fake("alice"), Fake("bob", closed=True)
    manager.subscribe(["a", "b"], alice)
    manager.subscribe("a", bob)
    manager.publish("a", {"n": 1})
    manager.publish("nobody", {"n": 2})
    assert (alice.sent, bob.sent) == ([{"n": 1}], [])
    assert manager.channels == {"a": {alice, bob}, "b": {alice}}
    manager.unsubscribe("a", alice)
    manager.unsubscribe("a", alice)
    manager.unsubscribe("nobody", alice)
    manager.unsubscribe("a", bob)
    assert manager.channels == {"b": {alice}}


def test_a_mixin_on_its_own() -> None:
    from sethpusher.mixins import InMemoryPubSubMixin

    mixin, alice = InMemoryPubSubMixin(), Fake("alice")
    mixin.pub_sub.subscribe(["all", "a"], alice)
    assert mixin.get_subscribers() == {"all": ["alice"], "a": ["alice"]}
    assert mixin.get_subscriber_count() == 2
    assert mixin.get_user("alice") is alice
    assert mixin.get_user("bob") is None
