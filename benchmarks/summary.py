"""Medians, spread and ratios of what the rounds have measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .figures import FIGURES
from .schema import Cell, Results

__all__ = ["FLOOR", "OWN", "Middle", "ahead_of_us", "middle", "middle_of", "ratio", "resultless"]

FLOOR: Final = "floor"
OWN: Final = "seth-pusher"


@dataclass(frozen=True, slots=True)
class Middle:
    """A figure over the rounds of a cell.

    Attributes:
        median: The median of the rounds that are results.
        least: The least.
        most: The most.
        rounds: How many there are.
    """

    median: float
    least: float
    most: float
    rounds: int


def middle(cell: Cell | None, key: str) -> Middle | None:
    """A figure over the rounds of a cell; None: no round has measured it."""
    runs = cell.runs if cell else ()
    values = [run.figures[key] for run in runs if run.failure is None and key in run.figures]
    return Middle(statistics.median(values), min(values), max(values), len(values)) if values else None


def middle_of(results: Results, scenario: str, peer: str, key: str) -> Middle | None:
    """The same, by name."""
    return middle(results.cell(scenario, peer), key)


def ratio(one: Middle | None, other: Middle | None) -> float | None:
    """How many times the other the one is, by their medians; None: one of them is not known, or the other is 0."""
    return one.median / other.median if one and other and other.median else None


def ahead_of_us(results: Results) -> Iterator[tuple[str, str, str, float]]:
    """Where a peer other than the floor does better: scenario, figure, peer, and how many times we need or reach."""
    for scenario in results.scenarios:
        for key in scenario.judged:
            own = middle_of(results, scenario.name, OWN, key)
            for peer in results.peers:
                theirs = middle_of(results, scenario.name, peer.name, key)
                if own is None or theirs is None or peer.name in (FLOOR, OWN):
                    continue
                better = theirs.median < own.median if FIGURES[key].less else theirs.median > own.median
                if better:
                    yield scenario.name, key, peer.name, own.median / theirs.median if theirs.median else float("inf")


def resultless(results: Results) -> Iterator[str]:
    """What was to be measured and gave no result, in words: no run of it went well, or nothing ran at all.

    A cell for which there was no time in a quick look is none of these; neither is one that was passed over.
    """
    failed = [cell for cell in results.cells if cell.runs and all(run.failure is not None for run in cell.runs)]
    yield from (f"every run of {cell.peer} in {cell.scenario} failed" for cell in failed)
    if not any(cell.runs for cell in results.cells):
        yield "nothing was measured"
