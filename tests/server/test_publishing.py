"""Publishing over HTTP: the answers, the errors, the names, and who gets what."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from support.server import TRANSPORTS, RunningServer
from support.timing import UNIT

Serve = Callable[..., RunningServer]

AS_IT_IS = [
    b' {"a" : 1,\n "a":2}\t',
    b"1e400",
    b"-0.0",
    b"9" * 5000,
    b'"\\u00e9\\/\\ud800"',
    '"é\u2028\u200b😀"'.encode(),
    b"null",
    b"[]",
    b'""',
    b'"' + b"x" * 70_000 + b'"',
]


def test_the_answer_says_what_became_of_it(server: RunningServer) -> None:
    first, second = server.publish("news", {"a": 1}), server.publish_to_user("nobody", [])
    for answer in (first, second):
        assert answer.json["status"] == 200
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        assert "server" not in answer.headers
    assert first.json["id"] != second.json["id"]


@pytest.mark.parametrize("body", AS_IT_IS, ids=lambda body: repr(body[:20]))
def test_what_was_published_is_passed_on_unchanged(server: RunningServer, transport: str, body: bytes) -> None:
    client = server.client(transport)
    client.subscribe("news")
    client.take()
    assert server.http.post("/api/channels/news/", body).status == 200
    assert client.next_text() == '{"message":' + body.decode() + ',"sender_id":null,"channel":"news"}'


def test_the_sender_is_the_message_s_own(server: RunningServer) -> None:
    client = server.bare()
    client.connect("alice")
    senders: list[Any] = ["bob", None, 7, {"a": [1]}, "", "\ud800"]
    for sender in senders:
        server.publish_to_user("alice", {"sender_id": sender, "in": {"sender_id": "not me"}})
    server.publish_to_user("alice", ["sender_id"])
    assert [message["sender_id"] for message in client.take()] == [*senders, None]


@pytest.mark.parametrize("path", ["/api/channels/news/", "/api/users/alice/"])
@pytest.mark.parametrize("body", [b"", b"x", b'{"a": NaN}', b"\xff", b'"\xff"', b"[1,]", b"{}{}", b"\xef\xbb\xbf{}"])
def test_what_is_not_json_is_refused(server: RunningServer, path: str, body: bytes) -> None:
    client = server.sockjs()
    client.connect("alice")
    client.subscribe("news")
    client.take()
    answer = server.http.post(path, body)
    assert answer.status == 400
    assert answer.json == {"message": "Request body is not valid JSON.", "status": 400, "code": 1500}
    assert client.take() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/api/", 404),
        ("POST", "/api/channels", 405),
        ("POST", "/api/channels/", 405),
        ("POST", "/api/channels//", 404),
        ("POST", "/api/users/", 404),
        ("POST", "/api/users//", 404),
        ("POST", "/api/nothing/news/", 404),
        ("GET", "/debug/", 404),
        ("GET", "/debug/channels/news/", 404),
        ("PUT", "/api/channels/news/", 405),
        ("PATCH", "/api/users/alice/", 405),
        ("DELETE", "/api/channels/news/", 405),
        ("POST", "/health", 405),
        ("POST", "/api/channels/%ff/", 400),
        ("POST", "/api/channels/" + "x" * 256 + "/", 400),
        ("POST", "/api/users/" + "x" * 256 + "/", 400),
    ],
)
def test_errors_have_one_shape(serve: Serve, method: str, path: str, status: int) -> None:
    answer = serve().http.call(method, path, b"{}" if method != "GET" else None)
    assert answer.status == answer.json["status"] == status
    assert answer.json["message"]
    assert answer.json["code"]
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"


NAMES = ["a/b", "a//b", "/a", "a/", "//", "a b", "a%2Fb", "%", "100%25", "é", "e\u0301", "🎉", "?", "#", "&=+;", ".."]


@pytest.mark.parametrize("name", NAMES)
def test_names_may_hold_anything(server: RunningServer, name: str) -> None:
    client = server.sockjs()
    client.connect(name)
    client.subscribe(name)
    client.take()
    server.publish(quote(name, safe=""), 1)
    server.publish_to_user(quote(name, safe=""), 2)
    assert [(m["message"], m.get("channel", m.get("target_id"))) for m in client.take()] == [(1, name), (2, name)]


def test_a_slash_in_a_name_may_stand_for_itself_and_the_last_one_may_be_missing(server: RunningServer) -> None:
    client = server.sockjs()
    client.subscribe("a/b")
    client.take()
    for path in ("/api/channels/a/b/", "/api/channels/a/b", "/api/channels/a%2fb", "/api/channels/a/b/?x=1"):
        assert server.http.post(path, path).status == 200
    assert len(client.take()) == 4


def test_a_message_to_a_user_reaches_all_of_the_user_s_connections_and_no_other(server: RunningServer) -> None:
    mine = [server.client(transport) for transport in TRANSPORTS]
    other, nobody = server.sockjs(), server.sockjs()
    for client in mine:
        client.connect("alice")
    other.connect("bob")
    nobody.subscribe("alice")
    for client in (*mine, other, nobody):
        client.take()
    server.publish_to_user("alice", {"sender_id": "bob"})
    expected = {"message": {"sender_id": "bob"}, "sender_id": "bob", "target_id": "alice"}
    assert [client.take() for client in mine] == [[expected]] * 3
    assert other.take() == nobody.take() == []


def test_pipelined_publications_keep_their_order(server: RunningServer) -> None:
    client = server.bare()
    client.subscribe("news")
    client.take()
    count = 300
    with socket.create_connection(("127.0.0.1", server.port), UNIT) as line:
        for n in range(count):
            body = str(n).encode()
            head = b"POST /api/channels/news/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            line.sendall(head + body)
        assert [client.next()["message"] for _ in range(count)] == list(range(count))
        answers = b""
        while answers.count(b"HTTP/1.1 200 OK") < count:
            answers += line.recv(2**16)


def test_python_publishes_through_the_same_door(server: RunningServer) -> None:
    client, push = server.sockjs(), server.push
    client.connect("alice")
    client.subscribe("news")
    client.take()
    server.run(push.publish("news", {"sender_id": "own", "é": "\ud800"}))
    server.run(push.publish("news", [1], sender_id="given"))
    server.run(push.publish_to_user("alice", None))
    assert client.take() == [
        {"message": {"sender_id": "own", "é": "\ud800"}, "sender_id": "own", "channel": "news"},
        {"message": [1], "sender_id": "given", "channel": "news"},
        {"message": None, "sender_id": None, "target_id": "alice"},
    ]
    for message, error in ((float("nan"), ValueError), (object(), TypeError)):
        with pytest.raises(error):
            server.run(push.publish("news", message))


# ------------------------------------------------------------------------------------------------------- the pages


def test_debug_pages_list_members_and_count_them_by_channel(server: RunningServer) -> None:
    alice, bob, nobody = server.sockjs(), server.bare(), server.sockjs()
    alice.connect("alice")
    bob.connect("bob")
    for client in (alice, bob, nobody):
        client.subscribe("a/é")
    page = server.http.get("/debug/").json
    assert page["subscriber_count"] == 5
    assert {name: set(ids) for name, ids in page["subscribers"].items()} == {
        "all": {"alice", "bob"},
        "a/é": {"alice", "bob", None},
    }
    one = server.http.get("/debug/channels/a/%C3%A9/").json
    assert one["subscriber_count"] == 3
    assert set(one["subscribers"]["a/é"]) == {"alice", "bob", None}
    assert server.http.get("/debug/channels/nothing").json == {"subscriber_count": 0, "subscribers": {"nothing": []}}


def test_health_and_readiness_need_no_credentials(server: RunningServer) -> None:
    for path, message in (("/health", "alive"), ("/health/", "alive"), ("/ready", "ready")):
        answer = server.http.get(path)
        assert (answer.status, answer.json) == (200, {"status": 200, "message": message})
        asked = server.http.call("HEAD", path)
        assert (asked.status, asked.text, asked.headers["content-length"]) == (200, "", str(len(answer.text)))
