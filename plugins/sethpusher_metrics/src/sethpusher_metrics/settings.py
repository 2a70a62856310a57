"""What the plugin can be told."""

from __future__ import annotations

from dataclasses import dataclass

from sethpusher_core.settings import setting

__all__ = ["MetricsSettings"]


def _no_path(path: str) -> str | None:
    fine = path.startswith("/") and path.strip("/") != "" and "?" not in path
    return None if fine else "must begin with a slash, name something and have no query"


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """What the plugin can be told. It needs nothing."""

    path: str = setting("/metrics", check=_no_path, help="Where the metrics are served.")
