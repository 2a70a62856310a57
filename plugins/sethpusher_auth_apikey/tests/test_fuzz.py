"""Anything at all, sent to a server that wants keys: nobody gets in without a good one, and the server never fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.clients import ClosedByServer
from support.fuzz import BUDGETS, OPEN, attempts, converse, exchange, messages, report, requests, status_of, texts
from support.server import RunningServer
from websockets.exceptions import InvalidState

from sethpusher_core import errors
from sethpusher_core.settings import Secret

Keyed = Callable[..., RunningServer]

GOOD = b"sp_good_key_0123456789"
PUBLIC = (b"/health", b"/ready", b"/connect")
KEYS = (
    (b"Authorization", b"Bearer " + GOOD),
    (b"Seth-Authentication-Header", GOOD),
    (b"Seth-Authentication-Header", GOOD + b"x"),
    (b"Authorization", b"Bearer"),
    (b"Authorization", b"Basic " + GOOD),
)


@BUDGETS
def test_http(keyed: Keyed, budget: dict[str, Any]) -> None:
    server = keyed({"channels": (OPEN,), "max_body_size": 200_000}, key=Secret(GOOD.decode()))
    statuses: Counter[Any] = Counter()

    @attempts(budget)
    @given(request=requests(*KEYS))
    def attempt(request: bytes) -> None:
        answer = exchange(server.port, request)
        status = status_of(answer)
        known = GOOD in request
        assert GOOD not in answer
        path = request.split(b" ", 2)[1]
        assert status != b"200" or known or path.startswith(PUBLIC), (request[:200], answer)
        statuses[status, "key" if known else "no key"] += 1

    attempt()
    assert not server.call(lambda: list(server.push.hub))
    report("statuses", statuses)


@BUDGETS
def test_messages(keyed: Keyed, budget: dict[str, Any]) -> None:
    """A client without a key is told that it is refused, whatever it says, and joins nothing."""
    server = keyed({"channels": (OPEN,), "message_rate": 0}, key=Secret(GOOD.decode()))
    codes: Counter[Any] = Counter()

    @attempts(budget)
    @given(
        said=st.lists(messages, max_size=4), raw=st.lists(texts, max_size=2), key=st.sampled_from([GOOD, GOOD[1:], b""])
    )
    def attempt(said: list[dict[str, Any]], raw: list[str], key: bytes) -> None:
        client = server.bare(query=f"?api_key={key.decode()}" if key else "")
        try:
            codes.update(converse(client, said, raw))
            assert key == GOOD
        except (ClosedByServer, InvalidState, OSError):
            assert key != GOOD
            assert client.closed()[0] == errors.REJECTED.code
            codes["refused"] += 1
            assert not server.call(lambda: list(server.push.hub))

    attempt()
    assert errors.INTERNAL.code not in codes
    report("replies", codes)
