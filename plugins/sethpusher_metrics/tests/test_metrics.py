"""What is served, to whom, and that it is true."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from sethpusher_metrics import Metrics
from sethpusher_metrics.settings import MetricsSettings
from support.logs import LogWatch
from support.server import RunningServer
from support.timing import UNIT

from sethpusher_core import Denied, Identity, Refused, Rejected, __version__, hookimpl
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.settings.rules import ChannelRule

Metered = Callable[..., RunningServer]
Labels = frozenset[tuple[str, str]]

QUIET = (ChannelRule("*", announce=False),)


class Read:
    """One reading of the metrics."""

    def __init__(self, server: RunningServer) -> None:
        answer = server.http.get("/metrics")
        assert answer.status == 200, answer
        self.values: dict[tuple[str, Labels], float] = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self.values, f"{key} is there twice"
                self.values[key] = sample.value

    def __call__(self, name: str, **labels: str) -> float:
        return self.values[f"sethpusher_{name}", frozenset(labels.items())]

    def total(self, name: str) -> float:
        return sum(value for (sample, _), value in self.values.items() if sample == f"sethpusher_{name}")


def until(server: RunningServer, condition: Callable[[Read], bool]) -> Read:
    """Reads until something holds."""
    end = time.monotonic() + UNIT
    while not condition(reading := Read(server)):
        assert time.monotonic() < end, reading.values
    return reading


# -------------------------------------------------------------------------------------------------------------- truth


def test_an_idle_server(metered: Metered) -> None:
    server = metered()
    reading = Read(server)
    assert reading("info", version=__version__, node=server.push.node_id, backend="memory") == 1
    assert (reading("ready"), reading("backend_up", backend="memory")) == (1, 1)
    for name in ("channels", "subscriptions", "users", "deliveries_total", "outbound_bytes_total", "clients_cut_total"):
        assert reading(name) == 0
    assert reading.total("connections") == 0
    assert reading("publications_total", result="accepted") == 0
    assert reading.values["process_open_fds", frozenset()] > 0


def test_connections_channels_and_subscriptions(metered: Metered) -> None:
    server = metered(channels=QUIET)
    clients = [server.bare(), server.bare(), server.sockjs(), server.xhr()]
    for client in clients:
        client.connect("ada" if client is not clients[1] else "bob")
    for client in clients[:2]:
        client.subscribe("news")
    clients[0].subscribe("sport")
    reading = Read(server)
    assert reading("connections", transport="rawwebsocket") == 2
    assert reading("connections", transport="websocket") == reading("connections", transport="xhr") == 1
    assert reading("connections_accepted_total") == 4
    assert (reading("channels"), reading("subscriptions"), reading("users")) == (3, 4 + 2 + 1, 2)

    clients[0].request({"type": "unsubscribe", "channel": "sport"})
    clients[1].drop()
    reading = until(server, lambda reading: reading("connections", transport="rawwebsocket") == 1)
    reading = until(server, lambda reading: reading("subscriptions") == 3 + 1)
    assert (reading("channels"), reading("users"), reading("connections_accepted_total")) == (2, 1, 4)
    for client in (clients[0], clients[2]):
        client.drop()
    until(server, lambda reading: reading.total("connections") == 1)


def test_a_connection_that_joins_anew_counts_once(metered: Metered) -> None:
    server = metered(channels=(ChannelRule("*", history=10, announce=False),))
    client = server.bare()
    ack = client.request({"type": "subscribe", "channel": "news"})
    since = {"epoch": ack["epoch"], "offset": ack["offset"]}
    server.publish("news", 1)
    for message in ({}, {"recover": since}, {"recover": since}):
        client.request({"type": "subscribe", "channel": "news", **message})
    reading = Read(server)
    assert (reading("channels"), reading("subscriptions")) == (1, 1)


def test_deliveries_and_bytes(metered: Metered) -> None:
    server = metered(channels=QUIET)
    clients = [server.bare() for _ in range(3)]
    for client in clients:
        client.subscribe("news")
    before = Read(server)
    server.publish("news", {"n": 1})
    server.publish("empty", {"n": 2})
    for client in clients:
        assert client.next()["message"] == {"n": 1}
    after = Read(server)
    assert after("publications_total", result="accepted") == 2
    assert after("payloads_total") - before("payloads_total") <= 2, "what nobody here hears need not come here"
    assert after("deliveries_total") - before("deliveries_total") == 3
    envelope = b'{"message":{"n": 1},"sender_id":null,"channel":"news"}'
    assert after("outbound_bytes_total") - before("outbound_bytes_total") == 3 * (2 + len(envelope)), "framed, RFC 6455"

    clients[0].drop()  # a hole in the roster is nobody
    until(server, lambda reading: reading("subscriptions") == 2)
    server.publish("news", {"n": 1})
    for client in clients[1:]:
        client.next()
    assert Read(server)("deliveries_total") - after("deliveries_total") == 2


def test_what_was_published_and_what_was_not(metered: Metered, logs: LogWatch) -> None:
    class Censor:
        name = "censor"

        @hookimpl
        def transform(self, publication: Any) -> Any:
            if publication.message == "fail":
                raise OSError("no")
            return Refused("no") if publication.message == "bad" else publication

    server = metered((Censor(),))
    for message, status in (("good", 200), ("bad", 422), ("fail", 500), ("good", 200)):
        assert server.http.post("/api/channels/news/", message).status == status
    logs.expect("plugin censor", level=40)
    reading = Read(server)
    results = [reading("publications_total", result=result) for result in ("accepted", "refused", "failed")]
    assert results == [2, 1, 1]
    assert reading("hook_calls_total", plugin="censor", hook="transform") == 4
    assert reading("hook_failures_total", plugin="censor", hook="transform") == 1
    assert reading("hook_failures_total", plugin="seed_messages", hook="dispatch") == 0


def test_a_persister_that_fails(metered: Metered, logs: LogWatch) -> None:
    class Full:
        name = "full"

        @hookimpl
        def persist(self, publications: Any) -> None:
            raise OSError("disk full")

    server = metered((Full(),))
    assert server.http.post("/api/channels/news/", 1).status == 503
    logs.expect("disk full", level=40)
    assert Read(server)("publications_total", result="failed") == 1


def test_clients_that_do_not_keep_up(metered: Metered) -> None:
    rules = (ChannelRule("lossy", on_slow="drop_newest", announce=False), ChannelRule("*", announce=False))
    server = metered(channels=rules, outbound_limit=4096, message_rate=1)
    slow, other = server.xhr(), server.xhr()
    slow.subscribe("lossy")
    other.subscribe("strict")
    server.call(lambda: None)
    for channel in ("lossy", "strict"):
        for _ in range(8):
            server.publish(channel, "x" * 2000)
    reading = until(server, lambda reading: reading("dropped_total") > 0 and reading("clients_cut_total") > 0)
    assert reading("clients_cut_total") == 1
    assert reading("waiting_bytes_limit") == 256 * 2**20
    chatty = server.bare()
    for _ in range(4):
        chatty.request({"type": "ping"})
    assert Read(server)("limits_met_total", limit="messages_over_rate") >= 1


def test_a_backend_in_trouble(metered: Metered) -> None:
    server = metered()
    backend: Any = server.push._backend

    class Broken(type(backend)):  # type: ignore[misc]  # whatever the backend is
        trouble = "no connection"

    server.call(lambda: setattr(backend, "__class__", Broken))
    reading = Read(server)
    assert (reading("ready"), reading("backend_up", backend="memory")) == (0, 0)


def test_what_holds_the_loop_is_seen(metered: Metered) -> None:
    server = metered()
    server.call(lambda: time.sleep(0.3))
    reading = until(server, lambda reading: reading("loop_lag_seconds_sum") >= 0.15)
    assert reading("loop_lag_seconds_bucket", le="0.1") < reading("loop_lag_seconds_count")


# -------------------------------------------------------------------------------------------------------------- access


class Door:
    """Lets in who has a name; ``root`` may inspect."""

    @hookimpl
    def authenticate(self, credentials: Any) -> Any:
        name = credentials.headers.get("X-Name")
        return None if name is None else Rejected("no") if name == "eve" else Identity(name, proven=True)

    @hookimpl
    def authorize(self, identity: Identity, action: str) -> Denied | None:
        return Denied("no") if action == "inspect" and identity.subscriber_id != "root" else None


@pytest.mark.parametrize(
    ("headers", "status"), [({}, 401), ({"X-Name": "eve"}, 401), ({"X-Name": "ada"}, 403), ({"X-Name": "root"}, 200)]
)
def test_who_may_read(metered: Metered, headers: Mapping[str, str], status: int) -> None:
    answer = metered((Door(),)).http.get("/metrics", headers)
    assert answer.status == status
    assert ("sethpusher" in answer.text) == (status == 200)


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "text/plain;version=0.0.4", "text/plain;version=x", "application/openmetrics-text", "a;b=;=c,,\xff"],
)
def test_both_formats(metered: Metered, accept: str) -> None:
    answer = metered().http.get("/metrics/", {"Accept": accept})
    assert answer.status == 200
    if "openmetrics" in accept:
        assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        names = {family.name for family in openmetrics_families(answer.text)}
    else:
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"sethpusher_connections", "sethpusher_deliveries", "process_cpu_seconds"} <= names


def test_the_path_is_a_setting() -> None:
    push = PushServer(CoreSettings(), plugins=[Metrics(MetricsSettings(path="/internal/a.b/"))])
    server = RunningServer(push).start()
    try:
        assert server.http.get("/internal/a.b").status == server.http.get("/internal/a.b/").status == 200
        assert server.http.get("/internal/axb").status == server.http.get("/metrics").status == 404
    finally:
        server.stop()


def test_two_servers_in_one_process_count_apart(metered: Metered) -> None:
    one, other = metered(), metered()
    one.publish("news", 1)
    assert Read(one)("publications_total", result="accepted") == 1
    assert Read(other)("publications_total", result="accepted") == 0


def test_names_that_clients_choose_are_no_labels(metered: Metered) -> None:
    """Else a client could fill the memory of the server that keeps the metrics."""
    server = metered()
    client = server.bare()
    client.connect("a name of its own")
    client.subscribe("a channel of its own")
    client.request({"type": "a type of its own"})
    assert "of its own" not in server.http.get("/metrics").text
