"""AppRunner, main, shutdown, and the ways in which an application comes to run."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from seth_processes import PATIENCE, Program
from sethpusher.api.urls import get_api_handlers
from sethpusher.applications import DefaultSethApplication, SethPusherInMemoryApplication
from sethpusher.default_server import AppRunner
from sethpusher.mixins import InMemoryPubSubMixin
from sethpusher.ws.urls import get_ws_handlers
from support.clients import Bare
from support.http import Http
from support.server import RunningServer
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from sethpusher_core import CoreSettings, hookimpl
from sethpusher_core.application import server_of
from sethpusher_core.server import PushServer

Serve = Callable[..., RunningServer]

OPTIONS = """
import json
from tornado.options import options
import sethpusher.default_server
print(json.dumps({name: options[name] for name in ("debug", "host", "port", "app")}))
"""
RUNNER = """
import sys
from sethpusher.applications import SethPusherInMemoryApplication
from sethpusher.default_server import AppRunner

class App(SethPusherInMemoryApplication):
    pass

class Runner(AppRunner):
    host = "127.0.0.2"
    port = 0

import tornado.log
tornado.log.enable_pretty_logging()
Runner(debug=True, compress_response=True).start(app=App)
print("ended in good order", flush=True)
"""
BY_HAND = """
import signal
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from sethpusher.applications import SethPusherInMemoryApplication
from sethpusher.default_server import shutdown

application = SethPusherInMemoryApplication(debug=True)
server = HTTPServer(application)
[listening] = bind_sockets(0, "127.0.0.1")
server.add_socket(listening)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, frame: shutdown(server))
print(f"listens on http://127.0.0.1:{listening.getsockname()[1]}/", flush=True)
IOLoop.instance().start()
print("ended in good order", flush=True)
"""
MAIN = """
from tornado.options import define
from sethpusher.default_server import main
define("shop", default="none")
main()
"""
SHOP = """
from tornado.options import options
from sethpusher.applications import SethPusherInMemoryApplication

class Shop(SethPusherInMemoryApplication):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        print(f"shop: {options.shop}", flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    programs = {"options": OPTIONS, "runner": RUNNER, "by_hand": BY_HAND, "main": MAIN, "shop": SHOP}
    for name, text in programs.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def python(folder: Path, name: str, *words: str) -> Program:
    return Program(sys.executable, "-W", "default", name, *words, cwd=str(folder))


def test_importing_default_server_defines_options(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, folder / "options.py"], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert json.loads(done.stdout) == {"debug": False, "host": "127.0.0.1", "port": 8080, "app": ""}


def test_importing_the_rest_defines_none() -> None:
    code = "import sethpusher.applications; from tornado.options import options; print(sorted(options.as_dict()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert "port" not in done.stdout


def test_a_runner(folder: Path) -> None:
    with python(folder, "runner.py") as program:
        host, _, port = program.address.partition(":")
        assert host == "127.0.0.2"
        connection = socket.create_connection((host, int(port)), PATIENCE)
        connection.sendall(b"GET /debug/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.close()
        assert program.stop(signal.SIGINT) == 0
    assert program.lines[-1] == "ended in good order"
    assert not any("Warning" in line or "autoreload" in line for line in program.lines), program.lines


def test_a_runner_takes_what_it_is_given() -> None:
    runner = AppRunner(port=6666, debug=True, shop="books")
    assert (runner.host, runner.port, runner._host, runner._port) == ("127.0.0.1", 8080, "127.0.0.1", 6666)
    assert runner.options == {"port": 6666, "debug": True, "shop": "books"}
    with pytest.raises(TypeError, match="no DefaultSethApplication"):
        AppRunner().start(app=lambda: Application([]))


def test_an_application_on_a_loop_of_ones_own(folder: Path) -> None:
    """As release 0.2.2 was embedded: nothing starts the server but the first request."""
    with python(folder, "by_hand.py") as program:
        port = int(program.address.rpartition(":")[2])
        client = Bare(port)
        client.connect("alice")
        http = Http(port)
        assert http.post("/api/users/alice/", {"my": "data"}).json["status"] == 200
        assert client.take() == [{"message": {"my": "data"}, "sender_id": None, "target_id": "alice"}]
        assert http.get("/debug/").json["subscribers"] == {"all": ["alice"]}
        program._process.send_signal(signal.SIGTERM)
        assert client.closed()[0] == 3001
        assert program.end() == 0
    assert program.lines[-1] == "ended in good order", program.lines


def test_main(folder: Path) -> None:
    with python(folder, "main.py", "--port=0", "--debug", "--app=shop.Shop", "--shop=books") as shop:
        port = int(shop.address.rpartition(":")[2])
        assert Http(port).get("/debug/").json == {"subscriber_count": 0, "subscribers": {}}
        assert "shop: books" in shop.lines
        assert shop.stop() == 0
    with python(folder, "main.py", "--port=0") as plain:
        assert Http(int(plain.address.rpartition(":")[2])).get("/debug/").status == 404


def test_a_port_that_is_taken(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with python(folder, "main.py", f"--port={port}") as refused:
            assert refused.end() == 3
    assert any(f"the server cannot listen on 127.0.0.1:{port}: " in line for line in refused.lines)


@pytest.mark.parametrize("app", ["nonsense", "sethpusher.applications.Nothing", "no_such_module.App"])
def test_main_says_what_is_wrong_in_one_line(folder: Path, app: str) -> None:
    with python(folder, "main.py", f"--app={app}") as shop:
        assert shop.end() == 3
    assert len(shop.lines) == 1, shop.lines
    assert "app: " in shop.lines[0]


def test_for_server_hands_the_commands_settings_on(serve: Serve) -> None:
    class App(SethPusherInMemoryApplication):
        def __init__(self, **kwargs: Any) -> None:
            """Passes nothing on, and asks for the server early."""
            super().__init__()
            assert self.push.settings.max_subscriptions == 3
            assert kwargs == {"host": "127.0.0.1", "port": 81, "debug": False}

    push = App.for_server(CoreSettings(port=81, max_subscriptions=3))
    assert isinstance(push, PushServer)
    assert isinstance(push.application(), App)
    assert push.settings.port == 81


def test_a_for_server_of_somebody_elses() -> None:
    push = PushServer()
    made = type("Made", (), {"for_server": staticmethod(lambda settings: push)})
    sys.modules["seth_test_made"] = made  # type: ignore[assignment]  # anything with attributes will do
    try:
        made.Made = made  # type: ignore[attr-defined]
        assert server_of("seth_test_made.Made", CoreSettings()) is push
    finally:
        del sys.modules["seth_test_made"]


def test_a_constructor_that_puts_the_rules_together_itself(serve: Serve) -> None:
    """As release 0.2.2's own did; there was no other way to have rules of one's own."""

    class Hello(RequestHandler):
        def get(self) -> None:
            self.write("hello")

    class App(DefaultSethApplication, InMemoryPubSubMixin):
        def __init__(self, **kwargs: Any) -> None:
            self.debug = kwargs.get("debug", False)
            handlers = [*get_api_handlers(self), *get_ws_handlers(self), (r"/hello", Hello)]
            self.subscriber = self.get_subscriber(**kwargs)
            self.publisher = self.get_publisher(**kwargs)
            super(DefaultSethApplication, self).__init__(handlers, **kwargs)

    app = App(debug=True)
    assert app.settings["autoreload"] is False
    server = serve(app)
    assert server.http.get("/hello").text == "hello"
    alice = server.sockjs()
    alice.connect("alice")
    server.publish_to_user("alice", 1)
    assert alice.take()[0]["message"] == 1
    assert server.http.get("/debug/").json["subscribers"] == {"all": ["alice"]}
    assert server.http.get("/connect/info").status == 200
    assert server.http.get("/connect/nothing").status == 404


def test_debug_never_starts_autoreload() -> None:
    assert SethPusherInMemoryApplication(debug=True).settings["autoreload"] is False
    assert SethPusherInMemoryApplication(debug=True).debug is True
    assert SethPusherInMemoryApplication(debug=True).push.settings.debug is True


def test_nothing_installed_is_loaded_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETHPUSHER_MAX_SUBSCRIPTIONS", "3")
    app = SethPusherInMemoryApplication()
    assert app.push.settings.max_subscriptions == CoreSettings().max_subscriptions
    assert app.push.plugin_names == ("application",)

    class Asking(SethPusherInMemoryApplication):
        discover = True

    asking = Asking(port=81)
    assert (asking.push.settings.max_subscriptions, asking.push.settings.port) == (3, 81)
    assert asking.push.plugin_names[-1] == "application"


def test_concurrent_first_requests(logs: Any, serve: Serve) -> None:
    """All wait for one start; one that fails is tried again."""

    class Slow:
        name = "slow"
        starts = 0

        @hookimpl
        async def startup(self) -> None:
            self.starts += 1
            await asyncio.sleep(0.01)
            if self.starts == 1:
                raise OSError("not yet")

    slow = Slow()

    class App(SethPusherInMemoryApplication):
        def choose_backend(self, plugins: Any) -> None:
            plugins.registry.register(slow)

    async def run() -> tuple[list[int], list[int]]:
        app = App()
        server = HTTPServer(app)
        [listening] = bind_sockets(0, "127.0.0.1")
        server.add_socket(listening)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api/channels/news/"

        async def posts() -> list[int]:
            calls = [AsyncHTTPClient().fetch(url, method="POST", body="1", raise_error=False) for _ in range(5)]
            return [answer.code for answer in await asyncio.gather(*calls)]

        first, second = await posts(), await posts()
        server.stop()
        await app.push.stop()
        await server.close_all_connections()
        return first, second

    first, second = asyncio.run(run())
    assert (first, second) == ([503] * 5, [200] * 5)
    assert slow.starts == 2
    logs.expect("not started: plugin slow, hook startup: OSError: not yet", level=40)
