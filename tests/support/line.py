"""A websocket as a client holds it; it ships with the compliance kit."""

from sethpusher_core.testing.wire.line import Line

__all__ = ["Line"]
