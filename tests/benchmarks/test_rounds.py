"""Rounds: who takes part, in which order, and what becomes of a run that fails."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.bench import Pretended, scenario

from benchmarks.peers.base import Churn
from benchmarks.rounds import Plan, measure, order
from benchmarks.schema import Results, read, write

STUB = Path(__file__).parent / "stub.py"
FINE = {"told": {"delivered": 9, "wanted": 9, "server_cpu_us_per_delivery": 4.5, "memory_end_kib": 2048}}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Sets what the stub answers, call by call, and gives it as a generator."""
    monkeypatch.setenv("STUB_ANSWERS", str(tmp_path / "answers.json"))
    monkeypatch.setenv("STUB_CALLS", str(tmp_path / "calls"))

    def stub(*told: Any) -> list[str]:
        (tmp_path / "answers.json").write_text(json.dumps(told))
        return [sys.executable, str(STUB)]

    return stub


def measured(plan: Plan) -> tuple[Results, list[str]]:
    said: list[str] = []
    return measure(plan, said.append, lambda results: None), said


def test_each_turn_begins_with_another_peer() -> None:
    peers = [Pretended(name) for name in "abc"]
    assert ["".join(peer.name for peer in order(peers, turn)) for turn in (1, 2, 3, 4)] == [
        "abc",
        "bca",
        "cab",
        "abc",
    ]


def test_peers_take_turns_within_a_round(answers: Any) -> None:
    plan = Plan([Pretended("a"), Pretended("b")], [scenario("fanout-100")], 2, answers(FINE))
    results, said = measured(plan)
    assert [line.split(": ")[2] for line in said] == ["a", "b", "b", "a"]
    for peer, places in (("a", [1, 2]), ("b", [2, 1])):
        cell = results.cell("fanout-100", peer)
        assert cell is not None
        assert [(run.round, run.place) for run in cell.runs] == list(enumerate(places, 1))
        assert all(run.figures["memory_end_mib"] == 2.0 for run in cell.runs)


@pytest.mark.parametrize(("quick", "turns"), [(False, 3), (True, 1)])
def test_what_is_judged_by_latency_comes_more_often(answers: Any, quick: bool, turns: int) -> None:
    plan = Plan([Pretended("a"), Pretended("b")], [scenario("fanout-1000")], 2, answers(FINE), quick=quick)
    results, said = measured(plan)
    assert [line.split(": ")[2] for line in said] == (["a", "b", "b", "a"] * 3)[: 4 * turns]
    cell = results.cell("fanout-1000", "a")
    assert cell is not None
    assert [run.round for run in cell.runs] == [1] * turns + [2] * turns


def test_a_failed_run_stands_in_the_results_with_its_reason(answers: Any) -> None:
    generator = answers(FINE, {"code": 3, "told": FINE["told"], "said": "1 missing"}, FINE)
    results, said = measured(Plan([Pretended("a")], [scenario("fanout-10000")], 3, generator))
    cell = results.cell("fanout-10000", "a")
    assert cell is not None
    assert [run.failure for run in cell.runs] == [None, "1 missing", None]
    assert cell.runs[1].figures == {}
    assert "failed: 1 missing" in said[1]


def test_a_long_reason_is_kept_by_its_ends(answers: Any) -> None:
    generator = answers({"code": 1, "said": f"began {'.' * 5000} ended"})
    results, _ = measured(Plan([Pretended("a")], [scenario("fanout-10000")], 1, generator))
    reason = results.cells[0].runs[0].failure
    assert reason is not None
    assert len(reason) < 450
    assert (reason[:5], reason[-5:]) == ("began", "ended")


def test_who_is_missing_or_unable_is_passed_over_by_name(answers: Any) -> None:
    peers = [Pretended("a"), Pretended("b", absent="Node.js")]
    plan = Plan(peers, [scenario("replay-1000"), scenario("fanout-15000")], 1, answers(FINE))
    results, said = measured(plan)
    assert said == ["b is passed over: Node.js is not there; pip install nothing"]
    why = {cell.peer: cell.passed_over for cell in results.cells if cell.scenario == "replay-1000"}
    assert why == {"a": "no history", "b": "not installed: Node.js"}
    assert results.cell("fanout-15000", "a") is None  # it is for others
    assert {peer.name: peer.version for peer in results.peers} == {"a": "1.2.3", "b": None}


def test_when_time_is_up_it_is_said(answers: Any) -> None:
    plan = Plan([Pretended("a")], [scenario("fanout-100")], 1, answers(FINE), budget_s=-1.0)
    results, said = measured(plan)
    cell = results.cell("fanout-100", "a")
    assert cell is not None
    assert (cell.runs, cell.passed_over) == ((), "out of time")
    assert said == ["round 1: fanout-100: a: out of time"]


def test_results_are_kept_after_each_round_and_read_back_as_they_were(answers: Any, tmp_path: Path) -> None:
    plan = Plan([Pretended("a")], [scenario("fanout-100"), scenario("replay-1000")], 2, answers(FINE), quick=True)
    kept: list[Results] = []
    results = measure(plan, lambda line: None, kept.append)
    assert [len(one.cells[0].runs) for one in kept] == [1, 2]
    write(tmp_path / "results.json", results)
    assert read(tmp_path / "results.json") == results


def test_results_of_another_version_are_refused(answers: Any, tmp_path: Path) -> None:
    results, _ = measured(Plan([], [], 0, answers(FINE)))
    write(
        tmp_path / "results.json",
        results.__class__(**{f: getattr(results, f) for f in results.__struct_fields__} | {"schema": 0}),
    )
    with pytest.raises(ValueError, match="version 0"):
        read(tmp_path / "results.json")


def test_the_quick_look_publishes_less(answers: Any, tmp_path: Path) -> None:
    few = replace(scenario("fanout-100"), quick_messages=7)
    measured(Plan([Pretended("a")], [few], 1, answers(FINE), quick=True))
    [call] = map(json.loads, (tmp_path / "calls").read_text().splitlines())
    assert call[call.index("--messages") + 1] == "7"


def test_it_is_warmed_up_on_the_same_server_and_that_is_no_figure(answers: Any, tmp_path: Path) -> None:
    one = replace(scenario("churn-1000"), warm=3, conns=2, publishers=1, needs=())
    generator = answers({"told": FINE["told"] | {"server_cpu_us_per_cycle": 200.0}}, FINE)
    peer = Pretended("a")
    peer.dialect = replace(peer.dialect, churn=Churn("join", "leave", "joined", "left"))
    results, _ = measured(Plan([peer], [one], 1, generator))
    assert "server_cpu_us_per_cycle" not in results.cells[0].runs[0].figures
    assert results.scenarios[0].load["warm"] == 3
    first, second = map(json.loads, (tmp_path / "calls").read_text().splitlines())
    for flag, told in (("--cycles", ("3", "500")), ("--port", ("1", "1")), ("--conns", ("2", "2"))):
        assert tuple(call[call.index(flag) + 1] for call in (first, second)) == told


def test_what_fails_while_it_is_warmed_up_is_a_failed_run(answers: Any) -> None:
    generator = answers({"code": 3, "said": "1 missing"}, FINE)
    results, _ = measured(Plan([Pretended("a")], [scenario("publish-64")], 1, generator))
    assert [run.failure for run in results.cells[0].runs] == ["while it was warmed up: 1 missing"]


def test_replay_is_filled_before_it_is_measured(answers: Any, tmp_path: Path) -> None:
    peer = Pretended("a")
    peer.dialect = replace(peer.dialect, replay=peer.dialect.subscriber, kept_publish=peer.dialect.publish)
    measured(Plan([peer], [scenario("replay-1000")], 1, answers(FINE)))
    fill, replay = map(json.loads, (tmp_path / "calls").read_text().splitlines())
    assert fill[fill.index("--messages") + 1] == "1000"
    assert fill[fill.index("--conns") + 1] == "0"
    assert replay[replay.index("--replay") + 1] == "1000"
    assert "--publish" not in replay
