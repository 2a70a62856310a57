"""A backend that is slow or fails: who waits is told, who goes leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support.backends import HeldBackend
from support.logs import LogWatch
from support.server import RunningServer

from sethpusher_core import errors
from sethpusher_core.addresses import CONTROL, Address
from sethpusher_core.backends.base import Accepted, Outgoing, Position
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import BackendError, BackendUnavailable
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings

Serve = Callable[..., RunningServer]


class Moody(MemoryBackend):
    """Fails where it is told to.

    Attributes:
        deaf_to: Names of the channels and users that it cannot subscribe to.
        mute: Whether it takes nothing.
        broken: Whether it raises what no backend should.
    """

    def __init__(self) -> None:
        super().__init__()
        self.deaf_to: set[str] = set()
        self.mute = False
        self.broken = False
        self.mood: str | None = None

    @property
    def trouble(self) -> str | None:
        return self.mood

    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        if address.name in self.deaf_to:
            raise BackendUnavailable("away")
        return await super().subscribe(address, positioned)

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        if self.broken:
            raise ZeroDivisionError
        if self.mute:
            return [BackendUnavailable("away") for _ in batch]
        return await super().publish(batch)


class Offer:
    name = "own"

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend

    @hookimpl
    def register_backends(self, register: Any) -> None:
        register("own", lambda settings: self._backend, None)


def on(serve: Serve, backend: MemoryBackend) -> RunningServer:
    return serve(PushServer(CoreSettings(backend="own"), plugins=[Offer(backend)]))


@pytest.fixture
def moody() -> Moody:
    return Moody()


def test_a_subscription_that_fails_is_told_and_may_be_tried_again(
    serve: Serve, moody: Moody, logs: LogWatch, transport: str
) -> None:
    client = on(serve, moody).client(transport)
    moody.deaf_to.add("news")
    reply = client.request({"type": "subscribe", "channel": "news"})
    assert (reply["type"], reply["code"]) == ("error", errors.UNAVAILABLE.code)
    logs.expect("cannot join channel news: away")
    moody.deaf_to.clear()
    client.subscribe("news")
    assert len(client.take()) == 1


def test_a_connect_that_fails_half_way_is_undone(serve: Serve, moody: Moody, logs: LogWatch) -> None:
    server = on(serve, moody)
    client = server.sockjs()
    for name in ("all", "alice"):
        moody.deaf_to = {name}
        reply = client.request({"type": "connect", "subscriber_id": "alice"})
        assert reply["code"] == errors.UNAVAILABLE.code
        server.wait_until(lambda: not list(server.push.hub), "everything is left")
        logs.expect("cannot join .*: away")
    moody.deaf_to = set()
    client.connect("alice")
    server.publish_to_user("alice", 1)
    server.publish("all", 2)
    assert [message["message"] for message in client.take()] == [1, 2]


@pytest.mark.parametrize("broken", [False, True])
def test_what_cannot_be_sent_now_is_unavailable(serve: Serve, moody: Moody, logs: LogWatch, broken: bool) -> None:
    server = on(serve, moody)
    client = server.sockjs()
    client.subscribe("news")
    client.take()
    moody.mute, moody.broken = True, broken
    answer = server.http.post("/api/channels/news/", 1)
    assert (answer.status, answer.json["code"]) == (503, errors.UNAVAILABLE.code)
    assert server.http.call("DELETE", "/api/users/alice/").status == 503
    moody.mute = moody.broken = False
    server.publish("news", 2)
    assert [message["message"] for message in client.take()] == [2]
    logs.expect("the backend failed on 1 pub" if broken else "not published.*: away", level=40 if broken else 30)
    logs.expect("user alice is not disconnected")


@pytest.mark.parametrize("broken", [False, True])
def test_notices_that_cannot_be_sent_cost_nobody_a_subscription(
    serve: Serve, moody: Moody, logs: LogWatch, broken: bool
) -> None:
    client = on(serve, moody).sockjs()
    moody.mute, moody.broken = True, broken
    client.connect("alice")
    client.subscribe("news")
    client.unsubscribe("news")
    assert client.take() == []
    for type in ("connect", "subscribe", "unsubscribe"):
        logs.expect(f"no {type} notice in channel", level=40 if broken else 30)
    moody.mute = moody.broken = False


def test_trouble_is_not_ready_and_alive(serve: Serve, moody: Moody) -> None:
    server = on(serve, moody)
    moody.mood = "the bus does not answer"
    answer = server.http.get("/ready")
    assert (answer.status, answer.json["status"]) == (503, 503)
    assert server.http.get("/health").status == 200
    moody.mood = None
    assert server.http.get("/ready").status == 200


@pytest.mark.parametrize("ending", ["close", "drop"])
def test_one_who_leaves_while_the_backend_is_at_work_leaves_nothing(serve: Serve, transport: str, ending: str) -> None:
    backend = HeldBackend("subscribe")
    server = on(serve, backend)
    client = server.client(transport)
    client.send({"type": "subscribe", "channel": "news"}, {"type": "connect", "subscriber_id": "alice"})
    server.wait_until(lambda: len(backend.calls) == 1, "the backend is asked")
    if transport == "xhr":
        client.close()
    else:
        getattr(client, ending)()
    connection = next(iter(server.push.connections.values()))
    server.wait_until(lambda: connection.closed, "the server knows")

    def answer() -> bool:
        for call in backend.calls:
            if not call.future.done():
                call.answer()
        return not server.push.connections and not list(server.push.hub)

    server.wait_until(answer, "everything is left")
    assert backend.heard <= {CONTROL}


def test_one_that_waits_for_the_backend_holds_up_nobody_else(serve: Serve) -> None:
    backend = HeldBackend("subscribe")
    server = on(serve, backend)
    waits, other = server.sockjs(), server.bare()
    waits.send({"type": "subscribe", "channel": "news", "id": 1}, {"type": "unsubscribe", "channel": "x", "id": 2})
    server.wait_until(lambda: len(backend.calls) == 1, "the backend is asked")
    other.unsubscribe("x")
    server.publish("news", "before it is in")
    server.call(lambda: backend.calls[0].answer())
    assert [waits.next()["id"] for _ in range(2)] == [1, 2], "and its own messages keep their order"
    assert [message["message"]["type"] for message in waits.take()] == ["subscribe"]
