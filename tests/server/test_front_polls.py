"""Polls at the front door: which are served there, and that they are answered as Tornado would."""

from __future__ import annotations

import gc
import itertools
import socket
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.front import Line, comparable, handed_over, post, visitors
from support.fuzz import BUDGETS, OPEN, attempts, polls
from support.server import RunningServer
from support.timing import UNIT

from sethpusher_core import hookimpl
from sethpusher_core.identity import ANONYMOUS, Credentials, Identity
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]
SUBSCRIBE = b'["{\\"type\\":\\"subscribe\\",\\"channel\\":\\"news\\"}"]'


@pytest.fixture
def line(server: RunningServer) -> Iterator[Line]:
    line = Line(server.port)
    yield line
    line.socket.close()


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def ask(line: Line, request: bytes) -> tuple[int, bytes]:
    line.socket.sendall(request)
    status, _, body = line.answer()
    return status, body


def test_a_client_that_polls_is_never_handed_over(serve: Serve) -> None:
    server = serve(channels=(ChannelRule("*", announce=False),))
    line = Line(server.port)
    with line.socket:
        assert ask(line, post(b"", "/connect/0/s/xhr?t=1")) == (200, b"o\n")
        assert ask(line, post(SUBSCRIBE, "/connect/0/s/xhr_send?t=2")) == (204, b"")
        for number in range(3):
            line.socket.sendall(post(b"", f"/connect/0/s/xhr?t={3 + number}"))
            server.wait_until(lambda: _waits(server, "s"), "the poll waits")
            server.publish("news", number)
            assert b'\\"message\\":%d' % number in line.answer()[2]
        assert ask(line, get("/connect/0/j/jsonp?c=f")) == (200, b'/**/f("o");\r\n')
        form = post(b"d=" + SUBSCRIBE, "/connect/0/j/jsonp_send", "Content-Type: application/x-www-form-urlencoded")
        assert ask(line, form) == (200, b"ok")
        assert (visitors(server), handed_over(server)) == (1, 0)


def _waits(server: RunningServer, session: str) -> bool:
    found = server.push.router.http_sessions.get(session)
    return found is not None and found.has_receiver


@pytest.mark.parametrize(
    "request_",
    [
        b"OPTIONS /connect/0/s/xhr HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /connect/0/s/xhr HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        get("/connect/0/s/xhr"),
        post(b"", "/connect/0/s/jsonp"),
        get("/connect/info"),
        get("/connect/0/s.t/jsonp?c=f"),
    ],
)
def test_what_is_no_poll_is_handed_over(server: RunningServer, line: Line, request_: bytes) -> None:
    line.socket.sendall(request_)
    line.answer()
    assert (visitors(server), handed_over(server)) == (0, 1)


def test_what_is_switched_off_is_not_served(serve: Serve) -> None:
    server = serve(disabled_transports=("xhr", "jsonp"))
    assert server.http.post("/connect/0/s/xhr").status == 404
    assert server.http.get("/connect/0/s/jsonp?c=f").status == 404
    assert server.http.post("/connect/0/s/jsonp_send").status == 404
    assert server.http.post("/connect/0/s/xhr_send").status == 404, "no such session; streaming clients send there"


def test_a_poll_leaves_nothing_behind_for_the_collector(server: RunningServer, line: Line) -> None:
    assert ask(line, post(b"", "/connect/0/s/xhr"))[1] == b"o\n"
    server.call(gc.collect)
    gc.disable()
    try:
        for _ in range(50):
            assert ask(line, post(b'["{\\"type\\":\\"ping\\",\\"id\\":1}"]', "/connect/0/s/xhr_send"))[0] == 204
            assert ask(line, post(b"", "/connect/0/s/xhr"))[0] == 200
        left = server.call(gc.collect)
    finally:
        gc.enable()
    assert left < 50


class Asking:
    """Looks at Tornado's request, as some authenticators do."""

    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []

    @hookimpl
    async def authenticate(self, credentials: Credentials) -> Identity | None:
        request = credentials.request
        self.seen.append((request.method, request.uri, request.remote_ip, request.protocol, request.host))
        self.seen.append((request.cookies["a"].value, request.arguments))
        return ANONYMOUS


def test_an_authenticator_may_ask_for_the_whole_request(serve: Serve) -> None:
    asking = Asking()
    server = serve(PushServer(CoreSettings(), plugins=[asking]))
    line = Line(server.port)
    assert ask(line, post(b"", "/connect/0/s/xhr?k=v", "Cookie: a=b"))[0] == 200
    line.socket.close()
    server.wait_until(lambda: len(asking.seen) == 2, "it has been asked")
    assert asking.seen == [
        ("POST", "/connect/0/s/xhr?k=v", "127.0.0.1", "http", "a"),
        ("b", {"k": [b"v"]}),
    ]


def answer_of(server: RunningServer, request: bytes) -> bytes:
    """What is answered to a request; nothing to a poll that waits, and is broken off here."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=UNIT) as line:
        line.sendall(request)
        for _ in range(10):  # turns of the loop, after which the request has been served
            server.call(lambda: None)
        line.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: line.recv(65536), b""))


@BUDGETS
def test_answers_are_those_of_a_plain_application(serve: Serve, budget: dict[str, object]) -> None:
    """What one session after the other is asked, at the front door and of Tornado's own HTTPServer."""
    settings = {"channels": (OPEN,), "max_body_size": 200_000, "origins": ("https://a.example",)}
    fronted = serve(**settings)
    push = PushServer(CoreSettings(**settings))  # type: ignore[arg-type]
    plain = serve(push, push.application())
    numbers = itertools.count()
    statuses: Counter[bytes] = Counter()

    @attempts(budget)  # type: ignore[arg-type]
    @given(asked=st.lists(polls(), min_size=1, max_size=5))
    def attempt(asked: list[bytes]) -> None:
        session = b"/connect/0/n%d/" % next(numbers)
        for request in asked:
            request = bytes(request).replace(b"/SESSION/", session, 1)
            answers = {comparable(answer_of(server, request)) for server in (fronted, plain)}
            statuses.update(answer[9:12] for answer in answers)
            assert len(answers) == 1

    attempt()
    print(statuses)
    assert set(statuses) > {b"200", b"204", b"500", b"403", b"404", b""}, "it reaches many ends"
