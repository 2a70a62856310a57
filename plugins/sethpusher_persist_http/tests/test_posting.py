"""What is posted: where to, in what form, how often, and what becomes of what the API does not take."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sethpusher_persist_http.signing import verify
from support.endpoint import Endpoint, Post, Reply
from support.logs import LogWatch
from support.server import RunningServer
from support.timing import UNIT

from sethpusher_core.settings import Secret

Posting = Callable[..., RunningServer]

FAILING = "publications cannot be posted to .*; they are kept, and tried again"
AGAIN = "publications can be posted again"


def health(server: RunningServer) -> dict[str, Any]:
    found: dict[str, Any] = server.http.get("/health?details").json["details"]["persist_http"]
    return found


def wait_until_empty(server: RunningServer) -> dict[str, Any]:
    deadline = time.monotonic() + UNIT
    while (found := health(server))["waiting"] and time.monotonic() < deadline:
        pass
    assert found["waiting"] == 0, found
    return found


def test_what_is_published_is_posted(posting: Posting, endpoint: Endpoint) -> None:
    server = posting()
    before = time.time()
    first = server.publish("news", b' { "my": "data" ,"sender_id":7} ').json["id"]
    second = server.publish_to_user("ada", [None, "ü"]).json["id"]
    taken = {publication["id"]: publication for publication in endpoint.wait_for_taken(2)}
    for publication in taken.values():
        assert before - 0.002 <= publication.pop("accepted_at") <= time.time()
    assert taken == {
        first: {"id": first, "channel": "news", "message": {"my": "data", "sender_id": 7}, "sender_id": 7},
        second: {"id": second, "user": "ada", "message": [None, "ü"], "sender_id": None},
    }
    # As it came, to the last blank.
    assert b'"message": { "my": "data" ,"sender_id":7} ,' in b"".join(post.body for post in endpoint.taken)
    told = wait_until_empty(server)
    assert (told["posted"], told["dead_letters"], told["state"], told["trouble"]) == (2, 0, "idle", None)


def test_many_share_a_post(posting: Posting, endpoint: Endpoint) -> None:
    server = posting(batch_delay=0.2, batch_size=100, parallel=1)
    publications = [{"channel": f"channel {number % 7}", "message": number} for number in range(250)]
    assert server.http.post("/api/batch/", {"publications": publications}).status == 200
    assert [one["message"] for one in endpoint.wait_for_taken(250)] == list(range(250))
    assert [len(post.publications) for post in endpoint.taken] == [100, 100, 50]
    assert all(post.headers["content-type"] == "application/json" for post in endpoint.taken)


def test_a_post_has_a_size(posting: Posting, endpoint: Endpoint) -> None:
    server = posting(batch_delay=0.2, batch_bytes=2000, parallel=1)
    sizes = [600, 600, 600, 600, 9000, 10, 10]
    publications = [{"channel": "news", "message": "x" * size} for size in sizes]
    server.http.post("/api/batch/", {"publications": publications})
    endpoint.wait_for_taken(len(sizes))
    assert [[len(one["message"]) for one in post.publications] for post in endpoint.taken] == [
        [600, 600],
        [600, 600],
        [9000],
        [10, 10],
    ]


def test_single_posts_hold_nothing_but_the_publication(posting: Posting, endpoint: Endpoint) -> None:
    server = posting(body="single")
    ids = [server.publish("news", number).json["id"] for number in range(3)]
    endpoint.wait_for_taken(3)
    assert [(post.json["id"], post.json["message"]) for post in endpoint.taken] == [
        (id, number) for number, id in enumerate(ids)
    ]
    assert [post.headers["webhook-id"] for post in endpoint.taken] == ids


def test_the_url_may_depend_on_the_address(posting: Posting, endpoint: Endpoint) -> None:
    server = posting(
        api_url=f"{endpoint.url}/in/{{channel}}?kind={{kind}}", user_url=f"{endpoint.url}/to/{{user}}/{{name}}"
    )
    for name in ("news/sport", "a b", "..", "ü"):
        server.publish(name.replace(" ", "%20").replace("ü", "%C3%BC"), 1)
    server.publish_to_user("ada", 2)
    endpoint.wait_for_taken(5)
    assert sorted(post.path for post in endpoint.taken) == [
        "/in/%252E%252E?kind=channel",
        "/in/%C3%BC?kind=channel",
        "/in/a%20b?kind=channel",
        "/in/news%2Fsport?kind=channel",
        "/to/ada/ada",
    ]


def test_some_are_left_out(posting: Posting, endpoint: Endpoint) -> None:
    server = posting(channels=("news.*", "last"), exclude=("news.private*",), users=False)
    for channel in ("other", "news.private.x", "news.a", "news"):
        server.publish(channel, channel)
    server.publish_to_user("ada", 1)
    server.publish("last", "last")
    assert {one["channel"] for one in endpoint.wait_for_taken(2)} == {"news.a", "last"}
    assert wait_until_empty(server)["posted"] == 2


def test_headers_and_signatures(posting: Posting, endpoint: Endpoint) -> None:
    new, old = "whsec_" + base64.b64encode(b"k" * 32).decode(), "any old text"
    server = posting(
        headers={"Authorization": Secret("Bearer x"), "X-Team": Secret("push")}, secrets=(Secret(new), Secret(old))
    )
    server.publish("news", 1)
    endpoint.wait_for_taken(1)
    [post] = endpoint.taken
    assert (post.headers["authorization"], post.headers["x-team"]) == ("Bearer x", "push")
    for secrets in ([new], [old], ["neither", old]):
        assert verify(secrets, post.headers, post.body)
    assert not verify(["neither"], post.headers, post.body)
    assert not verify([new], post.headers, post.body + b" ")
    assert not verify([new], {**post.headers, "webhook-id": "other"}, post.body)
    assert not verify([new], post.headers, post.body, now=time.time() + 301)


def test_the_check_that_the_docs_show(posting: Posting, endpoint: Endpoint) -> None:
    page = (Path(__file__).parents[3] / "docs/persist-http.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shown: dict[str, Any] = {}
    exec(code, shown)  # the page's own
    standard = "whsec_" + base64.b64encode(b"k" * 24).decode()
    posting(secrets=(Secret("plain"), Secret(standard))).publish("news", {"my": "data"})
    endpoint.wait_for_taken(1)
    [post] = endpoint.taken
    for secret in ("plain", standard):
        assert shown["is_genuine"](secret, post.headers, post.body)
    assert not shown["is_genuine"]("other", post.headers, post.body)
    assert not shown["is_genuine"]("plain", post.headers, post.body.replace(b"data", b"date"))
    late = {**post.headers, "webhook-timestamp": str(int(time.time()) - 301)}
    assert not shown["is_genuine"]("plain", late, post.body)


def test_without_a_secret_there_is_no_signature(posting: Posting, endpoint: Endpoint) -> None:
    posting().publish("news", 1)
    endpoint.wait_for_taken(1)
    assert "webhook-signature" not in endpoint.taken[0].headers


# -------------------------------------------------------------------------------------------------------- failures


def test_what_was_taken_and_not_answered_comes_again_under_its_id(
    posting: Posting, endpoint: Endpoint, logs: LogWatch
) -> None:
    replies = [Reply(200, cut=True)] * 2
    endpoint.answer = lambda post: replies.pop() if replies else Reply()
    id = posting().publish("news", 1).json["id"]
    assert [one["id"] for one in endpoint.wait_for_taken(3)] == [id] * 3
    logs.expect(FAILING, level=40)
    logs.expect(AGAIN)


@pytest.mark.parametrize("status", [500, 503, 408, 425, 429, 302, None])
def test_what_fails_is_posted_again(posting: Posting, endpoint: Endpoint, logs: LogWatch, status: int | None) -> None:
    there = {"Location": f"{endpoint.url}/elsewhere"}
    replies = [Reply(500, cut=True) if status is None else Reply(status, headers=there)] * 3
    endpoint.answer = lambda post: replies.pop() if replies else Reply(202)
    server = posting()
    id = server.publish("news", 1).json["id"]
    endpoint.wait_for_taken(1)
    assert [(post.ids, post.path) for post in endpoint.tried] == [([id], "/")] * 4
    assert len({post.headers["webhook-id"] for post in endpoint.tried}) == 1
    logs.expect(FAILING, level=40)
    logs.expect(AGAIN)
    told = wait_until_empty(server)
    assert (told["posted"], told["failed_posts"], told["dead_letters"]) == (1, 3, 0)


def test_order_is_kept_while_it_fails(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    """Whatever fails when: in each channel, what is new comes in the order of publishing."""
    count = 0

    def every_third(post: Post) -> Reply:
        nonlocal count
        count += 1
        return Reply(500 if count % 3 else 200)

    endpoint.answer = every_third
    server = posting(batch_size=7, parallel=3, circuit_failures=1000)
    for number in range(60):
        server.publish(f"channel{number % 5}", number)
    taken = endpoint.wait_for_taken(60)
    for channel in range(5):
        mine = [one["message"] for one in taken if one["channel"] == f"channel{channel}"]
        assert mine == list(range(channel, 60, 5))
    logs.expect(FAILING, level=40)
    wait_until_empty(server)
    logs.drop(FAILING, AGAIN)


def test_an_endpoint_that_stalls_is_given_up_and_asked_again(
    posting: Posting, endpoint: Endpoint, logs: LogWatch
) -> None:
    gate = threading.Event()
    endpoint.answer = lambda post: Reply() if len(endpoint.tried) > 2 or not gate.wait(UNIT) else Reply(500)
    server = posting(timeout=0.1)
    server.publish("news", 1)
    endpoint.wait_for_taken(1)
    gate.set()
    logs.expect("cannot be posted to .*Timeout", level=40)
    logs.expect(AGAIN)
    wait_until_empty(server)


def test_an_endpoint_that_dies_and_comes_back(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    endpoint.stop()
    server = posting()
    for number in range(5):
        server.publish("news", number)
    logs.expect("cannot be posted to .*ConnectionRefusedError", level=40)
    told = health(server)
    assert (told["waiting"], told["state"], told["posted"]) == (5, "waiting", 0)
    assert told["oldest_seconds"] >= 0
    assert "ConnectionRefused" in told["trouble"]
    endpoint.start()
    assert [one["message"] for one in endpoint.wait_for_taken(5)] == list(range(5))
    logs.expect(AGAIN)
    wait_until_empty(server)


def test_an_endpoint_says_when_to_come_back(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    replies = [Reply(503, headers={"Retry-After": "1"})]
    times: list[float] = []

    def answer(post: Post) -> Reply:
        times.append(time.monotonic())
        return replies.pop() if replies else Reply()

    endpoint.answer = answer
    server = posting(parallel=8)
    server.publish("news", 1)
    endpoint.wait_for_tried(1)
    for number in range(20):  # others must not ask before, either
        server.publish(f"channel{number}", number)
    endpoint.wait_for_taken(21)
    assert times[1] - times[0] >= 0.95
    logs.expect(FAILING, level=40)
    logs.expect(AGAIN)


def test_an_open_circuit_lets_one_post_find_out(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    down = True
    endpoint.answer = lambda post: Reply(500 if down else 200)
    server = posting(api_url=f"{endpoint.url}/{{channel}}", parallel=10, circuit_failures=5, retry_max=0.2)
    for number in range(50):
        server.publish(f"channel{number}", number)
    logs.expect(FAILING, level=40)
    endpoint.wait_for_tried(8)
    # At most those under way when it opened, and then one at a time, each after a while.
    tried, began = len(endpoint.tried), time.monotonic()
    endpoint.wait_for_tried(tried + 3)
    assert len(endpoint.tried) < 5 + 10 + 3 + (time.monotonic() - began + 1) / 0.005
    assert len({post.path for post in endpoint.tried}) <= 20, "most have not been tried"
    down = False
    assert len(endpoint.wait_for_taken(50)) == 50
    logs.expect(AGAIN)


def test_one_url_that_fails_does_not_hold_up_the_others(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    bad = True
    endpoint.answer = lambda post: Reply(500 if bad and post.path == "/bad" else 200)
    server = posting(api_url=f"{endpoint.url}/{{channel}}", parallel=2)
    for number in range(100):
        server.publish("bad", number)
        server.publish(f"good{number % 3}", number)
    endpoint.wait_for_taken(100)
    bad = False
    taken = endpoint.wait_for_taken(200)
    assert [one["message"] for one in taken if one["channel"] == "bad"] == list(range(100))
    logs.expect(FAILING, level=40)
    logs.expect(AGAIN)


# ----------------------------------------------------------------------------------------------------- dead letters


def test_only_the_culprit_becomes_a_dead_letter(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    endpoint.answer = lambda post: (
        Reply(400, b"no\n 13, please") if 13 in [one["message"] for one in post.publications] else Reply()
    )
    server = posting(batch_delay=0.2, parallel=1)
    publications = [{"channel": "news", "message": number} for number in range(20)]
    server.http.post("/api/batch/", {"publications": publications})
    taken = endpoint.wait_for_taken(19)
    assert [one["message"] for one in taken] == [number for number in range(20) if number != 13]
    assert [len(post.publications) for post in endpoint.tried] == [20] + [1] * 20
    logs.expect("the API has refused 1 publications, the last of them .* HTTP 400: no 13, please; they are", level=40)
    told = wait_until_empty(server)
    assert (told["dead_letters"], told["refused"], told["posted"]) == (1, 1, 19)
    server.publish("news", "after")
    endpoint.wait_for_taken(20)
    assert len(endpoint.taken[-1].publications) == 1


def test_keys_in_queries_are_not_logged(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    replies = [Reply(500)]
    endpoint.answer = lambda post: replies.pop() if replies else Reply()
    server = posting(api_url=f"{endpoint.url}/in?key=sesame")
    server.publish("news", 1)
    assert "sesame" not in logs.expect(f"cannot be posted to {endpoint.url}/in: HTTP 500", level=40)
    logs.expect(AGAIN)
    assert endpoint.taken[0].path == "/in?key=sesame"


def test_many_refusals_are_one_line(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    endpoint.answer = lambda post: Reply(422)
    server = posting()
    for number in range(20):
        server.publish("news", number)
    assert wait_until_empty(server)["dead_letters"] == 20
    logs.expect("the API has refused 1 publications", level=40)
    logs.check()


def test_a_large_backlog_is_posted_after_a_restart(
    posting: Posting, endpoint: Endpoint, logs: LogWatch, tmp_path: Path
) -> None:
    """More than is held in memory, over several lanes, in order; then in lanes that are made otherwise."""
    endpoint.stop()
    server = posting(batch_size=50)
    publications = [{"channel": f"channel{number % 9}", "message": number} for number in range(3000)]
    assert server.http.post("/api/batch/", {"publications": publications}).status == 200
    logs.expect("cannot be posted", level=40)
    server.stop()
    endpoint.start()
    server = posting(batch_size=50, api_url=f"{endpoint.url}/{{channel}}", parallel=2)
    taken = endpoint.wait_for_taken(3000, times=4)
    for channel in range(9):
        mine = [one["message"] for one in taken if one["channel"] == f"channel{channel}"]
        assert mine == list(range(channel, 3000, 9))
    wait_until_empty(server)
