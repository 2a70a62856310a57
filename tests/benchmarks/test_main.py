"""The command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.bench import cell, results

from benchmarks import __main__ as command
from benchmarks.peers.registry import all_peers
from benchmarks.rounds import Plan
from benchmarks.scenarios import SCENARIOS
from benchmarks.schema import write


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """What would have been measured."""
    asked: list[Plan] = []

    def measure(plan: Plan, *_: object) -> object:
        asked.append(plan)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(command, "built", lambda name: Path(sys.executable))
    return asked


def test_the_list_names_servers_and_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == [*(peer.name for peer in all_peers()), *(scenario.name for scenario in SCENARIOS)]


def test_the_list_says_what_installs_a_server_that_is_not_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    command.main(["--list"])
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("release-0.2.2 ")]
    assert "; not here: pip download " in line


def test_all_is_measured_in_three_rounds(plans: list[Plan], tmp_path: Path) -> None:
    command.main([f"--out={tmp_path}"])
    [plan] = plans
    assert (len(plan.peers), len(plan.scenarios)) == (len(all_peers()), len(SCENARIOS))
    assert (plan.rounds, plan.quick, plan.budget_s) == (3, False, None)


def test_the_quick_look_is_one_round_of_some(plans: list[Plan], tmp_path: Path) -> None:
    command.main(["--quick", f"--out={tmp_path}"])
    [plan] = plans
    assert [scenario.name for scenario in plan.scenarios] == [
        "fanout-100",
        "fanout-1000",
        "burst-1000",
        "connect-1000",
        "publish",
    ]
    assert (plan.rounds, plan.quick) == (1, True)
    assert plan.budget_s is not None


def test_what_is_named_is_measured(plans: list[Plan], tmp_path: Path) -> None:
    words = ["--peer=seth-pusher", "--peer=floor", "--scenario=loop-hold", "--rounds=7", f"--out={tmp_path}"]
    command.main(words)
    [plan] = plans
    assert [peer.name for peer in plan.peers] == ["seth-pusher", "floor"]
    assert [scenario.name for scenario in plan.scenarios] == ["loop-hold"]
    assert plan.rounds == 7


def test_an_interrupt_says_what_is_left(plans: list[Plan], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([f"--out={tmp_path}"]) == 130
    assert f"{tmp_path / 'results.json'} has the rounds that had come to their end" in capsys.readouterr().err


def test_the_page_is_made_from_results_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "results.json", results(cell("replay-1000", "ws", "refused")))
    assert command.main(["page", str(tmp_path / "results.json"), f"--out={tmp_path / 'there'}"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "there/benchmarks.md")]
    assert "ws failed in 1 of 1 runs" in (tmp_path / "there/benchmarks.md").read_text()
