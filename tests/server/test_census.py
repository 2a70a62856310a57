"""``GET /api/channels/``: which channels have subscribers, by prefix and page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from support.server import RunningServer

from sethpusher_core import errors
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]

NAMES = ["a", "a/1", "a/2", "b", "é", "🎉"]


@pytest.fixture
def server(serve: Serve) -> RunningServer:
    server = serve(channels=(ChannelRule("*", announce=False),))
    client = server.bare()
    for name in reversed(NAMES):
        client.subscribe(name)
    return server


def listed(server: RunningServer, query: str = "") -> tuple[list[str], Any]:
    answer = server.http.get(f"/api/channels/{query}").json
    return [found["channel"] for found in answer["channels"]], answer["next"]


def test_they_are_listed_by_name_with_their_subscribers(server: RunningServer, transport: str) -> None:
    second = server.client(transport)
    second.subscribe("b")
    answer = server.http.get("/api/channels/").json
    assert answer == {
        "status": 200,
        "channels": [{"channel": name, "subscribers": 1 + (name == "b")} for name in NAMES],
        "next": None,
    }
    second.unsubscribe("b")
    assert server.http.get("/api/channels/b/").json["subscribers"] == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?prefix=a", (["a", "a/1", "a/2"], None)),
        ("?prefix=a/", (["a/1", "a/2"], None)),
        ("?prefix=%C3%A9", (["é"], None)),
        ("?prefix=nothing", ([], None)),
        ("?limit=0", ([], None)),
        ("?limit=2", (["a", "a/1"], "a/1")),
        ("?after=a/1", (["a/2", "b", "é", "🎉"], None)),
        ("?after=a/1&prefix=a", (["a/2"], None)),
        ("?after=a&prefix=b", (["b"], None)),
        ("?after=b&prefix=a", ([], None)),
        ("?after=zzz&limit=1", (["é"], "é")),
        ("?after=a%20", (["a/1", "a/2", "b", "é", "🎉"], None)),
    ],
)
def test_prefix_after_and_limit(server: RunningServer, query: str, expected: tuple[list[str], Any]) -> None:
    assert listed(server, query) == expected


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
def test_pages_join(server: RunningServer, limit: int) -> None:
    seen, after = listed(server, f"?limit={limit}")
    while after is not None:
        page, after = listed(server, f"?limit={limit}&after={quote(after)}")
        seen += page
    assert seen == NAMES


@pytest.mark.parametrize("query", ["?limit=x", "?limit=-1", "?prefix=%ff", "?after=%ff"])
def test_arguments_of_another_shape_are_refused(server: RunningServer, query: str) -> None:
    answer = server.http.get(f"/api/channels/{query}")
    assert (answer.status, answer.json["code"]) == (400, errors.BAD_FIELD.code)


def test_users_are_no_channels_and_nobody_is_listed_who_has_left(server: RunningServer) -> None:
    client = server.bare()
    client.connect("ada")
    assert listed(server)[0] == ["a", "a/1", "a/2", "all", "b", "é", "🎉"]
    client.drop()
    server.wait_until(lambda: len(server.push.connections) == 1, "it has left")
    assert listed(server)[0] == NAMES
