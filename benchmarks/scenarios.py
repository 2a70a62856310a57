"""The table of scenarios: what is done to every peer, in which numbers, and which figures come of it.

Adding one is adding a row to :data:`SCENARIOS`. What a peer must be able to do for it stands in ``needs``, by the name
of the part of its :class:`~benchmarks.peers.base.Dialect`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from .peers.base import Dialect
from .schema import ScenarioFacts

__all__ = ["ABILITIES", "SCENARIOS", "Scenario", "facts", "unable"]

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
JUDGED_TURNS: Final = 3
"""In a round, of judged scenarios that vary most: hiccups of a machine move a p99 by a factor of two."""
WARM: Final = 10_000
"""Publications, one at a time, before as many that are measured.

Of sockjs-node 2,000 cost 166 us of CPU each when it has just started, 130 behind 10,000 others; 10,000 cost 84 and 66.
"""
SESSION_S: Final = 5.5
"""For a bit less a server of SockJS keeps, and feeds, a session whose streaming or polling client has gone."""
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
        warm: As many come before, on the same server, and are not measured; 0: it is measured cold.
        quick_warm: The same in a quick look.
        rest_s: Seconds between the two.
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
    warm: int = 0
    quick_warm: int = 0
    rest_s: float = 0.0
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

    def publications(self, quick: bool) -> int:
        """``messages``, or those of a quick look."""
        return self.quick_messages if quick and self.quick_messages else self.messages

    def warming(self, quick: bool) -> int:
        """``warm``, or those of a quick look."""
        return self.quick_warm if quick else self.warm


_ONE: Final = Scenario("", "Fan-out, one publication at a time", "", 0)
_BURST: Final = replace(_ONE, group="Fan-out, 64 publishers busy", publishers=64)
_PUBLISH: Final = Scenario(
    "", "Publishing", "", 1, kind="publish", figures=PUBLISH, judged=PUBLISH[:2], messages=WARM, warm=WARM
)
_BATCH: Final = replace(_PUBLISH, messages=60_000, warm=20_000, batch=100, needs=("batch",), publisher="batch")
_BOTH: Final = ("floor", "seth-pusher")

SCENARIOS: Final[tuple[Scenario, ...]] = (
    replace(_ONE, name="fanout-100", title="100 subscribers", conns=100, messages=1000, quick_messages=200, warm=1000),
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
        warm=3200,
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
    replace(
        _PUBLISH,
        name="publish",
        title="one POST at a time",
        quick_messages=2000,
        quick_warm=2000,
        turns=JUDGED_TURNS,
    ),
    replace(_PUBLISH, name="publish-64", title="64 connections busy", messages=12_800, warm=6400, publishers=64),
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
        warm=5000,
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
        warm=500,
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
        warm=100,
        rest_s=SESSION_S,
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
        figures=("hold_cpu_max_us", "hold_max_us", "hold_p99_us", "hold_p50_us", "server_cpu_us_per_delivery"),
        judged=("hold_cpu_max_us", "hold_p99_us"),
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


def facts(scenario: Scenario, quick: bool) -> ScenarioFacts:
    """What the results say of a scenario."""
    names = ("conns", "channels", "publishers", "size", "batch", "parallel")
    return ScenarioFacts(
        name=scenario.name,
        group=scenario.group,
        title=scenario.title,
        figures=scenario.figures,
        judged=scenario.judged,
        load={name: getattr(scenario, name) for name in names}
        | {
            "messages": scenario.publications(quick),
            "warm": scenario.warming(quick),
        },
    )
