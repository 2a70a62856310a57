"""Interleaved rounds: within a round all peers take their turn in a scenario, each time another begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

from .loading import Failure
from .machine import commit, this_machine
from .peers.base import Peer
from .scenarios import Scenario, facts, unable
from .schema import OUT_OF_TIME, Cell, PeerFacts, Results, Run
from .work import measured

__all__ = ["Plan", "measure", "order"]

ROOT: Final = Path(__file__).parents[1]
REASON: Final = 400
"""Characters of a failure's reason that are kept, about."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured.

    Attributes:
        peers: The servers, in the order of the first round.
        scenarios: What is done to each.
        rounds: How often.
        generator: The load generator's program, with what stands before its arguments.
        quick: Whether with few messages.
        budget_s: Seconds after which no run begins; None: there is no hurry.
    """

    peers: Sequence[Peer]
    scenarios: Sequence[Scenario]
    rounds: int
    generator: Sequence[str]
    quick: bool = False
    budget_s: float | None = None


def order(peers: Sequence[Peer], turn: int) -> list[Peer]:
    """The peers in the order of a scenario's turn, from 1: each begins one further on than the last."""
    first = (turn - 1) % len(peers) if peers else 0
    return [*peers[first:], *peers[:first]]


def measure(plan: Plan, say: Callable[[str], None], keep: Callable[[Results], None]) -> Results:
    """Measures all that a plan asks for.

    Args:
        plan: What.
        say: Told in a line what is done and what came of it.
        keep: Given the results so far after each round, so that an end in between loses little.
    """
    return _Measuring(plan, say).all(keep)


class _Measuring:
    """One call of :func:`measure`."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._say = say
        self._begun = monotonic()
        self._rounds_done = 0
        self._date = datetime.now(UTC).isoformat(timespec="seconds")
        self._machine = this_machine()
        self._commit = commit(ROOT)
        self._peers = tuple(_facts(peer) for peer in plan.peers)
        self._runs: dict[tuple[str, str], list[Run]] = {}
        self._passed_over: dict[tuple[str, str], str] = {}
        self._present = [peer for peer, told in zip(plan.peers, self._peers, strict=True) if told.missing is None]

    def all(self, keep: Callable[[Results], None]) -> Results:
        for told in self._peers:
            if told.missing is not None:
                self._say(f"{told.name} is passed over: {told.missing} is not there; {told.install}")
        for scenario in self._plan.scenarios:
            self._look_over(scenario)
        for round in range(1, self._plan.rounds + 1):
            for scenario in self._plan.scenarios:
                self._round(scenario, round)
            self._rounds_done = round
            keep(self._results())
        return self._results()

    def _look_over(self, scenario: Scenario) -> None:
        """Decides who takes part in a scenario, and says why others do not."""
        for peer, told in zip(self._plan.peers, self._peers, strict=True):
            if scenario.only and peer.name not in scenario.only:
                continue
            reason = f"not installed: {told.missing}" if told.missing is not None else None
            reason = reason or unable(scenario, peer.dialect, peer.clusters)
            key = (scenario.name, peer.name)
            self._runs[key] = []
            if reason is not None:
                self._passed_over[key] = reason

    def _round(self, scenario: Scenario, round: int) -> None:
        turns = 1 if self._plan.quick else scenario.turns
        for turn in range((round - 1) * turns + 1, round * turns + 1):
            self._turn(scenario, round, turn)

    def _turn(self, scenario: Scenario, round: int, turn: int) -> None:
        for place, peer in enumerate(order(self._present, turn), 1):
            key = (scenario.name, peer.name)
            if key not in self._runs or key in self._passed_over:
                continue
            if self._plan.budget_s is not None and monotonic() - self._begun > self._plan.budget_s:
                if not self._runs[key]:
                    self._passed_over[key] = OUT_OF_TIME
                    self._say(f"round {round}: {scenario.name}: {peer.name}: {OUT_OF_TIME}")
                continue
            run = self._run(scenario, peer, round, place)
            self._runs[key].append(run)

    def _run(self, scenario: Scenario, peer: Peer, round: int, place: int) -> Run:
        begun = monotonic()
        try:
            run = Run(
                round=round, place=place, figures=measured(scenario, peer, self._plan.generator, self._plan.quick)
            )
        except Failure as failure:
            run = Run(round=round, place=place, figures={}, failure=_short(str(failure)))
        chief = scenario.figures[0]
        came = f"failed: {run.failure}" if run.failure else f"{chief} {run.figures.get(chief, float('nan')):.4g}"
        self._say(f"round {round}: {scenario.name}: {peer.name}: {came} ({monotonic() - begun:.1f} s)")
        return run

    def _results(self) -> Results:
        return Results(
            date=self._date,
            commit=self._commit,
            quick=self._plan.quick,
            rounds=self._rounds_done,
            seconds=round(monotonic() - self._begun, 1),
            machine=self._machine,
            peers=self._peers,
            scenarios=tuple(facts(scenario, self._plan.quick) for scenario in self._plan.scenarios),
            cells=tuple(
                Cell(
                    scenario=scenario, peer=peer, runs=tuple(runs), passed_over=self._passed_over.get((scenario, peer))
                )
                for (scenario, peer), runs in self._runs.items()
            ),
        )


def _short(text: str) -> str:
    """A reason in one line; of a long one (the end of a server's log) its two ends."""
    line = " ".join(text.split())
    return line if len(line) <= REASON else f"{line[: REASON // 2]} ... {line[-REASON // 2 :]}"


def _facts(peer: Peer) -> PeerFacts:
    missing = peer.missing()
    return PeerFacts(
        name=peer.name,
        title=peer.title,
        version=peer.version() if missing is None else None,
        settings=_settings(peer) if missing is None else "",
        install=peer.install,
        missing=missing,
    )


def _settings(peer: Peer) -> str:
    share = f"# it gets 1 in {peer.share} of the messages, where they go to many\n" if peer.share > 1 else ""
    return share + peer.settings()
