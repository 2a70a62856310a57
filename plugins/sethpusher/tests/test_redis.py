"""The Redis classes: what they say while sethpusher-redis is not installed, and how they use it when it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from plugins_ux.sites import Site
from seth_fakes import BACKEND, STORE
from sethpusher.applications import SethPusherInMemoryApplication, SethPusherOnRedisApplication
from sethpusher.mixins import RedisPubSubMixin
from sethpusher.persistors import RedisPersistencePolicy
from support.server import RunningServer

from sethpusher_core import CoreSettings
from sethpusher_core.application import server_of
from sethpusher_core.errors import SettingsError
from sethpusher_core.plugins.discovery import find_candidates
from sethpusher_core.start import discovered

Serve = Callable[..., RunningServer]
INSTALL = "which needs the distribution sethpusher-redis; run: pip install sethpusher-redis"


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were not installed, whatever is."""
    monkeypatch.setattr(
        "sethpusher._plugins.find_candidates",
        lambda: [candidate for candidate in find_candidates() if candidate.distribution != "sethpusher-redis"],
    )


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A stand-in for sethpusher-redis; gives what its store has kept."""
    points = "redis = seth_redis_fake\npersist_redis = seth_redis_fake_store:Store"
    Site(tmp_path).add("sethpusher-redis", "1.0", points=points, seth_redis_fake=BACKEND, seth_redis_fake_store=STORE)
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("seth_redis_fake_store")
    yield sys.modules["seth_redis_fake_store"].kept
    for name in ("seth_redis_fake", "seth_redis_fake_store"):
        sys.modules.pop(name, None)


def test_without_it_the_application_says_what_to_install(absent: None) -> None:
    with pytest.raises(SettingsError) as refusal:
        SethPusherOnRedisApplication()
    assert str(refusal.value) == f"SethPusherOnRedisApplication joins its nodes by Redis, {INSTALL}"
    with pytest.raises(SettingsError, match="pip install sethpusher-redis"):
        server_of("sethpusher.applications.SethPusherOnRedisApplication", CoreSettings())


class Keeping(SethPusherInMemoryApplication):
    def get_persistence_policy(self, **kwargs: Any) -> Any:
        return RedisPersistencePolicy()


def test_without_it_the_policy_says_what_to_install(absent: None) -> None:
    with pytest.raises(SettingsError, match=f"RedisPersistencePolicy keeps messages in Redis, {INSTALL}"):
        Keeping()
    with pytest.raises(SettingsError, match=INSTALL):
        RedisPersistencePolicy().persist({"a": 1}, channel="news")


@pytest.mark.parametrize(
    ("attributes", "url"),
    [
        ({}, "redis://localhost:6379/0"),
        ({"redis_host": "redis.example", "redis_port": 6380, "redis_selected_db": 3}, "redis://redis.example:6380/3"),
        ({"redis_host": "::1", "redis_password": "p@ss/w:rd"}, "redis://:p%40ss%2Fw%3Ard@[::1]:6379/0"),
    ],
)
def test_the_attributes_say_where_redis_is(installed: Any, serve: Serve, attributes: Any, url: str) -> None:
    app = type("App", (SethPusherOnRedisApplication,), attributes)()
    assert isinstance(app, RedisPubSubMixin)
    server = serve(app)
    assert (server.push.backend_name, server.push._backend.url) == ("redis", url)  # type: ignore[union-attr]
    alice = server.bare()
    alice.connect("alice")
    alice.subscribe("news")
    server.publish("news", {"my": "data"})
    assert alice.take()[1]["message"] == {"my": "data"}
    handler = app.get_user("alice")
    assert app.is_subscribed_to_channel(handler, "news")
    assert not app.is_subscribed_to_channel(handler, "other")
    assert app.get_subscribers() == {"all": ["alice"], "news": ["alice"]}
    assert app.get_subscriber_count() == 2
    assert app.subscriber is not app.publisher


def test_an_override_on_redis(installed: Any, serve: Serve) -> None:
    seen: list[Any] = []

    class App(SethPusherOnRedisApplication):
        def add_subscriber(self, channel: str, subscriber: Any) -> Any:
            super().add_subscriber(channel, subscriber)
            super().add_subscriber(channel, subscriber)
            seen.append((channel, self.is_subscribed_to_channel(subscriber, channel)))

    server = serve(App())
    alice = server.bare()
    alice.connect("alice")
    alice.subscribe("news")
    server.publish("news", 1)
    assert seen == [("all", True), ("news", True)]
    assert [message["message"] for message in alice.take()][1:] == [1]


def test_settings_that_the_command_was_given_come_first(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETHPUSHER_REDIS__URL", "redis://given/")
    start = discovered(())
    server = server_of("sethpusher.applications.SethPusherOnRedisApplication", start.settings, start)
    assert server.settings_of("redis").url == "redis://given/"
    assert server.plugin_names == ("redis", "application")


def test_settings_of_a_plugin_that_is_not_used_are_refused(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETHPUSHER_REDIS__URL", "redis://given/")
    start = discovered(())
    name = "sethpusher.applications.SethPusherInMemoryApplication"
    with pytest.raises(SettingsError, match="SethPusherInMemoryApplication does not use the plugin redis"):
        server_of(name, start.settings, start)
    monkeypatch.setattr(SethPusherInMemoryApplication, "discover", True)
    assert "redis" in server_of(name, start.settings, start).plugin_names


def test_the_policy_keeps_messages_by_the_plugin(installed: Any, serve: Serve) -> None:
    server = serve(Keeping())
    id = server.publish("news", {"my": "data"}).json["id"]
    server.publish_to_user("alice", 7)
    assert installed[:3] == ["redis://localhost:6379/0", "startup", (id, "channel news", {"my": "data"})]
    assert installed[3][1:] == ("user alice", 7)
    server.stop()
    assert installed[4] == "shutdown"


def test_an_override_keeps_something_else_under_the_same_id(installed: Any, serve: Serve) -> None:
    class Sealing(RedisPersistencePolicy):
        def persist(self, data: Any, **kwargs: Any) -> Any:
            return super().persist({"sealed": data}, **kwargs)

    class App(SethPusherInMemoryApplication):
        persistence_policy = Sealing()

    server = serve(App())
    id = server.publish("news", 1).json["id"]
    assert installed[2] == (id, "channel news", {"sealed": 1})


def test_the_policy_outside_of_publishing(installed: Any, serve: Serve) -> None:
    app = Keeping()
    server = serve(app)

    async def keep() -> None:
        await app.persist({"a": 1}, user="alice")

    server.run(keep())
    assert installed[2][1:] == ("user alice", {"a": 1})
    with pytest.raises(SettingsError, match="only an application"):
        RedisPersistencePolicy().persist(1, channel="news")
