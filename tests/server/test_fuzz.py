"""Anything at all, over HTTP and over the wire: it is answered or its connection ends, and the server never fails.

A failure of the server is a status 500, an error 1001, a close 3004, or a line of the log at WARNING or above.
"""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.clients import ClosedByServer
from support.fuzz import (
    BUDGETS,
    BY_SOCKJS,
    OPEN,
    attempts,
    converse,
    exchange,
    messages,
    report,
    requests,
    status_of,
    texts,
)
from support.server import RunningServer

from sethpusher_core import errors

Serve = Callable[..., RunningServer]


@BUDGETS
def test_http(serve: Serve, budget: dict[str, Any]) -> None:
    server = serve(debug=True, channels=(OPEN,), max_body_size=200_000)
    statuses: Counter[bytes] = Counter()

    @attempts(budget)
    @given(request=requests())
    def attempt(request: bytes) -> None:
        statuses[status_of(exchange(server.port, request))] += 1

    attempt()
    assert server.http.get("/health").status == 200
    report("statuses", statuses)


@BUDGETS
def test_messages(serve: Serve, budget: dict[str, Any]) -> None:
    server = serve(channels=(OPEN,), message_rate=0, max_subscriptions=5)
    codes: Counter[Any] = Counter()

    @attempts(budget)
    @given(said=st.lists(messages, max_size=8), raw=st.lists(texts, max_size=3))
    def attempt(said: list[dict[str, Any]], raw: list[str]) -> None:
        codes.update(converse(server.bare(), said, raw))

    attempt()
    assert errors.INTERNAL.code not in codes
    report("replies", codes)


@BUDGETS
def test_frames(serve: Serve, budget: dict[str, Any]) -> None:
    """Bytes that are no frames, behind a good handshake; and no lists, sent to a session by HTTP."""
    server = serve(channels=(OPEN,))
    attempted: Counter[str] = Counter()

    @attempts(budget)
    @given(data=st.one_of(st.binary(max_size=40), st.binary(max_size=20).map(lambda data: b"\x81\x80\0\0\0\0" + data)))
    def attempt(data: bytes) -> None:
        client = server.bare()
        client.line.socket.sendall(data)
        client.line.socket.shutdown(socket.SHUT_WR)
        try:
            while True:
                assert client.next().get("code") != errors.INTERNAL.code
        except (ClosedByServer, ConnectionResetError):
            pass
        client.drop()
        attempted["frames"] += 1

    @attempts({**budget, "max_examples": budget["max_examples"] // 5})
    @given(
        body=st.one_of(st.binary(max_size=40), st.lists(texts, max_size=3).map(lambda one: json.dumps(one).encode()))
    )
    def send(body: bytes) -> None:
        client = server.xhr()
        answer = server.http.post(f"{client._base}/xhr_send", body)
        assert answer.status in (204, 500), answer
        assert answer.status == 204 or answer.body in BY_SOCKJS
        client.drop()
        server.run(_end(server))
        attempted["bodies"] += 1

    attempt()
    send()
    print(f"attempts: {dict(attempted)}")


async def _end(server: RunningServer) -> None:
    for connection in list(server.push.connections.values()):
        connection.close()
