"""Medians, spread, ratios, and who is ahead."""

from __future__ import annotations

import pytest
from support.bench import cell, results

from benchmarks.figures import shown
from benchmarks.summary import Middle, ahead_of_us, middle, ratio

CPU = "server_cpu_us_per_delivery"


def test_a_figure_is_the_median_of_its_rounds_with_the_least_and_the_most() -> None:
    assert middle(cell("fanout-100", "ws", {CPU: 9.0}, {CPU: 4.0}, {CPU: 5.0}), CPU) == Middle(5.0, 4.0, 9.0, 3)
    assert middle(cell("fanout-100", "ws", {CPU: 4.0}, {CPU: 5.0}), CPU) == Middle(4.5, 4.0, 5.0, 2)


def test_a_failed_round_gives_no_figure() -> None:
    assert middle(cell("fanout-100", "ws", {CPU: 4.0}, "3 missing"), CPU) == Middle(4.0, 4.0, 4.0, 1)
    assert middle(cell("fanout-100", "ws", "3 missing"), CPU) is None
    assert middle(cell("fanout-100", "ws", {"p99_us": 4.0}), CPU) is None
    assert middle(None, CPU) is None


def test_a_ratio_is_of_medians_and_of_nothing_else() -> None:
    assert ratio(Middle(3.0, 1.0, 9.0, 3), Middle(2.0, 1.0, 9.0, 3)) == 1.5
    assert ratio(None, Middle(2.0, 1.0, 9.0, 3)) is None
    assert ratio(Middle(3.0, 1.0, 9.0, 3), Middle(0.0, 0.0, 0.0, 3)) is None


def test_who_does_better_is_named_but_not_the_floor() -> None:
    told = results(
        cell("fanout-1000", "floor", {CPU: 1.0}),
        cell("fanout-1000", "seth-pusher", {CPU: 6.0, "deliveries_per_s": 100.0, "p99_us": 5.0}),
        cell("fanout-1000", "quick", {CPU: 3.0, "deliveries_per_s": 200.0, "p99_us": 5.0}),
        cell("fanout-1000", "slow", {CPU: 7.0, "deliveries_per_s": 50.0, "p99_us": 6.0}),
        cell("fanout-1000", "wrong", "1 missing"),
    )
    assert list(ahead_of_us(told)) == [
        ("fanout-1000", CPU, "quick", 2.0),
        ("fanout-1000", "deliveries_per_s", "quick", 0.5),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.01234, "0.0123"), (4.2, "4.20"), (37.55, "37.5"), (999.6, "1,000"), (1234567.0, "1,230,000")],
)
def test_figures_have_three_digits_that_count(value: float, text: str) -> None:
    assert shown(value) == text
