"""The distribution, and what it leaves alone."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from sethpusher._connections import AskingConnection, HandledConnection
from sethpusher.applications import SethPusherInMemoryApplication

from sethpusher_core import __version__
from sethpusher_core.connection import Connection
from sethpusher_core.hub import Hub
from sethpusher_core.notices import Notices
from sethpusher_core.transports.router import PushRouter

HERE = Path(__file__).parents[1]
ROOT = HERE.parents[1]


def project(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return found


def test_what_it_declares() -> None:
    ours, core = project(HERE), project(ROOT)
    assert ours["version"] == __version__ == "1.0.0"
    assert ours["dependencies"] == ["sethpusher-core>=1.0,<2"]
    assert ours["optional-dependencies"] == {"redis": ["sethpusher-redis"]}
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
