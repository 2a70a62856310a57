"""What release 0.2.2 promised to its clients still holds, frame by frame; where it was broken, what holds instead."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from support.replay import HELD, Replay
from support.server import RunningServer

from sethpusher_core import errors
from sethpusher_core.answers import Rejected
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.identity import Credentials, Identity
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings

Serve = Callable[..., RunningServer]

SCENARIOS: Final = json.loads((Path(__file__).parent / "data" / "release_0_2_2.json").read_text())["scenarios"]
NO_MORE: Final = {"api key: connections are not asked for it"}
"""Scenarios of which nothing can be replayed: connections are authenticated, too."""
RUNS: Final = [
    (scenario, transport)
    for scenario in SCENARIOS
    if scenario["name"] not in NO_MORE
    for transport in scenario.get("transports", [None])
]


def told(code: errors.ErrorCode) -> list[object]:
    """What the sender of a message that cannot be served is told now."""
    return [{"type": "error", "code": code.code}]


def notice(type: str, id: str | None, body: str) -> dict[str, object]:
    return {"message": {"body": body, "subscriber_id": id, "type": type}}


def publication(message: object, **target: str) -> dict[str, object]:
    return {"message": message, "sender_id": None, **target}


OK: Final = {"status": 200, "json": {"status": 200}}
BAD: Final = {"status": 400, "json": {"status": 400}}
MY_DATA: Final = {"my": "data"}
BAD_FIELD: Final = told(errors.BAD_FIELD)
TO_ALICE: Final = [publication(MY_DATA, target_id="alice")]
ALICE_GETS_HERS: Final = [[], BAD_FIELD, OK, TO_ALICE, []]
STAYS: Final = [HELD, HELD, BAD_FIELD, []]
SUBSCRIBED: Final = [notice("subscribe", None, "User: None subscribed to news")]
ANY_JSON: Final = {"a list": ["x"], "a text": "x", "a number": 7, "null": None, "true": True}

INSTEAD: Final[Mapping[str, list[object]]] = {
    # Integers are read as their decimal text.
    "connect: an integer id": [
        [notice("connect", "7", "User: 7 connected.")],
        [publication(MY_DATA, target_id="7")],
        [notice("disconnect", "7", "User: 7 disconnected.")],
    ],
    "connect: the id 0": [
        [notice("connect", "0", "User: 0 connected.")],
        [],
        [notice("disconnect", "0", "User: 0 disconnected.")],
    ],
    "subscribe: an integer channel, publishing to it": [
        HELD,
        HELD,
        [publication(MY_DATA, channel="5")],
        HELD,
        {"status": 200, "json": {"subscriber_count": 1, "subscribers": {"5": ["alice"]}}},
    ],
    # What is neither text nor integer is refused, and so is what is empty.
    "connect: an empty id": [[], BAD_FIELD, []],
    "connect: true as id": ALICE_GETS_HERS,
    "connect: false as id": ALICE_GETS_HERS,
    "connect: a fraction as id": ALICE_GETS_HERS,
    "connect: an object as id": ALICE_GETS_HERS,
    "connect: a list as id": ALICE_GETS_HERS,
    "subscribe: an empty channel name": [BAD_FIELD, [], BAD_FIELD],
    "subscribe: true as channel": [BAD_FIELD],
    "subscribe: a fraction as channel": [BAD_FIELD],
    "subscribe: an object as channel ends the connection": STAYS,
    "unsubscribe: an object as channel ends the connection": STAYS,
    "subscribe: a list as channel ends the connection": STAYS,
    "unsubscribe: a list as channel ends the connection": STAYS,
    # Notices are sent only when something changed, and the connect notice not to its own connection.
    "subscribe: twice": [[], []],
    "subscribe: to all after connect": [[], []],
    "connect: several messages sent at once are taken in order": [
        [notice("connect", "bob", "User: bob connected.")],
        [notice("subscribe", "bob", "User: bob subscribed to news")],
    ],
    "subscribe: to all, then connect": [[]],
    "unsubscribe: one who is not in the channel": [[]],
    "unsubscribe: twice": [[]],
    "unsubscribe: from all without connect": [[]],
    "user: before connect there is none": [[]],
    # A message to a user reaches all connections of that user.
    "unsubscribe: from all, then a message to the user": [[publication(MY_DATA, target_id="bob")]],
    "user: two connections with one id": [HELD, HELD, HELD, TO_ALICE * 2],
    # Pages list channels that somebody is in.
    "unsubscribe: a channel that nobody is in": [
        {
            "status": 200,
            "unordered": True,
            "json": {
                "subscriber_count": 4,
                "subscribers": {"all": ["alice", "bob"], "fence-a": ["alice"], "fence-b": ["bob"]},
            },
        }
    ],
    "user: unknown, on a server without clients": [{"status": 200, "json": {"subscriber_count": 0, "subscribers": {}}}],
    "debug: after one who never connected left": [{"status": 200, "json": {"subscriber_count": 0, "subscribers": {}}}],
    "debug: without the last slash": [
        {"status": 200, "json": {"subscriber_count": 0, "subscribers": {}}},
        {"status": 200, "json": {"subscriber_count": 0, "subscribers": {"news": []}}},
    ],
    # What is not JSON is refused; any JSON is taken, and passed on as it is.
    "publish: NaN": [HELD, BAD, []],
    "publish: Infinity": [HELD, BAD, []],
    "publish: a number out of range": [HELD, OK, [publication({"x": float("inf")}, channel="news")]],
    **{f"publish: {name} to a channel": [HELD, OK, OK, [publication(x)]] for name, x in ANY_JSON.items()},
    **{f"publish: {name} to a user": [HELD, OK, [publication(x, target_id="alice")]] for name, x in ANY_JSON.items()},
    "publish: without the last slash": [OK, [publication(MY_DATA, channel="news")], OK, TO_ALICE],
    # Messages with an id are answered; a binary message is read as text, as it was by accident.
    "message: an id is ignored": [[{"type": "ack", "id": 1, "channel": "news"}, *SUBSCRIBED]],
    "message: a binary frame is read like text": [SUBSCRIBED],
    "misunderstood: types which are new": [HELD, HELD, HELD, HELD, [], None],
    "sockjs: an empty text in the list": [HELD],
    "sockjs: an object in place of a text": [HELD, HELD, HELD, HELD],
    "sockjs: websocket addresses without an upgrade": [{"status": status} for status in (400, 400, 405, 405)],
    # Methods that became known: issues of their own.
    "http: a method that became known": [None, None, None],
    # What the library of the old server added is not ours to repeat.
    "sockjs: info": [None, None],
    "xhr: sending what is not a list of texts": [{"status": 500}] * 2,
}
"""What holds for each broken step that compares, in order."""

MISUNDERSTOOD: Final = {
    "type in capitals": errors.UNKNOWN_TYPE,
    "type disconnect": errors.UNKNOWN_TYPE,
    "type unknown": errors.UNKNOWN_TYPE,
    "type unicode": errors.UNKNOWN_TYPE,
    "connect without subscriber_id": errors.BAD_FIELD,
    "connect with subscriber_id null": errors.BAD_FIELD,
    "subscribe without channel": errors.BAD_FIELD,
    "subscribe with channel null": errors.BAD_FIELD,
    "unsubscribe without channel": errors.BAD_FIELD,
    "unsubscribe with channel null": errors.BAD_FIELD,
}
"""Why a message is not understood; the others are not messages at all. Its sender is told, each of two times."""


class OldPolicy:
    """The two authentication policies that release 0.2.2 brought, with its values."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    @hookimpl
    def authenticate(self, credentials: Credentials) -> Identity | Rejected:
        options = self._options
        if options["auth"] == "api_key":
            given = credentials.request.arguments.get(options["key_name"], [b""])[0].decode()
            right = given == options["key_secret_value"]
        else:
            right = credentials.headers.get(options["secret_header"]) == options["secret_header_value"]
        return Identity() if right else Rejected("a wrong key or none")


def broken_steps(scenario: Mapping[str, Any]) -> list[object]:
    name: str = scenario["name"]
    if name in INSTEAD:
        return INSTEAD[name]
    kind = name.removeprefix("misunderstood: ")
    if kind != name and any(step.get("status") == "broken" for step in scenario["steps"]):
        return [told(MISUNDERSTOOD.get(kind, errors.BAD_MESSAGE))] * 2
    return []


@pytest.mark.parametrize(("scenario", "transport"), RUNS, ids=[f"{s['name']}-{t}" for s, t in RUNS])
def test_release_0_2_2(serve: Serve, scenario: Mapping[str, Any], transport: str | None) -> None:
    options = scenario.get("server") or {}
    settings = CoreSettings(debug=options.get("debug", True))
    server = serve(PushServer(settings, plugins=[OldPolicy(options)] if "auth" in options else []))
    Replay(server, scenario, transport, broken_steps(scenario)).run()


def test_every_expectation_belongs_to_a_scenario() -> None:
    names = {scenario["name"] for scenario in SCENARIOS}
    assert set(INSTEAD) | NO_MORE <= names
    assert {f"misunderstood: {kind}" for kind in MISUNDERSTOOD} <= names
