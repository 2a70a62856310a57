"""Plugins that say who is calling and what they may do, given to the server as objects."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest
from support.clients import Client
from support.logs import LogWatch
from support.server import RunningServer

from sethpusher_core import errors
from sethpusher_core.addresses import SERVER, Address
from sethpusher_core.answers import ALLOW, Denied, Rejected
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.identity import Credentials, Identity
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]


class Tokens:
    """Knows who is calling by a header."""

    def __init__(self) -> None:
        self.seen: list[Credentials] = []

    @hookimpl
    async def authenticate(self, credentials: Credentials) -> Identity | Rejected | None:
        self.seen.append(credentials)
        token = credentials.headers.get("X-Token")
        if token == "raise":
            raise ZeroDivisionError("token 4711")
        if token == "hang":
            await asyncio.Event().wait()
        if token == "anonymous":
            return Identity()
        if token in (None, "unknown"):
            return None
        return Identity(token.removeprefix("is-"), proven=True) if token.startswith("is-") else Rejected("a bad token")


class Doorkeeper:
    """Lets nobody into what is secret, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, str, Address]] = []

    @hookimpl
    def authorize(self, identity: Identity, action: str, target: Address) -> Any:
        self.asked.append((identity.subscriber_id, action, target))
        if target.name == "raise":
            raise ZeroDivisionError
        if target.name == "open":
            return ALLOW
        return Denied("it is secret") if target.name.startswith("secret") else None


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def guarded(serve: Serve, tokens: Tokens) -> RunningServer:
    return serve(PushServer(CoreSettings(debug=True, hook_timeout=0.2), plugins=[tokens]))


def as_(token: str | None) -> dict[str, str]:
    return {} if token is None else {"X-Token": token}


# ------------------------------------------------------------------------------------------------- who is calling


def test_a_known_caller_is_let_in_once_per_connection(guarded: RunningServer, tokens: Tokens, transport: str) -> None:
    client = guarded.client(transport, headers=as_("is-alice"), query="?a=1")
    client.connect("alice")
    client.subscribe("news")
    assert client.take()
    [credentials] = tokens.seen
    assert (credentials.purpose, credentials.remote_ip, credentials.query("a")) == ("connection", "127.0.0.1", "1")
    assert credentials.transport == {"raw": "rawwebsocket", "sockjs": "websocket", "xhr": "xhr"}[transport]
    assert credentials.request.headers["X-Token"] == "is-alice"


@pytest.mark.parametrize("token", ["wrong", "unknown", None])
def test_others_are_turned_away_for_good(guarded: RunningServer, transport: str, token: str | None) -> None:
    client = guarded.client(transport, headers=as_(token))
    assert client.closed() == (errors.REJECTED.code, errors.REJECTED.reason)
    assert client.inbox == []


@pytest.mark.parametrize(("token", "line"), [("raise", "ZeroDivisionError: token 4711"), ("hang", "timed out after")])
def test_when_the_authenticator_fails_nobody_is_let_in(
    guarded: RunningServer, logs: LogWatch, transport: str, token: str, line: str
) -> None:
    client = guarded.client(transport, headers=as_(token))
    assert client.closed()[0] == errors.FAILED.code
    answer = guarded.http.post("/api/channels/news/", 1, as_(token))
    assert answer.status == 503
    assert "4711" not in answer.text
    for _ in range(2):
        logs.expect(f"refused .*Tokens.*{line}", level=40)


def test_messages_wait_until_it_is_known_who_sent_them(guarded: RunningServer, logs: LogWatch) -> None:
    client = guarded.bare(headers=as_("hang"))
    client.send({"type": "subscribe", "channel": "news", "id": 1})
    assert client.closed()[0] == errors.FAILED.code
    assert client.inbox == []
    logs.expect("timed out", level=40)


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (lambda: Identity(7, proven=True), "a subscriber_id of type int, not a text"),  # type: ignore[arg-type]
        (lambda: Identity("", proven=True), "a bad subscriber_id: .* must not be empty"),
        (lambda: Identity("x" * 300, proven=True), "a bad subscriber_id: .* at most 255 characters"),
        (lambda: Identity("\ud800", proven=True), "a bad subscriber_id: .* well-formed Unicode"),
        (lambda: Identity("ada", proven="no"), "a proven of type str"),  # type: ignore[arg-type]
        (lambda: Identity("ada", info=["admin"]), "an info of type list"),  # type: ignore[arg-type]
        (lambda: Identity("ada", expires_at="soon"), "an expires_at that is no finite number"),  # type: ignore[arg-type]
        (lambda: Identity("ada", expires_at=math.nan), "an expires_at that is no finite number"),
        (lambda: Identity("ada", expires_at=True), "an expires_at that is no finite number"),
        (lambda: True, "answered True where Identity or Rejected or None is expected"),
        (lambda: Identity, "answered the class Identity"),
    ],
)
def test_an_authenticator_that_answers_nonsense_lets_nobody_in(
    serve: Serve, logs: LogWatch, made: Callable[[], Any], line: str
) -> None:
    class Broken:
        @hookimpl
        def authenticate(self) -> Any:
            return made()

    server = serve(PushServer(CoreSettings(anonymous="all"), plugins=[Broken()]))
    assert server.http.post("/api/channels/news/", 1).status == 503
    assert server.bare().closed()[0] == errors.FAILED.code
    for _ in range(2):
        logs.expect(f"refused .*plugin Broken, hook authenticate: .*{line}", level=40)


@pytest.mark.parametrize(
    ("token", "status"), [("is-alice", 200), ("anonymous", 200), ("wrong", 401), ("unknown", 401), (None, 401)]
)
@pytest.mark.parametrize("path", ["/api/channels/news/", "/api/users/alice/"])
def test_http_callers_are_asked_every_time(guarded: RunningServer, path: str, token: str | None, status: int) -> None:
    answer = guarded.http.post(path, 1, as_(token))
    assert answer.status == status
    if status == 401:
        assert answer.json == {"message": "Invalid Auth credentials provided", "status": 401, "code": 1503}
        assert "www-authenticate" in answer.headers, "RFC 9110 asks for it"
    assert guarded.http.get("/debug/", as_(token)).status == status


def test_health_and_readiness_ask_nobody(guarded: RunningServer, tokens: Tokens) -> None:
    assert [guarded.http.get(path).status for path in ("/health", "/ready", "/connect/info")] == [200, 200, 200]
    assert tokens.seen == []


def test_who_is_proven_to_be_somebody_connects_as_that_one(guarded: RunningServer) -> None:
    watcher = guarded.sockjs(headers=as_("anonymous"))
    watcher.connect("watcher")
    client = guarded.sockjs(headers=as_("is-alice"))
    for message in ({"type": "connect", "subscriber_id": "bob"}, {"type": "connect", "subscriber_id": "bob", "id": 1}):
        client.send(message)
        assert client.next()["code"] == errors.ALREADY_CONNECTED.code, "a false claim is no second connect"
    client.connect("alice")
    guarded.run(guarded.push.publish_to_user("alice", "for alice"))
    guarded.run(guarded.push.publish("all", "for all"))
    assert [message["message"] for message in client.take()] == ["for alice", "for all"]
    client.close()
    guarded.wait_until(lambda: len(guarded.push.connections) == 1, "alice is gone")
    bodies = [message["message"]["body"] for message in watcher.take() if "sender_id" not in message]
    assert bodies == ["User: alice connected.", "User: alice disconnected."]


def test_who_never_sends_connect_is_not_announced(guarded: RunningServer) -> None:
    watcher = guarded.sockjs(headers=as_("anonymous"))
    watcher.connect("watcher")
    client = guarded.sockjs(headers=as_("is-alice"))
    client.subscribe("news")
    assert client.take()[0]["message"]["body"] == "User: alice subscribed to news"
    client.close()
    guarded.wait_until(lambda: len(guarded.push.connections) == 1, "alice is gone")
    assert watcher.take() == []


# -------------------------------------------------------------------------------------------------- what they may do


@pytest.fixture
def doorkeeper() -> Doorkeeper:
    return Doorkeeper()


def code_of(client: Client, channel: str) -> int | None:
    reply = client.request({"type": "subscribe", "channel": channel})
    return reply.get("code")  # type: ignore[no-any-return]


def test_one_denied_is_enough(serve: Serve, doorkeeper: Doorkeeper, logs: LogWatch, transport: str) -> None:
    rules = (ChannelRule("open", subscribe="nobody"), ChannelRule("closed", subscribe="nobody"))
    server = serve(PushServer(CoreSettings(debug=True, channels=rules), plugins=[doorkeeper]))
    client = server.client(transport)
    denied = errors.DENIED.code
    assert [code_of(client, name) for name in ("secret", "news", "open", "closed", "raise")] == [
        denied,
        None,
        None,
        denied,
        denied,
    ]
    assert server.http.post("/api/channels/secret/", 1).json == {
        "message": errors.DENIED.text,
        "status": 403,
        "code": denied,
    }
    assert server.http.post("/api/users/secret-agent/", 1).status == 403
    assert server.http.post("/api/channels/news/", 1).status == 200
    logs.expect("Doorkeeper.*authorize.*ZeroDivisionError", level=40)


def test_it_is_asked_with_who_what_and_where(serve: Serve, doorkeeper: Doorkeeper) -> None:
    server = serve(PushServer(CoreSettings(debug=True), plugins=[doorkeeper]))
    client = server.sockjs()
    client.connect("alice")
    client.subscribe("news")
    client.subscribe("news")
    server.publish("news", 1)
    server.publish_to_user("bob", 1)
    server.http.get("/debug/")
    assert doorkeeper.asked == [
        ("alice", "subscribe", Address.channel("all")),
        ("alice", "subscribe", Address.channel("news")),
        (None, "publish", Address.channel("news")),
        (None, "publish", Address.user("bob")),
        (None, "inspect", SERVER),
    ]


def test_channels_for_identified_clients_are_open_after_connect(serve: Serve) -> None:
    client = serve(channels=(ChannelRule("*", subscribe="identified"),)).sockjs()
    assert code_of(client, "news") == errors.DENIED.code
    client.connect("alice")
    assert code_of(client, "news") is None
