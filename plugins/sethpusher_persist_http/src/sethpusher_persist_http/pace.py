"""How fast the sender goes, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Figures", "Pace"]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast it goes; see the settings of the same names."""

    batch_size: int = 2000
    batch_bytes: int = 512 << 10
    batch_delay: float = 0.1
    parallel: int = 2
    retry_first: float = 0.5
    retry_max: float = 60.0
    circuit_failures: int = 5


@dataclass(slots=True)
class Figures:
    """What has been done.

    Attributes:
        posted: Letters that the API has taken.
        posts: Posts that it has taken.
        failed: Posts that failed.
        refused: Letters that it has refused.
        dropped: Letters that were dropped at a bound.
    """

    posted: int = 0
    posts: int = 0
    failed: int = 0
    refused: int = 0
    dropped: int = 0
