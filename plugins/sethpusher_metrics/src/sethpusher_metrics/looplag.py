"""How late the event loop is: how long a callback waits beyond its moment, because others hold the loop."""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import Histogram
from prometheus_client.registry import CollectorRegistry

__all__ = ["LoopLag"]

INTERVAL: Final = 0.1
"""Seconds between two looks. What holds the loop for as long is always seen; shorter holds are sampled."""
BUCKETS: Final = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds. A fan-out may hold the loop for 20 ms, so what lies above is somebody else's."""


class LoopLag:
    """Measures, from :meth:`start` to :meth:`stop`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._histogram = Histogram(
            "sethpusher_loop_lag_seconds",
            "How long callbacks wait beyond their moment",
            buckets=BUCKETS,
            registry=registry,
        )
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Measures on the running loop."""
        self._schedule(asyncio.get_running_loop())

    def stop(self) -> None:
        """Measures no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + INTERVAL
        self._timer = loop.call_at(self._due, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._histogram.observe(max(0.0, loop.time() - self._due))
        self._schedule(loop)
