"""``GET /metrics``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from sethpusher_core import SERVER, ApiHandler, RequestError, errors

if TYPE_CHECKING:
    from sethpusher_core import PushServer

    from .plugin import Metrics

__all__ = ["MetricsHandler"]

PLAIN_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The format that every Prometheus reads."""


class MetricsHandler(ApiHandler):
    """The metrics, in the text format of Prometheus or as OpenMetrics, whichever is asked for."""

    metrics: Metrics

    def initialize(self, server: PushServer, metrics: Metrics) -> None:  # type: ignore[override]  # the rule has one more
        """See :class:`ApiHandler`."""
        super().initialize(server)
        self.metrics = metrics

    async def get(self) -> None:
        """For callers who may ``inspect`` the server.

        Raises:
            RequestError: Denied, or the server does not run.
        """
        await self.authorize("inspect", SERVER)
        registry = self.metrics.registry
        if registry is None:
            raise RequestError(errors.UNAVAILABLE)
        # Not by prometheus-client's choose_encoder: it fails on odd headers, and puts parts of them into the answer's.
        if "application/openmetrics-text" in self.request.headers.get("Accept", ""):
            self.set_header("Content-Type", openmetrics.CONTENT_TYPE_LATEST)
            self.write(openmetrics.generate_latest(registry))  # type: ignore[no-untyped-call]  # theirs has no types
        else:
            self.set_header("Content-Type", PLAIN_TEXT)
            self.write(generate_latest(registry))
