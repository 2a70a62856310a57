"""The load generator's clients say what their servers want to hear, and say plainly what went wrong."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from support.generator import FINE, REFUSED, TIMED_OUT, TIMEOUT, UNTRUE, USAGE, generated
from support.hub import Hub, frame
from support.ports import hold_port
from support.server import RunningServer
from support.timing import SCALE, UNIT

from benchmarks.loading import Load, command_line
from benchmarks.peers.base import Running
from benchmarks.peers.sethpusher import SethPusher
from benchmarks.programs import compiler
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.settings.rules import ChannelRule

pytestmark = [
    pytest.mark.skipif(compiler() is None, reason="there is no C compiler"),
    pytest.mark.alone,  # the generator gives up after a third of a second in which nothing comes on
]
DIALECT = SethPusher.dialect


class Doorkeeper:
    """Counts who comes."""

    def __init__(self) -> None:
        self.came = 0

    @hookimpl
    def subscribed(self) -> None:
        self.came += 1


@pytest.fixture
def doorkeeper() -> Doorkeeper:
    return Doorkeeper()


@pytest.fixture
def server(doorkeeper: Doorkeeper) -> Iterator[RunningServer]:
    rules = (
        ChannelRule("kept", announce=False, history=100),
        ChannelRule("*", announce=False, publish="anyone"),
    )
    with RunningServer(channels=rules, plugins=[doorkeeper]) as running:
        yield running


def loaded(server: RunningServer, load: Load) -> tuple[int, dict[str, Any], str]:
    words = command_line(load, Running(server.port, server.port, (os.getpid(),)))
    return generated(server.port, *words, "--settle", int(50 * SCALE), "--timeout", UNIT / 2)


@pytest.mark.parametrize("part", ["subscriber", "streaming", "polling"])
def test_every_transport(server: RunningServer, part: str) -> None:
    dial = getattr(DIALECT, part)
    load = Load(
        dial, conns=9, channels=2, parallel=4, publish=DIALECT.publish, messages=30, publishers=3, window=6, size=100
    )
    code, told, said = loaded(server, load)
    assert (code, said) == (FINE, "")
    assert told["delivered"] == told["wanted"] == 15 * 5 + 15 * 4
    assert told["server_cpu_us_per_delivery"] > 0
    assert told["generator_cpu_us_per_delivery"] > 0
    assert told["began_ns"] < told["ended_ns"]


def test_a_stream_is_asked_for_again_without_loss(server: RunningServer) -> None:
    """The server ends it after 128 KiB."""
    load = Load(DIALECT.streaming, conns=2, publish=DIALECT.publish, messages=300, window=4, size=4096)
    code, told, said = loaded(server, load)
    assert (code, said, told["delivered"]) == (FINE, "", 600)


def test_batches(server: RunningServer) -> None:
    load = Load(DIALECT.subscriber, conns=6, channels=3, publish=DIALECT.batch, messages=200, batch=20, size=900)
    code, told, said = loaded(server, load)
    assert (code, said, told["delivered"]) == (FINE, "", 400)


def test_publishing_to_nobody_ends_when_all_is_answered(server: RunningServer) -> None:
    load = Load(DIALECT.subscriber, publish=DIALECT.publish, messages=20, publishers=2, window=4)
    code, told, said = loaded(server, load)
    assert (code, said, told["published"], told["wanted"]) == (FINE, "", 20, 0)
    assert told["server_cpu_us_per_publication"] > 0
    assert told["server_cpu_us_per_delivery"] is None
    assert told["p50_us"] is None


def test_publishing_over_a_websocket(server: RunningServer) -> None:
    load = Load(DIALECT.subscriber, conns=3, publish=DIALECT.client_publish, messages=40, window=8, size=300)
    code, told, said = loaded(server, load)
    assert (code, said, told["delivered"]) == (FINE, "", 120)
    assert told["publish_p50_us"] is None


def test_joining_and_leaving(server: RunningServer, doorkeeper: Doorkeeper) -> None:
    load = Load(DIALECT.subscriber, conns=3, churn=DIALECT.churn, cycles=7, churners=3)
    code, told, said = loaded(server, load)
    assert (code, said, told["cycles_done"]) == (FINE, "", 21)
    assert told["cycle_p50_us"] > 0
    assert doorkeeper.came == 3 + 21


def test_replay(server: RunningServer) -> None:
    filling = Load(DIALECT.subscriber, publish=DIALECT.kept_publish, messages=50)
    assert loaded(server, filling)[0] == FINE
    code, told, said = loaded(server, Load(DIALECT.replay, conns=4, replay=50))
    assert (code, said, told["delivered"], told["wanted"]) == (FINE, "", 200, 200)
    assert told["p50_us"] > 0
    assert told["p50_us"] <= told["seconds"] * 1e6


@pytest.mark.parametrize(
    ("first", "count", "wrong"),
    [(0, 30, {"strayed": 20}), (20, 30, {"strayed": 20}), (0, 60, {"missing": 10}), (50, 20, {"strayed": 50})],
)
def test_replay_of_other_messages_than_those(
    server: RunningServer, first: int, count: int, wrong: dict[str, int]
) -> None:
    filling = Load(DIALECT.subscriber, publish=DIALECT.kept_publish, messages=50)
    assert loaded(server, filling)[0] == FINE
    words = command_line(Load(DIALECT.replay, conns=1, replay=count), Running(server.port, server.port, (os.getpid(),)))
    code, told, _ = generated(server.port, *words, "--timeout", TIMEOUT, "--replay-from", first)
    assert code == UNTRUE
    assert told | wrong == told


def test_only_connecting(server: RunningServer) -> None:
    code, told, said = loaded(server, Load(DIALECT.subscriber, conns=40, parallel=40))
    assert (code, said, told["delivered"]) == (FINE, "", 0)
    assert told["connect_s"] > 0
    assert told["connect_cpu_us"] > 0
    assert told["memory_end_kib"] > 0


# ---- against a server of few words


def test_openings_wait_for_the_greeting_and_in_lockstep_for_an_answer() -> None:
    with Hub() as hub:
        options = (
            "--path",
            "/a",
            "--opening",
            "one",
            "two",
            "--greeting",
            "--lockstep",
            "--connect-only",
            "--conns",
            1,
        )
        code, _, said = generated(hub.port, *options)
        assert (code, said) == (TIMED_OUT, f"load: subscriber 0: not greeted in {TIMEOUT:g} s\n")
        assert hub.heard == []
    with Hub(greeting=frame(b"o")) as hub:
        code, _, said = generated(hub.port, *options)
        assert (code, said) == (TIMED_OUT, f"load: subscriber 0: not ready in {TIMEOUT:g} s\n")
        assert hub.heard == [(0x81, b"one")]
    with Hub(greeting=frame(b"o") + frame(b"answer")) as hub:
        assert generated(hub.port, *options)[0] == FINE
        assert hub.heard == [(0x81, b"one"), (0x81, b"two")]


def test_an_answer_in_fragments_is_one() -> None:
    fragments = frame(b"a", 0x01) + frame(b"nsw", 0x00) + frame(b"er", 0x80)
    with Hub(greeting=frame(b"o") + fragments) as hub:
        options = ("--opening", "one", "two", "three", "--greeting", "--lockstep", "--connect-only", "--conns", 1)
        assert generated(hub.port, *options)[0] == TIMED_OUT
        assert hub.heard == [(0x81, b"one"), (0x81, b"two")]


def test_who_churns_is_not_in_the_channel_at_first() -> None:
    with Hub() as hub:
        options = ("--opening", "connect", "subscribe", "--churn", "join %d", "leave", "in", "out", "--conns", 1)
        code, told, said = generated(hub.port, *options)
        assert hub.heard == [(0x81, b"connect"), (0x81, b"subscribe"), (0x81, b"connect"), (0x81, b"join 1")]
    assert (code, told["cycles_done"], said) == (TIMED_OUT, 0, f"load: an answer has not come in {TIMEOUT:g} s\n")


@pytest.mark.parametrize(
    "head", [b"Transfer-Encoding: chunked\r\nConnection: close\r\n", b"Connection: close\r\n", b""]
)
def test_a_stream_is_dialled_again_where_the_server_closes(head: bytes) -> None:
    def deliver(subscriber: int, body: bytes) -> bytes:
        return (b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if b"chunked" in head else body) + b"bye"

    with Hub(deliver, stream=b"HTTP/1.1 200 OK\r\n" + head + b"\r\n") as hub:
        code, told, said = generated(hub.port, "--mode", "stream", "--publish", "http", "--conns", 1, "--messages", 9)
    assert (code, said, told["delivered"]) == (FINE, "", 9)


def test_what_stands_in_texts() -> None:
    opening = r"%d %6 %c %% \\ \x00\xff\r\n"
    with Hub() as hub:
        options = ("--opening", opening, "--binary", "--connect-only", "--conns", 4, "--channels", 3)
        assert generated(hub.port, *options)[0] == FINE
        assert hub.heard[-1] == (0x82, b"3 000003 0 %% \\ \x00\xff\r\n")


def test_pings_are_answered() -> None:
    with Hub(greeting=frame(b"here?", 0x89) + frame(b"2") + frame(b"22")) as hub:
        assert generated(hub.port, "--connect-only", "--conns", 1, "--pong", "2", "3")[0] == FINE
        assert hub.heard == [(0x8A, b"here?"), (0x81, b"3")]


def test_bare_tcp() -> None:
    """Subscribers by HTTP in no framing at all: what they say is sent as it is, what comes is looked through."""
    with Hub(lambda subscriber, body: body, greeting=b"any") as hub:
        request = r"GET / HTTP/1.1\r\n\r\n"
        publish = r"POST / HTTP/1.1\r\ncontent-length: %l\r\n\r\n%p"
        options = ("--mode", "raw", "--opening", request, "--publish", "raw", "--publish-body", publish)
        code, told, said = generated(hub.port, *options, "--conns", 3, "--messages", 20, "--window", 4, "--size", 99)
    assert (code, said, told["delivered"]) == (FINE, "", 60)


def test_a_publisher_whose_connection_the_server_ends_dials_again() -> None:
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    with Hub(answer=answer) as hub:
        code, told, said = generated(hub.port, "--publish", "http", "--conns", 2, "--messages", 5)
    assert (code, said, told["delivered"]) == (FINE, "", 10)


# ---- what goes wrong


def test_nobody_listens() -> None:
    with hold_port() as holder:
        code, told, said = generated(holder.getsockname()[1], "--connect-only", "--conns", 2)
    assert (code, told, said) == (REFUSED, {}, "load: subscriber 0: Connection refused\n")


def test_a_handshake_that_is_refused() -> None:
    with Hub(upgrade=b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno") as hub:
        code, _, said = generated(hub.port, "--connect-only", "--conns", 2)
    assert (code, said) == (REFUSED, "load: subscriber 0: answered 403: no\n")


def test_what_is_no_http() -> None:
    with Hub(upgrade=b"SSH-2.0\x01\r\n") as hub:
        code, _, said = generated(hub.port, "--connect-only", "--conns", 2)
    assert (code, said) == (REFUSED, "load: subscriber 0: no HTTP answer: SSH-2.0\\x01\n")


def test_a_publication_that_is_refused() -> None:
    with Hub(answer=b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nwhat") as hub:
        code, _, said = generated(hub.port, "--publish", "http", "--conns", 2)
    assert (code, said) == (REFUSED, "load: publisher 0: answered 500: what\n")


def test_a_publication_that_is_not_answered() -> None:
    with Hub(answer=b"") as hub:
        code, told, said = generated(hub.port, "--publish", "http", "--conns", 2, "--messages", 3)
    assert (code, said) == (TIMED_OUT, f"load: an answer has not come in {TIMEOUT:g} s\n")
    assert (told["published"], told["delivered"]) == (1, 2)


def test_a_server_that_takes_connections_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        code, _, said = generated(listener.getsockname()[1], "--connect-only", "--conns", 1)
    assert (code, said) == (TIMED_OUT, f"load: subscriber 0: not answered in {TIMEOUT:g} s\n")


def test_clients_that_never_come_to_rest() -> None:
    """So it is with the polls of a session that is over."""
    with Hub(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nc[]") as hub:
        options = ("--mode", "poll", "--method", "POST", "--conns", 2, "--settle", int(300 * SCALE))
        code, _, said = generated(hub.port, "--connect-only", *options)
    assert code == TIMED_OUT
    assert said.startswith("load: the clients do not come to rest; the last that one got: HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--connect-only", "--churn", "a", "b", "c", "d"], "one of these, please"),
        ([], "one of these, please"),
        (["--connect-only", "--conns", "many"], "--conns: not such a number"),
        (["--connect-only", "--opening"], "--opening: needs a value"),
        (["--connect-only", "--opening", r"\q"], "unknown escape"),
        (["--connect-only", "--opening", r"\x4"], "unknown escape"),
        (["--connect-only", "--opening", "\\"], "unknown escape"),
        (["--connect-only", "--hosts", "example.com"], "--hosts: unknown"),
        (["--connect-only", "--conns", "1000000"], "descriptors needed"),
        (["--publish", "http", "--messages", "5", "--batch", "2"], "--messages: not a multiple of --batch"),
        (["--connect-only", "--mode", "poll", "--opening", "x"], "--opening: needs --opening-path"),
    ],
)
def test_usage(options: list[str], complaint: str) -> None:
    code, told, said = generated(9, *options)
    assert (code, told) == (USAGE, {})
    assert complaint in said
    assert len(said.splitlines()) == 1
