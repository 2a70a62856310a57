"""The table of scenarios says nothing that nobody understands."""

from __future__ import annotations

from dataclasses import fields

import pytest

from benchmarks.figures import FIGURES
from benchmarks.peers.base import Dial, Dialect, Publish
from benchmarks.peers.sethpusher import SethPusher
from benchmarks.plots import PLOTS
from benchmarks.scenarios import ABILITIES, SCENARIOS, Scenario, load_for, unable

NAMES = {scenario.name for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_it_needs_and_shows_exists(scenario: Scenario) -> None:
    parts = {field.name for field in fields(Dialect)}
    assert set(scenario.needs) <= set(ABILITIES) <= parts | {"channels", "clusters"}
    assert {scenario.subscriber, scenario.publisher} <= parts
    assert set(scenario.judged) <= set(scenario.figures) <= set(FIGURES)
    assert scenario.messages % scenario.batch == 0
    assert load_for(scenario, SethPusher(), quick=True).conns == scenario.conns


def test_names_are_unique_and_plots_are_of_them() -> None:
    assert len(NAMES) == len(SCENARIOS)
    for plot in PLOTS:
        assert {plot.at, *(name for _, name in plot.sizes)} <= NAMES
        assert plot.figure in FIGURES


def test_this_server_can_take_part_in_all() -> None:
    assert {unable(scenario, SethPusher.dialect, clusters=True) for scenario in SCENARIOS} == {None}


def test_who_can_do_little_is_told_what_is_lacking() -> None:
    little = Dialect(subscriber=Dial("/"), publish=Publish())
    lacks = {scenario.name: unable(scenario, little, clusters=False) for scenario in SCENARIOS}
    assert lacks["fanout-1000"] is None
    assert lacks["channels-1000"] == ABILITIES["channels"] == "one channel only"
    assert lacks["two-nodes-1000"] == ABILITIES["clusters"]
    assert lacks["replay-1000"] == "no history"
