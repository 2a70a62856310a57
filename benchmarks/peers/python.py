"""Servers for Python: the libraries websockets, Tornado and python-socketio, each under a small application."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from ..processes import free_port, started
from . import own_words
from .base import Peer, Running
from .installed import cache, in_cache

__all__ = ["PythonSocketIo", "Tornado", "Websockets"]

APPS: Final = Path(__file__).parent / "apps"
REQUIREMENTS: Final = "benchmarks/peers/requirements.txt"


class _PythonPeer(Peer):
    """An application on a library that this project stands on, too, so that it is here, and in the same version.

    Attributes:
        packages: The distributions that it needs, the measured one first.
        app: The application's file in ``apps/``.
        options: What was set.
        apart: Whether publishers have a port of their own.
    """

    packages: tuple[str, ...]
    app: str
    options: str
    apart = False
    install = "pip install -r requirements-dev.txt"

    def missing(self) -> str | None:
        """A package, where one is not there."""
        return next((name for name in self.packages if self._installed(name) is None), None)

    def version(self) -> str:
        """The library's, and that of Python."""
        return f"{self._installed(self.packages[0])} (Python {platform.python_version()})"

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
        ports = [free_port() for _ in range(1 + self.apart)]
        command = [self._interpreter(), APPS / self.app, *map(str, ports), *arguments]
        with started(command, folder, *ports) as process:
            yield Running(ports[0], ports[-1], (process.pid,))

    def _interpreter(self) -> str | Path:
        return sys.executable

    def _places(self) -> Sequence[str]:
        """Where its packages are looked for."""
        return sys.path

    def _installed(self, package: str) -> str | None:
        """A package's version, if it is there."""
        return next((found.version for found in distributions(name=package, path=list(self._places()))), None)


class Websockets(_PythonPeer):
    """``broadcast()``."""

    name = "websockets"
    title = "websockets for Python: broadcast()"
    share = 2
    dialect = own_words.bare()
    packages = ("websockets",)
    app = "websockets_app.py"
    options = "compression=None, ping_interval=None; it serves no POST: a second port does, by hand, with no more HTTP"
    apart = True


class Tornado(_PythonPeer):
    """``write_message()`` to each."""

    name = "tornado"
    title = "Tornado's own websockets: a loop of write_message()"
    share = 5
    dialect = own_words.bare()
    packages = ("tornado",)
    app = "tornado_app.py"
    options = "no access log, else its defaults: no compression, no pings"


class PythonSocketIo(_PythonPeer):
    """Rooms of Socket.IO, on websockets from the start; two nodes over its Redis manager."""

    name = "python-socketio"
    title = "python-socketio, over websocket"
    share = 10
    install = f"python3 -m venv {in_cache('python')} && {in_cache('python/bin/pip')} install -r {REQUIREMENTS}"
    clusters = True
    dialect = own_words.socket_io()
    packages = ("python-socketio", "aiohttp", "redis")
    app = "socketio_app.py"
    options = "transports: websocket; no pings; no access log; on aiohttp, its own first choice"

    @contextmanager
    def cluster(self, folder: Path, redis_port: int) -> Iterator[tuple[Running, Running]]:
        """Starts two nodes over Redis."""
        url = f"redis://127.0.0.1:{redis_port}"
        for name in ("one", "other"):
            (folder / name).mkdir()
        with self._node(folder / "one", url) as one, self._node(folder / "other", url) as other:
            yield one, other

    def _interpreter(self) -> str | Path:
        """That of its own environment: what this project runs with stays as it is."""
        return cache() / "python" / "bin" / "python"

    def _places(self) -> Sequence[str]:
        return [str(place) for place in (cache() / "python").glob("lib/python3*/site-packages")]
