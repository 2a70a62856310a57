"""The command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.bench import cell, results

from benchmarks import __main__ as command
from benchmarks import programs
from benchmarks.peers.registry import all_peers
from benchmarks.rounds import Plan
from benchmarks.scenarios import SCENARIOS
from benchmarks.schema import Cell, Results, write


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
    write(tmp_path / "results.json", results())  # of an earlier call
    assert command.main([f"--out={tmp_path}"]) == 130
    assert "interrupted; no round had come to its end" in capsys.readouterr().err


def measures(monkeypatch: pytest.MonkeyPatch, told: Results, then: type[BaseException] | None = None) -> None:
    """Has this measured, and kept; and then perhaps interrupts."""

    def measure(plan: Plan, say: object, keep: Callable[[Results], None]) -> Results:
        keep(told)
        if then is not None:
            raise then
        return told

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(command, "built", lambda name: Path(sys.executable))


def test_an_interrupt_in_a_later_round_names_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measures(monkeypatch, results(), KeyboardInterrupt)
    assert command.main([f"--out={tmp_path}"]) == 130
    assert f"{tmp_path / 'results.json'} has what was measured until round 3 ended" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cells", "code", "said"),
    [
        ([cell("publish", "ws", {"p99_us": 1.0}, "1 missing")], 0, ""),
        (
            [cell("publish", "ws", "1 missing", "refused"), cell("publish", "nats", {"p99_us": 1.0})],
            1,
            "no result: every run of ws in publish failed\n",
        ),
        (
            [Cell(scenario="publish", peer="ws", passed_over="not installed: ws")],
            1,
            "no result: nothing was measured\n",
        ),
        ([], 1, "no result: nothing was measured\n"),
    ],
)
def test_without_a_result_the_exit_code_is_one(
    cells: list[Cell],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    measures(monkeypatch, results(*cells))
    assert (command.main([f"--out={tmp_path}"]), capsys.readouterr().err) == (code, said)


def test_what_is_named_twice_counts_once(plans: list[Plan], tmp_path: Path) -> None:
    command.main(["--peer=nats", "--peer=ws", "--peer=nats", *["--scenario=publish"] * 2, f"--out={tmp_path}"])
    [plan] = plans
    assert ([peer.name for peer in plan.peers], [one.name for one in plan.scenarios]) == (["nats", "ws"], ["publish"])


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The last line of what is said; nothing else is, but how it is called."""
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 2
    *usage, line = capsys.readouterr().err.splitlines()
    assert not usage or usage[0].startswith("usage: ")
    return line


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_there_is_no_less_than_one_round(
    rounds: str, plans: list[Plan], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--rounds" in refused([f"--rounds={rounds}", f"--out={tmp_path}"], capsys)
    assert not plans


@pytest.mark.parametrize("out", ["file", "file/below", "taken", "/proc/sys/none"])
def test_where_nothing_can_be_written_nothing_is_measured(
    out: str, plans: list[Plan], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "taken/results.json").mkdir(parents=True)
    assert "python -m benchmarks: [Errno" in refused([f"--out={tmp_path / out}"], capsys)
    assert not plans


def test_without_a_compiler_there_is_a_line_that_says_so(
    plans: list[Plan], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "built", programs.built)
    monkeypatch.setattr(programs, "HERE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refused([f"--out={tmp_path}"], capsys) == "python -m benchmarks: there is no C compiler: apt install gcc"


@pytest.mark.parametrize("word", ["page", "targets"])
@pytest.mark.parametrize("content", [None, b"", b'{"schema": 1, "date"', b"\xff", b'{"other": 1}', b"[]"])
def test_what_is_no_file_of_results_is_said_in_a_line(
    word: str, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.json"
    if content is not None:
        path.write_bytes(content)
    assert str(path) in refused([word, str(path)], capsys)


def test_a_page_that_cannot_be_written_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "results.json", results(cell("publish", "ws", {"p99_us": 1.0})))
    assert "[Errno" in refused(["page", str(tmp_path / "results.json"), f"--out={tmp_path}/results.json"], capsys)


def test_the_page_is_made_from_results_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "results.json", results(cell("replay-1000", "ws", "refused")))
    assert command.main(["page", str(tmp_path / "results.json"), f"--out={tmp_path / 'there'}"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "there/benchmarks.md")]
    assert "ws failed in 1 of 1 runs" in (tmp_path / "there/benchmarks.md").read_text()
