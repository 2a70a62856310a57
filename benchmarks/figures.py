"""What is measured: each figure's name in the results, its heading, its unit, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["FIGURES", "Figure", "shown"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        key: Its name in the results.
        title: Its heading, with the unit.
        less: Whether less is better.
    """

    key: str
    title: str
    less: bool = True


FIGURES: Final = {
    figure.key: figure
    for figure in (
        Figure("server_cpu_us_per_delivery", "CPU per delivery, µs"),
        Figure("server_cpu_us_per_publication", "CPU per publication, µs"),
        Figure("deliveries_per_s", "deliveries per second", less=False),
        Figure("publications_per_s", "publications per second", less=False),
        Figure("p50_us", "latency p50, µs"),
        Figure("p99_us", "latency p99, µs"),
        Figure("max_us", "latency max, µs"),
        Figure("publish_p50_us", "answer p50, µs"),
        Figure("publish_p99_us", "answer p99, µs"),
        Figure("connect_cpu_us", "CPU per connection, µs"),
        Figure("connects_per_s", "connections per second", less=False),
        Figure("kib_per_conn", "memory per connection, KiB"),
        Figure("memory_end_mib", "memory at the end, MiB"),
        Figure("server_cpu_us_per_cycle", "CPU per join and leave, µs"),
        Figure("cycles_per_s", "joins and leaves per second", less=False),
        Figure("cycle_p50_us", "join and leave p50, µs"),
        Figure("cycle_p99_us", "join and leave p99, µs"),
        Figure("hold_p50_us", "a stranger's request p50, µs"),
        Figure("hold_p99_us", "a stranger's request p99, µs"),
        Figure("hold_max_us", "a stranger's request max, µs"),
        Figure("hold_cpu_max_us", "the server's CPU time within one, max, µs"),
    )
}


def shown(value: float) -> str:
    """A figure with three significant digits, and thousands apart: ``4.21``, ``37.6``, ``1,230,000``."""
    if value == 0:
        return "0"
    digits = max(0, 2 - _magnitude(value))
    rounded = round(value, 2 - _magnitude(value))
    return f"{rounded:,.{digits}f}"


def _magnitude(value: float) -> int:
    """The exponent of ten once rounded to three digits: 999.6 is 1,000."""
    return int(f"{abs(value):.2e}".partition("e")[2])
