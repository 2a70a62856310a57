"""Starting, embedding, stopping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.backends import HeldBackend
from support.clients import Xhr
from support.logs import LogWatch
from support.loops import in_loop
from support.server import RunningServer
from support.timing import SCALE
from tornado.web import Application, RequestHandler

from sethpusher_core import errors
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import BackendUnavailable, SettingsError
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.publication import Publication
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings

Serve = Callable[..., RunningServer]

AT_IMPORT = PushServer()
"""Made when there is no loop yet, as an application does at module level."""


class Life:
    """Notes when it is started and shut down, in a list shared with others."""

    def __init__(self, name: str, story: list[str], failing: str = "") -> None:
        self.name = name
        self.story = story
        self.failing = failing

    @hookimpl
    async def startup(self, server: PushServer) -> None:
        await self._tell("startup")

    @hookimpl
    async def shutdown(self, server: PushServer) -> None:
        await self._tell("shutdown")

    async def _tell(self, what: str) -> None:
        self.story.append(f"{what} {self.name}")
        if self.failing == what:
            raise ZeroDivisionError
        if self.failing == f"{what} hangs":
            await asyncio.Event().wait()


class Offer:
    """Offers a backend under the name ``own``."""

    name = "own"

    def __init__(self, factory: Callable[[Any], Any]) -> None:
        self._factory = factory

    @hookimpl
    def register_backends(self, register: Any) -> None:
        register("own", self._factory, None)


def on(backend: Callable[[], Any], *plugins: object, **settings: Any) -> PushServer:
    """A server on a backend of the test's."""
    return PushServer(CoreSettings(backend="own", **settings), plugins=[Offer(lambda _: backend()), *plugins])


# -------------------------------------------------------------------------------------------------------- embedding


class Hello(RequestHandler):
    def get(self) -> None:
        self.write("hello")


def test_it_lives_inside_an_application(serve: Serve, logs: LogWatch, transport: str) -> None:
    push = PushServer()

    class Ship(RequestHandler):
        async def post(self) -> None:
            await push.publish("orders", "shipped")

    application = Application([("/hello", Hello), ("/ship", Ship), *push.routes()])
    server = serve(push, application)
    client = server.client(transport)
    client.subscribe("orders")
    client.take()
    assert server.http.get("/hello").text == "hello"
    assert server.http.post("/ship").status == 200
    assert [message["message"] for message in client.take()] == ["shipped"]
    assert server.http.get("/nothing").status == 404
    logs.expect("404 GET /nothing", logger="tornado.access")


def test_it_may_be_made_at_import_and_started_in_any_loop(serve: Serve) -> None:
    server = serve(AT_IMPORT)
    client = server.sockjs()
    client.subscribe("news")
    server.publish("news", 1)
    assert client.take()[-1]["message"] == 1


def test_it_may_be_stopped_and_started_again_in_another_loop(serve: Serve) -> None:
    push = PushServer()
    names = []
    for _ in range(2):
        server = serve(push)
        names.append(push.node_id)
        client = server.bare()
        client.connect("alice")
        server.publish_to_user("alice", 1)
        assert client.take() == [{"message": 1, "sender_id": None, "target_id": "alice"}]
        server.stop()
    assert len(set(names)) == 2


@in_loop
async def test_it_starts_once() -> None:
    push = PushServer()
    assert push.trouble == "not started"
    await push.start()
    assert push.trouble is None
    with pytest.raises(RuntimeError, match="running"):
        await push.start()
    await push.stop()
    await push.stop()
    assert push.trouble == "stopped"
    with pytest.raises(errors.RequestError):
        await push.publish("news", 1)


class NotStarted(RunningServer):
    """Listens before the push server is started, as an application may."""

    async def _listen(self) -> None:
        start, self.push.start = self.push.start, self._nothing  # type: ignore[method-assign]
        await super()._listen()
        self.push.start = start  # type: ignore[method-assign]

    async def _nothing(self) -> None:
        pass


@pytest.mark.parametrize("path", ["/connect/websocket", "/connect/0/s/websocket"])
def test_who_comes_before_the_start_is_told_to_come_back(logs: LogWatch, path: str) -> None:
    server = NotStarted(PushServer()).start()
    try:
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        upgrade["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
        assert server.http.get(path, upgrade).status == 503
        assert server.http.post("/connect/0/s/xhr").status == 503
        assert server.http.post("/api/channels/news/", 1).status == 503
        assert server.http.get("/ready").status == 503
        assert server.http.get("/health").status == 200
        server.run(server.push.start())
        server.sockjs().subscribe("news")
    finally:
        server.stop()


# --------------------------------------------------------------------------------------------------------- starting


@in_loop
async def test_plugins_start_in_order_and_shut_down_in_reverse() -> None:
    story: list[str] = []
    push = PushServer(plugins=[Life(name, story) for name in ("a", "b", "c")])
    await push.start()
    assert story == ["startup a", "startup b", "startup c"]
    story.clear()
    await push.stop()
    assert story == ["shutdown c", "shutdown b", "shutdown a"]


@pytest.mark.parametrize("failing", ["startup", "startup hangs"])
@in_loop
async def test_a_plugin_that_cannot_start_refuses_the_start(failing: str) -> None:
    story: list[str] = []
    plugins = [Life("a", story), Life("b", story, failing), Life("c", story)]
    push = PushServer(CoreSettings(hook_timeout=0.1), plugins=plugins)
    with pytest.raises(SettingsError, match=r"not started: plugin b, hook startup: (ZeroDivisionError|timed out)"):
        await push.start()
    assert story == ["startup a", "startup b", "shutdown a"], "what was started is stopped again"
    assert push.trouble == "stopped"
    plugins[1].failing = ""
    await push.start()
    await push.stop()


class BadStart(MemoryBackend):
    error: Exception = BackendUnavailable("nobody answers at localhost:6379")
    closed = False

    async def start(self, sink: Any, node_id: str) -> None:
        raise self.error

    async def close(self) -> None:
        self.closed = True
        await super().close()


@pytest.mark.parametrize("error", [BadStart.error, OSError("no route"), ZeroDivisionError("no route")])
@in_loop
async def test_a_backend_that_cannot_start_refuses_the_start(error: Exception) -> None:
    story: list[str] = []
    backend = BadStart()
    backend.error = error
    push = on(lambda: backend, Life("a", story))
    with pytest.raises(SettingsError, match=r"nobody answers at localhost:6379|no route"):
        await push.start()
    assert backend.closed
    assert story == [], "no plugin was started, so none is shut down"
    assert push.trouble == "stopped"


@in_loop
async def test_a_factory_that_fails_refuses_the_start() -> None:
    def factory() -> Any:
        raise ZeroDivisionError("no such thing")

    push = on(factory)
    with pytest.raises(SettingsError, match="no such thing"):
        await push.start()
    assert push.trouble == "stopped"


# --------------------------------------------------------------------------------------------------------- stopping


def test_clients_are_sent_away_with_a_code_that_says_come_back(serve: Serve, transport: str) -> None:
    server = serve(debug=True)
    clients = [server.client(transport) for _ in range(3)]
    for n, client in enumerate(clients):
        client.connect(f"user {n}")
    for client in clients:
        client.take()
    if isinstance(clients[0], Xhr):
        clients[0].poll_ahead()  # the others are between two polls
    with ThreadPoolExecutor(1) as aside:
        stopping = aside.submit(server.run, server.push.stop())
        assert [client.next()["type"] for client in clients] == ["reconnect"] * 3
        assert [client.closed()[0] for client in clients] == [errors.SHUTDOWN.code] * 3
        stopping.result()
    assert server.http.get("/ready").status == 503
    assert server.http.post("/api/channels/news/", 1).status == 503


def test_one_that_polls_no_more_does_not_hold_the_stop(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sethpusher_core.server.FETCH_TIME", 0.1)
    server = serve()
    gone = server.xhr()
    gone.connect("gone")
    gone.drop()
    began = time.monotonic()
    server.run(server.push.stop())
    assert 0.1 <= time.monotonic() - began < 1.0 * SCALE


def test_nobody_is_let_in_while_it_stops(serve: Serve) -> None:
    server = serve()
    server.run(server.push.stop())
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    upgrade["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    assert server.http.get("/connect/websocket", upgrade).status == 503
    assert server.http.post("/connect/0/s/xhr").status == 503


def test_what_was_accepted_is_finished(serve: Serve) -> None:
    stored: list[Any] = []
    began = asyncio.Event()

    class Store:
        @hookimpl
        async def persist(self, publications: Sequence[Publication]) -> None:
            began.set()
            await asyncio.sleep(0.2)
            stored.extend(publication.message for publication in publications)

    server = serve(PushServer(plugins=[Store()]))
    push = server.push

    async def publish_and_stop() -> object:
        publishing = asyncio.ensure_future(push.publish("news", 1))
        await began.wait()
        await push.stop()
        return await publishing

    assert server.run(publish_and_stop())
    assert stored == [1]


def test_what_the_backend_is_at_work_on_is_finished(serve: Serve) -> None:
    held: list[HeldBackend] = []

    def make() -> HeldBackend:
        held.append(HeldBackend("publish"))
        return held[-1]

    server = serve(on(make))
    push = server.push

    async def publish_and_stop() -> object:
        publishing = asyncio.ensure_future(push.publish("news", 1))
        await asyncio.sleep(0)
        stopping = asyncio.ensure_future(push.stop())
        await asyncio.sleep(0.05)
        assert not stopping.done()
        held[0].calls[0].answer()
        await stopping
        return await publishing

    assert server.run(publish_and_stop())


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("persist", "stopped with work unfinished"),
        ("shutdown", "life, hook shutdown: timed out"),
        ("close", "the backend did not close within 1 s"),
        ("unsubscribe", "stopped with work unfinished"),
    ],
)
def test_stopping_takes_a_bounded_time_whoever_hangs(serve: Serve, logs: LogWatch, what: str, line: str) -> None:
    hang = asyncio.Event()

    class Hanging:
        @hookimpl
        async def persist(self, publications: Sequence[Publication]) -> None:
            if what == "persist":
                await hang.wait()

    life = Life("life", [], "shutdown hangs" if what == "shutdown" else "")
    backend = HeldBackend(what)
    server = serve(on(lambda: backend, Hanging(), life, shutdown_timeout=0.3, hook_timeout=0.5))
    push = server.push
    client = server.sockjs()
    client.subscribe("news")

    async def stop() -> float:
        publishing = asyncio.ensure_future(push.publish("news", 1))
        await asyncio.sleep(0)
        began = time.monotonic()
        await push.stop()
        took = time.monotonic() - began
        hang.set()
        for call in backend.calls:
            call.answer()
        await asyncio.wait([publishing])
        publishing.exception()
        return took

    assert server.run(stop()) < 3 * SCALE
    assert client.closed()[0] == errors.SHUTDOWN.code
    assert push.trouble == "stopped"
    logs.expect(line, level=30 if "unfinished" in line else 40)


def test_a_shutdown_that_fails_keeps_no_other_from_running(serve: Serve, logs: LogWatch) -> None:
    story: list[str] = []
    server = serve(PushServer(plugins=[Life("a", story), Life("b", story, "shutdown"), Life("c", story)]))
    server.run(server.push.stop())
    assert story[3:] == ["shutdown c", "shutdown b", "shutdown a"]
    logs.expect("plugin b, hook shutdown: ZeroDivisionError", level=40)


def test_a_user_is_disconnected_everywhere(server: RunningServer, transport: str) -> None:
    mine, other = [server.client(transport) for _ in range(2)], server.sockjs()
    for client in mine:
        client.connect("alice")
    other.connect("bob")
    assert server.http.call("DELETE", "/api/users/alice/").status == 200
    assert [client.closed() for client in mine] == [(errors.FORCED.code, errors.FORCED.reason)] * 2
    server.wait_until(lambda: len(server.push.connections) == 1, "alice is gone")
    bodies = [message["message"]["body"] for message in other.take()]
    assert bodies == ["User: alice disconnected."] * 2
