"""Applications that override ``add_subscriber``, ``remove_subscriber`` and ``broadcast``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sethpusher.applications import DefaultSethApplication, SethPusherInMemoryApplication
from sethpusher.mixins import InMemoryPubSubMixin
from support.server import TRANSPORTS, RunningServer
from tornado import gen

from sethpusher_core import ChannelRule, CoreSettings, RequestError
from sethpusher_core.errors import DENIED

Serve = Callable[..., RunningServer]


class Watching(InMemoryPubSubMixin):
    """A mixin as release 0.2.2 knew them: writes down who comes and goes, and what is broadcast."""

    seen: list[Any]

    def add_subscriber(self, channel: str, subscriber: Any) -> Any:
        before = self.get_subscriber_count(channel)
        super().add_subscriber(channel, subscriber)
        self.seen.append(
            ("add", channel, subscriber.dispatcher.subscriber_id, before, self.get_subscriber_count(channel))
        )

    def remove_subscriber(self, channel: str, subscriber: Any) -> Any:
        super().remove_subscriber(channel, subscriber)
        self.seen.append(("remove", channel, subscriber.dispatcher.subscriber_id))

    def broadcast(self, message: Any, channel: str | None = None, sender: Any = None) -> Any:
        self.seen.append(("broadcast", channel, message["message"]["type"]))
        super().broadcast(message, channel)


class WatchedApp(DefaultSethApplication, Watching):
    def __init__(self, **kwargs: Any) -> None:
        self.seen = []
        super().__init__(**kwargs)


class Waiting(InMemoryPubSubMixin):
    """The same in coroutines."""

    seen: list[Any]

    async def add_subscriber(self, channel: str, subscriber: Any) -> Any:
        await asyncio.sleep(0)
        await super().add_subscriber(channel, subscriber)
        self.seen.append(("add", channel))

    async def remove_subscriber(self, channel: str, subscriber: Any) -> Any:
        await asyncio.sleep(0)
        await super().remove_subscriber(channel, subscriber)
        self.seen.append(("remove", channel))

    async def broadcast(self, message: Any, channel: str | None = None) -> Any:
        await asyncio.sleep(0)
        await super().broadcast(message, channel)
        self.seen.append(("broadcast", channel))


class WaitingApp(DefaultSethApplication, Waiting):
    def __init__(self, **kwargs: Any) -> None:
        self.seen = []
        super().__init__(**kwargs)


def bodies(messages: list[Any]) -> list[str]:
    return [message["message"]["body"] for message in messages]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_mixin_sees_all(serve: Serve, transport: str) -> None:
    app = WatchedApp(debug=True)
    server = serve(app)
    alice, bob = server.client(transport), server.client(transport)
    heard: dict[str, list[str]] = {"alice": [], "bob": []}
    for name, client in (("alice", alice), ("bob", bob)):
        client.connect(name)
        heard[name] += bodies(client.take())
    for name, client in (("alice", alice), ("bob", bob)):
        client.subscribe("news")
        heard[name] += bodies(client.take())
    assert app.seen == [
        ("add", "all", "alice", 0, 1),
        ("broadcast", None, "connect"),
        ("add", "all", "bob", 1, 2),
        ("broadcast", None, "connect"),
        ("add", "news", "alice", 0, 1),
        ("broadcast", "news", "subscribe"),
        ("add", "news", "bob", 1, 2),
        ("broadcast", "news", "subscribe"),
    ]
    app.seen.clear()
    bob.unsubscribe("news")
    heard["bob"] += bodies(bob.take())
    heard["alice"] += bodies(alice.take())
    assert app.seen == [("remove", "news", "bob"), ("broadcast", "news", "unsubscribe")]
    assert heard == {
        "alice": [
            "User: bob connected.",
            "User: alice subscribed to news",
            "User: bob subscribed to news",
            "User: bob unsubscribed from news",
        ],
        "bob": ["User: bob subscribed to news"],
    }


def test_a_mixin_sees_the_end(serve: Serve) -> None:
    app = WatchedApp()
    server = serve(app)
    alice, bob = server.sockjs(), server.sockjs()
    alice.connect("alice")
    bob.connect("bob")
    bob.subscribe("news")
    alice.take()
    app.seen.clear()
    bob.drop()
    assert alice.next()["message"] == {"body": "User: bob disconnected.", "subscriber_id": "bob", "type": "disconnect"}
    assert app.seen == [("remove", "all", "bob"), ("remove", "news", "bob"), ("broadcast", None, "disconnect")]


def test_joining_twice_or_leaving_what_one_is_not_in_asks_nobody(serve: Serve) -> None:
    app = WatchedApp()
    alice = serve(app).bare()
    alice.subscribe("news")
    alice.take()
    app.seen.clear()
    alice.subscribe("news")
    alice.unsubscribe("other")
    assert app.seen == []


def test_coroutines(serve: Serve) -> None:
    app = WaitingApp()
    server = serve(app)
    alice = server.bare()
    alice.connect("alice")
    alice.subscribe("news")
    assert len(alice.take()) == 1
    assert app.seen == [("add", "all"), ("broadcast", None), ("add", "news"), ("broadcast", "news")]
    server.publish("news", 1)
    assert [message["message"] for message in alice.take()] == [1]
    alice.unsubscribe("news")
    server.publish("news", 2)
    assert alice.take() == []
    assert sorted(app.seen[4:]) == [("broadcast", "news"), ("remove", "news")]  # leaving does not wait


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_one_that_does_not_call_super_keeps_out(serve: Serve, kind: str) -> None:
    class App(SethPusherInMemoryApplication):
        def add_subscriber(self, channel: str, subscriber: Any) -> Any:
            if channel != "secret":
                super().add_subscriber(channel, subscriber)

    class AsyncApp(SethPusherInMemoryApplication):
        async def add_subscriber(self, channel: str, subscriber: Any) -> Any:
            if channel != "secret":
                await super().add_subscriber(channel, subscriber)

    app = App() if kind == "plain" else AsyncApp()
    server = serve(app)
    alice = server.bare()
    alice.subscribe("secret")
    alice.subscribe("news")
    server.publish("secret", 1)
    server.publish("news", 2)
    assert [message["message"] for message in alice.take()][1:] == [2]
    assert app.get_subscribers() == {"news": [None]}
    alice.unsubscribe("secret")


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_one_that_raises_refuses(serve: Serve, kind: str) -> None:
    class App(SethPusherInMemoryApplication):
        def add_subscriber(self, channel: str, subscriber: Any) -> Any:
            raise RequestError(DENIED, "Members only.")

    class AsyncApp(SethPusherInMemoryApplication):
        async def add_subscriber(self, channel: str, subscriber: Any) -> Any:
            await asyncio.sleep(0)
            raise RequestError(DENIED, "Members only.")

    app = App() if kind == "plain" else AsyncApp()
    alice = serve(app).bare()
    for _ in range(2):
        assert alice.request({"type": "subscribe", "channel": "news"})["message"] == "Members only."
    assert alice.request({"type": "connect", "subscriber_id": "alice"})["message"] == "Members only."
    assert app.get_subscribers() == {}


def test_one_may_rename(serve: Serve) -> None:
    class App(SethPusherInMemoryApplication):
        def add_subscriber(self, channel: str, subscriber: Any) -> Any:
            super().add_subscriber(channel if channel == "all" else f"shop.{channel}", subscriber)

    app = App()
    server = serve(app)
    alice = server.bare()
    alice.subscribe("news")
    server.publish("shop.news", 1)
    server.publish("news", 2)
    assert [message["message"] for message in alice.take()] == [1]


class Batman(DefaultSethApplication, InMemoryPubSubMixin):
    """Takes nobody out, as the example of release 0.2.2 did by mistake."""

    def remove_subscriber(self, channel: str, subscriber: Any) -> Any:
        super().add_subscriber(channel, subscriber)


def test_nobody_stays_behind_after_the_end(serve: Serve) -> None:
    app = Batman()
    server = serve(app)
    alice = server.bare()
    alice.connect("alice")
    alice.subscribe("news")
    alice.unsubscribe("news")
    server.publish("news", 1)
    assert [message["message"] for message in alice.take()][1:] == [1]  # talked out of leaving
    alice.drop()
    server.wait_until(lambda: not list(app.push.hub), "all channels are left")


def test_one_that_fails_at_the_end_costs_nothing(serve: Serve, logs: Any) -> None:
    class App(SethPusherInMemoryApplication):
        def remove_subscriber(self, channel: str, subscriber: Any) -> Any:
            raise KeyError(channel)

    app = App()
    server = serve(app)
    alice, bob = server.bare(), server.bare()
    alice.connect("alice")
    bob.subscribe("all")
    alice.drop()
    assert [bob.next()["message"]["type"] for _ in range(2)] == ["subscribe", "disconnect"]
    logs.expect("remove_subscriber failed for channel all", level=40)
    bob.drop()
    logs.expect("remove_subscriber failed for channel all", level=40)


def test_a_broadcast_that_fails_costs_the_notice(serve: Serve, logs: Any) -> None:
    class App(SethPusherInMemoryApplication):
        def broadcast(self, message: Any, channel: str | None = None) -> Any:
            raise KeyError("no")

    alice = serve(App()).bare()
    alice.subscribe("news")
    logs.expect("the broadcast of a notice in channel news failed", level=40)
    assert alice.take() == []


def test_a_broadcast_may_change_or_add(serve: Serve) -> None:
    class App(SethPusherInMemoryApplication):
        def broadcast(self, message: Any, channel: str | None = None) -> Any:
            super().broadcast({"seen": message["message"]["type"]}, channel)
            super().broadcast("more", channel)

    server = serve(App())
    alice, bob = server.bare(), server.bare()
    alice.connect("alice")
    bob.connect("bob")
    assert alice.take() == [{"seen": "connect"}, "more"]
    assert bob.take() == []


def test_the_reply_comes_first_and_nothing_is_missed(serve: Serve) -> None:
    """The promise of the core holds with an override: after the ack every publication, before it none."""
    app = WatchedApp()
    server = serve(app)

    async def publish_until_all_are_in() -> None:
        number = 0
        while number < 100 or app.get_subscriber_count("news") < len(clients):
            await app.push.publish("news", number)
            number += 1
            await asyncio.sleep(0)
        await app.push.publish("news", number)  # one at least that the last to come in hears
        await app.push.publish("news", "end")

    clients = [server.sockjs() for _ in range(20)]
    task: Any = server.call(lambda: asyncio.get_running_loop().create_task(publish_until_all_are_in()))
    for client in clients:
        client.send({"type": "subscribe", "channel": "news", "id": 1})
    server.wait_until(task.done, "all is published")
    for client in clients:
        assert client.next()["type"] == "ack"
        heard = []
        while (message := client.next()["message"]) != "end":
            heard += [message] if isinstance(message, int) else []
        assert heard == list(range(heard[0], heard[0] + len(heard)))


@pytest.mark.parametrize("application", [WatchedApp, WaitingApp], ids=["plain", "coroutine"])
def test_recovery_asks_who_is_new(serve: Serve, application: Any) -> None:
    class App(application):  # type: ignore[misc]  # one of two
        def get_core_settings(self, **kwargs: Any) -> CoreSettings:
            return CoreSettings(channels=(ChannelRule(match="*", history=10, history_age=60.0, announce=False),))

    app = App()
    server = serve(app)
    for number in range(3):
        server.publish("news", number)
    alice = server.bare()
    start = alice.request({"type": "subscribe", "channel": "news"})
    assert (start["offset"], app.seen.pop()[:2]) == (3, ("add", "news"))
    for _ in range(2):  # in again, then anew
        since = {"epoch": start["epoch"], "offset": 1}
        reply = alice.request({"type": "subscribe", "channel": "news", "recover": since})
        assert reply["recovered"] is True
        assert [publication["message"] for publication in reply["publications"]] == [1, 2]
        server.publish("other", 0)
        alice.unsubscribe("news")
        assert app.get_subscriber_count("news") == 0
        alice.take()
    assert [seen[0] for seen in app.seen] == ["remove", "add", "remove"]


def test_subscribing_by_the_applications_own_word(serve: Serve) -> None:
    """``add_subscriber`` may be called for any handler at any time; no notice is sent."""

    class App(SethPusherInMemoryApplication):
        def broadcast(self, message: Any, channel: str | None = None) -> Any:
            super().broadcast(message, channel)

        def add_subscriber(self, channel: str, subscriber: Any) -> Any:
            super().add_subscriber(channel, subscriber)
            if channel == "all":
                super().add_subscriber("welcome", subscriber)

    app = App()
    server = serve(app)
    alice = server.bare()
    alice.connect("alice")
    server.publish("welcome", "hi")
    assert alice.take() == [{"message": "hi", "sender_id": None, "channel": "welcome"}]

    async def move() -> None:
        handler = app.get_user("alice")
        await app.remove_subscriber("welcome", handler)
        await app.remove_subscriber("welcome", handler)
        app.add_subscriber("vip", handler)
        await asyncio.wait(app.under_way)

    server.run(move())
    assert app.get_subscribers() == {"all": ["alice"], "vip": ["alice"]}
    with pytest.raises(TypeError, match="no SethSocketHandler"):
        server.call(lambda: app.add_subscriber("vip", object()))


def test_tornados_own_coroutines(serve: Serve) -> None:
    """As asynchronous overrides were written for release 0.2.2: what is done after a yield counts, too."""

    class App(SethPusherInMemoryApplication):
        @gen.coroutine
        def add_subscriber(self, channel: str, subscriber: Any) -> Any:
            yield gen.sleep(0)
            yield super().add_subscriber(channel, subscriber)

        @gen.coroutine
        def remove_subscriber(self, channel: str, subscriber: Any) -> Any:
            yield gen.sleep(0)
            yield super().remove_subscriber(channel, subscriber)

    app = App()
    server = serve(app)
    alice = server.bare()
    alice.connect("alice")
    alice.subscribe("news")
    server.wait_until(lambda: app.get_subscribers() == {"all": ["alice"], "news": ["alice"]}, "she is in")
    server.publish("news", 1)
    assert alice.take()[-1]["message"] == 1
    alice.unsubscribe("news")
    assert app.get_subscribers() == {"all": ["alice"]}
