"""From the handshake to the end of an identity: anonymous callers, proven ids, tokens, expiry."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.clients import Client
from support.logs import LogWatch
from support.server import RunningServer

from sethpusher_core import admission, errors
from sethpusher_core.answers import Rejected
from sethpusher_core.builtins.closed_door import ClosedDoor
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.identity import Credentials, Identity
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]

PRESENT = ChannelRule("*", presence=True, publish="anyone", announce=False)
REJECTED = (errors.REJECTED.code, errors.REJECTED.reason)


class Keys:
    """Lets in who has the key, whoever that is."""

    @hookimpl
    def authenticate(self, credentials: Credentials) -> Identity | Rejected | None:
        key = credentials.headers.get("X-Key")
        return None if key is None else Identity() if key == "right" else Rejected("a wrong key")


class Tokens:
    """Proves ids by tokens such as ``ada`` or ``ada 0.5``, which holds for half a second."""

    proves_ids = True
    takes_tokens = True

    def __init__(self) -> None:
        self.seen: list[str] = []

    @hookimpl
    async def authenticate(self, credentials: Credentials) -> Identity | Rejected | None:
        token = credentials.token or credentials.headers.get("X-Token")
        if token is None:
            return None
        self.seen.append(token)
        name, _, seconds = token.partition(" ")
        if name == "raise":
            raise ZeroDivisionError
        if name == "unknown":
            return None
        expires_at = time.time() + float(seconds) if seconds else None
        return Rejected("a bad token") if name == "bad" else Identity(name, proven=True, expires_at=expires_at)


def serve_with(serve: Serve, *plugins: object, **settings: Any) -> RunningServer:
    return serve(PushServer(CoreSettings(debug=True, channels=(PRESENT,), **settings), plugins=plugins))


def connect(client: Client, **fields: object) -> Any:
    return client.request({"type": "connect", **fields})


def roster(server: RunningServer, channel: str) -> Any:
    answer = server.http.get(f"/api/presence/{channel}/", {"X-Token": "service"}).json
    return {person["subscriber_id"] for person in answer["people"]}, answer["anonymous"]


# ------------------------------------------------------------------------------------------------------- anonymous


@pytest.mark.parametrize(("anonymous", "http"), [("none", 401), ("connect", 401), ("all", 200)])
def test_callers_without_credentials_go_by_the_setting(
    serve: Serve, transport: str, anonymous: str, http: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sethpusher.access_control")
    server = serve_with(serve, Keys(), anonymous=anonymous)
    client = server.client(transport)
    if anonymous == "none":
        assert client.closed() == REJECTED
    else:
        client.connect("ada")
        client.subscribe("news")
        published = client.request({"type": "publish", "channel": "news", "message": 1})
        assert published.get("code") == (errors.DENIED.code if anonymous == "connect" else None)
    assert server.http.post("/api/channels/news/", 1).status == http
    assert server.http.get("/debug/").status == http
    if http == 401:
        assert f"anonymous = {anonymous}" in caplog.text


@pytest.mark.parametrize("anonymous", ["none", "connect", "all"])
@pytest.mark.parametrize("headers", [{"X-Key": "wrong"}, {"Authorization": "Mystery x"}])
def test_bad_credentials_are_refused_whatever_it_says(
    serve: Serve, transport: str, anonymous: str, headers: dict[str, str]
) -> None:
    server = serve_with(serve, Keys(), anonymous=anonymous)
    assert server.client(transport, headers=headers).closed() == REJECTED
    assert server.http.post("/api/channels/news/", 1, headers).status == 401


def test_without_an_authenticator_everybody_is_who_they_claim_to_be(serve: Serve) -> None:
    server = serve_with(serve)
    client = server.bare()
    assert "code" not in connect(client, subscriber_id="ada", token="ignored")
    server.publish_to_user("ada", "hello")
    assert [envelope["message"] for envelope in client.take()] == ["hello"]
    assert client.request({"type": "refresh", "token": "x"})["code"] == errors.UNSUPPORTED.code


# --------------------------------------------------------------------------------------------------------- claims


@pytest.mark.parametrize("headers", [{"X-Key": "right"}, {}])
def test_a_claim_does_not_count_where_somebody_can_prove_ids(serve: Serve, headers: dict[str, str]) -> None:
    server = serve_with(serve, Keys(), Tokens(), anonymous="connect")
    client = server.bare(headers=headers)
    assert connect(client, subscriber_id="ada")["code"] == errors.DENIED.code
    assert connect(client)["subscriber_id"] is None
    client.subscribe("news")
    assert roster(server, "news") == (set(), 1)
    assert roster(server, "all") == (set(), 1)
    assert server.http.post("/api/users/ada/", "secret", {"X-Token": "service"}).status == 200
    assert server.http.post("/api/channels/all/", "for all", {"X-Token": "service"}).status == 200
    assert [envelope["message"] for envelope in client.take()] == ["for all"]


class Names:
    """Gives an id to whoever names one, and vouches for none."""

    @hookimpl
    def authenticate(self, credentials: Credentials) -> Identity | None:
        name = credentials.headers.get("X-Name")
        return None if name is None else Identity(name)


def test_an_id_that_an_authenticator_does_not_vouch_for_is_no_better(serve: Serve) -> None:
    named = {"X-Name": "ada"}
    alone = serve_with(serve, Names()).bare(headers=named)
    assert connect(alone, subscriber_id="ada")["type"] == "ack"
    server = serve_with(serve, Names(), Tokens())
    client = server.bare(headers=named)
    assert connect(client, subscriber_id="ada")["code"] == errors.DENIED.code
    assert connect(client)["subscriber_id"] is None
    assert roster(server, "all") == (set(), 1)


def test_who_is_proven_need_not_say_who_it_is(serve: Serve) -> None:
    server = serve_with(serve, Tokens())
    client = server.bare(headers={"X-Token": "ada"})
    assert connect(client)["subscriber_id"] == "ada"
    assert connect(client, subscriber_id="bob")["code"] == errors.ALREADY_CONNECTED.code
    assert roster(server, "all") == ({"ada"}, 0)


# --------------------------------------------------------------------------------------------------------- tokens


def test_a_socket_without_credentials_may_do_nothing_before_its_token(serve: Serve, transport: str) -> None:
    server = serve_with(serve, Tokens())
    client = server.client(transport)
    for message in ({"type": "ping"}, {"type": "subscribe", "channel": "news"}, {"type": "refresh", "token": "ada"}):
        assert client.request(message)["code"] == errors.UNAUTHENTICATED.code
    assert not server.call(lambda: list(server.push.hub))
    assert connect(client, token="ada")["subscriber_id"] == "ada"
    assert server.http.post("/api/users/ada/", "hello", {"X-Token": "service"}).status == 200
    assert [envelope["message"] for envelope in client.take()] == ["hello"]


@pytest.mark.parametrize(("anonymous", "stays"), [("none", False), ("connect", True), ("all", True)])
def test_when_the_wait_is_over_the_setting_decides(serve: Serve, anonymous: str, stays: bool) -> None:
    server = serve_with(serve, Tokens(), anonymous=anonymous, auth_timeout=0.05)
    client = server.bare()
    if not stays:
        assert client.closed() == REJECTED
        return
    server.wait_until(lambda: not waiting(server), "the wait is over")
    client.subscribe("news")
    assert connect(client, token="ada")["subscriber_id"] == "ada"
    assert roster(server, "news") == ({"ada"}, 0)


def waiting(server: RunningServer) -> bool:
    return any(one.admission is None or one.admission.waiting for one in server.push.connections.values())


def test_a_connect_without_a_token_ends_the_wait(serve: Serve) -> None:
    client = serve_with(serve, Tokens(), anonymous="connect").bare()
    assert connect(client)["subscriber_id"] is None
    client = serve_with(serve, Tokens()).bare()
    assert connect(client)["code"] == errors.UNAUTHENTICATED.code
    assert client.closed() == REJECTED


@pytest.mark.parametrize("type", ["connect", "refresh"])
@pytest.mark.parametrize("token", ["bad", "unknown", "ada -1"])
def test_a_bad_token_ends_the_connection(serve: Serve, transport: str, type: str, token: str) -> None:
    client = serve_with(serve, Tokens(), anonymous="all").client(transport, headers={"X-Token": "ada"})
    assert client.request({"type": type, "token": token})["code"] == errors.UNAUTHENTICATED.code
    assert client.closed() == REJECTED


def test_a_token_is_for_those_who_take_tokens(serve: Serve) -> None:
    client = serve_with(serve, Keys(), Tokens()).bare(headers={"X-Key": "right"})
    assert connect(client, token="bad")["code"] == errors.UNAUTHENTICATED.code
    assert client.closed() == REJECTED
    client = serve_with(serve, Keys()).bare(headers={"X-Key": "right"})
    assert connect(client, subscriber_id="ada", token="x")["code"] == errors.UNSUPPORTED.code
    assert connect(client, subscriber_id="ada", token=7)["code"] == errors.BAD_FIELD.code


def test_a_token_of_somebody_else_is_refused(serve: Serve) -> None:
    client = serve_with(serve, Tokens()).bare(headers={"X-Token": "ada"})
    for type in ("connect", "refresh"):
        assert client.request({"type": type, "token": "bob"})["code"] == errors.ALREADY_CONNECTED.code
    assert client.request({"type": "refresh"})["code"] == errors.BAD_FIELD.code
    assert connect(client, token="ada")["subscriber_id"] == "ada"


def test_an_authenticator_that_fails_lets_nobody_in(serve: Serve, logs: LogWatch) -> None:
    server = serve_with(serve, Tokens(), anonymous="all", auth_timeout=0.2)
    client = server.bare()
    assert connect(client, token="raise")["code"] == errors.UNAVAILABLE.code
    assert client.request({"type": "subscribe", "channel": "news"})["code"] == errors.UNAUTHENTICATED.code
    logs.expect("refused .*ZeroDivisionError", level=logging.ERROR)


def test_a_token_is_never_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve_with(serve, Tokens())
    for token in ("tok-4711", "bad 47114711"):
        connect(server.bare(), token=token)
    assert "refused <Credentials token" in caplog.text
    logged = [record.getMessage() for record in caplog.records if record.name != "websockets.client"]  # the test's own
    assert not any(secret in "\n".join(logged) for secret in ("tok-4711", "47114711"))


def test_a_broken_authenticator_refuses_whatever_the_setting_says(serve: Serve) -> None:
    server = serve_with(serve, Tokens(), ClosedDoor(["auth_jwt"]), anonymous="all", hook_timeout=0.2)
    assert server.bare().closed() == REJECTED
    assert server.http.post("/api/channels/news/", 1).status == 401
    assert server.http.post("/api/channels/news/", 1, {"X-Token": "ada"}).status == 403, "it denies, too"


# --------------------------------------------------------------------------------------------------------- expiry


def test_an_identity_ends_while_connected(serve: Serve, transport: str) -> None:
    client = serve_with(serve, Tokens()).client(transport, headers={"X-Token": "ada 0.4"})
    told = client.next()
    assert told["type"] == "expiring"
    assert 0 < told["in"] <= 0.4
    assert client.closed() == (errors.EXPIRED.code, errors.EXPIRED.reason)
    assert errors.EXPIRED.comes_back


def test_a_refresh_renews_it(serve: Serve) -> None:
    client = serve_with(serve, Tokens()).bare(headers={"X-Token": "ada 0.5"})
    assert client.next()["type"] == "expiring"
    reply = client.request({"type": "refresh", "token": "ada 3600"})
    assert reply["subscriber_id"] == "ada"
    assert 3590 < reply["expires_in"] <= 3600
    assert client.request({"type": "refresh", "token": "ada"})["subscriber_id"] == "ada"
    assert client.request({"type": "refresh", "token": "ada 0.2"})["expires_in"] <= 0.2
    assert client.next()["type"] == "expiring"
    assert client.closed()[0] == errors.EXPIRED.code


def test_a_clock_that_jumps_is_noticed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slept, or whose clock was set: timers see neither."""
    now, ahead = time.time, [0.0]
    monkeypatch.setattr("time.time", lambda: now() + ahead[0])
    monkeypatch.setattr(admission, "LONGEST_WAIT", 0.02)
    client = serve_with(serve, Tokens()).bare(headers={"X-Token": "ada 1800"})
    assert client.request({"type": "ping"})["type"] == "ack"
    ahead[0] = 1790.0
    assert client.next() == {"type": "expiring", "in": pytest.approx(10, abs=5)}
    ahead[0] = 1700.0
    assert client.request({"type": "ping"})["type"] == "ack"
    ahead[0] = 3600.0
    assert client.closed()[0] == errors.EXPIRED.code


def test_what_has_expired_opens_nothing(serve: Serve) -> None:
    server = serve_with(serve, Tokens(), anonymous="all")
    assert server.bare(headers={"X-Token": "ada -1"}).closed() == REJECTED
    assert server.http.get("/api/channels/", {"X-Token": "ada -1"}).status == 401


def test_one_timer_serves_all(serve: Serve) -> None:
    server = serve_with(serve, Tokens())
    clients = [server.bare(headers={"X-Token": f"u{number} 3600"}) for number in range(20)]
    for client in clients:
        assert client.request({"type": "ping"})["type"] == "ack"

    async def pending() -> int:
        loop: Any = asyncio.get_running_loop()
        return sum(not timer.cancelled() and "Deadlines" in repr(timer) for timer in loop._scheduled)

    assert server.run(pending()) == 1


# ----------------------------------------------------------------------------------------- nobody is asked, or told


@pytest.mark.parametrize(
    "path", ["/health", "/ready", "/connect", "/connect/", "/connect/info", "/connect/iframe.html", "/nothing"]
)
def test_pages_that_ask_nobody(serve: Serve, path: str) -> None:
    tokens = Tokens()
    server = serve_with(serve, tokens)
    assert server.http.get(path, {"X-Token": "raise"}).status == (404 if path == "/nothing" else 200)
    assert tokens.seen == []


def test_details_of_health_are_for_those_who_may_inspect(serve: Serve) -> None:
    server = serve_with(serve, Tokens())
    assert server.http.get("/health?details").status == 401
    details = server.http.get("/health?details", {"X-Token": "ada"}).json
    assert details["backend"] == "memory"
    assert {"clients_too_slow": 0, "messages_dropped": 0}.items() <= details["limits"].items()
    assert {"plugin": "Tokens", "hook": "authenticate", "calls": 2, "failures": 0} in details["hooks"]


class Talker:
    name = "talker"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @hookimpl
    async def health(self) -> Any:
        return self.answer


def test_plugins_add_to_the_details_of_health(serve: Serve) -> None:
    mute = Talker(None)
    mute.name = "mute"
    wrong = Talker({"bytes": b"x"})
    wrong.name = "wrong"
    server = serve(PushServer(plugins=[Talker({"rows": 3, "oldest": None}), mute, wrong]))
    details = server.http.get("/health?details").json["details"]
    assert details["talker"] == {"rows": 3, "oldest": None}
    assert "not JSON serializable" in details["wrong"]["failed"]
    assert details.keys() == {"talker", "wrong"}
    assert "details" not in server.http.get("/health").json


def test_a_denial_does_not_tell_whether_a_channel_exists(serve: Serve) -> None:
    closed = ChannelRule(
        "*", subscribe="nobody", presence_read="nobody", history_read="nobody", history=10, presence=True
    )
    server = serve(PushServer(CoreSettings(channels=(closed,))))
    server.publish("there", 1)
    client = server.bare()
    for type in ("subscribe", "publish", "presence", "history"):
        replies = [
            client.request({"type": type, "channel": channel, "message": 1, "recover": {"epoch": "x", "offset": 1}})
            for channel in ("there", "nowhere")
        ]
        assert len({(reply["type"], reply["code"], reply["message"]) for reply in replies}) == 1
        assert replies[0]["code"] == errors.DENIED.code
