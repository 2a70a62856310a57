"""The distribution, and what it leaves alone."""

from __future__ import annotations

import asyncio
import sys
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sethpusher._connections import AskingConnection, HandledConnection
from sethpusher.applications import SethPusherInMemoryApplication
from support.server import RunningServer
from support.timing import UNIT

from sethpusher_core import CoreSettings, PushServer, __version__, hub
from sethpusher_core.connection import Connection
from sethpusher_core.hub import Hub
from sethpusher_core.notices import Notices
from sethpusher_core.transports.router import PushRouter

Serve = Callable[..., RunningServer]

HERE = Path(__file__).parents[1]
ROOT = HERE.parents[1]


def project(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return found


def test_what_it_declares() -> None:
    ours, core = project(HERE), project(ROOT)
    assert ours["version"] == __version__ == "1.0.0"
    assert ours["dependencies"] == ["sethpusher-core>=1.0,<2"]
    assert ours["optional-dependencies"] == {"http": ["sethpusher-persist-http"], "redis": ["sethpusher-redis"]}
    assert ours["scripts"] == core["scripts"] == {"seth-pusher": "sethpusher_core.cli:main"}
    assert ours["requires-python"] == core["requires-python"]
    assert (HERE / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_an_application_that_overrides_nothing_is_the_core() -> None:
    """Nothing is asked per publication or per recipient, and joining and leaving are the core's own."""
    push = SethPusherInMemoryApplication().push
    assert type(push.hub) is Hub
    assert type(push.notices) is Notices
    assert push.connection_class is HandledConnection
    assert set(vars(HandledConnection)).isdisjoint(
        {"enter", "leave", "recover", "_admit", "receive", "send", "_handle"}
    )
    for hook in ("authenticate", "authorize", "transform", "persist", "connected", "subscribed", "unsubscribed"):
        assert getattr(push.hooks, hook) is None
    assert issubclass(AskingConnection, Connection)
    sending = {"broadcast", "remember", "forget", "get_connection_class"}
    assert sending.isdisjoint(vars(type(push.router)))
    assert isinstance(push.router, PushRouter)


def calls_of_a_fan_out(server: RunningServer, subscribers: int) -> Counter[str]:
    """Our functions, and the C functions that they call, to publish 20 messages to so many clients."""
    clients = [server.sockjs() for _ in range(subscribers)]
    for client in clients:
        client.subscribe("news")
    for client in clients:
        client.take()
    calls: Counter[str] = Counter()

    def note(frame: Any, event: str, argument: Any) -> None:
        if "sethpusher" not in frame.f_code.co_filename:
            return
        if event == "call":
            calls[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            calls[argument.__qualname__] += 1

    async def publish() -> None:
        sys.setprofile(note)
        try:
            for number in range(20):
                await server.push.publish("news", {"n": number})
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        finally:
            sys.setprofile(None)

    with patch.object(hub, "SLICE_SECONDS", UNIT):  # else the machine may pause for long enough to cut one in two
        server.run(publish())
    for client in clients:
        assert [client.next()["message"]["n"] for _ in range(20)] == list(range(20))
    return calls


def test_the_fan_out_of_an_application_that_overrides_nothing_costs_what_the_cores_does(serve: Serve) -> None:
    """And to many it calls no more than to one: the sockets' own ``send``, which is called within ``map``, apart."""
    plain = RunningServer(PushServer(CoreSettings(debug=True))).start()
    core = calls_of_a_fan_out(plain, subscribers=1)
    assert core["Roster.send"] == core["_try"] == 20
    assert calls_of_a_fan_out(plain, subscribers=30) == core
    plain.stop()
    application = serve(SethPusherInMemoryApplication(debug=True))
    assert calls_of_a_fan_out(application, subscribers=30) == core
