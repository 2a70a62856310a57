"""Clients that do not read, break or send garbage: they cost nobody else a message, nor the server memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from support.clients import Bare, SockJS
from support.server import RunningServer

from sethpusher_core import errors
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]

LIMIT = 100_000
SMALL_BUFFER = 4096
KINDS = ["raw", "sockjs"]


def serve_with(serve: Serve, on_slow: str, **settings: Any) -> RunningServer:
    rule = ChannelRule("*", announce=False, on_slow=on_slow)  # type: ignore[arg-type]
    return serve(channels=(rule,), outbound_limit=LIMIT, **settings)


def sleeper(server: RunningServer, kind: str, channel: str = "news") -> Bare | SockJS:
    """A client whose socket takes little, and which does not read on its own."""
    client: Any = server.client(kind, receive_buffer=SMALL_BUFFER)
    client.subscribe(channel)
    return client  # type: ignore[no-any-return]


def publish(server: RunningServer, first: int, count: int, size: int = 10_000, channel: str = "news") -> None:
    """Publishes numbers with some ballast, each in a turn of its own."""

    async def run() -> None:
        for n in range(first, first + count):
            await server.push.publish(channel, {"n": n, "x": "x" * size})
            await asyncio.sleep(0)

    server.run(run())


def numbers(messages: list[Any]) -> list[int]:
    return [message["message"]["n"] for message in messages if "message" in message]


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_does_not_read_is_cut_and_the_others_get_everything(serve: Serve, kind: str) -> None:
    server = serve_with(serve, "disconnect")
    budget = server.push.router.budget
    slow, good = sleeper(server, kind), server.client(kind)
    good.subscribe("news")
    for first in range(0, 1000, 100):
        publish(server, first, 100)
        assert numbers([good.next() for _ in range(100)]) == list(range(first, first + 100))
        assert budget.used <= LIMIT + 20_000, "what waits is bounded"
    server.wait_until(lambda: len(server.push.connections) == 1, "the slow one is gone")
    assert slow.closed()[0] in (errors.SLOW.code, None), "told, if its socket took that"
    assert budget.cut == 1
    assert numbers([json.loads(text) for text in slow.inbox]) == list(range(len(slow.inbox)))
    server.wait_until(lambda: budget.used == 0, "nothing is left on the account")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("on_slow", ["drop_oldest", "drop_newest"])
def test_one_that_reads_late_is_told_what_it_missed(serve: Serve, kind: str, on_slow: str) -> None:
    server = serve_with(serve, on_slow)
    slow = sleeper(server, kind)
    count = 1000
    publish(server, 0, count)
    server.publish("news", {"n": count})
    got: list[int] = []
    lost = 0
    while len(got) + lost < count + 1:
        message = slow.next()
        if message.get("type") == "dropped":
            assert message["channel"] == "news"
            lost += message["count"]
        else:
            got += numbers([message])
    assert lost > 0
    assert got == sorted(set(got)), "in order, none twice"
    assert (count - 1 in got) == (on_slow == "drop_oldest")
    publish(server, count + 1, 5)
    assert numbers([slow.next() for _ in range(5)]) == list(range(count + 1, count + 6)), "and it keeps up again"
    server.wait_until(lambda: server.push.router.budget.used == 0, "the account is settled with a client that lives")


@pytest.mark.parametrize("kind", KINDS)
def test_what_waits_for_all_together_is_bounded(serve: Serve, kind: str) -> None:
    server = serve_with(serve, "drop_newest", outbound_total=3 * LIMIT)
    budget = server.push.router.budget
    slow = [sleeper(server, kind, f"c{n}") for n in range(6)]
    for n in range(6):
        publish(server, 0, 800, channel=f"c{n}")
        assert budget.used <= 3 * LIMIT + 20_000
    assert 1 <= budget.cut <= 3
    assert len(slow) == 6


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_larger_than_every_bound_but_the_last_still_arrives(serve: Serve, kind: str) -> None:
    server = serve_with(serve, "disconnect")
    slow = sleeper(server, kind)
    publish(server, 0, 1, 20 * LIMIT)
    assert slow.next()["message"]["n"] == 0
    publish(server, 1, 1, 20 * LIMIT)
    assert slow.next()["message"]["n"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_waits_behind_what_was_sent_before(serve: Serve, kind: str) -> None:
    server = serve_with(serve, "disconnect")
    slow = sleeper(server, kind)
    publish(server, 0, 1, 20 * LIMIT)
    assert slow.request({"type": "unsubscribe", "channel": "news"})["type"] == "ack"
    assert len(slow.inbox) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ["reset", "stop"])
def test_one_that_breaks_costs_the_others_nothing(serve: Serve, kind: str, end: str) -> None:
    server = serve_with(serve, "disconnect")
    good = [server.client(kind) for _ in range(3)]
    for client in good:
        client.subscribe("news")
    for n in range(20):
        bad: Any = server.client(kind)
        bad.subscribe("news")
        good[1 + n % 2].take() if n % 5 == 0 else None
        bad.line.drop(reset=end == "reset")
        server.publish("news", {"n": n})
    assert numbers(good[0].take()) == list(range(20))


GARBAGE = [
    b"\x00" * 100,
    b"\x81\x05hello",
    b"\x81\xfe\x00\x01\x00\x00\x00\x00x",
    b"\xff\xff" * 50,
    b"\x82\x80\x00\x00\x00\x00",
    b"\x80\x80\x00\x00\x00\x00",
    b"\x88\x81\x00\x00\x00\x00x",
    b"\x88\x82\x00\x00\x00\x00\x00\x00",
    b"\x89\xfe\x01\x00" + b"\x00" * 260,
    b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",
    b"\x81\x84\x00\x00\x00\x00\xff\xfe\xfd\xfc",
    b"\x01\x81\x00\x00\x00\x00a\x81\x81\x00\x00\x00\x00b",
    b"GET / HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda garbage: garbage[:8].hex())
def test_garbage_ends_its_own_connection_at_the_most(serve: Serve, kind: str, garbage: bytes) -> None:
    server = serve_with(serve, "disconnect")
    good = server.client(kind)
    good.subscribe("news")
    bad: Any = server.client(kind)
    bad.subscribe("news")
    bad.line.raw(garbage)
    server.publish("news", {"n": 1})
    assert numbers(good.take()) == [1]
    bad.drop()


@pytest.mark.parametrize("split", [1, 2, 7])
def test_a_message_may_come_in_pieces(serve: Serve, split: int) -> None:
    server = serve_with(serve, "disconnect")
    client = server.bare()
    text = json.dumps({"type": "subscribe", "channel": "news", "id": 1}).encode()
    frame = b"\x81" + bytes([0x80 | len(text)]) + b"\0\0\0\0" + text
    for start in range(0, len(frame), split):
        client.line.raw(frame[start : start + split])
    assert client.next()["id"] == 1
