"""This project's server, as ``python -m sethpusher_core`` starts it."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import tornado

from ..processes import free_port, started
from .base import Churn, Dial, Dialect, Peer, Publish, Running

__all__ = ["SETTINGS", "SethPusher"]

SETTINGS = """\
message_rate = 0  # 100 a second would be the default; client-publish and churn are faster

[[channels]]
match = "kept"
announce = false
history = 1000

[[channels]]
match = "*"
announce = false
publish = "anyone"
"""
SESSION = "/connect/0/%r-%6"
SOCKET = f"{SESSION}/websocket"
MESSAGE = '{"t":"%p"}'


def _said(**message: object) -> str:
    """A client's message in the list that SockJS wants."""
    return json.dumps([json.dumps(message)])


def _subscriber(opening: str, mode: str = "") -> Dial:
    if mode == "stream":
        return Dial(f"{SESSION}/xhr_streaming", "stream", "POST", (), (opening,), f"{SESSION}/xhr_send", True)
    if mode == "poll":
        return Dial(f"{SESSION}/xhr", "poll", "POST", (), (opening,), f"{SESSION}/xhr_send", True)
    return Dial(SOCKET, opening=(opening,), greeting=True)


def _batch(channel: str) -> Publish:
    body = f'{{"channel":"{channel}","message":{MESSAGE}}}'
    return Publish(path="/api/batch/", body=body, head='{"publications":[', tail="]}")


SUBSCRIBE = _said(type="subscribe", channel="bench%c")


class SethPusher(Peer):
    """The core without plugins, announce off; as a cluster with the plugin redis."""

    name = "seth-pusher"
    title = "Seth-Pusher, this project: SockJS over websocket"
    install = "pip install -r requirements-dev.txt"
    clusters = True
    dialect = Dialect(
        subscriber=_subscriber(SUBSCRIBE),
        publish=Publish(path="/api/channels/bench%c/", body=MESSAGE),
        batch=_batch("bench%c"),
        client_publish=Publish(
            mode="websocket",
            body=_said(type="publish", channel="bench%c", message={"t": "%p"}),
            dial=Dial(SOCKET, greeting=True),
        ),
        streaming=_subscriber(SUBSCRIBE, "stream"),
        polling=_subscriber(SUBSCRIBE, "poll"),
        churn=Churn(
            join=_said(type="subscribe", channel="bench%c", id=1),
            leave=_said(type="unsubscribe", channel="bench%c", id=2),
            joined=r"\"id\":1",
            left=r"\"id\":2",
        ),
        replay=_subscriber(_said(type="history", channel="kept", limit=1000, id=1)),
        kept_publish=Publish(path="/api/channels/kept/", body=MESSAGE),
        kept_batch=_batch("kept"),
        probe=Publish(path="/api/channels/elsewhere/", body="1"),
    )

    def missing(self) -> str | None:
        """The project itself, where it is not installed."""
        return None if find_spec("sethpusher_core") else "sethpusher-core"

    def version(self) -> str:
        """The server's, and that of what it stands on."""
        return f"{version('sethpusher-core')} (Tornado {tornado.version}, Python {platform.python_version()})"

    def settings(self) -> str:
        """The settings file and the flags."""
        return f"# --no-plugins (two nodes: --load-plugins=redis) --logging=warning\n{SETTINGS}"

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        """Starts one node."""
        with _node(folder, ["--no-plugins"]) as node:
            yield node

    @contextmanager
    def cluster(self, folder: Path, redis_port: int) -> Iterator[tuple[Running, Running]]:
        """Starts two nodes over Redis."""
        plugins = ["--load-plugins=redis", f"--redis-url=redis://127.0.0.1:{redis_port}/0"]
        for name in ("one", "other"):
            (folder / name).mkdir()
        with _node(folder / "one", plugins) as one, _node(folder / "other", plugins) as other:
            yield one, other


@contextmanager
def _node(folder: Path, options: Sequence[str]) -> Iterator[Running]:
    settings, port = folder / "bench.toml", free_port()
    settings.write_text(SETTINGS)
    command = [sys.executable, "-m", "sethpusher_core", *options, f"--config={settings}", "--logging=warning"]
    with started([*command, f"--port={port}"], folder, port) as process:
        yield Running(port, port, (process.pid,))
