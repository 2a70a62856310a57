"""The front door: what it serves is served as Tornado would, and Tornado has the rest."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from support.clients import Client
from support.front import BODY, Line, comparable, handed_over, post, visitors
from support.fuzz import BUDGETS, OPEN, attempts, exchange, requests
from support.logs import LogWatch
from support.server import RunningServer
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from sethpusher_core import Denied, Rejected, hookimpl
from sethpusher_core.identity import Credentials, Identity
from sethpusher_core.publication import Publication
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings

Serve = Callable[..., RunningServer]


@pytest.fixture
def line(server: RunningServer) -> Iterator[Line]:
    line = Line(server.port)
    yield line
    line.socket.close()


def subscriber(server: RunningServer) -> Client:
    client = server.bare()
    client.subscribe("news")
    client.take()
    return client


# ----------------------------------------------------------------------------------------------------- plain requests


def test_one_after_the_other_on_one_connection(server: RunningServer, line: Line) -> None:
    client = subscriber(server)
    for number in range(3):
        line.socket.sendall(post(b"%d" % number))
        status, headers, body = line.answer()
        assert (status, json.loads(body)["status"], "connection" in headers) == (200, 200, False)
    assert [client.next()["message"] for _ in range(3)] == [0, 1, 2]
    assert (visitors(server), handed_over(server)) == (1, 0), "neither the publisher nor the websocket is Tornado's"


@pytest.mark.parametrize("path", ["/api/channels/news/", "/api/users/u/", "/api/batch/"])
def test_a_request_leaves_nothing_behind_for_the_collector(server: RunningServer, line: Line, path: str) -> None:
    """A cycle would keep its body until the collector runs, which in a server is seldom."""
    server.call(gc.collect)
    gc.disable()
    try:
        for _ in range(50):
            line.socket.sendall(post(b'{"publications": [{"channel": "a", "message": 1}]}', path))
            assert line.answer()[0] == 200
        left = server.call(gc.collect)
    finally:
        gc.enable()
    assert left < 50


def test_many_at_once_are_answered_in_order(server: RunningServer, line: Line) -> None:
    line.socket.sendall(
        post(path="/api/channels/a/") + post(b"{") + post(path="/api/users/u/") + post(b"[", "/api/batch/")
    )
    assert [line.answer()[0] for _ in range(4)] == [200, 400, 200, 400]


def test_a_request_may_come_in_two_parts_wherever_it_is_cut(server: RunningServer) -> None:
    client = subscriber(server)
    whole = post()
    for cut in range(1, len(whole)):
        line = Line(server.port)
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.socket.sendall(whole[:cut])
        server.call(lambda: None)
        line.socket.sendall(whole[cut:])
        assert line.answer()[0] == 200
        line.socket.close()
        assert client.next()["message"] == {"a": 1}


def test_a_large_body(server: RunningServer, line: Line) -> None:
    client = subscriber(server)
    text = "x" * 500_000
    line.socket.sendall(post(json.dumps(text).encode()))
    assert line.answer()[0] == 200
    assert client.next()["message"] == text


def test_who_asks_to_close_is_let_go(line: Line) -> None:
    line.socket.sendall(post(BODY, "/api/channels/a/", "Connection: close"))
    status, headers, _ = line.answer()
    assert (status, headers["connection"]) == (200, "close")
    assert line.ended()


def test_who_has_nothing_more_to_say_is_answered(line: Line) -> None:
    line.socket.sendall(post())
    line.socket.shutdown(socket.SHUT_WR)
    assert line.answer()[0] == 200
    assert line.ended()


def test_who_breaks_off_within_a_body_publishes_nothing(server: RunningServer, line: Line) -> None:
    client = subscriber(server)
    line.socket.sendall(post()[:-1])
    line.socket.close()
    server.wait_until(lambda: not server._listener.visitors, "it is gone")  # type: ignore[attr-defined]
    server.http.post("/api/channels/news/", 1)
    assert client.next()["message"] == 1


class Slow:
    """Persists when it is told to."""

    def __init__(self) -> None:
        self.asked = 0

    @hookimpl
    async def persist(self, publications: tuple[Publication, ...]) -> None:
        self.asked += 1
        await self.go.wait()

    @hookimpl
    async def startup(self, server: PushServer) -> None:
        self.go = asyncio.Event()


def test_who_goes_before_the_answer_has_published_all_the_same(serve: Serve) -> None:
    slow = Slow()
    server = serve(PushServer(CoreSettings(), plugins=[slow]))
    client = subscriber(server)
    line = Line(server.port)
    line.socket.sendall(post())
    server.wait_until(lambda: slow.asked == 1, "the publication is under way")
    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.socket.close()
    server.call(slow.go.set)
    assert client.next()["message"] == {"a": 1}
    server.wait_until(lambda: not server._listener.visitors, "its connection is gone")  # type: ignore[attr-defined]


def test_a_slow_reader_of_answers_gets_all_of_them(server: RunningServer, line: Line) -> None:
    batch = post(b'{"publications": [%b]}' % b",".join([b"{}"] * 10_000), "/api/batch/")
    line.socket.sendall(batch * 12)

    def full() -> bool:
        return any(visitor._written is not None for visitor in server._listener.visitors)  # type: ignore[attr-defined]

    server.wait_until(full, "the socket takes no more")
    for _ in range(12):
        status, _, body = line.answer()
        assert (status, len(json.loads(body)["results"])) == (200, 10_000)
    line.socket.sendall(post())
    assert line.answer()[0] == 200, "and what comes then is served"
    assert (visitors(server), handed_over(server)) == (0, 1), "by Tornado, whose stream watches the socket"


def test_a_stop_ends_all_connections(server: RunningServer) -> None:
    lines = [Line(server.port) for _ in range(3)]
    for line in lines[:2]:
        line.socket.sendall(post())
        assert line.answer()[0] == 200
    server.stop()
    for line in lines:
        assert line.ended()
        line.socket.close()


# --------------------------------------------------------------------------------------------------------- handshakes


@pytest.mark.parametrize("extra", [b"", b'{"type": "subscribe", "channel": "news", "id": 1}'])
def test_a_handshake_may_bring_the_first_message_along(server: RunningServer, line: Line, extra: bytes) -> None:
    protocol = ClientProtocol(parse_uri("ws://a/connect/websocket"))
    protocol.send_request(protocol.connect())
    hello = b"".join(protocol.data_to_send())
    protocol.state = protocol.state.OPEN
    if extra:
        protocol.send_text(extra)
    line.socket.sendall(hello + b"".join(protocol.data_to_send()))
    assert line.answer()[0] == 101
    assert (visitors(server), handed_over(server)) == (0, 0)
    if extra:
        assert b'"type":"ack"' in (line._rest or line.socket.recv(1000))


def test_a_bad_handshake_is_refused_and_let_go(line: Line) -> None:
    line.socket.sendall(b"GET /connect/websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tea\r\n\r\n")
    status, headers, body = line.answer()
    assert (status, headers["connection"], body) == (400, "close", b'Can "Upgrade" only to "WebSocket".')
    assert line.ended()


# -------------------------------------------------------------------------------------------------- the rest, Tornado's


def test_what_is_not_plain_is_handed_over_untouched_and_for_good(server: RunningServer, line: Line) -> None:
    line.socket.sendall(post())
    assert line.answer()[0] == 200
    assert handed_over(server) == 0
    line.socket.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" + post())
    assert [line.answer()[0] for _ in range(2)] == [200, 200]
    assert (visitors(server), handed_over(server)) == (0, 1)
    chunked = b"POST /api/channels/a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n7\r\n0\r\n\r\n"
    line.socket.sendall(chunked)
    assert line.answer()[0] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_told_which_there_are(server: RunningServer, method: str) -> None:
    answer = server.http.call(method, "/api/channels/news/")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
    answer = server.http.call(method, "/api/batch/")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_fault_of_ours_is_an_answer_and_a_line_in_the_log(
    server: RunningServer, line: Line, logs: LogWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise LookupError("a fault")

    monkeypatch.setattr(server.push, "publish_json", fail)
    line.socket.sendall(post())
    status, _, body = line.answer()
    assert (status, json.loads(body)["code"]) == (500, 1001)
    logs.expect("POST /api/channels/news/ failed", level=logging.ERROR, logger="sethpusher.api")


class Doorman:
    """Knows callers by a header, and takes it away from what it was shown."""

    @hookimpl
    def authenticate(self, credentials: Credentials) -> Identity | Rejected:
        request = credentials.request
        named = [headers.pop("X-Name", None) for headers in (credentials.headers, request.headers)]
        return Identity(subscriber_id=named[0]) if named[0] == named[1] != "nobody" else Rejected(f"{named}")

    @hookimpl
    def authorize(self, identity: Identity) -> Denied | None:
        return None if identity.subscriber_id == "ann" else Denied(f"this is {identity.subscriber_id}")


def test_a_head_is_read_anew_unless_it_is_the_same_to_the_byte(serve: Serve) -> None:
    """And a plugin that changes its headers changes no later request's."""
    line = Line(serve(PushServer(CoreSettings(), plugins=[Doorman()])).port)
    for name, status in (("ann", 200), ("ann", 200), ("bob", 403), ("ann", 200), ("nobody", 401), ("ann", 200)):
        line.socket.sendall(post(b"1", "/api/channels/news/", f"X-Name: {name}"))
        assert line.answer()[0] == status
    line.socket.sendall(post(b"12", "/api/channels/news/", "X-Name: ann") + post(b"1", "/api/users/u/", "X-Name: ann"))
    assert (line.answer()[0], line.answer()[0]) == (200, 200)
    line.socket.close()


@BUDGETS
def test_answers_are_those_of_a_plain_application(serve: Serve, budget: dict[str, object]) -> None:
    """The same requests, at the front door and to Tornado's own HTTPServer: the same statuses, headers and bodies."""
    fronted = serve(debug=True, channels=(OPEN,), max_body_size=200_000)
    push = PushServer(CoreSettings(debug=True, channels=(OPEN,), max_body_size=200_000))
    plain = serve(push, push.application())

    compared: Counter[bool] = Counter()

    @attempts(budget)  # type: ignore[arg-type]
    @given(request=requests())
    def attempt(request: bytes) -> None:
        asked = bytes(request).replace(b"Connection: close\r\n", b"", 1)
        answers = {comparable(exchange(server.port, asked)) for server in (fronted, plain)}
        # Tornado hangs up without an answer, or does not, when it learns in time that the caller has no more to say.
        compared[b"" not in answers] += 1
        assert len(answers - {b""}) <= 1

    attempt()
    assert compared[True] > compared[False]
