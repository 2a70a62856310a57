"""Results that nobody measured, and peers that serve nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.base import Dial, Dialect, Peer, Publish, Running
from benchmarks.scenarios import SCENARIOS, Scenario, facts
from benchmarks.schema import Cell, Machine, PeerFacts, Results, Run

MACHINE = Machine(
    cores=2,
    cpu="Abacus",
    memory_mib=2048,
    kernel="6.0",
    python="3.11.0",
    governor="performance",
    load_average=0.5,
    descriptors=20_000,
)


def scenario(name: str) -> Scenario:
    return next(one for one in SCENARIOS if one.name == name)


class Pretended(Peer):
    """A peer that is there, or not, without a process."""

    title = "nothing"
    install = "pip install nothing"

    def __init__(self, name: str, absent: str | None = None) -> None:
        self.name = name
        self.absent = absent
        self.dialect = Dialect(subscriber=Dial("/bench%c"), publish=Publish())

    def missing(self) -> str | None:
        return self.absent

    def version(self) -> str:
        return "1.2.3"

    def settings(self) -> str:
        return "none | at all"

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        assert not list(folder.iterdir())
        yield Running(1, 2, (3,))


def peer_facts(name: str, missing: str | None = None) -> PeerFacts:
    return PeerFacts(
        name=name,
        title=f"the {name}",
        version=None if missing else "1.2.3",
        settings="" if missing else "[settings]",
        install=f"install {name}",
        missing=missing,
    )


def cell(scenario: str, peer: str, *rounds: Mapping[str, float] | str) -> Cell:
    """A cell of what each round has measured, or of why it has not."""
    runs = (
        Run(round=number, place=1, figures={}, failure=told)
        if isinstance(told, str)
        else Run(round=number, place=1, figures=dict(told))
        for number, told in enumerate(rounds, 1)
    )
    return Cell(scenario=scenario, peer=peer, runs=tuple(runs))


def results(*cells: Cell, missing: Mapping[str, str] = {}) -> Results:
    """Results of these cells, with the peers and scenarios that occur in them."""
    peers = dict.fromkeys(one.peer for one in cells)
    scenarios = dict.fromkeys(one.scenario for one in cells)
    return Results(
        date="2026-01-02T03:04:05+00:00",
        commit="0123456789ab",
        quick=False,
        rounds=3,
        seconds=600.0,
        machine=MACHINE,
        peers=(*map(peer_facts, peers), *(peer_facts(name, why) for name, why in missing.items())),
        scenarios=tuple(facts(scenario(name), quick=False) for name in scenarios),
        cells=cells,
    )
