"""ExternalApiPersistencePolicy, against a real endpoint."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sethpusher.applications import SethPusherInMemoryApplication
from sethpusher.persistors import ExternalApiPersistencePolicy
from support.endpoint import Endpoint, Post, Reply, running
from support.server import RunningServer
from support.timing import UNIT

from sethpusher_core import CoreSettings
from sethpusher_core.errors import SettingsError
from sethpusher_core.plugins.discovery import find_candidates

Serve = Callable[..., RunningServer]


@pytest.fixture
def api() -> Iterator[Endpoint]:
    with running() as endpoint:
        yield endpoint


def posts(api: Endpoint, count: int) -> list[tuple[str, Any]]:
    """The path and the body of each post that was taken, once there are so many."""
    api.wait_for(lambda: len(api.taken) >= count, f"{count} posts are taken")
    return [(post.path, post.json) for post in api.taken]


def application(policy: ExternalApiPersistencePolicy) -> SethPusherInMemoryApplication:
    class App(SethPusherInMemoryApplication):
        def get_persistence_policy(self, **kwargs: Any) -> Any:
            return policy

    return App()


def test_each_message_is_posted(serve: Serve, api: Endpoint) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = f"{api.url}/messages?from=push"

    server = serve(application(Policy()))
    ids = [server.publish("news", {"my": "data"}).json["id"]]
    posts(api, 1)
    ids.append(server.publish_to_user("alice", [None, "ü"]).json["id"])
    assert posts(api, 2) == [
        ("/messages?from=push", {"message": {"my": "data"}, "channel": "news"}),
        ("/messages?from=push", {"message": [None, "ü"], "user": "alice"}),
    ]
    assert [post.headers["content-type"] for post in api.taken] == ["application/json"] * 2
    assert [post.headers["webhook-id"] for post in api.taken] == ids


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_the_url_may_depend_on_where_it_goes(serve: Serve, api: Endpoint, kind: str) -> None:
    def url(**kwargs: Any) -> str:
        return "" if kwargs.get("channel") == "private" else "/".join([api.url, *kwargs, *kwargs.values()])

    class Plain(ExternalApiPersistencePolicy):
        def __init__(self) -> None:
            """An old policy calls no super."""

        def get_api_url(self, **kwargs: Any) -> str:
            return url(**kwargs)

    class Coroutine(ExternalApiPersistencePolicy):
        async def get_api_url(self, **kwargs: Any) -> str:
            await asyncio.sleep(0)
            return url(**kwargs)

    server = serve(application(Plain() if kind == "plain" else Coroutine()))
    for publish, name in ((server.publish, "private"), (server.publish, "news"), (server.publish_to_user, "alice")):
        publish(name, 1)
    assert sorted(path for path, _ in posts(api, 2)) == ["/channel/news", "/user/alice"]


def test_an_override_may_change_what_is_posted(serve: Serve, api: Endpoint) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url

        def persist(self, data: Any, **kwargs: Any) -> Any:
            super().persist({"sealed": data}, **kwargs)

    serve(application(Policy())).publish("news", 1)
    assert posts(api, 1)[0][1] == {"message": {"sealed": 1}, "channel": "news"}


def test_what_fails_is_posted_again_in_order(serve: Serve, api: Endpoint, logs: Any) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url

    replies = [Reply(500)] * 2
    api.answer = lambda post: replies.pop() if replies else Reply(201)
    server = serve(application(Policy()))
    for number in range(5):
        server.publish("news", number)
    assert [body["message"] for _, body in posts(api, 5)] == list(range(5))
    logs.expect("cannot be posted to .*HTTP 500", level=40)
    logs.expect("can be posted again")


def test_publishing_does_not_wait_for_an_api_that_hangs(serve: Serve, api: Endpoint, logs: Any) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url
        timeout = 0.1

    hold = threading.Event()

    def answer(post: Post) -> Reply:
        if len(api.tried) == 1:
            hold.wait(UNIT)
            return Reply(500)
        return Reply()

    api.answer = answer
    server = serve(application(Policy()))
    alice = server.bare()
    alice.subscribe("news")
    server.publish("news", 1)
    assert [message["message"] for message in alice.take()][1:] == [1]
    logs.expect("cannot be posted .*Timeout", level=40)
    posts(api, 1)
    hold.set()
    logs.expect("can be posted again")


def test_what_the_api_refuses_is_said(serve: Serve, api: Endpoint, logs: Any) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url

    api.answer = lambda post: Reply(400, b"no odd ones") if post.json["message"] == 1 else Reply()
    server = serve(application(Policy()))
    for number in range(3):
        server.publish("news", number)
    assert [body["message"] for _, body in posts(api, 2)] == [0, 2]
    logs.expect("the API has refused 1 publications, .*HTTP 400: no odd ones; they are lost", level=40)


def test_what_python_has_no_form_for_is_posted_as_it_was_published(serve: Serve, api: Endpoint) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url

    assert serve(application(Policy())).http.post("/api/channels/news/", b"1e400").status == 200
    posts(api, 1)
    assert api.taken[0].body == b'{"message":1e400,"channel":"news"}'


def test_a_bound_for_what_waits(serve: Serve, api: Endpoint, logs: Any) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url
        max_waiting = 2

    hold = threading.Event()

    def answer(post: Post) -> Reply:
        hold.wait(UNIT)
        return Reply()

    api.answer = answer
    server = serve(application(Policy()))
    answers = [server.http.post("/api/channels/news/", number).status for number in range(3)]
    assert answers == [200, 200, 503]
    logs.expect("persist failed .*the outbox is full", level=40)
    hold.set()
    assert [body["message"] for _, body in posts(api, 2)] == [0, 1]


def test_a_stopping_server_gives_posts_a_little_time(
    serve: Serve, api: Endpoint, logs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sethpusher.persistors.DRAIN_SECONDS", 0.1)

    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url

    hold = threading.Event()

    def answer(post: Post) -> Reply:
        hold.wait(UNIT)
        return Reply()

    api.answer = answer
    server = serve(application(Policy()))
    server.publish("news", 1)
    api.wait_for_tried(1)
    server.run(server.push.stop())
    logs.expect("stopped with 1 publications that were not posted and are lost", level=40)
    hold.set()


def test_on_disk_it_survives_the_server(serve: Serve, api: Endpoint, logs: Any, tmp_path: Path) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url
        durability = "process"

    class App(SethPusherInMemoryApplication):
        persistence_policy = Policy()

        def get_core_settings(self, **kwargs: Any) -> CoreSettings:
            return CoreSettings(state_dir=str(tmp_path))

    api.stop()
    server = serve(App())
    server.publish("news", 1)
    logs.expect("cannot be posted", level=40)
    server.stop()
    api.start()
    serve(App())
    assert posts(api, 1) == [("/", {"message": 1, "channel": "news"})]
    assert (tmp_path / "external-api" / "persist-http.sqlite").exists()


def test_on_disk_it_needs_a_place(serve: Serve) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = "http://127.0.0.1:1/"
        durability = "power"

    with pytest.raises(SettingsError, match="Policy has durability = 'power', which needs state_dir"):
        serve(application(Policy()))


def test_an_application_without_an_address_says_so(serve: Serve, logs: Any) -> None:
    serve(application(ExternalApiPersistencePolicy())).publish("news", 1)
    logs.expect("ExternalApiPersistencePolicy posts nothing: its api_url is empty")


def test_without_the_distribution_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sethpusher._plugins.find_candidates",
        lambda: [one for one in find_candidates() if one.distribution != "sethpusher-persist-http"],
    )
    needs = "which needs the distribution sethpusher-persist-http; run: pip install sethpusher-persist-http"
    with pytest.raises(SettingsError, match=f"ExternalApiPersistencePolicy posts messages to an API, {needs}"):
        application(ExternalApiPersistencePolicy())


def test_outside_of_an_application_it_cannot_be_used() -> None:
    async def persist() -> None:
        await ExternalApiPersistencePolicy().persist(1, channel="news")

    with pytest.raises(SettingsError, match="only an application that has it"):
        asyncio.run(persist())
