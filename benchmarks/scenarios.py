"""The table of scenarios: what is done to every peer, in which numbers, and which figures come of it.

Adding one is adding a row to :data:`SCENARIOS`. What a peer must be able to do for it stands in ``needs``, by the name
of the part of its :class:`~benchmarks.peers.base.Dialect`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from .loading import Load
from .peers.base import Dialect, Peer
from .schema import ScenarioFacts

__all__ = ["ABILITIES", "SCENARIOS", "Scenario", "facts", "load_for", "unable"]

Kind = Literal["fan-out", "connect", "publish", "churn", "replay", "cluster", "hold"]

ABILITIES: Final = {
    "publish": "no publishing from a back end",
    "batch": "no publishing in batches",
    "client_publish": "clients cannot publish over their websocket",
    "streaming": "no streaming over HTTP",
    "polling": "no SockJS polling",
    "churn": "no joining and leaving of channels",
    "replay": "no history",
    "kept_publish": "no history",
    "kept_batch": "no publishing in batches, or no history",
    "probe": "no publishing to another channel",
    "channels": "one channel only",
    "clusters": "no two nodes over Redis",
}
"""What is said of a peer that lacks the part of that name."""

FAN_OUT: Final = ("server_cpu_us_per_delivery", "deliveries_per_s", "p50_us", "p99_us", "max_us", "memory_end_mib")
SETTLE_MS: Final = 300
QUICK_SETTLE_MS: Final = 100
JUDGED_TURNS: Final = 3
"""In a round, of scenarios in which a latency is a target: a machine's own hiccups move a p99 by a factor of two."""
JUDGED: Final = ("server_cpu_us_per_delivery", "deliveries_per_s", "p99_us")
PUBLISH: Final = ("server_cpu_us_per_publication", "publications_per_s", "publish_p50_us", "publish_p99_us")
CONNECT: Final = ("connect_cpu_us", "connects_per_s", "kib_per_conn")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is done in one run.

    Attributes:
        name: Word by which the command line and the results name it.
        group: Heading on the page.
        title: What it is, in a few words.
        conns: Subscribers.
        kind: How it is done, see :mod:`benchmarks.work`.
        needs: Parts of a dialect that a peer must have (``channels``: more than one; ``clusters``: see Peer).
        subscriber: The part of the dialect by which subscribers connect.
        publisher: The part by which is published.
        messages: Publications in all; for ``replay`` what every connection gets, for ``churn`` cycles of each client.
        quick_messages: The same in a quick look; 0: it is not part of one.
        channels: Channels, over which the subscribers are spread.
        publishers: Connections that publish, all at once; for ``churn`` clients that come and go.
        size: Bytes of the payload; 0: as short as it is.
        batch: Publications in one request.
        parallel: Handshakes under way at once.
        figures: What is shown, the first first.
        judged: What a peer may be ahead in.
        only: The peers that it is for; empty: all.
        turns: How often a peer takes its turn in each round; a quick look has one.
        timeout_s: See Load.
    """

    name: str
    group: str
    title: str
    conns: int
    kind: Kind = "fan-out"
    needs: tuple[str, ...] = ("publish",)
    subscriber: str = "subscriber"
    publisher: str = "publish"
    messages: int = 0
    quick_messages: int = 0
    channels: int = 1
    publishers: int = 1
    size: int = 0
    batch: int = 1
    parallel: int = 16
    figures: tuple[str, ...] = FAN_OUT
    judged: tuple[str, ...] = JUDGED
    only: tuple[str, ...] = ()
    turns: int = 1
    timeout_s: int = 30


_ONE: Final = Scenario("", "Fan-out, one publication at a time", "", 0)
_BURST: Final = replace(_ONE, group="Fan-out, 64 publishers busy", publishers=64)
_PUBLISH: Final = Scenario("", "Publishing", "", 1, kind="publish", figures=PUBLISH, judged=PUBLISH[:2])
_BATCH: Final = replace(_PUBLISH, messages=20_000, batch=100, needs=("batch",), publisher="batch")
_BOTH: Final = ("floor", "seth-pusher")

SCENARIOS: Final[tuple[Scenario, ...]] = (
    replace(_ONE, name="fanout-100", title="100 subscribers", conns=100, messages=1000, quick_messages=200),
    replace(
        _ONE,
        name="fanout-1000",
        title="1,000 subscribers",
        conns=1000,
        messages=200,
        quick_messages=20,
        turns=JUDGED_TURNS,
    ),
    replace(_ONE, name="fanout-10000", title="10,000 subscribers", conns=10_000, messages=20),
    replace(_ONE, name="fanout-15000", title="15,000 subscribers", conns=15_000, messages=20, only=_BOTH),
    replace(_ONE, name="fanout-1000-4k", title="1,000 subscribers, 4 KiB", conns=1000, messages=100, size=4096),
    replace(_BURST, name="burst-100", title="100 subscribers, 64 publishers", conns=100, messages=6400),
    replace(
        _BURST,
        name="burst-1000",
        title="1,000 subscribers, 64 publishers",
        conns=1000,
        messages=640,
        quick_messages=128,
        turns=JUDGED_TURNS,
    ),
    replace(_BURST, name="burst-10000", title="10,000 subscribers, 64 publishers", conns=10_000, messages=64),
    replace(
        _BURST,
        name="burst-1000-4k",
        title="1,000 subscribers, 4 KiB, 64 publishers",
        conns=1000,
        messages=192,
        size=4096,
    ),
    replace(
        _BURST,
        name="channels-1000",
        group="Many channels",
        title="1,000 channels of 5 subscribers, 64 publishers",
        conns=5000,
        channels=1000,
        messages=6400,
        needs=("publish", "channels"),
    ),
    Scenario(
        name="connect-1000",
        group="Connecting",
        title="1,000 connections, 64 handshakes at once",
        conns=1000,
        kind="connect",
        needs=(),
        quick_messages=1,
        parallel=64,
        figures=CONNECT,
        judged=CONNECT,
    ),
    Scenario(
        name="connect-5000",
        group="Connecting",
        title="5,000 connections, 64 handshakes at once",
        conns=5000,
        kind="connect",
        needs=(),
        parallel=64,
        figures=CONNECT,
        judged=CONNECT,
    ),
    replace(_PUBLISH, name="publish", title="one POST at a time", messages=2000, quick_messages=500),
    replace(_PUBLISH, name="publish-64", title="64 connections busy", messages=6400, publishers=64),
    replace(_BATCH, name="publish-batch", title="100 publications in one POST, one POST at a time"),
    replace(
        _BATCH,
        name="batch-nobody",
        title="the same to a channel in which nobody is",
        conns=0,
    ),
    replace(
        _BATCH,
        name="batch-kept",
        title="the same to a channel in which nobody is, where history is kept",
        conns=0,
        needs=("kept_batch",),
        publisher="kept_batch",
    ),
    replace(
        _PUBLISH,
        name="client-publish",
        title="a client over its websocket, one at a time",
        messages=2000,
        needs=("client_publish",),
        publisher="client_publish",
        figures=("server_cpu_us_per_publication", "publications_per_s", "p50_us", "p99_us"),
    ),
    Scenario(
        name="churn-1000",
        group="Joining and leaving",
        title="8 clients join and leave a channel of 1,000",
        conns=1000,
        kind="churn",
        needs=("churn",),
        messages=500,
        publishers=8,
        figures=("server_cpu_us_per_cycle", "cycles_per_s", "cycle_p50_us", "cycle_p99_us"),
        judged=("server_cpu_us_per_cycle", "cycles_per_s", "cycle_p99_us"),
    ),
    Scenario(
        name="replay-1000",
        group="History",
        title="100 clients connect and read 1,000 kept messages each",
        conns=100,
        kind="replay",
        needs=("replay", "kept_publish"),
        subscriber="replay",
        publisher="kept_publish",
        messages=1000,
        figures=("server_cpu_us_per_delivery", "deliveries_per_s"),
        judged=("server_cpu_us_per_delivery", "deliveries_per_s"),
    ),
    replace(
        _ONE,
        name="two-nodes-1000",
        group="Two nodes over Redis",
        title="published at one node, 1,000 subscribers at the other, one at a time",
        conns=1000,
        messages=200,
        kind="cluster",
        needs=("publish", "clusters"),
    ),
    replace(
        _ONE,
        name="streaming-1000",
        group="Without websockets",
        title="1,000 streaming clients (SockJS: xhr-streaming, else EventSource), one publication at a time",
        conns=1000,
        messages=200,
        needs=("publish", "streaming"),
        subscriber="streaming",
    ),
    replace(
        _ONE,
        name="polling-200",
        group="Without websockets",
        title="200 polling clients of SockJS, one publication at a time",
        conns=200,
        messages=100,
        needs=("publish", "polling"),
        subscriber="polling",
    ),
    replace(
        _ONE,
        name="loop-hold",
        group="A stranger's request during a large fan-out",
        title="a POST to another channel every 2 ms while one publication after another goes to 15,000",
        conns=15_000,
        messages=20,
        kind="hold",
        needs=("publish", "probe"),
        figures=("hold_max_us", "hold_p99_us", "hold_p50_us", "server_cpu_us_per_delivery"),
        judged=("hold_max_us", "hold_p99_us"),
        only=_BOTH,
        turns=JUDGED_TURNS,
    ),
)


def unable(scenario: Scenario, dialect: Dialect, clusters: bool) -> str | None:
    """What a peer lacks for a scenario, in words; None: nothing."""
    for need in scenario.needs:
        if need == "clusters":
            has = clusters
        elif need == "channels":
            has = any("%c" in text for text in (dialect.subscriber.path, *dialect.subscriber.opening))
        else:
            has = getattr(dialect, need) is not None
        if not has:
            return ABILITIES[need]
    return None


def load_for(scenario: Scenario, peer: Peer, quick: bool) -> Load:
    """What the load generator does to a peer that has all that the scenario needs."""
    dialect = peer.dialect
    messages = scenario.quick_messages if quick and scenario.quick_messages else scenario.messages
    if scenario.kind != "replay":
        messages = max(messages // peer.share, min(messages, scenario.publishers))
    load = Load(
        dial=getattr(dialect, scenario.subscriber),
        conns=scenario.conns,
        channels=scenario.channels,
        parallel=scenario.parallel,
        size=scenario.size,
        settle_ms=QUICK_SETTLE_MS if quick else SETTLE_MS,
        timeout_s=scenario.timeout_s,
    )
    if scenario.kind == "connect":
        return load
    if scenario.kind == "churn":
        return replace(load, churn=dialect.churn, cycles=messages, churners=scenario.publishers)
    if scenario.kind == "replay":
        return replace(load, replay=messages)
    return replace(
        load,
        publish=getattr(dialect, scenario.publisher),
        messages=messages,
        publishers=scenario.publishers,
        window=scenario.publishers,
        batch=scenario.batch,
    )


def facts(scenario: Scenario, quick: bool) -> ScenarioFacts:
    """What the results say of a scenario."""
    messages = scenario.quick_messages if quick and scenario.quick_messages else scenario.messages
    names = ("conns", "channels", "publishers", "size", "batch", "parallel")
    return ScenarioFacts(
        name=scenario.name,
        group=scenario.group,
        title=scenario.title,
        figures=scenario.figures,
        judged=scenario.judged,
        load={name: getattr(scenario, name) for name in names} | {"messages": messages},
    )
