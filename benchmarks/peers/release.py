"""Release 0.2.2 of this project, for Python 2, made to run on Python 3 where it is unpacked, by substitution."""

from __future__ import annotations

import os
import platform
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from ..processes import free_port, started
from . import own_words
from .base import Dialect, Peer, Publish, Running
from .installed import cache, in_cache

__all__ = ["Release022"]

NAME: Final = "sethpusher-0.2.2"
SUBSTITUTIONS: Final = ((".iteritems()", ".items()"), (".itervalues()", ".values()"))
"""All that Python 3 wants of what is run."""
APPLICATION: Final = '''from sethpusher.applications import SethPusherInMemoryApplication


class Quiet(SethPusherInMemoryApplication):
    """Does not tell everybody in a channel who joins and leaves."""

    def broadcast(self, message, channel=None):
        pass
'''
START: Final = "from sethpusher.default_server import main; main()"
OPTIONS: Final = ("--app=quiet.Quiet", "--logging=warning")


def _dialect() -> Dialect:
    """SockJS, publishing at the address that still is the project's; no answer to a client's message."""
    publish = Publish(path="/api/channels/bench%c/", body=own_words.PUBLISH.body)
    return replace(own_words.sockjs("/connect"), publish=publish, batch=None, client_publish=None, churn=None)


class Release022(Peer):
    """What users of the old release have, on today's Tornado."""

    name = "release-0.2.2"
    title = "Release 0.2.2 of this project: SockJS over websocket"
    share = 10
    install = f"pip download --no-deps --no-binary :all: --dest {in_cache('release')} sethpusher==0.2.2"
    dialect = _dialect()

    def missing(self) -> str | None:
        """The release; what it stands on, this project does, too."""
        return None if _archive().exists() else "sethpusher 0.2.2"

    def version(self) -> str:
        """That of what it runs on."""
        parts = ", ".join(f"{name} {version(name)}" for name in ("sockjs-tornado", "tornado"))
        return f"0.2.2 ({parts}, Python {platform.python_version()})"

    def settings(self) -> str:
        """The options, what was substituted, and its application."""
        changed = ", ".join(f"{old} -> {new}" for old, new in SUBSTITUTIONS)
        return f"# {' '.join(OPTIONS)}; for Python 3: {changed}\n{APPLICATION}"

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        """Unpacks, substitutes and starts it."""
        with tarfile.open(_archive()) as archive:
            archive.extractall(folder, filter="data")
        root = folder / NAME
        for file in (root / "sethpusher").rglob("*.py"):
            text = file.read_text()
            for old, new in SUBSTITUTIONS:
                text = text.replace(old, new)
            file.write_text(text)
        (root / "quiet.py").write_text(APPLICATION)
        port = free_port()
        # In front of the package of the same name that stands for it today.
        environment = os.environ | {"PYTHONPATH": str(root)}
        command = [sys.executable, "-c", START, *OPTIONS, f"--port={port}"]
        with started(command, folder, port, environment=environment) as process:
            yield Running(port, port, (process.pid,))


def _archive() -> Path:
    return cache() / "release" / f"{NAME}.tar.gz"
