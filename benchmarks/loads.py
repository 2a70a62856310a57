"""What the load generator does in a run of a scenario: before it is measured, and then."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .loading import Load
from .peers.base import Peer
from .scenarios import Scenario

__all__ = ["load_for", "warm_up_for"]

SETTLE_MS: Final = 300
QUICK_SETTLE_MS: Final = 100


def load_for(scenario: Scenario, peer: Peer, quick: bool) -> Load:
    """What the load generator does to a peer that has all that the scenario needs."""
    dialect = peer.dialect
    messages = scenario.publications(quick)
    if scenario.kind != "replay":
        messages = _shared(messages, scenario, peer)
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


def warm_up_for(scenario: Scenario, load: Load, peer: Peer, quick: bool) -> Load | None:
    """What comes before a load, and is like it but for its length; None: nothing does.

    Of both, all peers get as many, but where each publication goes to many: there the slow ones get their share.
    """
    count = scenario.warming(quick)
    if not count:
        return None
    count = _shared(count, scenario, peer)
    load = replace(load, settle_ms=QUICK_SETTLE_MS)
    return replace(load, cycles=count) if scenario.kind == "churn" else replace(load, messages=count)


def _shared(count: int, scenario: Scenario, peer: Peer) -> int:
    if scenario.conns <= 1:
        return count
    return max(count // peer.share, min(count, scenario.publishers))
