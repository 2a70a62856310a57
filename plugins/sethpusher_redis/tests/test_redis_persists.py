"""The persister, by the compliance list and in a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from redis_servers import Server, free_port
from redis_traffic import until
from sethpusher_redis.persist import RedisPersister
from sethpusher_redis.settings import PersistSettings
from support.logs import LogWatch
from support.server import RunningServer

from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.testing import Kept, PersistCompliance


def stored(server: Server, stream: str) -> list[Kept]:
    """What a stream has, oldest first."""
    kept = []
    for _, fields in server.client().xrange(stream):
        row = {key.decode(): value.decode("utf-8", "surrogatepass") for key, value in fields.items()}
        message, sender = json.loads(row["message"]), json.loads(row["sender"])
        kept.append(Kept(row["id"], message, row.get("channel"), row.get("user"), sender))
    return kept


class TestRedisPersister(PersistCompliance):
    @pytest.fixture
    def stream(self) -> str:
        return f"test-{uuid4().hex}"

    @pytest.fixture
    def make_plugin(self, shared_server: Server, stream: str) -> Callable[[], object]:
        return lambda: RedisPersister(PersistSettings(url=shared_server.url, stream=stream))

    @pytest.fixture
    def read_back(self, shared_server: Server, stream: str) -> Callable[[], list[Kept]]:
        return lambda: stored(shared_server, stream)


def test_the_stream_has_a_bound(shared_server: Server, logs: LogWatch) -> None:
    stream = f"test-{uuid4().hex}"
    plugin = RedisPersister(PersistSettings(url=shared_server.url, stream=stream, length=100))
    server = RunningServer(PushServer(CoreSettings(), plugins=[plugin])).start()
    batch = [{"channel": "news", "message": number} for number in range(500)]
    assert server.http.post("/api/batch/", {"publications": batch}).status == 200
    server.stop()
    kept = [one.message for one in stored(shared_server, stream)]
    assert 100 <= len(kept) <= 300, "about: whole nodes of the stream go at once"
    assert kept == list(range(500))[-len(kept) :]
    assert shared_server.ask("ZCARD", f"{{{stream}}}:ids") == 100


def test_a_server_that_is_gone_refuses_the_start_and_the_publication(
    start_server: Callable[..., Server], logs: LogWatch
) -> None:
    def serve(url: str) -> RunningServer:
        plugin = RedisPersister(PersistSettings(url=url, timeout=0.3))
        return RunningServer(PushServer(CoreSettings(), plugins=[plugin]))

    with pytest.raises(Exception, match=r"plugin persist_redis, hook startup: .*cannot connect to"):
        serve(f"redis://127.0.0.1:{free_port()}").start()
    store = start_server()
    server = serve(store.url).start()
    client = server.bare()
    client.subscribe("news")
    client.take()
    store.kill()
    answer = server.http.post("/api/channels/news/", 1)
    assert answer.status == 503
    assert client.take() == [], "what is not kept is not sent"
    store.start()
    logs.expect("the line to .* is lost")
    logs.expect("persist failed", level=40)
    until(lambda: server.http.post("/api/channels/news/", 2).status == 200, "it is taken again")
    server.stop()
    logs.drop("persist")
    assert [one.message for one in stored(store, PersistSettings(url=store.url).stream)] == [2]
