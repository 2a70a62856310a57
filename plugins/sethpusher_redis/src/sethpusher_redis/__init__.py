"""Many nodes, one Redis or Valkey server: the backend ``redis``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .settings import RedisSettings

if TYPE_CHECKING:
    from .backend import RedisBackend

__all__ = ["RedisBackend", "RedisSettings"]


def __getattr__(name: str) -> Any:
    """The backend, and with it the driver, is imported when it is first asked for."""
    if name != "RedisBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .backend import RedisBackend

    return RedisBackend
