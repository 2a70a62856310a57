"""ExternalApiPersistencePolicy, against a real endpoint."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sethpusher.applications import SethPusherInMemoryApplication
from sethpusher.persistors import ExternalApiPersistencePolicy
from support.server import RunningServer
from support.timing import UNIT

Serve = Callable[..., RunningServer]


class Api:
    """An endpoint that writes down what it gets.

    Attributes:
        status: What it answers.
        hold: While it is clear, answers wait.
    """

    def __init__(self) -> None:
        self.status = 200
        self.hold = threading.Event()
        self.hold.set()
        self.got: list[Any] = []
        self.arrived = threading.Condition()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with api.arrived:
                    api.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
                    api.arrived.notify_all()
                api.hold.wait(UNIT)
                self.send_response(api.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def wait_for(self, count: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.got) >= count, UNIT), self.got

    def stop(self) -> None:
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(UNIT)


@pytest.fixture
def api() -> Iterator[Api]:
    found = Api()
    yield found
    found.stop()


def application(policy: ExternalApiPersistencePolicy) -> SethPusherInMemoryApplication:
    class App(SethPusherInMemoryApplication):
        def get_persistence_policy(self, **kwargs: Any) -> Any:
            return policy

    return App()


def test_each_message_is_posted(serve: Serve, api: Api) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = f"{api.url}/messages?from=push"

    server = serve(application(Policy()))
    server.publish("news", {"my": "data"})
    api.wait_for(1)
    server.publish_to_user("alice", [None, "ü"])
    api.wait_for(2)
    assert api.got == [
        ("/messages?from=push", "application/json", {"message": {"my": "data"}, "channel": "news"}),
        ("/messages?from=push", "application/json", {"message": [None, "ü"], "user": "alice"}),
    ]


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_the_url_may_depend_on_where_it_goes(serve: Serve, api: Api, kind: str) -> None:
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
    api.wait_for(2)
    assert sorted(path for path, _, _ in api.got) == ["/channel/news", "/user/alice"]


def test_an_override_may_change_what_is_posted(serve: Serve, api: Api) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url

        def persist(self, data: Any, **kwargs: Any) -> Any:
            super().persist({"sealed": data}, **kwargs)

    serve(application(Policy())).publish("news", 1)
    api.wait_for(1)
    assert api.got[0][2] == {"message": {"sealed": 1}, "channel": "news"}


def test_publishing_does_not_wait_and_losses_are_logged(serve: Serve, api: Api, logs: Any) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url

    api.status = 500
    policy = Policy()
    server = serve(application(policy))
    for number in range(3):
        server.publish("news", number)
    server.wait_until(lambda: policy._lost == 3, "three are lost")
    logs.expect(f"Policy: a message could not be posted to {api.url}: HTTPClientError: HTTP 500", level=40)
    api.status = 201
    server.publish("news", 3)
    logs.expect("posting to .* works again; messages lost: 3")


def test_an_api_that_hangs_is_given_up(serve: Serve, api: Api, logs: Any) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url
        timeout = 0.1

    api.hold.clear()
    server = serve(application(Policy()))
    alice = server.bare()
    alice.subscribe("news")
    server.publish("news", 1)
    assert [message["message"] for message in alice.take()][1:] == [1]
    logs.expect("could not be posted .* HTTPTimeoutError|Timeout", level=40)


def test_an_api_that_is_not_there(serve: Serve, logs: Any) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = "http://127.0.0.1:1/"

    serve(application(Policy())).publish("news", 1)
    logs.expect("could not be posted to http://127.0.0.1:1/: ConnectionRefusedError", level=40)


def test_what_has_no_form_in_json_is_a_loss(serve: Serve, api: Api, logs: Any) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url

    answer = serve(application(Policy())).http.post("/api/channels/news/", b"1e400")
    assert answer.status == 200
    logs.expect("could not be posted to the API: ValueError", level=40)


def test_a_bound_for_what_waits(serve: Serve, api: Api, logs: Any) -> None:
    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url
        max_waiting = 2

    api.hold.clear()
    policy = Policy()
    server = serve(application(policy))
    for number in range(4):
        server.publish("news", number)
    logs.expect("Policy: a message could not be posted to the API: more than 2 messages wait for it", level=40)
    assert policy._lost == 2
    api.wait_for(2)
    api.hold.set()
    logs.expect("messages lost: 2")


def test_a_stopping_server_gives_posts_a_little_time(
    serve: Serve, api: Api, logs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sethpusher.persistors.DRAIN_SECONDS", 0.1)

    class Policy(ExternalApiPersistencePolicy):
        api_url = api.url

    api.hold.clear()
    server = serve(application(Policy()))
    server.publish("news", 1)
    api.wait_for(1)
    server.run(server.push.stop())
    logs.expect("Policy: stopped with 1 messages that were not posted", level=40)
    api.hold.set()


def test_an_application_without_an_address_says_so(serve: Serve, logs: Any) -> None:
    serve(application(ExternalApiPersistencePolicy())).publish("news", 1)
    logs.expect("ExternalApiPersistencePolicy posts nothing: its api_url is empty")
