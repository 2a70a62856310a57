"""Where programs live that only the benchmarks need: outside of the clone, so that the next one finds them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["CACHE_VARIABLE", "cache", "in_cache"]

CACHE_VARIABLE = "BENCH_CACHE"
"""Another folder than the default; not SETHPUSHER_..., because the server warns of such variables unknown to it."""
DEFAULT = ".cache/seth-pusher-bench"


def cache() -> Path:
    """The folder; it need not exist."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / DEFAULT)


def in_cache(name: str) -> str:
    """A file or folder there, as an ``install`` line writes it for any machine."""
    return f"${{{CACHE_VARIABLE}:-$HOME/{DEFAULT}}}/{name}"
