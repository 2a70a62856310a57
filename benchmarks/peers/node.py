"""Servers for Node.js: the libraries sockjs, ws and socket.io, each under a small application in ``apps/``."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Final

from ..processes import free_port, started
from . import own_words
from .base import Peer, Running
from .installed import cache, in_cache

__all__ = ["SocketIo", "SockJsNode", "Ws"]

APPS: Final = Path(__file__).parent / "apps"


def _npm(*packages: str) -> str:
    """The line that adds these to what is there."""
    return f"npm install --no-audit --no-fund --prefix {in_cache('node')} {' '.join(packages)}"


class _NodePeer(Peer):
    """An application on a library of Node.js.

    Attributes:
        packages: The packages that it needs, the measured one first, with their versions.
        app: Its file in ``apps/``.
        options: What was set.
    """

    packages: tuple[str, ...]
    app: str
    options: str

    def missing(self) -> str | None:
        """Node.js or a package, where one is not there."""
        if which("node") is None:
            return "Node.js"
        return next((package for package in self.packages if _installed(package) is None), None)

    def version(self) -> str:
        """The library's, and that of Node.js."""
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        return f"{_installed(self.packages[0])} (Node.js {node.lstrip('v')})"

    def settings(self) -> str:
        """The options, and where the application is."""
        return f"{self.options}; the application: apps/{self.app}"

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        """Starts the application."""
        with self._node(folder) as node:
            yield node

    @contextmanager
    def _node(self, folder: Path, *arguments: str) -> Iterator[Running]:
        port = free_port()
        environment = os.environ | {"NODE_PATH": str(_modules()), "NODE_ENV": "production"}
        command: list[str | Path] = ["node", APPS / self.app, str(port), *arguments]
        with started(command, folder, port, environment=environment) as process:
            yield Running(port, port, (process.pid,))


class Ws(_NodePeer):
    """Plain websockets."""

    name = "ws"
    title = "ws for Node.js: plain websockets"
    packages = ("ws@8.23.0",)
    install = _npm(*packages)
    dialect = own_words.bare()
    app = "ws.js"
    options = "perMessageDeflate: false; broadcast as in its example"


class SockJsNode(_NodePeer):
    """The reference server of SockJS."""

    name = "sockjs-node"
    title = "sockjs-node: SockJS over websocket"
    share = 2
    packages = ("sockjs@0.3.24",)
    install = _npm(*packages)
    dialect = own_words.sockjs("/connect")
    app = "sockjs.js"
    options = "log: nothing, else its defaults; write() to each connection, as it has no broadcast"


class SocketIo(_NodePeer):
    """Rooms of Socket.IO, on websockets from the start; two nodes over its Redis adapter."""

    name = "socket.io"
    title = "Socket.IO for Node.js, over websocket"
    share = 2
    packages = ("socket.io@4.8.4", "@socket.io/redis-adapter@8.3.0", "redis@6.3.1")
    install = _npm(*packages)
    clusters = True
    app = "socketio.js"
    options = "transports: websocket; no pings; first requests not kept, as its page on memory says"
    dialect = own_words.socket_io()

    @contextmanager
    def cluster(self, folder: Path, redis_port: int) -> Iterator[tuple[Running, Running]]:
        """Starts two nodes over Redis."""
        url = f"redis://127.0.0.1:{redis_port}"
        for name in ("one", "other"):
            (folder / name).mkdir()
        with self._node(folder / "one", url) as one, self._node(folder / "other", url) as other:
            yield one, other


def _modules() -> Path:
    return cache() / "node" / "node_modules"


def _installed(package: str) -> str | None:
    """The version that is there of NAME@VERSION, whatever was asked for."""
    try:
        version: str = json.loads((_modules() / package.rpartition("@")[0] / "package.json").read_text())["version"]
    except OSError:
        return None
    return version
