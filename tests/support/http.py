"""HTTP calls; they ship with the compliance kit."""

from sethpusher_core.testing.wire.http import Answer, Http

__all__ = ["Answer", "Http"]
