"""The table of scenarios says nothing that nobody understands."""

from __future__ import annotations

from dataclasses import fields

import pytest
from support.bench import scenario

from benchmarks.figures import FIGURES
from benchmarks.loads import load_for, warm_up_for
from benchmarks.peers.base import Dial, Dialect, Publish
from benchmarks.peers.release import Release022
from benchmarks.peers.sethpusher import SethPusher
from benchmarks.plots import PLOTS
from benchmarks.scenarios import ABILITIES, SCENARIOS, Scenario, unable

NAMES = {scenario.name for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_it_needs_and_shows_exists(scenario: Scenario) -> None:
    parts = {field.name for field in fields(Dialect)}
    assert set(scenario.needs) <= set(ABILITIES) <= parts | {"channels", "clusters"}
    assert {scenario.subscriber, scenario.publisher} <= parts
    assert set(scenario.judged) <= set(scenario.figures) <= set(FIGURES)
    assert scenario.messages % scenario.batch == 0
    assert scenario.warm % scenario.batch == scenario.quick_warm % scenario.batch == 0
    assert load_for(scenario, SethPusher(), quick=True).conns == scenario.conns


def test_names_are_unique_and_plots_are_of_them() -> None:
    assert len(NAMES) == len(SCENARIOS)
    for plot in PLOTS:
        assert {plot.at, *(name for _, name in plot.sizes)} <= NAMES
        assert plot.figure in FIGURES


@pytest.mark.parametrize(
    "scenario", [one for one in SCENARIOS if one.kind in ("connect", "replay")], ids=lambda s: s.name
)
def test_connecting_is_measured_cold(scenario: Scenario) -> None:
    assert (scenario.warm, scenario.quick_warm) == (0, 0)


def test_all_are_warmed_up_alike_but_for_what_goes_to_many() -> None:
    slow = Release022()
    assert slow.share > 1
    for name, count in (("publish", 10_000), ("batch-nobody", 20_000), ("fanout-100", 1000 // slow.share)):
        load = load_for(scenario(name), slow, quick=False)
        assert load.messages == scenario(name).messages // (slow.share if name == "fanout-100" else 1)
        warm_up = warm_up_for(scenario(name), load, slow, quick=False)
        assert warm_up is not None
        assert (warm_up.messages, warm_up.conns, warm_up.publish) == (count, load.conns, load.publish)


def test_a_quick_look_warms_up_for_publishing_alone() -> None:
    assert [one.name for one in SCENARIOS if one.quick_messages and one.quick_warm] == ["publish"]


def test_this_server_can_take_part_in_all() -> None:
    assert {unable(scenario, SethPusher.dialect, clusters=True) for scenario in SCENARIOS} == {None}


def test_who_can_do_little_is_told_what_is_lacking() -> None:
    little = Dialect(subscriber=Dial("/"), publish=Publish())
    lacks = {scenario.name: unable(scenario, little, clusters=False) for scenario in SCENARIOS}
    assert lacks["fanout-1000"] is None
    assert lacks["channels-1000"] == ABILITIES["channels"] == "one channel only"
    assert lacks["two-nodes-1000"] == ABILITIES["clusters"]
    assert lacks["replay-1000"] == "no history"
