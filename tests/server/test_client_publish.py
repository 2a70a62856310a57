"""Clients that publish: by the rules and by plugins, with the sender's id, and perhaps without an echo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.clients import Client
from support.server import RunningServer

from sethpusher_core import errors
from sethpusher_core.addresses import Address
from sethpusher_core.answers import ALLOW, Allowed, Denied
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.identity import Identity
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]

RULES = (
    ChannelRule("open", announce=False, publish="anyone"),
    ChannelRule("kept", announce=False, publish="anyone", history=10),
    ChannelRule("known", announce=False, publish="identified"),
    ChannelRule("*", announce=False),
)


@pytest.fixture
def server(serve: Serve) -> RunningServer:
    return serve(channels=RULES)


def publish(client: Client, channel: str, message: object = 1, **more: object) -> dict[str, Any]:
    reply = client.request({"type": "publish", "channel": channel, "message": message, **more})
    return dict(reply)


def test_the_others_get_it_with_the_connection_s_id_as_sender(server: RunningServer, transport: str) -> None:
    client, other = server.client(transport), server.sockjs()
    client.connect("ada")
    for member in (client, other):
        member.subscribe("kept")
    reply = publish(client, "kept", {"text": "\u2028", "sender_id": "ada"})
    position = {"epoch": reply["epoch"], "offset": 1}
    assert reply == {**reply, "type": "ack", "channel": "kept", **position}
    assert reply["publication_id"]
    envelope = {"message": {"text": "\u2028", "sender_id": "ada"}, "sender_id": "ada", "channel": "kept", **position}
    assert other.take() == [envelope]
    assert client.take() == [envelope], "and so does the sender"


def test_without_an_echo_the_sender_alone_goes_without(server: RunningServer, transport: str) -> None:
    client, second, other = server.client(transport), server.client(transport), server.bare()
    for member in (client, second):
        member.connect("ada")
    for member in (client, second, other):
        member.subscribe("kept")
    publish(client, "kept", "silent", echo=False)
    publish(client, "kept", "loud")
    assert [message["message"] for message in client.take()] == ["loud"]
    for member in (second, other):
        assert [message["message"] for message in member.take()] == ["silent", "loud"]


def test_who_publishes_need_not_be_subscribed(server: RunningServer) -> None:
    client, other = server.bare(), server.bare()
    other.subscribe("open")
    reply = publish(client, "open")
    assert reply.keys() == {"type", "id", "channel", "publication_id"}
    assert client.take() == []
    assert other.take() == [{"message": 1, "sender_id": None, "channel": "open"}]


def test_without_an_id_it_is_published_all_the_same(server: RunningServer) -> None:
    client = server.bare()
    client.subscribe("open")
    client.send({"type": "publish", "channel": "open", "message": None})
    assert client.take() == [{"message": None, "sender_id": None, "channel": "open"}]


def test_the_rule_says_who_may(server: RunningServer, transport: str) -> None:
    client = server.client(transport)
    assert publish(client, "known")["code"] == errors.DENIED.code
    assert publish(client, "other")["code"] == errors.DENIED.code
    client.connect("ada")
    assert publish(client, "known")["type"] == "ack"
    assert publish(client, "other")["code"] == errors.DENIED.code


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"message": {"sender_id": "bob"}},
        {"message": {"sender_id": None}},
        {"message": 1, "echo": "no"},
        {"message": 1, "echo": None},
        {"message": 1, "idempotency_key": ""},
        {"message": 1, "idempotency_key": 7},
        {"message": 1, "idempotency_key": "x" * 256},
        {"message": 1, "channel": ""},
        {"message": 1, "channel": None},
    ],
)
def test_what_is_not_in_order_is_refused(server: RunningServer, fields: dict[str, object]) -> None:
    client = server.bare()
    client.connect("ada")
    client.subscribe("open")
    reply = client.request({"type": "publish", "channel": "open", **fields})
    assert (reply["type"], reply["code"]) == ("error", errors.BAD_FIELD.code)
    assert client.take() == []


def test_a_repeat_is_harmless_and_nobody_repeats_for_another(server: RunningServer) -> None:
    ada, again, bob = (server.bare() for _ in range(3))
    for client, name in ((ada, "ada"), (again, "ada"), (bob, "bob")):
        client.connect(name)
    ada.subscribe("kept")
    first = publish(ada, "kept", "a", idempotency_key="k")
    repeat = publish(again, "kept", "a", idempotency_key="k")
    assert {**repeat, "id": first["id"]} == first
    assert publish(bob, "kept", "b", idempotency_key="k")["publication_id"] != first["publication_id"]
    other = server.http.post("/api/channels/kept/", "c", {"Idempotency-Key": "k"}).json
    assert other["id"] != first["publication_id"]
    assert [message["message"] for message in ada.take()] == ["a", "b", "c"]


class Moderator:
    """Lets staff publish anywhere, and nobody in ``quiet``."""

    @hookimpl
    def authorize(self, identity: Identity, action: str, target: Address) -> Allowed | Denied | None:
        if action != "publish":
            return None
        if target.name == "quiet":
            return Denied("hush")
        return ALLOW if identity.subscriber_id == "staff" else None


def test_plugins_say_who_may(serve: Serve) -> None:
    rules = (ChannelRule("quiet", publish="anyone"), *RULES)
    server = serve(PushServer(CoreSettings(channels=rules), plugins=[Moderator()]))
    staff, guest = server.bare(), server.bare()
    staff.connect("staff")
    guest.connect("guest")
    assert publish(staff, "other")["type"] == "ack"
    assert publish(guest, "other")["code"] == errors.DENIED.code
    assert publish(guest, "open")["type"] == "ack"
    assert publish(staff, "quiet")["code"] == errors.DENIED.code


def test_a_ping_is_answered(server: RunningServer, transport: str) -> None:
    client = server.client(transport)
    reply = client.request({"type": "ping"})
    assert reply == {"type": "ack", "id": reply["id"]}
    client.send({"type": "ping"})
    assert client.take() == []
