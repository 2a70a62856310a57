"""Metrics of Seth-Pusher for Prometheus.

The server counts by itself, in plain integers; this plugin reads them when it is asked, and measures nothing but how
late the event loop is.
"""

from __future__ import annotations

from .plugin import Metrics

__all__ = ["Metrics"]
