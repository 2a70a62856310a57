"""The plugin ``redis``: offers the backend of that name. The driver is imported when it is chosen, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sethpusher_core import hookimpl

from .settings import RedisSettings

if TYPE_CHECKING:
    from sethpusher_core import RegisterBackend
    from sethpusher_core.backends.base import Backend

__all__ = ["register_backends"]

name = "redis"


@hookimpl
def register_backends(register: RegisterBackend) -> None:
    """See :func:`sethpusher_core.hookspecs.register_backends`."""
    register("redis", _made, RedisSettings)


def _made(settings: RedisSettings) -> Backend:
    from .backend import RedisBackend

    return RedisBackend(settings)
