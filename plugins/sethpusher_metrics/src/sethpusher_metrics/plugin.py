"""The plugin: a route, a timer, and a sub-command for the dashboard."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from sethpusher_core import RegisterCommand, UsageError, hookimpl

from .settings import MetricsSettings

if TYPE_CHECKING:
    from prometheus_client.registry import CollectorRegistry

    from sethpusher_core import PushServer

    from .looplag import LoopLag

__all__ = ["Metrics"]

DASHBOARD: Final = "dashboard.json"


class Metrics:
    """Serves the metrics of one server, to callers who may ``inspect`` it.

    Attributes:
        registry: What is served; None while the server does not run.
    """

    name = "metrics"
    Settings = MetricsSettings

    def __init__(self, settings: MetricsSettings | None = None) -> None:
        self._path = (settings or MetricsSettings()).path
        self.registry: CollectorRegistry | None = None
        self._lag: LoopLag | None = None

    @hookimpl
    def routes(self, server: PushServer) -> Sequence[Any]:
        """See :func:`sethpusher_core.hookspecs.routes`."""
        from .handler import MetricsHandler  # not above: a command such as --help need not load prometheus-client

        path = re.escape(self._path.rstrip("/"))
        return [(f"{path}/?", MetricsHandler, {"server": server, "metrics": self})]

    @hookimpl
    def startup(self, server: PushServer) -> None:
        """See :func:`sethpusher_core.hookspecs.startup`."""
        from prometheus_client import GCCollector, ProcessCollector
        from prometheus_client.registry import CollectorRegistry

        from .collector import ServerCollector
        from .looplag import LoopLag

        self.registry = CollectorRegistry()  # our own: a process may hold several servers
        self.registry.register(ServerCollector(server))
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._lag = LoopLag(self.registry)
        self._lag.start()

    @hookimpl
    def shutdown(self) -> None:
        """See :func:`sethpusher_core.hookspecs.shutdown`."""
        self.registry = None
        if self._lag is not None:
            self._lag.stop()

    @hookimpl
    def commands(self, register: RegisterCommand) -> None:
        """See :func:`sethpusher_core.hookspecs.commands`."""
        register("dashboard", _dashboard, help="Print the dashboard for Grafana, as JSON")


def _dashboard(arguments: Sequence[str], _settings: object) -> int:
    if arguments:
        raise UsageError("dashboard: takes nothing behind it")
    print(files("sethpusher_metrics").joinpath(DASHBOARD).read_text(), end="")
    return 0
