"""The one bound of every wait in the tests; it is that of the compliance kit."""

from __future__ import annotations

from typing import Final

from sethpusher_core.testing.timing import patience, scale

__all__ = ["SCALE", "UNIT"]

SCALE: Final = scale()
"""Greater on a slow machine. What a test makes a server wait for is multiplied by it, too."""
UNIT: Final = patience()
"""Seconds after which a wait has failed. Nothing waits this long on a good day."""
