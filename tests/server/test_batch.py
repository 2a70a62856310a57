"""``POST /api/batch/``: channels and users mixed, a result for each, and repeats that do nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support.server import RunningServer

from sethpusher_core import errors
from sethpusher_core.answers import Denied, Refused
from sethpusher_core.api.batch import MAX_BATCH
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.publication import Publication
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]

RULES = (ChannelRule("kept*", history=10, announce=False), ChannelRule("*", announce=False))


@pytest.fixture
def server(serve: Serve) -> RunningServer:
    return serve(channels=RULES)


def batch(server: RunningServer, *items: object) -> list[Any]:
    answer = server.http.post("/api/batch/", {"publications": items})
    assert (answer.status, answer.json["status"]) == (200, 200)
    results: list[Any] = answer.json["results"]
    assert len(results) == len(items)
    return results


def test_channels_and_users_are_mixed_and_each_has_its_result(server: RunningServer, transport: str) -> None:
    client = server.client(transport)
    client.connect("ada")
    client.subscribe("kept")
    client.subscribe("plain")
    kept, user, plain, numbers = batch(
        server,
        {"channel": "kept", "message": {"sender_id": "bob"}},
        {"user": "ada", "message": [1]},
        {"channel": "plain", "message": None},
        {"channel": 7, "message": 0},
    )
    epoch = kept["epoch"]
    assert kept == {"status": 200, "id": kept["id"], "epoch": epoch, "offset": 1}
    assert [result.keys() for result in (user, plain, numbers)] == [{"status", "id"}] * 3
    assert len({result["id"] for result in (kept, user, plain, numbers)}) == 4
    by_where = {(m.get("channel"), m.get("target_id")): m for m in client.take()}
    sender = {"message": {"sender_id": "bob"}, "sender_id": "bob"}
    assert by_where == {
        ("kept", None): {**sender, "channel": "kept", "epoch": epoch, "offset": 1},
        (None, "ada"): {"message": [1], "sender_id": None, "target_id": "ada"},
        ("plain", None): {"message": None, "sender_id": None, "channel": "plain"},
    }


BAD: list[tuple[object, int]] = [
    (1, errors.BAD_MESSAGE.code),
    (None, errors.BAD_MESSAGE.code),
    ([], errors.BAD_MESSAGE.code),
    ({}, errors.BAD_MESSAGE.code),
    ({"channel": "kept"}, errors.BAD_MESSAGE.code),
    ({"message": 1}, errors.BAD_FIELD.code),
    ({"channel": "kept", "user": "ada", "message": 1}, errors.BAD_FIELD.code),
    ({"channel": "", "message": 1}, errors.BAD_FIELD.code),
    ({"channel": "x" * 256, "message": 1}, errors.BAD_FIELD.code),
    ({"channel": ["kept"], "message": 1}, errors.BAD_FIELD.code),
    ({"user": 1.5, "message": 1}, errors.BAD_FIELD.code),
    ({"channel": "kept", "message": 1, "idempotency_key": ""}, errors.BAD_FIELD.code),
    ({"channel": "kept", "message": 1, "idempotency_key": 7}, errors.BAD_FIELD.code),
    ({"channel": "kept", "message": 1, "idempotency_key": "x" * 256}, errors.BAD_FIELD.code),
]


@pytest.mark.parametrize(("bad", "code"), BAD, ids=lambda value: repr(value)[:40])
def test_a_bad_item_spoils_only_itself(server: RunningServer, bad: object, code: int) -> None:
    client = server.bare()
    client.subscribe("kept")
    good = {"channel": "kept", "message": "good"}
    first, refused, last = batch(server, good, bad, good)
    assert (refused["status"], refused["code"]) == (400, code)
    assert refused["message"]
    assert (first["offset"], last["offset"]) == (1, 2)
    assert [message["message"] for message in client.take()] == ["good", "good"]


@pytest.mark.parametrize(
    "body", [b"", b"x", b"1", b"{}", b'{"publications": 1}', b'{"publications": [NaN]}', b'{"publications": ["\xff"]}']
)
def test_a_body_of_another_shape_is_refused_whole(server: RunningServer, body: bytes) -> None:
    answer = server.http.post("/api/batch/", body)
    assert (answer.status, answer.json["code"]) == (400, errors.BAD_MESSAGE.code)


def test_a_batch_may_be_empty_but_not_endless(serve: Serve) -> None:
    server = serve(max_body_size=2**21)
    assert batch(server) == []
    items = [{"channel": "c", "message": 1}] * (MAX_BATCH + 1)
    answer = server.http.post("/api/batch/", {"publications": items})
    assert (answer.status, answer.json["code"]) == (413, errors.TOO_LARGE.code)
    assert len(batch(server, *items[1:])) == MAX_BATCH


class Guard:
    """Denies one channel, refuses one message."""

    @hookimpl
    def authorize(self, target: Any) -> Denied | None:
        return Denied("not there") if target.name == "secret" else None

    @hookimpl
    def transform(self, publication: Publication) -> Any:
        return Refused("not that") if publication.message == "bad word" else publication


def test_what_plugins_say_no_to_spoils_nothing_else(serve: Serve) -> None:
    server = serve(PushServer(CoreSettings(channels=RULES), plugins=[Guard()]))
    words = [("kept", "a"), ("secret", "b"), ("kept", "bad word"), ("kept", "c")]
    results = batch(server, *({"channel": channel, "message": word} for channel, word in words))
    assert [(result["status"], result.get("offset")) for result in results] == [
        (200, 1),
        (403, None),
        (422, None),
        (200, 2),
    ]
    assert results[2]["message"] == "not that"


# ---------------------------------------------------------------------------------------------------------- repeats


class Store:
    """A persister that takes its time.

    Attributes:
        ids: Of all that it was given.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []

    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        self.ids += [publication.id for publication in publications]
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture(params=["straight", "persisted"])
def stored(serve: Serve, request: pytest.FixtureRequest) -> tuple[RunningServer, Store]:
    store = Store()
    plugins = [store] if request.param == "persisted" else []
    return serve(PushServer(CoreSettings(channels=RULES), plugins=plugins)), store


def test_a_repeat_gives_the_first_result_and_does_nothing(stored: tuple[RunningServer, Store]) -> None:
    server, store = stored
    client = server.bare()
    client.subscribe("kept")
    keyed = {"channel": "kept", "message": 1, "idempotency_key": "k"}
    first, other, again = batch(server, keyed, {**keyed, "idempotency_key": "l"}, {**keyed, "message": 2})
    assert first == again != other
    assert batch(server, keyed) == [first]
    assert server.http.post("/api/channels/kept/", 3, {"Idempotency-Key": "k"}).json == first
    [elsewhere] = batch(server, {**keyed, "channel": "kept too"})
    assert elsewhere["id"] != first["id"]
    assert [message["offset"] for message in client.take()] == [1, 2]
    assert store.ids in ([], [first["id"], other["id"], elsewhere["id"]])


def test_repeats_at_the_same_moment_are_one(stored: tuple[RunningServer, Store]) -> None:
    server, store = stored
    client = server.bare()
    client.subscribe("kept")
    results: list[Any] = []

    def publish() -> None:
        for number in range(5):
            key = {"Idempotency-Key": f"k{number}"}
            results.append((number, server.http.post("/api/channels/kept/", number, key).json))

    threads = [threading.Thread(target=publish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 40
    by_key = {number: [result for key, result in results if key == number] for number in range(5)}
    assert all(same == [same[0]] * 8 for same in by_key.values())
    assert sorted(message["message"] for message in client.take()) == [0, 1, 2, 3, 4]
    assert len(store.ids) in (0, 5)
    assert len(set(store.ids)) == len(store.ids)


def test_users_have_repeats_too(stored: tuple[RunningServer, Store]) -> None:
    server, store = stored
    client = server.bare()
    client.connect("ada")
    keyed = {"user": "ada", "message": 1, "idempotency_key": "k"}
    [first], [again] = batch(server, keyed), batch(server, keyed)
    assert first == again == {"status": 200, "id": first["id"]}
    assert len(client.take()) == 1
    assert len(store.ids) in (0, 1)


def test_the_window_ends(serve: Serve) -> None:
    server = serve(channels=RULES, idempotency_window=0.0)
    keyed = {"channel": "kept", "message": 1, "idempotency_key": "k"}
    [first], [second] = batch(server, keyed), batch(server, keyed)
    assert (first["offset"], second["offset"]) == (1, 2)
    assert first["id"] == second["id"], "so that a persister can tell"
