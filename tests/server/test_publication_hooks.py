"""Plugins on the way of a publication, and of a client's message, given to the server as objects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from support.logs import LogWatch
from support.server import RunningServer

from sethpusher_core import errors
from sethpusher_core.answers import Handled, Refused
from sethpusher_core.connection import Connection
from sethpusher_core.errors import RequestError
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.protocol import ClientMessage
from sethpusher_core.publication import Publication
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings

Serve = Callable[..., RunningServer]


class Store:
    """Persists, unless told otherwise."""

    def __init__(self) -> None:
        self.stored: list[Any] = []
        self.error: Exception | None = None
        self.hang = False

    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        await asyncio.sleep(0)
        if self.hang:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        self.stored += [publication.message for publication in publications]


class Censor:
    @hookimpl
    def transform(self, publication: Publication) -> Any:
        match publication.message:
            case {"secret": _}:
                return publication.replace({"secret": "***"})
            case "bad":
                return Refused("bad words")
            case "raise":
                raise ZeroDivisionError("the message")
            case "move":
                return replace(publication, address=publication.address.channel("elsewhere"))
        return publication


class Observer:
    """Notes what it sees; fails where told to."""

    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []
        self.failing = False

    def see(self, *what: object) -> None:
        self.seen.append(what)
        if self.failing:
            raise ZeroDivisionError

    @hookimpl
    def connected(self, connection: Connection) -> None:
        self.see("connected", connection.subscriber_id)

    @hookimpl
    async def disconnected(self, connection: Connection, code: int) -> None:
        self.see("disconnected", connection.subscriber_id, code, connection.channels)

    @hookimpl
    async def subscribed(self, connection: Connection, channel: str) -> None:
        self.see("subscribed", connection.subscriber_id, channel)

    @hookimpl
    def unsubscribed(self, connection: Connection, channel: str) -> None:
        self.see("unsubscribed", connection.subscriber_id, channel)


class Words:
    """New types of messages."""

    @hookimpl
    async def dispatch(self, connection: Connection, message: ClientMessage) -> Any:
        match message.get("type"):
            case "echo":
                connection.send({"echo": message.get("text")})
                return Handled({"said": message.get("text"), "type": "forged", "id": "forged"})
            case "refuse":
                raise RequestError(errors.REFUSED, "not today")
            case "raise":
                raise ZeroDivisionError("a secret")
            case "hang":
                await asyncio.Event().wait()
            case "odd":
                return "handled"
            case "unsendable":
                return Handled({"x": object()})
            case "close":
                connection.close(errors.FORCED)
                return Handled()
            case "subscribe" if message.get("channel") == "mine":
                return Handled()
            case None:
                raise AssertionError("what has no type is no message")
        return None


def server_with(serve: Serve, *plugins: object, **settings: Any) -> RunningServer:
    return serve(PushServer(CoreSettings(hook_timeout=0.2, **settings), plugins=plugins))


# ---------------------------------------------------------------------------------------------------------- persist


def test_what_is_sent_has_been_stored_in_the_same_order(serve: Serve) -> None:
    store = Store()
    server = server_with(serve, store)
    client = server.sockjs()
    client.connect("alice")
    client.subscribe("news")
    client.take()
    for n in range(20):
        server.publish("news", n)
        server.publish_to_user("alice", n)
    got = [message["message"] for message in client.take()]
    assert got == store.stored == [n for n in range(20) for _ in range(2)], "and join and leave messages are not stored"


@pytest.mark.parametrize("hang", [False, True])
def test_what_cannot_be_stored_is_not_sent(serve: Serve, logs: LogWatch, hang: bool) -> None:
    store = Store()
    server = server_with(serve, store)
    client = server.sockjs()
    client.subscribe("news")
    client.take()
    store.error, store.hang = OSError("disk full"), hang
    answer = server.http.post("/api/channels/news/", 1)
    assert answer.status == 503
    assert answer.json["code"] == errors.UNAVAILABLE.code
    assert "disk" not in answer.text
    store.error, store.hang = None, False
    server.publish("news", 2)
    assert [message["message"] for message in client.take()] == [2]
    logs.expect("persist failed for 1 publications.*Store.*" + ("timed out" if hang else "disk full"), level=40)


def test_it_may_be_sent_all_the_same(serve: Serve, logs: LogWatch) -> None:
    store = Store()
    store.error = OSError("disk full")
    server = server_with(serve, store, persist_failure="log")
    client = server.sockjs()
    client.subscribe("news")
    client.take()
    server.publish("news", 1)
    assert [message["message"] for message in client.take()] == [1]
    logs.expect("persist failed", level=40)


# -------------------------------------------------------------------------------------------------------- transform


def test_publications_are_changed_and_refused_before_they_are_stored(serve: Serve, logs: LogWatch) -> None:
    store = Store()
    server = server_with(serve, Censor(), store)
    client = server.bare()
    client.subscribe("news")
    client.take()
    server.publish("news", {"secret": 1, "sender_id": "bob"})
    statuses = {word: server.http.post("/api/channels/news/", word) for word in ("bad", "raise", "move")}
    assert statuses["bad"].json == {"message": "bad words", "status": 422, "code": errors.REFUSED.code}
    assert [statuses[word].status for word in ("raise", "move")] == [500, 500]
    assert "the message" not in statuses["raise"].text
    with pytest.raises(RequestError, match="bad words"):
        server.run(server.push.publish("news", "bad"))
    server.publish("news", "good")
    changed = {"message": {"secret": "***"}, "sender_id": "bob", "channel": "news"}
    assert client.take() == [changed, {"message": "good", "sender_id": None, "channel": "news"}]
    assert store.stored == [{"secret": "***"}, "good"]
    logs.expect("Censor.*ZeroDivisionError", level=40)
    logs.expect("changed its address", level=40)


# -------------------------------------------------------------------------------------------------------- observers


@pytest.mark.parametrize("failing", [False, True])
def test_observers_are_told_and_never_felt(serve: Serve, logs: LogWatch, transport: str, failing: bool) -> None:
    observer = Observer()
    server = server_with(serve, observer)
    observer.failing = failing
    client = server.client(transport)
    client.subscribe("news")
    client.connect("alice")
    client.connect("alice")
    client.subscribe("sport")
    client.subscribe("sport")
    client.unsubscribe("news")
    client.unsubscribe("nothing")
    client.take()
    client.close()
    server.wait_until(lambda: not server.push.connections, "it is gone")
    code = 1002 if transport == "xhr" else 1000  # sockjs-protocol's number for a poll that was dropped
    assert observer.seen == [
        ("subscribed", None, "news"),
        ("connected", "alice"),
        ("subscribed", "alice", "all"),
        ("subscribed", "alice", "sport"),
        ("unsubscribed", "alice", "news"),
        ("unsubscribed", "alice", "all"),
        ("unsubscribed", "alice", "sport"),
        ("disconnected", "alice", code, []),
    ]
    for hook in ("subscribed", "connected", "unsubscribed", "disconnected") if failing else ():
        logs.expect(f"Observer, hook {hook}: ZeroDivisionError", level=40)


def test_observers_hear_of_every_end(serve: Serve) -> None:
    observer = Observer()
    server = server_with(serve, observer)
    dropped, said_nothing = server.sockjs(), server.bare()
    dropped.subscribe("news")
    dropped.drop()
    said_nothing.close()
    server.wait_until(lambda: not server.push.connections, "they are gone")
    assert sorted(what[1:3] for what in observer.seen if what[0] == "disconnected") == [(None, 1000), (None, 1006)]


# --------------------------------------------------------------------------------------------------------- dispatch


def test_a_plugin_answers_new_types(serve: Serve, transport: str) -> None:
    client = server_with(serve, Words()).client(transport)
    reply = client.request({"type": "echo", "text": "é"})
    assert client.inbox == ['{"echo":"é"}']
    assert (reply["type"], reply["said"]) == ("ack", "é"), "it can add to a reply, not forge it"
    client.send({"type": "echo", "text": "x"})
    assert client.take() == [{"echo": "é"}, {"echo": "x"}], "a reply goes out only to an id"


def test_a_plugin_does_known_types_its_own_way(serve: Serve) -> None:
    server = server_with(serve, Words())
    client = server.sockjs()
    assert client.request({"type": "subscribe", "channel": "mine"})["type"] == "ack"
    server.publish("mine", 1)
    assert client.take() == []
    client.subscribe("news")


@pytest.mark.parametrize(
    ("type", "code", "line"),
    [
        ("refuse", errors.REFUSED, None),
        ("raise", errors.INTERNAL, "Words.*ZeroDivisionError"),
        ("hang", errors.INTERNAL, "Words.*timed out"),
        ("odd", errors.INTERNAL, "Words.*answered a value of type str"),
        ("unsendable", errors.INTERNAL, "the reply to a unsendable message cannot be sent"),
        ("nobody's", errors.UNKNOWN_TYPE, None),
    ],
)
def test_a_plugin_that_fails_costs_one_message(
    serve: Serve, logs: LogWatch, type: str, code: errors.ErrorCode, line: str | None
) -> None:
    client = server_with(serve, Words()).sockjs()
    reply = client.request({"type": type})
    assert (reply["type"], reply["code"]) == ("error", code.code)
    assert "secret" not in reply["message"]
    client.subscribe("news")
    if line is not None:
        logs.expect(line, level=40)


def test_a_plugin_may_end_a_connection(serve: Serve, transport: str) -> None:
    server = server_with(serve, Words())
    client = server.client(transport)
    client.send({"type": "close", "id": 1}, {"type": "subscribe", "channel": "news", "id": 2})
    assert client.closed() == (errors.FORCED.code, errors.FORCED.reason)
    assert client.inbox == [], "nothing is said behind the end"


def test_plugins_never_see_what_is_no_message(serve: Serve) -> None:
    client = server_with(serve, Words()).sockjs()
    client.send({}, {"type": None}, {"type": "echo", "id": []})
    assert [message["code"] for message in client.take()] == [1500, 1500, 1502]
