"""The one bound of every wait in the tests."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["SCALE", "UNIT"]

SCALE: Final = float(os.environ.get("SETHPUSHER_TEST_TIME_SCALE", "1"))
"""Greater on a slow machine. What a test makes a server wait for is multiplied by it, too."""
UNIT: Final = 5.0 * SCALE
"""Seconds after which a wait has failed. Nothing waits this long on a good day."""
