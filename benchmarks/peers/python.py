"""Servers for Python: the libraries websockets, Tornado and python-socketio, each under a small application."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from ..processes import free_port, started
from . import own_words
from .base import Peer, Running

__all__ = ["Tornado", "Websockets"]

APPS: Final = Path(__file__).parent / "apps"


class _ProjectsPeer(Peer):
    """An application on a library that this project stands on, too, so it is here in the same version.

    Attributes:
        package: The library's distribution.
        app: The application's file in ``apps/``.
        options: What was set.
        apart: Whether publishers have a port of their own.
    """

    package: str
    app: str
    options: str
    apart = False
    install = "pip install -r requirements-dev.txt"

    def missing(self) -> str | None:
        """The library, where it is not installed."""
        return None if _installed(self.package) else self.package

    def version(self) -> str:
        """The library's, and that of Python."""
        return f"{_installed(self.package)} (Python {platform.python_version()})"

    def settings(self) -> str:
        """The options, and where the application is."""
        return f"{self.options}; the application: apps/{self.app}"

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        """Starts the application."""
        ports = [free_port() for _ in range(1 + self.apart)]
        with started([sys.executable, APPS / self.app, *map(str, ports)], folder, *ports) as process:
            yield Running(ports[0], ports[-1], (process.pid,))


class Websockets(_ProjectsPeer):
    """``broadcast()``."""

    name = "websockets"
    title = "websockets for Python: broadcast()"
    dialect = own_words.bare()
    package = "websockets"
    app = "websockets_app.py"
    options = "compression=None, ping_interval=None; it serves no POST: a second port does, by hand, with no more HTTP"
    apart = True


class Tornado(_ProjectsPeer):
    """``write_message()`` to each."""

    name = "tornado"
    title = "Tornado's own websockets: a loop of write_message()"
    dialect = own_words.bare()
    package = "tornado"
    app = "tornado_app.py"
    options = "no access log, else its defaults: no compression, no pings"


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
