"""The whole way once, with the real load generator, in small numbers: floor and this server, results, page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.bench import scenario

from benchmarks.page import write_page
from benchmarks.peers.floor import Floor
from benchmarks.peers.sethpusher import SethPusher
from benchmarks.programs import built
from benchmarks.rounds import Plan, measure
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.schema import read, write

pytestmark = pytest.mark.alone  # the generator spins


def small(one: Scenario) -> Scenario:
    """The same with few clients and messages."""
    return replace(
        one,
        conns=min(one.conns, 20 if one.channels == 1 else 30),
        channels=min(one.channels, 10),
        messages=one.batch * 64 if one.kind != "churn" else 5,
        quick_messages=0,
        quick_warm=min(one.warm, one.batch * 64 if one.kind != "churn" else 5),
        rest_s=0.0,
        timeout_s=20,
    )


def test_every_scenario_works(tmp_path: Path) -> None:
    scenarios = [small(one) for one in SCENARIOS]
    results = measure(
        Plan([Floor(), SethPusher()], scenarios, 1, [str(built("load"))], quick=True),
        lambda line: None,
        lambda kept: None,
    )
    failures = [(cell.scenario, cell.peer, run.failure) for cell in results.cells for run in cell.runs if run.failure]
    assert failures == []
    for cell in results.cells:
        if cell.peer == "seth-pusher":
            assert cell.runs, cell
            assert set(scenario(cell.scenario).figures) <= set(cell.runs[0].figures), cell
    write(tmp_path / "results.json", results)
    page = write_page(read(tmp_path / "results.json"), tmp_path)[0].read_text()
    assert page.count("| **seth-pusher** |") == len(scenarios)
