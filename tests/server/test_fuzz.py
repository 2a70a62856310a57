"""Anything at all, over HTTP and over the wire: it is answered or its connection ends, and the server never fails.

A failure of the server is a status 500, an error 1001, a close 3004, or a line of the log at WARNING or above. The
tests marked slow do the same for ``SETHPUSHER_FUZZ_EXAMPLES`` examples (1,000), never the same ones.
"""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.clients import Bare, ClosedByServer
from support.server import RunningServer
from support.timing import UNIT

from sethpusher_core import errors
from sethpusher_core.settings.rules import ChannelRule
from sethpusher_core.transports.receiving import CALLBACK_MISSING, CALLBACK_WRONG
from sethpusher_core.transports.sending import BROKEN_JSON, PAYLOAD_EXPECTED

Serve = Callable[..., RunningServer]

MANY = int(os.environ.get("SETHPUSHER_FUZZ_EXAMPLES", "300"))
FIXED = {"derandomize": True, "database": None}
OPEN = ChannelRule("*", history=20, presence=True, publish="anyone")

BY_SOCKJS = (PAYLOAD_EXPECTED, BROKEN_JSON, CALLBACK_MISSING, CALLBACK_WRONG)
"""What sockjs-protocol asks to be answered with a status 500, though the server has not failed."""

BUDGETS = pytest.mark.parametrize(
    "budget",
    [
        pytest.param({"max_examples": 100, **FIXED}, id="fixed"),
        pytest.param({"max_examples": MANY, **FIXED}, id="long", marks=pytest.mark.slow),
    ],
)


def attempts(budget: dict[str, Any]) -> settings:
    return settings(deadline=None, suppress_health_check=list(HealthCheck), **budget)


# ------------------------------------------------------------------------------------------------------- strategies


class Big(bytes):
    """Bytes whose repr is short."""

    def __repr__(self) -> str:
        return f"{len(self)} bytes from {self[:20]!r} on"


names = st.one_of(
    st.sampled_from(["a", "all", "*", "a/b", "..", "", "\0", "x" * 255, "x" * 256]), st.text(max_size=20), st.integers()
)
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)
positions = st.one_of(st.fixed_dictionaries({"epoch": st.text(max_size=8), "offset": st.integers()}), values)
TYPES = ("connect", "subscribe", "unsubscribe", "publish", "presence", "history", "refresh", "ping")
messages = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(TYPES), values)},
    optional={
        "channel": st.one_of(names, values),
        "subscriber_id": st.one_of(names, values),
        "message": values,
        "recover": positions,
        "since": positions,
        "limit": st.one_of(st.integers(-2, 30), values),
        "reverse": values,
        "info": values,
        "token": values,
        "echo": values,
        "idempotency_key": st.one_of(st.text(max_size=8), values),
    },
)
texts = st.one_of(
    messages.map(json.dumps),
    values.map(json.dumps),
    st.text(),
    st.integers(1, 3000).map(lambda depth: "[" * depth),
    st.integers(1, 3000).map(lambda depth: '{"type":' * depth),
    st.sampled_from(['{"type": "publish", "channel": "a", "message": "\\ud800"}', '{"type": "\\u0000"}', "\ufeff{}"]),
)
octets = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"",
            b"a",
            b"%2e%2e/",
            b"../",
            b"%00",
            b"%ff",
            b"%ed%a0%80",
            b"?",
            b"&",
            b"=",
            b"#",
            b"a" * 300,
            b"\xc3\xa4",
            b"%",
        ]
    ),
)
paths = st.tuples(
    st.sampled_from(
        [
            b"/", b"/api/channels/", b"/api/users/", b"/api/history/", b"/api/presence/", b"/api/batch/", b"/debug/",
            b"/debug/channels/", b"/health", b"/ready", b"/connect", b"/connect/info", b"/connect/a/b/xhr_send",
            b"/connect/a/b/jsonp", b"/connect/a/b/jsonp_send", b"/connect/iframe", b"/connect/websocket",
            b"/api/channels/?limit=", b"/api/channels/?prefix=", b"/api/history/a/?limit=1&epoch=x&offset=",
        ]
    ),
    st.lists(octets, max_size=3).map(b"".join),
).map(b"".join)  # fmt: skip
header_names = st.one_of(
    st.sampled_from(
        [
            b"Content-Type", b"Content-Length", b"Transfer-Encoding", b"Expect", b"Origin", b"Cookie", b"Authorization",
            b"Idempotency-Key", b"Upgrade", b"Sec-WebSocket-Key", b"X-Forwarded-For", b"Range", b"Host",
        ]
    ),
    st.binary(max_size=8),
)  # fmt: skip
header_values = st.one_of(
    st.sampled_from(
        [b"chunked", b"1", b"-1", b"100-continue", b"websocket", b"multipart/form-data; boundary=b", b"x" * 300,
         b"application/x-www-form-urlencoded", b"a=b; \x80", b"Bearer a.b.c", b"bytes=0-"]
    ),
    st.binary(max_size=30),
)  # fmt: skip
bodies = st.one_of(
    values.map(lambda value: json.dumps(value).encode()),
    st.lists(
        st.dictionaries(st.sampled_from(["channel", "user", "message", "idempotency_key", "x"]), values), max_size=3
    ).map(lambda items: json.dumps({"publications": items}).encode()),
    st.binary(max_size=100),
    st.sampled_from(
        [Big(b"[" * 50_000), Big(b'{"publications": [' * 10_000), b"--b\r\n\r\n--b--", b"\xff" * 10, b"a=%ff&b"]
    ),
)


# ------------------------------------------------------------------------------------------------------------- HTTP


def exchange(port: int, data: bytes) -> bytes:
    """Sends, says that nothing more will come, and gives what came back."""
    with socket.create_connection(("127.0.0.1", port), timeout=UNIT) as line:
        answer = b""
        try:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            while part := line.recv(65536):
                answer += part
        except TimeoutError:
            raise
        except OSError:  # the server has hung up in the middle of it
            pass
        return answer


@BUDGETS
def test_http(serve: Serve, budget: dict[str, Any]) -> None:
    server = serve(debug=True, channels=(OPEN,), max_body_size=200_000)
    statuses: Counter[bytes] = Counter()

    @attempts(budget)
    @given(
        method=st.one_of(st.sampled_from([b"GET", b"POST", b"DELETE", b"OPTIONS", b"HEAD"]), st.binary(max_size=6)),
        path=paths,
        headers=st.lists(st.tuples(header_names, header_values), max_size=4),
        body=bodies,
        honest=st.integers(0, 3),
    )
    def attempt(method: bytes, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes, honest: int) -> None:
        lines = [b" ".join((method, path, b"HTTP/1.1")), b"Host: a", b"Connection: close"]
        lines += [name + b": " + value for name, value in headers]
        if honest:
            lines.append(b"Content-Length: %d" % len(body))
        answer = exchange(server.port, b"\r\n".join(lines) + b"\r\n\r\n" + body)
        status = answer.split(b" ", 2)[1] if answer else b"none"
        assert answer == b"" or answer.startswith(b"HTTP/1.1 "), answer
        assert status != b"500" or answer.partition(b"\r\n\r\n")[2].strip() in BY_SOCKJS, answer
        statuses[status] += 1

    attempt()
    assert server.http.get("/health").status == 200
    assert len(statuses) > 3, f"it reaches many ends: {statuses}"


# ------------------------------------------------------------------------------------------------------------- the wire


def replies_until(client: Bare, fence: str) -> list[Any]:
    """Everything up to the reply to the fence."""
    client.send({"type": "ping", "id": fence})
    found = []
    while (message := client.next()).get("id") != fence:
        found.append(message)
    return found


@BUDGETS
def test_messages(serve: Serve, budget: dict[str, Any]) -> None:
    server = serve(channels=(OPEN,), message_rate=0, max_subscriptions=5)
    codes: Counter[int] = Counter()

    @attempts(budget)
    @given(said=st.lists(messages, max_size=8), raw=st.lists(texts, max_size=3))
    def attempt(said: list[dict[str, Any]], raw: list[str]) -> None:
        client = server.bare()
        for number, message in enumerate(said):
            client.send({**message, "id": f"m{number}"})
        for text in raw:
            client.send_texts(text.encode("utf-8", "replace").decode())
        heard = replies_until(client, "fence")
        client.drop()
        answered = Counter(one["id"] for one in heard if one.get("type") in ("ack", "error") and "id" in one)
        wanted = {f"m{number}" for number in range(len(said))}
        assert wanted <= set(answered), "each has its reply"
        assert max([answered[id] for id in wanted], default=1) == 1, "and no more than one"
        codes.update(one["code"] for one in heard if one.get("type") == "error")

    attempt()
    assert errors.INTERNAL.code not in codes
    assert len(codes) > 3, f"it reaches many ends: {codes}"


@BUDGETS
def test_frames(serve: Serve, budget: dict[str, Any]) -> None:
    """Bytes that are no frames, behind a good handshake; and no lists, sent to a session by HTTP."""
    server = serve(channels=(OPEN,))

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

    attempt()
    send()


async def _end(server: RunningServer) -> None:
    for connection in list(server.push.connections.values()):
        connection.close()
