"""Names of plugins: how they compare, which ones we know, and what to say about one that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

__all__ = ["FIRST_PARTY", "install_line", "known_as", "listed", "nearest", "normal"]

FIRST_PARTY: Final = MappingProxyType(
    {
        "auth_apikey": "sethpusher-auth-apikey",
        "auth_jwt": "sethpusher-auth-jwt",
        "metrics": "sethpusher-metrics",
        "persist_http": "sethpusher-persist-http",
        "persist_redis": "sethpusher-redis",
        "redis": "sethpusher-redis",
    }
)
"""Plugins released with the core, and the distributions that hold them.

Only these are ever named in a pip line: to advise installing a name that somebody merely mistyped would be an
invitation to whoever registers that name.
"""

_SEPARATORS: Final = re.compile(r"[-_.]+")


def normal(name: str) -> str:
    """The one form under which two spellings of a plugin or distribution are the same."""
    return _SEPARATORS.sub("_", name.strip()).lower()


def known_as(name: str) -> str:
    """The name in :data:`FIRST_PARTY` that is meant, by plugin name; empty for any other."""
    key = normal(name)
    return key if key in FIRST_PARTY else ""


def install_line(name: str) -> str:
    """The pip line that installs a plugin released with the core; empty for any other name."""
    known = known_as(name)
    return f"pip install {FIRST_PARTY[known]}" if known else ""


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The candidate that was probably meant, or an empty string."""
    import difflib  # here, because only a refusal needs it

    by_form = {normal(candidate): candidate for candidate in candidates}
    found = difflib.get_close_matches(normal(name), by_form, n=1, cutoff=0.6)
    return by_form[found[0]] if found else ""


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, sorted; ``none`` when there are none."""
    return ", ".join(sorted(names)) or "none"
