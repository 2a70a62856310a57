"""Offers the memory backend under the name ``memory``."""

from __future__ import annotations

from ..backends.memory import MemoryBackend
from ..hookspecs import RegisterBackend, hookimpl

__all__ = ["MemoryBackendPlugin"]


class MemoryBackendPlugin:
    """What everything runs on when nothing else is chosen."""

    name = "memory"

    @hookimpl
    def register_backends(self, register: RegisterBackend) -> None:
        """See :func:`sethpusher_core.hookspecs.register_backends`."""
        register("memory", MemoryBackend, None)
