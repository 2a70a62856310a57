"""The stranger's request: what it waits for is seen, what it is not answered is a failure."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic_ns, process_time

import pytest

from benchmarks.loading import Failure
from benchmarks.peers.base import Publish
from benchmarks.probing import Probe

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nfine"
ENDLESS = 1 << 62


@contextmanager
def page(answer: Callable[[socket.socket, int], None]) -> Iterator[int]:
    """A server of one connection, which answers each request so; the number of the request, from 1, is told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            line.settimeout(10)
            with line:
                number = 0
                while line.recv(65536):
                    number += 1
                    answer(line, number)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


def test_the_longest_wait_is_seen() -> None:
    asked, released, more = threading.Event(), threading.Event(), threading.Event()

    def answer(line: socket.socket, number: int) -> None:
        if number == 3:
            asked.set()
            released.wait(10)
        if number == 20:
            more.set()
        line.sendall(ANSWER[:20])
        line.sendall(ANSWER[20:])

    with page(answer) as port, Probe(port, Publish("http", "/other", "1"), os.getpid()) as probe:
        assert asked.wait(10)
        held = monotonic_ns()
        assert not more.wait(0.05)  # that long the server holds the request, at least
        waited = (monotonic_ns() - held) / 1000
        released.set()
        assert more.wait(10)
        figures = probe.figures(0, ENDLESS)
        assert figures["hold_max_us"] >= waited
        assert figures["hold_p50_us"] < waited
        assert probe.figures(held, held)["hold_requests"] == 1  # what was under way at that moment
        with pytest.raises(Failure, match="fell into"):
            probe.figures(ENDLESS, ENDLESS)


def test_a_closed_connection_is_a_failure() -> None:
    def answer(line: socket.socket, number: int) -> None:
        line.shutdown(socket.SHUT_RDWR)

    with page(answer) as port:
        probe = Probe(port, Publish(), os.getpid())
        with probe:
            probe.join(10)
        with pytest.raises(Failure, match="closed the connection"):
            probe.figures(0, ENDLESS)


def test_what_the_server_works_meanwhile_is_told_apart_from_what_it_waits() -> None:
    worked, waited, more = 0.0, threading.Event(), threading.Event()

    def answer(line: socket.socket, number: int) -> None:
        nonlocal worked
        if number == 3:
            waited.wait(0.3)
        if number == 6:
            begin = process_time()
            while process_time() < begin + 0.05:
                pass
            worked = process_time() - begin
        if number == 20:
            more.set()
        line.sendall(ANSWER)

    with page(answer) as port, Probe(port, Publish("http", "/other", "1"), os.getpid()) as probe:
        assert more.wait(10)
        figures = probe.figures(0, ENDLESS)
    assert figures["hold_max_us"] >= 300_000
    assert worked * 1e6 <= figures["hold_cpu_max_us"] < 250_000
