"""Targets: held, missed, or open where nothing was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.bench import cell, results

from benchmarks.__main__ import main
from benchmarks.schema import OUT_OF_TIME, Cell, Results, write
from benchmarks.targets import Verdict, verdicts

CPU = "server_cpu_us_per_delivery"


def good() -> dict[tuple[str, str], dict[str, float]]:
    return {
        ("fanout-1000", "floor"): {CPU: 5.0, "p99_us": 1000.0},
        ("fanout-1000", "seth-pusher"): {CPU: 6.0, "p99_us": 1100.0},
        ("fanout-1000", "ws"): {CPU: 12.0, "p99_us": 4000.0},
        ("fanout-10000", "floor"): {CPU: 8.0},
        ("fanout-10000", "seth-pusher"): {CPU: 10.0},
        ("burst-1000", "seth-pusher"): {CPU: 0.5, "deliveries_per_s": 2e6},
        ("burst-1000", "ws"): {CPU: 9.0, "deliveries_per_s": 1e5},
        ("connect-5000", "seth-pusher"): {"connect_cpu_us": 250.0, "kib_per_conn": 5.0},
        ("loop-hold", "seth-pusher"): {"hold_cpu_max_us": 15_000.0},
        ("publish", "seth-pusher"): {"server_cpu_us_per_publication": 100.0},
        ("publish", "sockjs-node"): {"server_cpu_us_per_publication": 120.0},
    }


def judged(figures: dict[tuple[str, str], dict[str, float]]) -> list[Verdict]:
    return verdicts(made(figures))


def made(figures: dict[tuple[str, str], dict[str, float]]) -> Results:
    return results(*(cell(scenario, peer, told) for (scenario, peer), told in figures.items()))


def test_all_held() -> None:
    assert [verdict.line() for verdict in judged(good()) if not verdict.held] == []


@pytest.mark.parametrize(
    ("scenario", "peer", "figure", "value", "target"),
    [
        ("fanout-1000", "seth-pusher", CPU, 6.6, "CPU per delivery to 1,000"),
        ("fanout-10000", "seth-pusher", CPU, 12.0, "how much that ratio grows"),
        ("burst-1000", "seth-pusher", CPU, 0.8, "with 64 publishers busy"),
        ("fanout-1000", "seth-pusher", "p99_us", 1600.0, "p99 latency at 1,000"),
        ("connect-5000", "seth-pusher", "connect_cpu_us", 351.0, "that connects"),
        ("connect-5000", "seth-pusher", "kib_per_conn", 8.1, "memory per idle connection"),
        ("loop-hold", "seth-pusher", "hold_cpu_max_us", 20_100.0, "before a stranger's turn"),
        ("fanout-1000", "ws", CPU, 5.5, "ahead of every peer in fanout-1000, CPU"),
        ("fanout-1000", "ws", "p99_us", 500.0, "ahead of every peer in fanout-1000, latency"),
        ("burst-1000", "ws", "deliveries_per_s", 3e6, "ahead of every peer in burst-1000"),
        ("publish", "sockjs-node", "server_cpu_us_per_publication", 99.0, "CPU per HTTP publish"),
    ],
)
def test_each_can_be_missed(scenario: str, peer: str, figure: str, value: float, target: str) -> None:
    figures = good()
    figures[scenario, peer][figure] = value
    missed = [verdict for verdict in judged(figures) if verdict.held is False]
    assert [target in verdict.target for verdict in missed] == [True], missed


def test_what_was_not_measured_is_open() -> None:
    figures = good()
    del figures["loop-hold", "seth-pusher"], figures["publish", "sockjs-node"]
    assert [verdict.found for verdict in judged(figures) if verdict.held is None] == ["not measured"] * 2


@pytest.mark.parametrize(
    ("other", "found", "held"),
    [
        (cell("fanout-1000", "slow", "1 missing", "1 missing"), "ahead of ws; not measured: slow", None),
        (Cell(scenario="fanout-1000", peer="slow", passed_over=OUT_OF_TIME), "ahead of ws; not measured: slow", None),
        (Cell(scenario="fanout-1000", peer="slow", passed_over="not installed: Go"), "ahead of ws", True),
        (Cell(scenario="fanout-1000", peer="slow", passed_over="no history"), "ahead of ws", True),
    ],
)
def test_ahead_of_every_peer_is_open_while_one_is_unknown(other: Cell, found: str, held: bool | None) -> None:
    known = [cell("fanout-1000", peer, {CPU: value}) for peer, value in (("seth-pusher", 5.0), ("ws", 6.0))]
    [verdict] = [
        one for one in verdicts(results(*known, other)) if one.target.endswith("fanout-1000, CPU per delivery, µs")
    ]
    assert (verdict.found, verdict.held) == (found, held)


def test_a_failed_run_of_ours_is_a_target_missed() -> None:
    first = verdicts(results(cell("fanout-1000", "seth-pusher", {CPU: 5.0}, "1 doubled")))[0]
    assert (first.held, first.found) == (False, "1 of 2 runs failed; 1 doubled")


def test_the_longest_wait_counts_in_every_round() -> None:
    wait = results(cell("loop-hold", "seth-pusher", *({"hold_cpu_max_us": value} for value in (9e3, 9e3, 2.5e4))))
    [verdict] = [verdict for verdict in verdicts(wait) if "stranger" in verdict.target]
    assert (verdict.held, verdict.found) == (False, "25.0")


def test_the_exit_code_says_whether_all_are_held(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    write(path, made(good()))
    assert main(["targets", str(path)]) == 0
    assert all(line.startswith("held") for line in capsys.readouterr().out.splitlines())
    write(path, made(good() | {("loop-hold", "seth-pusher"): {"hold_cpu_max_us": 3e4}}))
    assert main(["targets", str(path)]) == 1
    assert "MISSED  the longest work before a stranger's turn" in capsys.readouterr().out
