"""What fuzz tests send: HTTP requests and client messages that hypothesis makes up, and how they are sent.

Tests run with a fixed budget, always the same examples: 100, and 300 where they are marked slow. Those are as many as
``SETHPUSHER_FUZZ_EXAMPLES`` says where it is set, and then never the same. How many there were and what became of
them is printed (``pytest -rP``).
"""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from sethpusher_core.settings.rules import ChannelRule
from sethpusher_core.transports.receiving import CALLBACK_MISSING, CALLBACK_WRONG
from sethpusher_core.transports.sending import BROKEN_JSON, PAYLOAD_EXPECTED
from support.clients import Client
from support.timing import UNIT

__all__ = [
    "BUDGETS",
    "BY_SOCKJS",
    "OPEN",
    "attempts",
    "converse",
    "exchange",
    "messages",
    "polls",
    "replies_until",
    "report",
    "requests",
    "status_of",
    "texts",
]

WANTED = os.environ.get("SETHPUSHER_FUZZ_EXAMPLES")
OPEN = ChannelRule("*", history=20, presence=True, publish="anyone")

BY_SOCKJS = (PAYLOAD_EXPECTED, BROKEN_JSON, CALLBACK_MISSING, CALLBACK_WRONG)
"""What sockjs-protocol asks to be answered with a status 500, though the server has not failed."""

BUDGETS = pytest.mark.parametrize(
    "budget",
    [
        pytest.param({"max_examples": 100, "derandomize": True}, id="fixed"),
        pytest.param(
            {"max_examples": int(WANTED or "300"), "derandomize": not WANTED}, id="long", marks=pytest.mark.slow
        ),
    ],
)


def attempts(budget: dict[str, Any]) -> settings:
    return settings(database=None, deadline=None, suppress_health_check=list(HealthCheck), **budget)


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
    {"type": st.one_of(st.sampled_from(TYPES), st.sampled_from(TYPES), values)},
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
    st.one_of(st.just(b""), st.lists(octets, max_size=2).map(b"".join)),
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
json_bodies = values.map(lambda value: json.dumps(value).encode())
bodies = st.one_of(
    json_bodies,
    st.lists(
        st.dictionaries(st.sampled_from(["channel", "user", "message", "idempotency_key", "x"]), values), max_size=3
    ).map(lambda items: json.dumps({"publications": items}).encode()),
    st.binary(max_size=100),
    st.sampled_from(
        [Big(b"[" * 50_000), Big(b'{"publications": [' * 10_000), b"--b\r\n\r\n--b--", b"\xff" * 10, b"a=%ff&b"]
    ),
)


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


METHODS = (b"GET", b"POST", b"DELETE")
HEADERS = (
    (b"Content-Type", b"application/json"),
    (b"Content-Type", b"application/x-www-form-urlencoded"),
    (b"Content-Type", b"multipart/form-data; boundary=b"),
    (b"Cookie", b"a=b; \x80"),
    (b"Expect", b"100-continue"),
    (b"Idempotency-Key", b"k"),
    (b"Origin", b"https://elsewhere.example"),
    (b"X-Forwarded-For", b"1.2.3.4"),
)


@st.composite
def requests(draw: st.DrawFn, *more: tuple[bytes, bytes]) -> bytes:
    """A whole HTTP request. Two of three are well-formed as HTTP, so that they get further than Tornado's parser.

    Args:
        draw: By hypothesis.
        more: Headers that each may have beside those made up.
    """
    tame = draw(st.integers(0, 2)) > 0
    known = st.sampled_from((*HEADERS, *more))
    method = draw(st.sampled_from(METHODS) if tame else st.one_of(st.sampled_from(METHODS), st.binary(max_size=6)))
    path = draw(paths) + draw(st.sampled_from((b"", b"a", b"a/", b"a/b?limit=1")))
    body = draw(st.one_of(json_bodies, bodies))
    if tame:
        path = b"".join(b"%%%02x" % byte if byte <= 0x20 or byte >= 0x7F else bytes((byte,)) for byte in path)
    headers = draw(st.lists(known if tame else st.one_of(known, st.tuples(header_names, header_values)), max_size=4))
    lines = [b" ".join((method, path, b"HTTP/1.1")), b"Host: a", b"Connection: close"]
    lines += [name + b": " + value for name, value in headers]
    if tame or draw(st.booleans()):
        lines.append(b"Content-Length: %d" % len(body))
    return Big(b"\r\n".join(lines) + b"\r\n\r\n" + body)


POLLS = (
    (b"POST", b"xhr"),
    (b"POST", b"xhr_send"),
    (b"GET", b"jsonp?c=f"),
    (b"GET", b"jsonp?callback="),
    (b"POST", b"jsonp_send"),
    (b"OPTIONS", b"xhr"),
    (b"GET", b"xhr_send"),
)
POLL_HEADERS = (
    (b"Connection", b"keep-alive"),
    (b"Connection", b"close"),
    (b"Connection", b"upgrade"),
    (b"Content-Type", b"text/plain"),
    (b"Content-Type", b"application/x-www-form-urlencoded"),
    (b"Cookie", b"JSESSIONID=a; b=c"),
    (b"Cookie", b'JSESSIONID="a b"'),
    (b"Origin", b"https://a.example"),
    (b"Origin", b"https://elsewhere.example"),
    (b"Referer", b"https://elsewhere.example/x"),
    (b"Sec-Fetch-Site", b"cross-site"),
    (b"Accept", b"*/*"),
    (b"X-Forwarded-For", b"1.2.3.4"),
)
sent = st.one_of(
    st.lists(texts, max_size=3).map(json.dumps), texts, st.just(json.dumps(['{"type":"ping","id":1}'])), st.just("")
).map(lambda text: text.encode("utf-8", "replace"))


@st.composite
def polls(draw: st.DrawFn) -> bytes:
    """A request of a polling client: whole, and mostly in order. Its path begins with ``/SESSION/``."""
    method, name = draw(st.one_of(st.sampled_from(POLLS[:5]), st.sampled_from(POLLS)))
    body = b"" if method == b"GET" else draw(sent)
    if name == b"jsonp_send" and draw(st.booleans()):
        body = b"d=" + quote(body).encode()
    headers = draw(st.lists(st.sampled_from(POLL_HEADERS), max_size=3, unique_by=lambda header: header[0]))
    lines = [b"%b /SESSION/%b HTTP/1.1" % (method, name), b"Host: a", *(b"%b: %b" % header for header in headers)]
    if method != b"GET":
        lines.append(b"Content-Length: %d" % len(body))
    return Big(b"\r\n".join(lines) + b"\r\n\r\n" + body)


def status_of(answer: bytes) -> bytes:
    """The status of an answer; ``none`` where the server has hung up. That it has failed is an error here."""
    answer = answer.removeprefix(b"HTTP/1.1 100 (Continue)\r\n\r\n")
    status = answer.split(b" ", 2)[1] if answer else b"none"
    assert answer == b"" or answer.startswith(b"HTTP/1.1 "), answer
    assert status != b"500" or answer.partition(b"\r\n\r\n")[2].strip() in BY_SOCKJS, answer
    return status


def converse(client: Client, said: list[dict[str, Any]], raw: list[str]) -> Counter[Any]:
    """Says all that, checks that each message has its one reply, and counts acks and the codes of errors."""
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
    return Counter(one.get("code", "ack") for one in heard if one.get("type") in ("ack", "error"))


def report(what: str, ends: Counter[Any]) -> None:
    """Prints what became of all, and checks that they reach many ends."""
    print(f"{what}: {dict(ends.most_common())}")
    assert len(ends) > 3, f"it reaches many ends: {ends}"


def replies_until(client: Client, fence: str) -> list[Any]:
    """Everything up to the reply to the fence."""
    client.send({"type": "ping", "id": fence})
    found = []
    while (message := client.next()).get("id") != fence:
        found.append(message)
    return found
