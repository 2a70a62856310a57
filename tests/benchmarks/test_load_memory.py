"""The load generator reads and writes no memory that is not its own, and computes nothing that C leaves undefined."""

from __future__ import annotations

import os
import random

import pytest
from support.generator import FINE, REFUSED, UNTRUE, generated
from support.hub import Hub, frame
from support.server import RunningServer
from support.timing import UNIT

from benchmarks.loading import Load, command_line
from benchmarks.peers.base import Running
from benchmarks.peers.sethpusher import SethPusher
from benchmarks.programs import built, compiler
from sethpusher_core.settings.rules import ChannelRule

SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
DIALECT = SethPusher.dialect


@pytest.fixture(scope="module", autouse=True)
def _sanitizers() -> None:
    if compiler() is None:
        pytest.skip("there is no C compiler")
    try:
        built("load", *SANITIZED)
    except RuntimeError as error:
        pytest.skip(f"the compiler has no sanitizers: {error}")


@pytest.mark.alone
def test_it_is_clean_in_all_that_it_can_do() -> None:
    rules = (ChannelRule("kept", announce=False, history=100), ChannelRule("*", announce=False, publish="anyone"))
    fan_out = Load(
        DIALECT.subscriber, conns=50, channels=7, parallel=9, publish=DIALECT.publish, messages=200, window=5
    )
    loads = [
        fan_out,
        Load(DIALECT.streaming, conns=4, publish=DIALECT.publish, messages=200, window=4, size=4096),
        Load(DIALECT.polling, conns=4, publish=DIALECT.publish, messages=200, publishers=4, window=9),
        Load(DIALECT.subscriber, conns=9, publish=DIALECT.batch, messages=600, batch=200, size=5000),
        Load(DIALECT.subscriber, conns=9, publish=DIALECT.client_publish, messages=200, publishers=3, window=9),
        Load(DIALECT.subscriber, conns=9, churn=DIALECT.churn, cycles=20, churners=3),
        Load(DIALECT.subscriber, publish=DIALECT.kept_publish, messages=80),
        Load(DIALECT.replay, conns=9, replay=80),
        Load(DIALECT.subscriber, conns=9, parallel=3),
    ]
    with RunningServer(channels=rules) as server:
        for load in loads:
            words = command_line(load, Running(server.port, server.port, (os.getpid(),)))
            code, _, said = generated(server.port, *words, "--timeout", UNIT, flags=SANITIZED)
            assert (code, said) == (FINE, ""), load


@pytest.mark.alone
def test_it_is_clean_when_it_finds_fault() -> None:
    words = ("--publish", "http", "--conns", 5, "--channels", 3, "--messages", 40, "--window", 40)
    plan = iter([0, 1, 2, 3] * 1000)
    with Hub(lambda subscriber, body: frame(body) * next(plan)) as hub:
        assert generated(hub.port, *words, "--publish-path", "/%c", "--path", "/%c", flags=SANITIZED)[0] == UNTRUE
    with Hub(lambda subscriber, body: frame(b"later", 0x88)) as hub:
        assert generated(hub.port, *words, flags=SANITIZED)[0] == UNTRUE
    for answer in (
        b"HTTP/1.1 500 Oh\r\n" + b"x" * 5000 + b": y\r\n\r\n",
        b"\0" * 300 + b"\n",
        b"HTTP/1.1\r\n\r\n",
        b"\n",
    ):
        with Hub(answer=answer, upgrade=answer) as hub:
            assert generated(hub.port, "--connect-only", "--conns", 2, flags=SANITIZED)[0] == REFUSED


@pytest.mark.alone
@pytest.mark.parametrize("mode", ["websocket", "stream"])
def test_nor_does_noise_lead_it_astray(mode: str) -> None:
    """Bytes that mean nothing end it with a complaint, or are passed over."""

    noise = random.Random(mode)
    with Hub(greeting=b"".join(noise.randbytes(noise.randrange(1, 3000)) for _ in range(40))) as hub:
        options = ("--mode", mode, "--opening", "x", "--opening-path", "/", "--greeting", "--connect-only")
        code, _, said = generated(hub.port, *options, "--conns", 20, flags=SANITIZED)
    assert code in (FINE, REFUSED, UNTRUE), said
    assert "Sanitizer" not in said
    assert "runtime error" not in said
