"""Every endpoint and client message, tried by every kind of caller: the table in docs/access.md.

A new endpoint or message needs a row here. To write the table anew, run this file by
``SETHPUSHER_WRITE_DOCS=1 python -m pytest``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from sethpusher_auth_apikey.settings import KeyTable
from sethpusher_metrics import Metrics
from support.clients import ClosedByServer
from support.http import Answer
from support.server import RunningServer
from tornado.web import RequestHandler
from websockets.exceptions import InvalidState

from sethpusher_core.api.exchange import PostEndpoint
from sethpusher_core.builtins import with_builtins
from sethpusher_core.plugins.registry import PluginRegistry
from sethpusher_core.settings import Secret
from sethpusher_core.settings.rules import ChannelRule

Keyed = Callable[..., RunningServer]

PAGE: Final = Path(__file__).parents[3] / "docs/access.md"
START, END = "<!-- table: from plugins/sethpusher_auth_apikey/tests/test_access_table.py -->", "<!-- table: end -->"
SCOPES: Final = ("publish", "subscribe", "read", "administer")


@dataclass(frozen=True)
class Caller:
    """A kind of caller: what it presents, and what ``anonymous`` says."""

    title: str
    key: str | None = None
    anonymous: str = "none"

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}


CALLERS: Final = (
    *(Caller(f"no key, `{setting}`", anonymous=setting) for setting in ("none", "connect", "all")),
    *(Caller(f"`{scope}`", f"sp_{scope}_0123456789") for scope in SCOPES),
    Caller("expired", "sp_expired_0123456789", "all"),
    Caller("wrong", "sp_wrong_0123456789", "all"),
)
KEYS: Final = (
    *(KeyTable(scope, key=Secret(f"sp_{scope}_0123456789"), scopes=(scope,)) for scope in SCOPES),
    KeyTable("expired", key=Secret("sp_expired_0123456789"), scopes=SCOPES, expires="2001-01-01"),
)
RULE: Final = ChannelRule("*", history=10, presence=True, announce=False)

BATCH: Final = {"publications": [{"channel": "news", "message": 1}]}
ENDPOINTS: Final[Mapping[tuple[str, str], Any]] = {
    ("POST", "/api/channels/news/"): 1,
    ("POST", "/api/users/ada/"): 1,
    ("POST", "/api/batch/"): BATCH,
    ("GET", "/api/channels/"): None,
    ("GET", "/api/channels/news/"): None,
    ("GET", "/api/history/news/"): None,
    ("GET", "/api/presence/news/"): None,
    ("GET", "/api/users/ada/"): None,
    ("DELETE", "/api/users/ada/"): None,
    ("GET", "/debug/"): None,
    ("GET", "/debug/channels/news/"): None,
    ("GET", "/health"): None,
    ("HEAD", "/health"): None,
    ("GET", "/health?details"): None,
    ("GET", "/ready"): None,
    ("HEAD", "/ready"): None,
    ("GET", "/metrics"): None,
    ("GET", "/connect/"): None,
    ("GET", "/connect/info"): None,
    ("GET", "/connect/iframe.html"): None,
}
SOCKETS: Final = {
    "/connect/websocket": "bare",
    "/connect/000/session/websocket": "sockjs",
    "/connect/000/session/xhr": "xhr",
}
OTHER_TRANSPORTS: Final = tuple(
    f"/connect/000/session/{name}"
    for name in ("xhr_streaming", "eventsource", "htmlfile", "jsonp", "xhr_send", "jsonp_send")
)
"""They begin, or go on with, the same sessions as ``xhr``: the same door, tried in the tests of the transports."""
MESSAGES: Final[tuple[Mapping[str, Any], ...]] = (
    {"type": "connect", "subscriber_id": "ada"},
    {"type": "connect", "subscriber_id": "ada", "token": "x"},
    {"type": "subscribe", "channel": "news"},
    {"type": "subscribe", "channel": "news", "recover": {"epoch": "x", "offset": 1}},
    {"type": "unsubscribe", "channel": "news"},
    {"type": "publish", "channel": "news", "message": 1},
    {"type": "presence", "channel": "news"},
    {"type": "history", "channel": "news"},
    {"type": "refresh", "token": "x"},
    {"type": "ping"},
)


CLOSED: Final = (ClosedByServer, InvalidState, OSError)
"""How a client learns that it was turned away, before or while it speaks."""


@pytest.fixture
def servers(keyed: Keyed) -> Mapping[str, RunningServer]:
    """With every plugin of ours that serves something, too."""
    return {
        setting: keyed({"anonymous": setting, "channels": (RULE,)}, (Metrics(),), keys=KEYS)
        for setting in ("none", "connect", "all")
    }


def test_the_table_in_the_docs_is_what_happens(servers: Mapping[str, RunningServer]) -> None:
    rows = [*_rows(servers)]
    head = "| | " + " | ".join(caller.title for caller in CALLERS) + " |"
    table = "\n".join([head, "|-" * (len(CALLERS) + 1) + "|", *rows])
    text = PAGE.read_text()
    wanted = re.sub(f"{re.escape(START)}.*?{re.escape(END)}", f"{START}\n{table}\n{END}", text, flags=re.DOTALL)
    if os.environ.get("SETHPUSHER_WRITE_DOCS"):
        PAGE.write_text(wanted)
    assert START in text
    assert wanted == PAGE.read_text()


def _rows(servers: Mapping[str, RunningServer]) -> Iterator[str]:
    for (method, path), body in ENDPOINTS.items():
        yield _row(f"`{method} {path}`", lambda caller: _called(servers[caller.anonymous], caller, method, path, body))  # noqa: B023
    for path, transport in SOCKETS.items():
        yield _row(f"open `{path}`", lambda caller: _opened(servers[caller.anonymous], caller, transport))  # noqa: B023
    for message in MESSAGES:
        extra = [name for name in ("token", "recover") if name in message and message["type"] != "refresh"]
        title = f"message `{message['type']}`" + "".join(f" with `{name}`" for name in extra)
        yield _row(title, lambda caller: _said(servers[caller.anonymous], caller, message))  # noqa: B023


def _row(title: str, attempt: Callable[[Caller], str]) -> str:
    return f"| {title} | " + " | ".join(attempt(caller) for caller in CALLERS) + " |"


def _called(server: RunningServer, caller: Caller, method: str, path: str, body: object) -> str:
    answer: Answer = server.http.call(method, path, body, caller.headers)
    if "batch" in path and answer.status == 200:
        return str(answer.json["results"][0]["status"])
    return str(answer.status)


def _opened(server: RunningServer, caller: Caller, transport: str) -> str:
    client = getattr(server, transport)(headers=caller.headers)
    try:
        return "yes" if client.request({"type": "ping"})["type"] == "ack" else "no"
    except (*CLOSED, AssertionError):  # a poll that sends to a session which has ended is answered with 404
        return str(client.closed()[0])


def _said(server: RunningServer, caller: Caller, message: Mapping[str, Any]) -> str:
    client = server.bare(headers=caller.headers)
    try:
        reply = client.request(message)
    except CLOSED:
        return str(client.closed()[0])
    client.drop()
    return "yes" if reply["type"] == "ack" else str(reply["code"])


# ------------------------------------------------------------------------------------------------ nothing is left out


def test_every_endpoint_has_a_row(servers: Mapping[str, RunningServer]) -> None:
    """All that a server serves: the API by method, what SockJS serves by path."""
    rules = [(rule.matcher.regex, rule.target) for rule in servers["all"].push.application().wildcard_router.rules]
    tried = set()
    for method, path in (*ENDPOINTS, *(("GET", path) for path in (*SOCKETS, *OTHER_TRANSPORTS))):
        bare = path.partition("?")[0]
        pattern, target = next(rule for rule in rules if rule[0].match(bare) and _serves(rule[1], method))
        tried.add((pattern.pattern, method if _is_handler(target) else ""))
    offered = {(pattern.pattern, method) for pattern, target in rules for method in _methods(target)}
    assert offered <= tried, f"give it a row: {offered - tried}"


def _serves(target: Any, method: str) -> bool:
    return method == "POST" or not isinstance(target, PostEndpoint)


def _is_handler(target: Any) -> bool:
    return isinstance(target, type) and issubclass(target, RequestHandler)


def _methods(target: Any) -> list[str]:
    """The methods that a handler of the API has; what is served in another way is one whole."""
    if not _is_handler(target):
        return [""]
    names = RequestHandler.SUPPORTED_METHODS
    return [name for name in names if getattr(target, name.lower()) is not getattr(RequestHandler, name.lower())]


def test_every_client_message_has_a_row() -> None:
    dispatchers = [one.plugin for one in with_builtins(PluginRegistry()).plugins if "dispatch" in one.hooks]
    known = {type for dispatcher in dispatchers for type in dispatcher._handlers}
    assert known == {message["type"] for message in MESSAGES}
