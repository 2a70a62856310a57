"""What the server knows of itself, as families of metrics. Read when somebody asks; nothing is kept here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from sethpusher_core import __version__

if TYPE_CHECKING:
    from sethpusher_core import PushServer

__all__ = ["ServerCollector"]


class ServerCollector(Collector):
    """Reads one server. Call it in the server's loop only."""

    def __init__(self, server: PushServer) -> None:
        self._server = server

    def collect(self) -> Iterator[Metric]:
        """See prometheus-client."""
        yield from self._state()
        yield from self._clients()
        yield from self._messages()
        yield from self._bytes()
        yield from self._hooks()

    def describe(self) -> Iterable[Metric]:
        """None in advance: a registry need not ask a server that has not started."""
        return ()

    def _state(self) -> Iterator[Metric]:
        server = self._server
        labels = {"version": __version__, "node": server.node_id, "backend": server.backend_name}
        info = GaugeMetricFamily("sethpusher_info", "Always 1; says what this node is", labels=list(labels))
        info.add_metric(list(labels.values()), 1)
        yield info
        yield _gauge("sethpusher_ready", "Whether clients may be sent here: what /ready says", server.trouble is None)
        up = GaugeMetricFamily("sethpusher_backend_up", "Whether all is well with the backend", labels=["backend"])
        up.add_metric([server.backend_name], server.backend_trouble is None)
        yield up

    def _clients(self) -> Iterator[Metric]:
        server, tally = self._server, self._server.hub.tally
        by_transport = GaugeMetricFamily("sethpusher_connections", "Live connections", labels=["transport"])
        transports = Counter([connection.transport for connection in server.connections.values()])
        for transport, count in sorted(transports.items()):
            by_transport.add_metric([transport], count)
        yield by_transport
        yield _counter("sethpusher_connections_accepted", "Connections that have begun", server.accepted)
        yield _gauge("sethpusher_channels", "Channels with subscribers on this node", tally.channels.addresses)
        yield _gauge("sethpusher_subscriptions", "Memberships of connections in channels", tally.channels.members)
        yield _gauge("sethpusher_users", "Users that are connected to this node", tally.users.addresses)
        budget = server.router.budget
        yield _counter("sethpusher_clients_cut", "Clients closed because they did not keep up", budget.cut)
        limits = CounterMetricFamily("sethpusher_limits_met", "How often a bound was met", labels=["limit"])
        for limit, count in sorted(server.counts.items()):
            limits.add_metric([limit], count)
        yield limits

    def _messages(self) -> Iterator[Metric]:
        server = self._server
        publications = CounterMetricFamily(
            "sethpusher_publications", "Publications made on this node, by what became of them", labels=["result"]
        )
        publisher = server.publisher
        for result in ("accepted", "refused", "failed"):
            publications.add_metric([result], getattr(publisher, result))
        yield publications
        yield _counter("sethpusher_payloads", "Payloads handed to this node by the backend", server.hub.delivered)
        deliveries = server.hub.tally.deliveries
        yield _counter("sethpusher_deliveries", "Messages handed to clients, each counted for each of them", deliveries)
        yield _counter(
            "sethpusher_dropped", "Messages that clients lost by a channel's rule", server.router.budget.dropped
        )

    def _bytes(self) -> Iterator[Metric]:
        budget = self._server.router.budget
        total = self._server.hub.tally.delivered_bytes + budget.posted_bytes
        yield _counter("sethpusher_outbound_bytes", "Bytes of frames handed to clients", total)
        yield _gauge("sethpusher_waiting_bytes", "Bytes that wait for clients", budget.used)
        yield _gauge("sethpusher_waiting_bytes_limit", "Above this the largest queues are cut", budget.total)

    def _hooks(self) -> Iterator[Metric]:
        labels = ["plugin", "hook"]
        calls = CounterMetricFamily("sethpusher_hook_calls", "Calls of plugins' hooks", labels=labels)
        failures = CounterMetricFamily(
            "sethpusher_hook_failures", "Calls that raised, timed out or answered wrongly", labels=labels
        )
        for step, count in sorted(self._server.hooks.counts().items()):
            calls.add_metric(step, count.calls)
            failures.add_metric(step, count.failures)
        yield calls
        yield failures


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help, value=value)


def _counter(name: str, help: str, value: float) -> Metric:
    return CounterMetricFamily(name, help, value=value)
