"""Who is here: over the wire and over HTTP, and when connections die."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.clients import Client
from support.server import RunningServer
from support.timing import SCALE

from sethpusher_core import errors
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.identity import Credentials, Identity
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]

RULES = (
    ChannelRule("plain", announce=False),
    ChannelRule("closed", presence=True, presence_read="nobody"),
    ChannelRule("*", presence=True),
)


@pytest.fixture
def server(serve: Serve) -> RunningServer:
    return serve(channels=RULES)


def roster(server: RunningServer, channel: str = "room") -> dict[str, Any]:
    """Who is in a channel, by what HTTP answers."""
    answer = server.http.get(f"/api/presence/{channel}/").json
    assert (answer.pop("status"), answer.pop("channel")) == (200, channel)
    return dict(answer)


def people(**counts: int) -> list[dict[str, object]]:
    return [{"subscriber_id": name, "connections": count} for name, count in sorted(counts.items())]


def joined(server: RunningServer, name: str | None, transport: str = "raw", channel: str = "room") -> Client:
    client = server.client(transport)
    if name is not None:
        client.connect(name)
    client.subscribe(channel)
    return client


def bodies(client: Client) -> list[str]:
    return [message["message"]["body"] for message in client.take()]


# --------------------------------------------------------------------------------------------------- who is listed


def test_people_are_listed_with_their_connections_and_others_counted(server: RunningServer, transport: str) -> None:
    clients = [joined(server, name, transport) for name in ("bob", "ada", "bob", None, None)]
    expected = {"people": people(ada=1, bob=2), "anonymous": 2}
    assert roster(server) == expected
    reply = clients[-1].request({"type": "presence", "channel": "room"})
    assert reply == {"type": "ack", "id": reply["id"], "channel": "room", **expected}
    clients[0].unsubscribe("room")
    assert roster(server)["people"] == people(ada=1, bob=1)
    assert roster(server, "nobody-s") == {"people": [], "anonymous": 0}


def test_who_says_its_name_later_is_listed_from_then_on(server: RunningServer) -> None:
    client = joined(server, None)
    assert roster(server) == {"people": [], "anonymous": 1}
    client.connect("ada")
    assert roster(server) == roster(server, "all") == {"people": people(ada=1), "anonymous": 0}


def test_info_is_that_of_the_first_connection_and_stays_through_a_connect(server: RunningServer) -> None:
    first, second = server.bare(), server.bare()
    first.request({"type": "subscribe", "channel": "room", "info": {"colour": "\u2028"}})
    first.connect("ada")
    second.connect("ada")
    second.request({"type": "subscribe", "channel": "room", "info": "other"})
    assert roster(server)["people"] == [{"subscriber_id": "ada", "connections": 2, "info": {"colour": "\u2028"}}]
    first.unsubscribe("room")
    assert roster(server)["people"] == [{"subscriber_id": "ada", "connections": 1, "info": "other"}]


def test_info_has_its_bound(server: RunningServer) -> None:
    client = server.bare()
    reply = client.request({"type": "subscribe", "channel": "room", "info": "x" * 1023})
    assert (reply["type"], reply["code"]) == ("error", errors.BAD_FIELD.code)
    assert roster(server) == {"people": [], "anonymous": 0}
    assert client.request({"type": "subscribe", "channel": "room", "info": "x" * 1022})["type"] == "ack"


def test_who_may_not_know_is_not_told(server: RunningServer) -> None:
    client = joined(server, "ada", channel="closed")
    assert client.request({"type": "presence", "channel": "closed"})["code"] == errors.DENIED.code
    assert client.request({"type": "presence", "channel": "plain"})["code"] == errors.UNSUPPORTED.code
    answer = server.http.get("/api/presence/plain/")
    assert (answer.status, answer.json["code"]) == (400, errors.UNSUPPORTED.code)
    assert roster(server, "closed")["people"] == people(ada=1)


# --------------------------------------------------------------------------------------------- first in and last out


@pytest.mark.parametrize("transport", ["raw", "sockjs"])  # a poll that is dropped leaves its session for a while
def test_only_the_first_in_and_the_last_out_is_announced(server: RunningServer, transport: str) -> None:
    watcher = joined(server, "watcher")
    watcher.take()
    first, second = joined(server, "ada", transport), joined(server, "ada", transport)
    first.unsubscribe("room")
    assert bodies(watcher) == ["User: ada connected.", "User: ada subscribed to room"]
    second.unsubscribe("room")
    assert bodies(watcher) == ["User: ada unsubscribed from room"]
    first.drop()
    server.wait_until(lambda: len(server.push.connections) == 2, "one has gone")
    assert bodies(watcher) == []
    second.drop()
    server.wait_until(lambda: len(server.push.connections) == 1, "both have gone")
    assert bodies(watcher) == ["User: ada disconnected."]


@pytest.mark.parametrize("end", ["drop", "reset", "half-closed", "close", "silent"])
def test_whoever_dies_is_out(serve: Serve, end: str) -> None:
    pings = {"ping_interval": 0.1 * SCALE, "ping_timeout": 0.1 * SCALE} if end == "silent" else {}
    server = serve(channels=RULES, **pings)
    clients = [server.bare() for _ in range(3)]
    for client, name in zip(clients, ("ada", "ada", None), strict=True):
        if name is not None:
            client.connect(name)
        client.subscribe("room")
    assert roster(server) == {"people": people(ada=2), "anonymous": 1}
    for client in clients:
        if end == "half-closed":
            client.line.socket.shutdown(1)
        elif end == "reset":
            client.line.drop(reset=True)
        elif end in ("drop", "close"):
            getattr(client, end)()
    server.wait_until(lambda: not server.push.connections, "they have left")
    assert roster(server) == roster(server, "all") == {"people": [], "anonymous": 0}
    assert not server.push.presence._infos


def test_who_stops_polling_is_out_after_its_delay(serve: Serve) -> None:
    server = serve(channels=RULES, disconnect_delay=1.0 * SCALE)
    client = joined(server, "ada", "xhr")
    assert roster(server)["people"] == people(ada=1)
    client.drop()
    server.wait_until(lambda: not server.push.connections, "its session ends")
    assert roster(server) == {"people": [], "anonymous": 0}


def test_many_that_come_and_die_at_once_leave_nobody_behind(server: RunningServer) -> None:
    watcher = joined(server, "watcher")
    watcher.take()
    for _ in range(10):
        clients = [joined(server, f"p{number % 3}") for number in range(9)]
        for number, client in enumerate(clients):
            client.send({"type": "unsubscribe", "channel": "room"}, {"type": "subscribe", "channel": "room"})
            client.line.drop(reset=bool(number % 2))  # type: ignore[attr-defined]
        server.wait_until(lambda: len(server.push.connections) == 1, "they have left")
    assert roster(server) == {"people": people(watcher=1), "anonymous": 0}
    said = bodies(watcher)
    for number in range(3):
        come, gone = f"User: p{number} connected.", f"User: p{number} disconnected."
        assert [body for body in said if body in (come, gone)] == [come, gone] * 10


# ------------------------------------------------------------------------------------------------------------- users


@pytest.mark.parametrize("transport", ["raw", "sockjs"])
def test_whether_a_user_is_online(server: RunningServer, transport: str) -> None:
    user = {"status": 200, "subscriber_id": "a/d a"}
    assert server.http.get("/api/users/a/d%20a/").json == {**user, "online": False, "connections": 0}
    clients = [joined(server, "a/d a", transport) for _ in range(2)]
    assert server.http.get("/api/users/a/d%20a/").json == {**user, "online": True, "connections": 2}
    clients[0].drop()
    server.wait_until(lambda: len(server.push.connections) == 1, "one has gone")
    assert server.http.get("/api/users/a/d%20a").json == {**user, "online": True, "connections": 1}


class Doorman:
    """Knows everybody by what stands in the query."""

    proves_ids = True

    @hookimpl
    def authenticate(self, credentials: Credentials) -> Identity:
        return Identity(credentials.query("who") or "api", proven=True)


def test_who_is_known_without_having_said_connect_is_disconnected_too(serve: Serve, transport: str) -> None:
    """Found while testing: a proven user who only subscribed stayed, whatever the application ordered."""
    server = serve(PushServer(CoreSettings(channels=RULES), plugins=[Doorman()]))
    silent, other = (server.client(transport, query=f"?who={who}") for who in ("ada", "bob"))
    for client in (silent, other):
        client.subscribe("room")
    assert roster(server)["people"] == people(ada=1, bob=1)
    assert server.http.call("DELETE", "/api/users/ada/").status == 200
    assert silent.closed()[0] == errors.FORCED.code
    server.wait_until(lambda: len(server.push.connections) == 1, "ada is gone")
    assert roster(server)["people"] == people(bob=1)


def test_nobody_to_disconnect_is_no_error(server: RunningServer) -> None:
    client = joined(server, None)
    assert server.http.call("DELETE", "/api/users/None/").status == 200
    assert client.request({"type": "ping"})["type"] == "ack"
