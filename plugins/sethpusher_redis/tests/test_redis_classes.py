"""The class-based application API on the real thing: nodes joined, and messages kept, by Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis_servers import Server
from sethpusher.applications import SethPusherInMemoryApplication, SethPusherOnRedisApplication
from sethpusher.mixins import RedisPubSubMixin
from sethpusher.persistors import RedisPersistencePolicy
from sethpusher_redis import RedisBackend
from support.logs import LogWatch
from support.server import RunningServer

Serve = Callable[[Any], RunningServer]


@pytest.fixture
def serve(logs: LogWatch) -> Iterator[Serve]:
    """Starts applications."""
    servers: list[RunningServer] = []

    def start(app: Any) -> RunningServer:
        servers.append(RunningServer(app.push, application=app).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def test_two_applications_are_one(start_server: Callable[..., Server], serve: Serve) -> None:
    where = {"redis_port": start_server("--requirepass", "p@ss/w:rd").port, "redis_password": "p@ss/w:rd"}
    app = type("App", (SethPusherOnRedisApplication,), {**where, "redis_host": "127.0.0.1", "redis_selected_db": 2})
    here, there = serve(app()), serve(app())
    assert isinstance(here.push._backend, RedisBackend)
    alice, bob = here.bare(), there.sockjs()
    for client, name in ((alice, "alice"), (bob, "bob")):
        client.connect(name)
        client.subscribe("news")
    here.publish("news", {"my": "data"})
    there.publish_to_user("alice", "hello")
    for client, last in ((alice, "hello"), (bob, {"my": "data"})):
        while client.next()["message"] != last:
            pass


def test_the_policy_keeps_messages(
    start_server: Callable[..., Server], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = start_server()
    monkeypatch.setattr(RedisPubSubMixin, "redis_port", store.port)
    monkeypatch.setattr(RedisPubSubMixin, "redis_host", "127.0.0.1")

    class App(SethPusherInMemoryApplication):
        persistence_policy = RedisPersistencePolicy()

    server = serve(App())
    ids = [server.publish("news", {"my": "data"}).json["id"], server.publish_to_user("alice", 7).json["id"]]
    entries = [fields for _, fields in store.client().xrange("sethpusher-publications")]
    assert [entry[b"id"].decode() for entry in entries] == ids
    assert [entry[b"message"] for entry in entries] == [b'{"my": "data"}', b"7"]
    assert (entries[0][b"channel"], entries[1][b"user"]) == (b"news", b"alice")
