"""The floor sends every message to every subscriber, and ends where it would lose one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.generator import FINE, generated
from support.timing import UNIT

from benchmarks.peers.base import Running
from benchmarks.peers.floor import Floor
from benchmarks.programs import compiler

pytestmark = [
    pytest.mark.skipif(compiler() is None, reason="there is no C compiler"),
    pytest.mark.alone,  # the generator gives up after a third of a second in which nothing comes on
]

SUBSCRIBE = b"GET / HTTP/1.1\r\n\r\n"


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Running]:
    with Floor().running(tmp_path) as running:
        yield running


def post(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def connected(floor: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", floor.port), UNIT)


def read_until(client: socket.socket, end: bytes, count: int = 1) -> bytes:
    got = b""
    while got.count(end) < count:
        part = client.recv(65536)
        assert part, got
        got += part
    return got


def test_sixty_four_publishers_and_long_messages(floor: Running) -> None:
    for _ in range(2):  # whoever was there before is forgotten
        options = ("--publish", "http", "--greeting", "--conns", 30, "--publishers", 64, "--window", 64)
        code, told, said = generated(floor.port, *options, "--messages", 256, "--size", 4096)
        assert (code, said, told["delivered"]) == (FINE, "", 30 * 256)


def test_requests_that_come_together_are_answered_one_by_one(floor: Running) -> None:
    with connected(floor) as subscriber, connected(floor) as publisher:
        subscriber.sendall(SUBSCRIBE)
        read_until(subscriber, b"o")
        publisher.sendall(post(b'{"t":1}') + post(b'{"t":"two"}') + post(b""))
        read_until(publisher, b"200}", 3)
        frames = read_until(subscriber, b"bench", 3)
    assert frames.count(rb"{\"message\":{\"t\":1},\"sender_id\":null,") == 1
    assert frames.count(rb"{\"message\":{\"t\":\"two\"},") == 1


def test_it_is_sockjs_and_a_websocket(floor: Running) -> None:
    with connected(floor) as subscriber, connected(floor) as publisher:
        subscriber.sendall(SUBSCRIBE)
        assert read_until(subscriber, b"\x81\x01o").startswith(b"HTTP/1.1 101 ")
        publisher.sendall(post(b"1"))
        got = read_until(subscriber, b'"]')
    assert got[:2] == bytes([0x81, len(got) - 2])
    assert got[2:] == rb'a["{\"message\":1,\"sender_id\":null,\"channel\":\"bench\"}"]'


def publish_for_long(publisher: socket.socket) -> None:
    for _ in range(10_000):
        publisher.sendall(post(b"1" * 60_000))
        read_until(publisher, b"200}")


def test_who_does_not_read_ends_it(floor: Running, tmp_path: Path) -> None:
    with connected(floor) as subscriber, connected(floor) as publisher:
        subscriber.sendall(SUBSCRIBE)
        read_until(subscriber, b"o")
        with pytest.raises((AssertionError, OSError)):
            publish_for_long(publisher)
    assert "floor: a socket does not take it all, and here is no queue" in (tmp_path / "server.log").read_text()


def test_half_a_request_ends_it(floor: Running, tmp_path: Path) -> None:
    with connected(floor) as publisher:
        publisher.sendall(post(b"1" * 100)[:-1])
        assert publisher.recv(100) == b""
    assert "floor: half a request" in (tmp_path / "server.log").read_text()
