"""The history over HTTP and over the wire: ``limit``, ``since``, ``reverse``, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.server import RunningServer

from sethpusher_core import errors
from sethpusher_core.history import MAX_PAGE
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]

RULES = (ChannelRule("plain"), ChannelRule("closed", history=5, history_read="nobody"), ChannelRule("*", history=5))


@pytest.fixture
def server(serve: Serve) -> RunningServer:
    return serve(channels=RULES)


def offsets(answer: dict[str, Any]) -> list[int]:
    return [publication["offset"] for publication in answer["publications"]]


@pytest.fixture
def epoch(server: RunningServer) -> str:
    """Of a channel in which six were published, and five are kept."""
    epochs = {server.publish("a/b", {"n": number}).json["epoch"] for number in range(1, 7)}
    [epoch] = epochs
    return str(epoch)


@pytest.mark.parametrize(
    ("query", "expected", "whole"),
    [
        ("", [2, 3, 4, 5, 6], True),
        ("?limit=2", [2, 3], True),
        ("?limit=0", [], True),
        ("?limit=999999999999999999", [2, 3, 4, 5, 6], True),
        ("?reverse=true", [6, 5, 4, 3, 2], True),
        ("?reverse=true&limit=2", [6, 5], True),
        ("?epoch={e}&offset=4", [5, 6], True),
        ("?epoch={e}&offset=4&limit=1", [5], True),
        ("?epoch={e}&offset=4&reverse=true", [3, 2], True),
        ("?epoch={e}&offset=1", [2, 3, 4, 5, 6], True),
        ("?epoch={e}&offset=0", [2, 3, 4, 5, 6], False),
        ("?epoch={e}&offset=6", [], True),
        ("?epoch={e}&offset=7", [], False),
        ("?epoch=other&offset=4", [], False),
    ],
)
def test_what_is_read_back(server: RunningServer, epoch: str, query: str, expected: list[int], whole: bool) -> None:
    answer = server.http.get("/api/history/a/b/" + query.format(e=epoch)).json
    assert (offsets(answer), answer["whole"], answer["epoch"], answer["offset"]) == (expected, whole, epoch, 6)
    for publication in answer["publications"]:
        assert publication["message"] == {"n": publication["offset"]}
        assert (publication["channel"], publication["epoch"], publication["sender_id"]) == ("a/b", epoch, None)


def test_pages_join_without_a_gap(server: RunningServer, epoch: str) -> None:
    seen, at = [], 1
    while page := offsets(server.http.get(f"/api/history/a/b/?limit=2&epoch={epoch}&offset={at}").json):
        seen += page
        at = page[-1]
    assert seen == [2, 3, 4, 5, 6]


LIMITS = ["limit=-1", "limit=x", "limit=1.5", "limit=", "limit=9999999999999999999"]
POSITIONS = ["epoch=e", "offset=1", "epoch=e&offset=-1", "epoch=e&offset=x", "epoch=%ff&offset=1"]


@pytest.mark.parametrize("query", [*LIMITS, *POSITIONS, "reverse=1", "reverse=yes"])
def test_arguments_of_another_shape_are_refused(server: RunningServer, query: str) -> None:
    answer = server.http.get(f"/api/history/news/?{query}")
    assert (answer.status, answer.json["code"]) == (400, errors.BAD_FIELD.code)


def test_a_channel_without_history_says_so(server: RunningServer) -> None:
    answer = server.http.get("/api/history/plain/")
    assert (answer.status, answer.json["code"]) == (400, errors.UNSUPPORTED.code)
    reply = server.bare().request({"type": "history", "channel": "plain"})
    assert (reply["type"], reply["code"]) == ("error", errors.UNSUPPORTED.code)


def test_reading_leaves_nothing_behind(server: RunningServer) -> None:
    backend: Any = server.push._backend
    for number in range(50):
        assert server.http.get(f"/api/history/nobody-{number}/").json["offset"] == 0
    assert len(backend._streams) == 0


def test_one_channel_tells_its_position(server: RunningServer, epoch: str) -> None:
    one = {"status": 200, "channel": "a/b", "subscribers": 0, "epoch": epoch, "offset": 6}
    assert server.http.get("/api/channels/a/b/").json == one
    assert server.http.get("/api/channels/plain").json == {"status": 200, "channel": "plain", "subscribers": 0}


def test_over_the_wire(server: RunningServer, transport: str, epoch: str) -> None:
    client = server.client(transport)
    asked: dict[str, Any] = {"type": "history", "channel": "a/b"}
    reply = client.request({**asked, "since": {"epoch": epoch, "offset": 2}, "limit": 2})
    assert (offsets(reply), reply["recovered"], reply["epoch"], reply["offset"]) == ([3, 4], True, epoch, 6)
    assert offsets(client.request({**asked, "reverse": True, "limit": 3})) == [6, 5, 4]
    gap = client.request({**asked, "since": {"epoch": epoch, "offset": 0}})
    assert (offsets(gap), gap["recovered"]) == ([2, 3, 4, 5, 6], False)
    assert client.request({**asked, "limit": 0})["publications"] == []
    server.publish("a/b", 7)
    assert client.take() == [], "who reads is not subscribed"


@pytest.mark.parametrize("more", [{"limit": -1}, {"limit": "1"}, {"limit": True}, {"reverse": 1}, {"since": 3}])
def test_messages_of_another_shape_are_refused(server: RunningServer, more: dict[str, object]) -> None:
    reply = server.bare().request({"type": "history", "channel": "news", **more})
    assert (reply["type"], reply["code"]) == ("error", errors.BAD_FIELD.code)


@pytest.mark.parametrize("type", ["history", "presence"])
def test_without_an_id_nothing_could_be_answered(server: RunningServer, type: str) -> None:
    client = server.bare()
    client.send({"type": type, "channel": "news"})
    [error] = client.take()
    assert (error["type"], error["code"], "id" in error) == ("error", errors.BAD_FIELD.code, False)


def test_the_rule_is_about_clients_and_not_about_callers_over_http(server: RunningServer) -> None:
    server.publish("closed", 1)
    assert server.bare().request({"type": "history", "channel": "closed"})["code"] == errors.DENIED.code
    assert offsets(server.http.get("/api/history/closed/").json) == [1]


def test_an_answer_has_its_bound(serve: Serve) -> None:
    server = serve(channels=(ChannelRule("*", history=10 * MAX_PAGE),))
    items = [{"channel": "long", "message": number} for number in range(MAX_PAGE + 1)]
    server.http.post("/api/batch/", {"publications": items})
    assert len(server.http.get("/api/history/long/?limit=100000").json["publications"]) == MAX_PAGE
    assert (
        len(server.bare().request({"type": "history", "channel": "long", "limit": 10**9})["publications"]) == MAX_PAGE
    )
