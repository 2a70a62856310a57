"""Persistence policies: asked for each accepted publication, before it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sethpusher.applications import SethPusherInMemoryApplication
from sethpusher.persistors import DefaultPersistencePolicy
from support.server import RunningServer

from sethpusher_core import ChannelRule, CoreSettings

Serve = Callable[..., RunningServer]
Kept = list[tuple[Any, dict[str, Any]]]
FROM_CLIENTS = CoreSettings(channels=(ChannelRule(match="*", publish="anyone"),))


class Shelf(DefaultPersistencePolicy):
    def __init__(self) -> None:
        self.kept: Kept = []

    def persist(self, data: Any, **kwargs: Any) -> Any:
        if data == "bad":
            raise ValueError("not on my shelf")
        self.kept.append((data, kwargs))
        return "whatever"


class AsyncShelf(Shelf):
    async def persist(self, data: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        await DefaultPersistencePolicy().persist(data, **kwargs)
        return super().persist(data, **kwargs)


@pytest.fixture(params=[Shelf, AsyncShelf], ids=["plain", "coroutine"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    found: Shelf = request.param()
    return found


def application(policy: Any) -> SethPusherInMemoryApplication:
    class App(SethPusherInMemoryApplication):
        def get_persistence_policy(self, **kwargs: Any) -> Any:
            return policy

        def get_core_settings(self, **kwargs: Any) -> CoreSettings:
            return FROM_CLIENTS

    return App()


def test_every_door_is_watched(serve: Serve, shelf: Shelf) -> None:
    server = serve(application(shelf))
    server.publish("news", {"my": "data"})
    server.publish_to_user("alice", [1, 2])
    batch = {"publications": [{"channel": "a", "message": 1}, {"user": "b", "message": None}]}
    assert server.http.post("/api/batch/", batch).status == 200
    assert server.bare().request({"type": "publish", "channel": "c", "message": "hi"})["type"] == "ack"
    server.run(server.push.publish("d", 5))
    assert shelf.kept == [
        ({"my": "data"}, {"channel": "news"}),
        ([1, 2], {"user": "alice"}),
        (1, {"channel": "a"}),
        (None, {"user": "b"}),
        ("hi", {"channel": "c"}),
        (5, {"channel": "d"}),
    ]


def test_what_cannot_be_kept_is_not_sent(serve: Serve, shelf: Shelf, logs: Any) -> None:
    server = serve(application(shelf))
    alice = server.bare()
    alice.subscribe("news")
    refused = server.http.post("/api/channels/news/", "bad")
    assert (refused.status, refused.json["code"]) == (503, 1002)
    logs.expect("persist: ValueError: not on my shelf", level=40)
    server.publish("news", "good")
    assert [message["message"] for message in alice.take()][1:] == ["good"]


def test_persist_of_the_application(serve: Serve) -> None:
    kept: Kept = []

    class App(SethPusherInMemoryApplication):
        def persist(self, data: Any, **kwargs: Any) -> None:
            kept.append((data, kwargs))
            super().persist(data, **kwargs)

    server = serve(App())
    server.publish("news", 1)
    server.publish_to_user("alice", 2)
    assert kept == [(1, {"channel": "news"}), (2, {"user": "alice"})]


def test_sending_by_name_does_not_persist(serve: Serve) -> None:
    """As in release 0.2.2: who calls ``send_to_channel`` has asked ``persist``."""
    shelf = Shelf()
    app = application(shelf)
    server = serve(app)
    alice = server.bare()
    alice.connect("alice")
    alice.subscribe("news")

    async def send() -> None:
        await app.send_to_channel({"n": 1, "sender_id": "shop"}, "news")
        await app.send_to_user({"n": 2}, "alice")
        await app.broadcast({"n": 3}, "news")

    server.run(send())
    assert alice.take()[1:] == [
        {"message": {"n": 1, "sender_id": "shop"}, "sender_id": "shop", "channel": "news"},
        {"message": {"n": 2}, "sender_id": None, "target_id": "alice"},
        {"n": 3},
    ]
    assert shelf.kept == []
    assert not app.push.unpersisted


def test_an_application_that_sends_itself_persists_once_what_was_published(serve: Serve) -> None:
    shelf = Shelf()

    class App(type(application(shelf))):  # type: ignore[misc]  # a class made by a function
        def send_to_channel(self, msg: Any, channel: str) -> None:
            super().send_to_channel({**msg, "stamp": 1}, channel)

    server = serve(App())
    alice = server.bare()
    alice.subscribe("news")
    server.publish("news", {"my": "data"})
    assert alice.take()[1:] == [{"message": {"my": "data", "stamp": 1}, "sender_id": None, "channel": "news"}]
    assert shelf.kept == [({"my": "data"}, {"channel": "news"})]


def test_a_policy_may_not_come_late(serve: Serve) -> None:
    plain = SethPusherInMemoryApplication()
    serve(plain)
    plain.persistence_policy = DefaultPersistencePolicy()
    with pytest.raises(RuntimeError, match="get_persistence_policy"):
        plain.persistence_policy = Shelf()


def test_the_class_attribute_names_a_policy(serve: Serve) -> None:
    shelf = Shelf()

    class App(SethPusherInMemoryApplication):
        persistence_policy = shelf

    serve(App()).publish("news", 1)
    assert shelf.kept == [(1, {"channel": "news"})]


def test_a_getter_may_be_a_coroutine(serve: Serve) -> None:
    shelf = Shelf()

    class App(SethPusherInMemoryApplication):
        async def get_persistence_policy(self, **kwargs: Any) -> Any:
            return shelf

    serve(App()).publish("news", 1)
    assert shelf.kept == [(1, {"channel": "news"})]
