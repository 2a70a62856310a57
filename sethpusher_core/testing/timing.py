"""The one unit of time of the kit. Read when it is needed, so that a test can set the scale."""

from __future__ import annotations

import os

__all__ = ["moment", "patience", "scale"]


def scale() -> float:
    """What every time is multiplied by: SETHPUSHER_TEST_TIME_SCALE in the environment, greater on slow machines."""
    return float(os.environ.get("SETHPUSHER_TEST_TIME_SCALE") or 1)


def patience() -> float:
    """Seconds after which something awaited has failed to come. Nothing takes this long on a good day."""
    return 5.0 * scale()


def moment() -> float:
    """Seconds in which what must not come would have come."""
    return 0.05 * scale()
