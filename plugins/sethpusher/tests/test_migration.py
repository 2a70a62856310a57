"""The programs of the migration page and of the README do what the pages say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.server import RunningServer

Serve = Callable[..., RunningServer]
ROOT = Path(__file__).parents[3]
TOKEN = {"X-Token": "open sesame"}


def programs(page: str) -> list[dict[str, Any]]:
    """The Python of a page, run."""
    found = []
    for text in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL):
        namespace: dict[str, Any] = {"__name__": "program"}
        exec(compile(text, page, "exec"), namespace)
        found.append(namespace)
    return found


POLICIES, MIXIN, DISPATCHER, PLUGINS = programs("docs/migration.md")
[README] = programs("plugins/sethpusher/README.md")


def test_policies_of_its_own(serve: Serve) -> None:
    http = serve(POLICIES["Shop"]()).http
    assert http.post("/api/channels/news/", {"my": "data"}).status == 401
    assert http.post("/api/channels/news/", {"my": "data"}, TOKEN).status == 200
    assert http.post("/api/users/alice/", [1], TOKEN).status == 200
    assert POLICIES["kept"] == [({"channel": "news"}, {"my": "data"}), ({"user": "alice"}, [1])]


def test_a_mixin_that_looks_on(serve: Serve) -> None:
    server = serve(MIXIN["Gallery"]())
    alice, bob = server.sockjs(), server.sockjs()
    alice.subscribe("art")
    bob.subscribe("art")
    bob.take()
    bob.unsubscribe("art")
    bob.take()
    assert [message["watching"] for message in alice.take() if "watching" in message] == [1, 2, 1]


def say(client: Any) -> dict[str, Any]:
    reply: dict[str, Any] = client.request({"type": "say", "channel": "tea", "text": "hi"})
    return reply


def test_a_dispatcher_with_a_type_of_its_own(serve: Serve) -> None:
    alice = serve(DISPATCHER["Room"]()).sockjs()
    alice.connect("alice")
    assert say(alice)["message"] == "Subscribe first."
    alice.subscribe("tea")
    assert say(alice)["type"] == "ack"
    assert alice.take()[-1]["message"] == {"text": "hi", "sender_id": "alice"}


def test_the_same_as_plugins(serve: Serve) -> None:
    server = RunningServer(PLUGINS["push"]).start()
    try:
        assert server.http.post("/api/channels/tea/", 1).status == 401
        assert server.http.post("/api/channels/tea/", 1, TOKEN).status == 200
        alice = server.sockjs()
        alice.connect("alice")
        assert say(alice)["message"] == "Subscribe first."
        alice.subscribe("tea")
        assert say(alice)["type"] == "ack"
        assert alice.take()[-1]["message"] == {"text": "hi", "sender_id": "alice"}
        assert [message for _, message in PLUGINS["kept"]] == [1, {"text": "hi", "sender_id": "alice"}]
    finally:
        server.stop()


def test_the_application_of_the_readme(serve: Serve) -> None:
    http = serve(README["Shop"](debug=True)).http
    assert http.get("/debug/").status == 401
    assert http.get("/debug/?key=change+me").status == 200
