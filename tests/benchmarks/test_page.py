"""The page: figures with their spread and ratios, and everything that went wrong by name."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest
from support.bench import cell, results

from benchmarks.page import page, write_page
from benchmarks.schema import Cell, Results

CPU = "server_cpu_us_per_delivery"


def made_up() -> Results:
    return results(
        cell("fanout-1000", "floor", {CPU: 4.0}, {CPU: 4.0}, {CPU: 4.0}),
        cell("fanout-1000", "seth-pusher", {CPU: 5.0, "p99_us": 900.0}, {CPU: 6.0}, {CPU: 4.8}),
        cell("fanout-1000", "ws", {CPU: 10.0, "p99_us": 800.0}, "2 missing; first at | connection 3", {CPU: 20.0}),
        cell("fanout-1000", "socket.io", "refused", "refused", "refused"),
        Cell(scenario="fanout-1000", peer="nchan", passed_over="no *history*"),
        missing={"nats": "nats-server"},
    )


def row(text: str, name: str) -> list[str]:
    [line] = [line for line in text.splitlines() if line.startswith(f"| {name}")]
    return [part.strip() for part in line.strip("|").split("|")]


def test_a_row_has_median_spread_and_ratios() -> None:
    assert row(page(made_up()), "**seth-pusher**")[1:4] == ["5.00 (4.80..6.00)", "1.25", "1.00"]


def test_how_often_it_was_measured_and_behind_what_is_said() -> None:
    once = cell("publish", "ws", {"server_cpu_us_per_publication": 9.0})
    text = page(results(once, cell("connect-1000", "ws", {"connect_cpu_us": 9.0}, {"connect_cpu_us": 9.0})))
    assert "\n\n1 run each, warmed up by 10,000 publications.\n\n| server | CPU per publication" in text
    assert "\n\n2 runs each, not warmed up.\n\n| server | CPU per connection" in text
    joins = cell("churn-1000", "ws", {"server_cpu_us_per_cycle": 9.0, "cycles_per_s": 9.0})
    assert "1 run each, warmed up by 500 cycles of each client." in page(results(joins))
    few = results(once, cell("publish", "nats", *[{"server_cpu_us_per_publication": 9.0}] * 3))
    assert "1 to 3 runs each" in page(few)
    old = msgspec.structs.replace(few.scenarios[0], load={"conns": 1})
    assert "runs each, not warmed up." in page(msgspec.structs.replace(few, scenarios=(old,)))


def test_rows_are_in_order_of_the_first_figure() -> None:
    lines = [line for line in page(made_up()).splitlines() if line.startswith("| ")]
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["floor", "**seth-pusher**", "ws†"]


def test_what_failed_is_said_with_its_reason_and_gives_no_figure() -> None:
    text = page(made_up())
    assert row(text, "ws†")[1:4] == ["15.0 (10.0..20.0)", "3.75", "3.00"]
    assert "* † **ws failed in 1 of 3 runs.** round 2: 2 missing; first at \\| connection 3" in text
    assert "* † **socket.io failed in 3 of 3 runs.** round 1: refused; round 2: refused; round 3: refused" in text
    assert "| socket.io" not in text


def test_who_was_passed_over_is_named_with_the_line_that_installs_it() -> None:
    text = page(made_up())
    assert "Passed over, because not installed: nats (nats-server; `install nats`)." in text
    assert "Passed over: nchan (no \\*history\\*)." in text


def test_where_others_do_better_is_said() -> None:
    text = page(made_up())
    behind = text[text.index("## Where Seth-Pusher is not ahead") :]
    assert "1,000 subscribers: latency p99, µs: ws 800; ours 900" in behind
    assert "CPU per delivery, µs: " not in behind[: behind.index("## What")]
    alone = results(cell("fanout-1000", "floor", {CPU: 4.0}), cell("fanout-1000", "seth-pusher", {CPU: 5.0}))
    assert "No other server was measured." in page(alone)
    best = results(cell("fanout-1000", "seth-pusher", {CPU: 5.0}), cell("fanout-1000", "ws", {CPU: 6.0}))
    assert "In no figure by which we judge does one of ws do better." in page(best)


def test_what_we_hold_ourselves_to_is_said_with_what_is_missed() -> None:
    text = page(made_up())
    assert (
        "* **MISSED**: ahead of every peer in fanout-1000, latency p99, µs: behind ws; not measured: socket.io" in text
    )
    assert "* **held**: CPU per delivery to 1,000, one at a time, in the floor's, at most 1.3: 1.25" in text
    assert "* **open**: memory per idle connection at 5,000, KiB, at most 8: not measured" in text


def test_what_the_floor_does_not_bound_is_not_compared_with_it() -> None:
    cost = {"server_cpu_us_per_publication": 9.0}
    assert "/ floor |" in page(made_up())
    text = page(
        results(cell("publish", "floor", cost), cell("publish", "ws", cost), cell("fanout-1000", "ws", {CPU: 5.0}))
    )
    assert "| ws | 9.00 |" in text
    assert "/ floor |" not in text


def test_machine_versions_and_settings_are_printed() -> None:
    text = page(made_up())
    for told in ("2 cores (Abacus, governor performance)", "Linux 6.0", "0123456789ab", "2026-01-02", "Version: 1.2.3"):
        assert told in text
    assert "```text\n[settings]\n```" in text
    assert "quick look" not in text
    assert "quick look" in page(msgspec.structs.replace(made_up(), quick=True))


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="the plots need matplotlib")
def test_the_plots_that_the_page_shows_are_drawn_the_same_each_time(tmp_path: Path) -> None:
    one, other = (write_page(made_up(), tmp_path / name) for name in ("one", "other"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    text = one[0].read_text()
    images = [path for path in one if path.suffix == ".svg"]
    assert images
    for path in images:
        assert f"](images/{path.name})" in text
        assert path.stat().st_size < 60_000
        assert ">ws<" in path.read_text()


def test_the_page_shows_no_plot_of_nothing() -> None:
    text = page(results(cell("fanout-1000", "ws", "refused")))
    assert "images/" not in text
