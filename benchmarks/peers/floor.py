"""The least that a fan-out can cost: a C loop of ``send()`` without a queue, a protocol or a second channel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..processes import free_port, started
from ..programs import buildable, built, compiler
from .base import Dial, Dialect, Peer, Publish, Running

__all__ = ["Floor"]


class Floor(Peer):
    """``load/floor.c``: what a real server adds to it is that server's own cost."""

    name = "floor"
    title = "the floor: a bare C loop of `send()`, which reads no HTTP and keeps no queue"
    install = "apt install gcc"
    dialect = Dialect(subscriber=Dial(greeting=True), publish=Publish())

    def missing(self) -> str | None:
        """A C compiler, where there is none and it was not built when there was."""
        return None if buildable("floor") else "a C compiler"

    def version(self) -> str:
        """What it is compiled with, as far as that is here."""
        cc = compiler()
        if cc is None:
            return "built by a compiler that is not here any more"
        told = subprocess.run([cc, "--version"], capture_output=True, text=True, check=True)
        return told.stdout.splitlines()[0]

    def settings(self) -> str:
        """It has none."""
        return "cc -O2"

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        """Starts it."""
        port = free_port()
        with started([built("floor"), str(port)], folder, port) as process:
            yield Running(port, port, (process.pid,))
