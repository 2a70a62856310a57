"""How one run of a scenario goes: the peer is started afresh, loaded, and ended."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import sleep

from .loading import Failure, Load, run
from .loads import load_for, warm_up_for
from .peers.base import Peer, Running
from .probing import Probe
from .processes import redis_server
from .scenarios import Scenario

__all__ = ["measured"]


def measured(scenario: Scenario, peer: Peer, generator: Sequence[str], quick: bool) -> dict[str, float]:
    """One run of a peer in a scenario, warmed up where the scenario says so: what was measured, by figure.

    Args:
        scenario: What is done.
        peer: To whom; it has all that the scenario needs.
        generator: The load generator's program, with what stands before its arguments.
        quick: Whether with the few messages of a quick look.

    Raises:
        Failure: It is not a result; its text says why.
    """
    load = load_for(scenario, peer, quick)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch, ExitStack() as stack:
            if scenario.kind == "cluster":
                server, more_pids = _cluster(peer, Path(scratch), stack)
            else:
                server, more_pids = stack.enter_context(peer.running(Path(scratch))), ()
            if warm_up := warm_up_for(scenario, load, peer, quick):
                _warm_up(generator, warm_up, server)
                sleep(scenario.rest_s)
            if scenario.kind == "replay":
                _fill(peer, generator, load, server)
            if scenario.kind == "hold":
                return _held(peer, generator, load, server)
            return _derived(scenario, run(generator, load, server, more_pids))
    except (RuntimeError, OSError) as error:
        raise Failure(str(error)) from error


def _cluster(peer: Peer, folder: Path, stack: ExitStack) -> tuple[Running, tuple[int, ...]]:
    """Two nodes: published at the one, subscribed at the other; CPU time is that of both, and of Redis."""
    redis, nodes = folder / "redis", folder / "nodes"
    redis.mkdir()
    nodes.mkdir()
    port, pid = stack.enter_context(redis_server(redis))
    one, other = stack.enter_context(peer.cluster(nodes, port))
    return Running(other.port, one.publish_port, (*one.pids, *other.pids)), (pid,)


def _warm_up(generator: Sequence[str], load: Load, server: Running) -> None:
    """Puts a load on it that is not measured, in which nothing may fail either."""
    try:
        run(generator, load, server)
    except Failure as failure:
        raise Failure(f"while it was warmed up: {failure}") from failure


def _fill(peer: Peer, generator: Sequence[str], load: Load, server: Running) -> None:
    """Publishes what is to be read back."""
    kept = replace(load, conns=0, replay=0, publish=peer.dialect.kept_publish, messages=load.replay, window=1)
    run(generator, kept, server)


def _held(peer: Peer, generator: Sequence[str], load: Load, server: Running) -> dict[str, float]:
    """The load, while somebody else publishes; only what was asked during the fan-outs counts."""
    assert peer.dialect.probe is not None, "the scenario needs it"
    with Probe(server.port, peer.dialect.probe, server.pids[0]) as probe:
        figures = run(generator, load, server)
    return figures | probe.figures(figures["began_ns"], figures["ended_ns"])


def _derived(scenario: Scenario, figures: dict[str, float]) -> dict[str, float]:
    """With what follows from what the generator told."""
    more = {}
    if figures.get("connect_s"):
        more["connects_per_s"] = scenario.conns / figures["connect_s"]
    if "memory_end_kib" in figures:
        more["memory_end_mib"] = figures["memory_end_kib"] / 1024
    return figures | more
