"""The HTTP handlers, and what subclasses of them may replace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sethpusher.api.views import ChannelHandler, SethHandler, UserHandler
from sethpusher.applications import SethPusherInMemoryApplication
from sethpusher.authenticators import BaseAuthenticationPolicy
from sethpusher.utils import is_request_body_json
from support.server import RunningServer
from tornado.web import RequestHandler

Serve = Callable[..., RunningServer]


class App(SethPusherInMemoryApplication):
    """Adds a rule before its own."""

    def __init__(self, path: str = r"/own/?", handler: type[RequestHandler] = SethHandler, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_handlers(r".*", [(path, handler)])


def test_json_response_and_error(serve: Serve) -> None:
    class Own(SethHandler):
        def get(self) -> None:
            self.json_response({"my": "data"})

        def post(self) -> None:
            self.error("Not today.", 418)

        def delete(self) -> None:
            self.error("Never.")

    http = serve(App(handler=Own)).http
    answer = http.get("/own")
    assert (answer.status, answer.json, answer.body[-1:]) == (200, {"my": "data", "status": 200}, b"\n")
    assert answer.headers["content-type"].startswith("application/json")
    assert (http.post("/own/").status, http.post("/own/").json) == (418, {"message": "Not today.", "status": 418})
    assert http.call("DELETE", "/own").json == {"message": "Never.", "status": 500}
    assert http.call("PUT", "/own").json["code"] == 1511


def test_their_overrides_are_used_everywhere(serve: Serve) -> None:
    class Shaped(ChannelHandler):
        def json_response(self, data: Any, code: int = 200) -> None:
            super().json_response({"data": data}, code)

        def error(self, message: str, code: int = 500) -> None:
            self.set_status(code)
            self.write(f"sorry: {message}")

    http = serve(App(r"/api/channels/(?P<channel>.+)/", Shaped)).http
    assert set(http.post("/api/channels/news/", 1).json) == {"data", "status"}
    assert http.get("/api/channels/news/").json["data"]["subscribers"] == 0
    bad = http.post("/api/channels/news/", b"{")
    assert (bad.status, bad.text) == (400, "sorry: Request body is not valid JSON.")
    assert http.call("PUT", "/api/channels/news/").text.startswith("sorry: ")
    assert set(http.post("/api/channels/news", 1).json) == {"status", "id"}  # not that rule's


class NotEverybody(BaseAuthenticationPolicy):
    def authenticate(self, request: Any, **kwargs: Any) -> Any:
        return b"open" in request.query.encode()


class AskingElsewhere(BaseAuthenticationPolicy):
    async def authenticate(self, request: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0.01)
        return "open" in request.query


@pytest.mark.parametrize("policy", [NotEverybody, AskingElsewhere], ids=["plain", "coroutine"])
@pytest.mark.parametrize("kind", ["plain", "forgetful", "coroutine"])
def test_an_override_of_prepare_lets_nobody_pass(serve: Serve, policy: Any, kind: str) -> None:
    """An old override calls ``super().prepare()`` and does not await it; the method must not run all the same."""
    served: list[str] = []

    class Plain(SethHandler):
        def prepare(self) -> Any:
            self.set_header("X-Own", "1")
            return super().prepare()

    class Forgetful(SethHandler):
        def prepare(self) -> Any:
            self.set_header("X-Own", "1")
            super().prepare()

    class Coroutine(SethHandler):
        async def prepare(self) -> None:
            self.set_header("X-Own", "1")
            await super().prepare()

    base: Any = {"plain": Plain, "forgetful": Forgetful, "coroutine": Coroutine}[kind]

    class Own(base):
        def get(self) -> None:
            served.append(self.request.uri)
            self.json_response({})

    class GuardedApp(App):
        def get_authentication_policy(self, **kwargs: Any) -> Any:
            return policy()

    http = serve(GuardedApp(handler=Own)).http
    refused = http.get("/own")
    assert (refused.status, refused.json["message"]) == (401, "Invalid Auth credentials provided")
    assert refused.headers["x-own"] == "1"
    let_in = http.get("/own?open")
    assert (let_in.status, let_in.headers["x-own"]) == (200, "1")
    assert served == ["/own?open"]


def test_a_handler_without_initialize_or_with_one(serve: Serve) -> None:
    class Own(SethHandler):
        def initialize(self, greeting: str) -> None:  # type: ignore[override]  # as Tornado allows
            self.greeting = greeting

        def get(self) -> None:
            self.json_response({"hello": self.greeting, "same": self.server is self.application.push})

        def post(self) -> None:
            raise KeyError("oops")

    app = SethPusherInMemoryApplication()
    app.add_handlers(r".*", [(r"/own", Own, {"greeting": "you"})])
    http = serve(app).http
    assert http.get("/own").json == {"hello": "you", "same": True, "status": 200}


@pytest.mark.parametrize("kind", ["dropped", "returned", "coroutine"])
def test_an_override_of_post(serve: Serve, kind: str) -> None:
    class Dropping(ChannelHandler):
        def post(self, *args: Any, **kwargs: Any) -> Any:
            self.set_header("X-Channel", kwargs["channel"])
            super().post(*args, **kwargs)

    class Returning(ChannelHandler):
        def post(self, *args: Any, **kwargs: Any) -> Any:
            self.set_header("X-Channel", kwargs["channel"])
            return super().post(*args, **kwargs)

    class Waiting(ChannelHandler):
        async def post(self, *args: Any, **kwargs: Any) -> Any:
            self.set_header("X-Channel", kwargs["channel"])
            await super().post(*args, **kwargs)

    handler: Any = {"dropped": Dropping, "returned": Returning, "coroutine": Waiting}[kind]

    class Slow(App):
        async def persist(self, data: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0.01)

    server = serve(Slow(r"/api/channels/(?P<channel>.+)/", handler))
    alice = server.bare()
    alice.subscribe("news")
    answer = server.publish("news", {"my": "data"})
    assert (answer.headers["x-channel"], answer.json["status"]) == ("news", 200)
    assert "id" in answer.json
    assert alice.take()[1]["message"] == {"my": "data"}


def test_a_handler_written_for_release_0_2_2(serve: Serve, logs: Any) -> None:
    """Persists and sends by itself; what it does not await is done before the call is answered."""
    kept: list[Any] = []

    class Own(UserHandler):
        @is_request_body_json
        def post(self, *args: Any, **kwargs: Any) -> None:
            message = {"body": self.request.body.decode()}
            self.application.persist(message, user=kwargs["user"])
            self.application.send_to_user(msg=message, user=kwargs["user"])
            self.json_response({"status": True})

    class Keeping(App):
        async def persist(self, data: Any, **kwargs: Any) -> Any:
            kept.append((data, kwargs))

        def broadcast(self, message: Any, channel: str | None = None) -> Any:
            return super().broadcast(message, channel)

    class PlainKeeping(Keeping):
        def persist(self, data: Any, **kwargs: Any) -> Any:
            kept.append((data, kwargs))

    server = serve(PlainKeeping(r"/api/users/(?P<user>.+)/", Own))
    alice = server.bare()
    alice.connect("alice")
    assert server.http.post("/api/users/alice/", [1]).json == {"status": 200}
    assert alice.take() == [{"message": {"body": "[1]"}, "sender_id": None, "target_id": "alice"}]
    assert kept == [({"body": "[1]"}, {"user": "alice"})]
    assert server.http.post("/api/users/alice/", b"NaN").json == {
        "message": "Request body is not valid JSON.",
        "status": 400,
    }
    server.call(lambda: server.push.publisher.bind(None))  # as if it did not run
    assert server.http.post("/api/users/alice/", [1]).status == 503


def test_is_request_body_json_hands_on_what_it_wraps() -> None:
    class Own(SethHandler):
        @is_request_body_json
        async def post(self, channel: str) -> str:
            """Posts."""
            return channel

    assert Own.post.__name__ == "post"
    assert Own.post.__doc__ == "Posts."


def test_the_debug_pages(serve: Serve) -> None:
    class Counting(SethPusherInMemoryApplication):
        def get_subscriber_count(self, channel: str | None = None) -> int:
            return 1000 + super().get_subscriber_count(channel)

        async def get_subscribers(self, channel: str | None = None) -> Any:  # type: ignore[override]  # new: a coroutine
            return {"asked for": channel}

    server = serve(Counting(debug=True))
    server.bare().connect("alice")
    assert server.http.get("/debug/").json == {"subscriber_count": 1001, "subscribers": {"asked for": None}}
    page = server.http.get("/debug/channels/a/b/").json
    assert page == {"subscriber_count": 1000, "subscribers": {"asked for": "a/b"}}


def test_without_debug_there_are_none(serve: Serve) -> None:
    http = serve(SethPusherInMemoryApplication()).http
    for path in ("/debug/", "/debug/channels/news/", "/nothing"):
        answer = http.get(path)
        assert (answer.status, answer.json["code"]) == (404, 1510)


def test_the_cores_own_routes(serve: Serve) -> None:
    server = serve(SethPusherInMemoryApplication())
    alice = server.bare()
    alice.connect("alice")
    assert server.http.get("/api/channels/").json["channels"] == [{"channel": "all", "subscribers": 1}]
    assert server.http.get("/api/users/alice").json["online"] is True
    assert server.http.call("DELETE", "/api/users/alice/").json == {"status": 200}
    assert alice.closed()[0] == 3503
    assert server.http.get("/health").status == 200
    assert server.http.post("/api/channels/" + "x" * 300, 1).json["code"] == 1502


def test_an_idempotency_key_holds(serve: Serve) -> None:
    http = serve(SethPusherInMemoryApplication()).http
    first, second = (http.post("/api/channels/news/", 1, {"Idempotency-Key": "k"}).json for _ in range(2))
    assert first == second
