"""SethSocketHandler and SethSockJSRouter."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sethpusher.applications import SethPusherInMemoryApplication
from sethpusher.dispatchers import DefaultMessageDispatcher
from sethpusher.ws.urls import SethSockJSRouter, get_ws_handlers
from sethpusher.ws.views import SethSocketHandler
from support.clients import Bare, SockJS
from support.http import Http
from support.server import TRANSPORTS, RunningServer
from support.timing import UNIT
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application
from websockets.exceptions import InvalidStatus

from sethpusher_core import CoreSettings, RequestError
from sethpusher_core.errors import DENIED
from sethpusher_core.transports.sockjs import SockJSConnection, SockJSRouter

Serve = Callable[..., RunningServer]


def application(handler: type[SethSocketHandler], **settings: Any) -> SethPusherInMemoryApplication:
    class App(SethPusherInMemoryApplication):
        socket_handler_class = handler

        def get_core_settings(self, **kwargs: Any) -> CoreSettings:
            return CoreSettings(**settings)

    return App()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_overrides_that_call_super(serve: Serve, transport: str) -> None:
    seen: list[Any] = []

    class Handler(SethSocketHandler):
        def on_open(self, request: Any) -> Any:
            super().on_open(request)
            seen.append(("open", request.ip, request.get_argument("who"), self.application is app))
            self.send(json.dumps("welcome"))

        def on_message(self, raw_msg: Any) -> Any:
            seen.append(json.loads(raw_msg)["type"])
            super().on_message(raw_msg)

        def on_close(self) -> Any:
            seen.append("close")
            super().on_close()

    app = application(Handler)
    server = serve(app)
    client = server.client(transport, query="?who=alice")
    assert client.next() == "welcome"
    client.connect("alice")
    client.subscribe("news")
    client.drop()
    if transport != "xhr":  # whose end shows only after disconnect_delay
        server.wait_until(lambda: "close" in seen, "on_close is called")
    assert seen[:3] == [("open", "127.0.0.1", b"alice", True), "connect", "subscribe"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_coroutines_run_one_after_the_other(serve: Serve, transport: str) -> None:
    class Handler(SethSocketHandler):
        async def on_open(self, request: Any) -> Any:
            await asyncio.sleep(0.01)
            await super().on_open(request)

        async def on_message(self, raw_msg: Any) -> Any:
            await asyncio.sleep(0)
            await super().on_message(raw_msg)

    server = serve(application(Handler))
    client = server.client(transport)
    client.connect("alice")
    for number in range(5):
        client.subscribe(f"c{number}")
    assert client.take()[-1]["message"]["body"] == "User: alice subscribed to c4"


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_on_open_may_refuse(serve: Serve, kind: str) -> None:
    class Plain(SethSocketHandler):
        def on_open(self, request: Any) -> Any:
            return False

    class Coroutine(SethSocketHandler):
        async def on_open(self, request: Any) -> Any:
            return False

    server = serve(application(Plain if kind == "plain" else Coroutine))
    assert server.sockjs().closed() == (3500, "invalid credentials")
    assert not server.push.connections


def test_a_coroutine_that_fails_closes(serve: Serve, logs: Any) -> None:
    class Handler(SethSocketHandler):
        async def on_message(self, raw_msg: Any) -> Any:
            raise KeyError(raw_msg)

    client = serve(application(Handler)).bare()
    client.send({})
    assert client.closed()[0] == 3004
    logs.expect("Handler.on_message failed", level=40)


def test_close(serve: Serve) -> None:
    class Handler(SethSocketHandler):
        def handle_connect(self, source_msg: Any, subscriber_id: Any) -> Any:
            if subscriber_id == "joker":
                self.close(4001, "not you")
            elif subscriber_id == "robin":
                self.close()
            else:
                super().handle_connect(source_msg, subscriber_id)

    server = serve(application(Handler))
    for name, end in (("joker", (4001, "not you")), ("robin", (3000, ""))):
        for client in (server.sockjs(), server.bare()):
            client.send({"type": "connect", "subscriber_id": name})
            assert client.closed() == end
    server.bare().connect("bruce")


@pytest.mark.parametrize("transport", ["raw", "sockjs"])
def test_check_origin(serve: Serve, transport: str) -> None:
    class Handler(SethSocketHandler):
        def check_origin(self, origin: str) -> bool:
            assert isinstance(self.application, SethPusherInMemoryApplication)
            return origin == "https://shop.example" or super().check_origin(origin)

    server = serve(application(Handler, origins=("https://other.example",)))
    for origin in ("https://shop.example", "https://other.example", f"http://127.0.0.1:{server.port}"):
        server.client(transport, headers={"Origin": origin}).connect("alice")
    server.client(transport).connect("alice")
    for origin in ("https://evil.example", "null"):
        with pytest.raises(InvalidStatus, match="403"):
            server.client(transport, headers={"Origin": origin})


def test_check_origin_by_itself(serve: Serve) -> None:
    app = application(SethSocketHandler, origins=("https://shop.example",))
    server = serve(app)
    server.bare().connect("alice")
    assert app.get_user("alice").check_origin("https://shop.example") is True
    assert app.get_user("alice").check_origin("https://evil.example") is False


# ---------------------------------------------------------------------------------------------------- other endpoints


class Echo(SockJSConnection):  # type: ignore[misc]  # sockjs-tornado has no types
    def on_message(self, message: str) -> None:
        self.send(f"echo {message}")


def test_an_endpoint_besides(serve: Serve) -> None:
    class App(SethPusherInMemoryApplication):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            settings = {"disconnect_delay": 1, "jsessionid": True, "session_check_interval": 1, "disable_nagle": True}
            chat = SethSockJSRouter(SethSocketHandler, "/chat", settings, application_instance=self)
            echo = SethSockJSRouter(Echo, "/echo", application_instance=self)
            self.add_handlers(r".*", chat.urls + echo.urls)

    app = App()
    assert get_ws_handlers(app)
    server = serve(app)
    chat, echo = app.routers[0], app.routers[1]
    assert isinstance(chat, SockJSRouter)
    assert (chat.settings["disconnect_delay"], chat.application) == (1, app)
    assert server.http.get("/chat/info").json["cookie_needed"] is True
    alice, bob = server.bare(prefix="/chat"), server.sockjs()
    alice.connect("alice")
    alice.subscribe("news")
    bob.subscribe("news")
    server.publish("news", 1)
    assert alice.take()[-1]["message"] == bob.take()[-1]["message"] == 1
    line = server.sockjs(prefix="/echo")
    line.send_texts("hi")
    assert line.next_text() == "echo hi"
    assert echo.budget is app.push.router.budget
    line.drop()
    alice.drop()
    server.wait_until(lambda: not chat.sessions and not echo.sessions, "both are left")


def test_an_endpoint_that_comes_late(serve: Serve) -> None:
    app = SethPusherInMemoryApplication()
    server = serve(app)

    def add() -> None:
        app.add_handlers(r".*", SethSockJSRouter(SethSocketHandler, "/late", application_instance=app).urls)

    server.call(add)
    assert server.bare(prefix="/late").request({"type": "ping"})["type"] == "ack"


@pytest.mark.parametrize("name", ["websocket_allow_origins", "nonsense"])
def test_settings_that_mean_nothing_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        SethSockJSRouter(Echo, "/echo", {name: 1})


def test_websocket_allow_origin_must_be_a_list() -> None:
    with pytest.raises(ValueError, match="websocket_allow_origin"):
        SethSockJSRouter(Echo, "/echo", {"websocket_allow_origin": "shop.example"})


@pytest.fixture
def alone(logs: Any) -> Iterator[Callable[..., int]]:
    """Serves an endpoint without an application, as sockjs-tornado's is served; gives the port."""
    import threading

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    servers: list[HTTPServer] = []
    routers: list[SethSockJSRouter] = []

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(UNIT)

    async def listen(*args: Any, with_loop: bool = False, **kwargs: Any) -> int:
        if with_loop:
            kwargs["io_loop"] = IOLoop.current()
        router = SethSockJSRouter(*args, **kwargs)
        routers.append(router)
        servers.append(HTTPServer(Application(router.urls)))
        [listening] = bind_sockets(0, "127.0.0.1")
        servers[-1].add_socket(listening)
        if with_loop:
            await asyncio.sleep(0)
            assert router._running
        port: int = listening.getsockname()[1]
        return port

    async def end() -> None:
        for server, router in zip(servers, routers, strict=True):
            server.stop()
            for session in list(router.sessions):
                session.close()
            router.stop()
            await server.close_all_connections()
            assert not router.running

    yield lambda *args, **kwargs: run(listen(*args, **kwargs))
    run(end())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(UNIT)
    loop.close()


@pytest.mark.parametrize("with_loop", [False, True])
def test_an_endpoint_without_an_application(alone: Any, with_loop: bool) -> None:
    port = alone(Echo, "/echo", {"heartbeat_delay": 10}, with_loop=with_loop)
    client = SockJS(port, prefix="/echo")
    client.send_texts("hi")
    assert client.next_text() == "echo hi"
    client.drop()


def test_websocket_allow_origin_guards_websockets_only(alone: Any) -> None:
    port = alone(Echo, "/echo", {"websocket_allow_origin": ["shop.example", "127.0.0.1:81"]})
    for origin in ("https://shop.example", "http://127.0.0.1:81", f"http://127.0.0.1:{port}"):
        Bare(port, prefix="/echo", headers={"Origin": origin}).drop()
    Bare(port, prefix="/echo").drop()
    with pytest.raises(InvalidStatus, match="403"):
        Bare(port, prefix="/echo", headers={"Origin": "https://evil.example"})
    polled = Http(port).post("/echo/1/abc/xhr", b"", {"Origin": "https://evil.example"})
    assert (polled.status, polled.body) == (200, b"o\n")


@pytest.mark.parametrize("kind", ["plain", "coroutine", "asked"])
def test_nothing_of_a_client_waits_for_the_collector(serve: Serve, kind: str) -> None:
    """Which comes late to servers with many connections."""

    class Plain(SethSocketHandler):
        pass

    class Coroutine(SethSocketHandler):
        async def on_message(self, raw_msg: Any) -> Any:
            await super().on_message(raw_msg)

    class Chat(DefaultMessageDispatcher):
        def __init__(self) -> None:
            super().__init__()
            self.messages["fail"] = self.handle_fail

        def handle_fail(self, msg: Any) -> None:
            raise RequestError(DENIED)

    class App(type(application(Coroutine if kind == "coroutine" else Plain))):  # type: ignore[misc]  # made above
        def get_dispatcher(self) -> Any:
            return Chat()

    class Asking(App):
        def add_subscriber(self, channel: str, subscriber: Any) -> Any:
            super().add_subscriber(channel, subscriber)

    app = Asking() if kind == "asked" else App()
    server = serve(app)
    gc.collect()
    gc.disable()
    try:
        client = server.sockjs()
        client.connect("alice")
        client.subscribe("news")
        assert client.request({"type": "fail"})["code"] == 1504
        assert client.request({"type": "subscribe", "channel": ""})["code"] == 1502
        client.unsubscribe("news")
        client.subscribe("other")
        handler = app.get_user("alice")
        left = [weakref.ref(handler), weakref.ref(handler.dispatcher), weakref.ref(handler.connection)]
        del handler
        client.drop()
        server.wait_until(lambda: not any(found() for found in left), "all is gone")
    finally:
        gc.enable()
