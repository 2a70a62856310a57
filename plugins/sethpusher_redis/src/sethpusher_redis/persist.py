"""The plugin ``persist_redis``: keeps accepted publications in a stream of Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sethpusher_core import Publication, hookimpl

from .settings import PersistSettings

if TYPE_CHECKING:
    from .line import Command, Line

__all__ = ["RedisPersister"]

AT_ONCE: Final = 100
"""Publications in one call of the script: while it runs the server does nothing else."""


class RedisPersister:
    """Appends each publication to a stream, once for its id, before it is sent.

    An entry has the fields ``id``, ``channel`` or ``user``, ``sender`` and ``message`` (JSON texts). The stream keeps
    ``length`` of them, about. What is acknowledged is as safe as the server makes it: see its ``appendfsync``.
    """

    name = "persist_redis"
    Settings = PersistSettings

    def __init__(self, settings: PersistSettings) -> None:
        """Connects nowhere."""
        self._settings = settings
        self._line: Line | None = None
        tag = f"{{{settings.stream}}}"
        self._keys = (settings.stream.encode(), f"{tag}:ids".encode())

    @hookimpl
    async def startup(self) -> None:
        """See :func:`sethpusher_core.hookspecs.startup`."""
        from .connector import Connector  # the driver is imported when it is needed
        from .line import Line
        from .scripts import Script

        settings = self._settings
        self._script = Script("persist")
        connector = Connector(settings, "sethpusher-persist")
        self._line = Line(connector, [self._script], settings.timeout)
        await self._line.start(settings.start_wait)

    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        """See :func:`sethpusher_core.hookspecs.persist`."""
        if self._line is None:
            raise RuntimeError("persist_redis is not started")
        parts = [publications[start : start + AT_ONCE] for start in range(0, len(publications), AT_ONCE)]
        await self._line.ask_all([self._appending(part) for part in parts])

    @hookimpl
    async def shutdown(self) -> None:
        """See :func:`sethpusher_core.hookspecs.shutdown`."""
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    def _appending(self, publications: Sequence[Publication]) -> Command:
        words: list[bytes | str | int] = [self._settings.length, round(self._settings.remember * 1000)]
        for one in publications:
            name = one.address.name.encode("utf-8", "surrogatepass")
            words += (one.id, one.address.kind, name, one.sender, one.data)
        return self._script, self._keys, words
