"""What the project holds itself to, judged by results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .figures import FIGURES, shown
from .schema import OUT_OF_TIME, Results
from .summary import FLOOR, OWN, Middle, ahead_of_us, middle_of, ratio

__all__ = ["CPU", "Verdict", "verdicts"]

CPU: Final = "server_cpu_us_per_delivery"
NOT_MEASURED: Final = "not measured"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What has become of a target.

    Attributes:
        target: What is to hold.
        found: What was measured.
        held: Whether it holds; None: it was not measured.
    """

    target: str
    found: str
    held: bool | None

    @property
    def word(self) -> str:
        """``held``, ``MISSED`` or ``open``."""
        return {True: "held", False: "MISSED", None: "open"}[self.held]

    def line(self) -> str:
        """It all, in one line."""
        return f"{self.word:8}{self.target}: {self.found}"


def verdicts(results: Results) -> list[Verdict]:
    """Each target against the results, in the order in which they matter."""

    def of(scenario: str, peer: str, key: str) -> Middle | None:
        return middle_of(results, scenario, peer, key)

    def floors(scenario: str, key: str) -> float | None:
        return ratio(of(scenario, OWN, key), of(scenario, FLOOR, key))

    at_1000, at_10000 = floors("fanout-1000", CPU), floors("fanout-10000", CPU)
    hold = of("loop-hold", OWN, "hold_cpu_max_us")
    return [
        _no_failures(results),
        _most("CPU per delivery to 1,000, one at a time, in the floor's", at_1000, 1.3),
        _most(
            "how much that ratio grows from 1,000 to 10,000 subscribers",
            at_10000 / at_1000 if at_10000 and at_1000 else None,
            1.15,
        ),
        _most(
            "CPU per delivery with 64 publishers busy, in the floor's one at a time",
            ratio(of("burst-1000", OWN, CPU), of("fanout-1000", FLOOR, CPU)),
            0.15,
        ),
        _most("p99 latency at 1,000, in the floor's", floors("fanout-1000", "p99_us"), 1.5),
        _most("CPU per SockJS websocket that connects, us", _median(of("connect-5000", OWN, "connect_cpu_us")), 350.0),
        _most("memory per idle connection at 5,000, KiB", _median(of("connect-5000", OWN, "kib_per_conn")), 8.0),
        _most(
            "the longest work before a stranger's turn during a fan-out to 15,000, ms of CPU",
            hold.most / 1000 if hold else None,
            20.0,
        ),
        *_ahead(results, (("fanout-1000", CPU), ("fanout-1000", "p99_us"), ("burst-1000", "deliveries_per_s"))),
        _most(
            "CPU per HTTP publish, in sockjs-node's",
            ratio(
                of("publish", OWN, "server_cpu_us_per_publication"),
                of("publish", "sockjs-node", "server_cpu_us_per_publication"),
            ),
            1.0,
        ),
    ]


def _median(figure: Middle | None) -> float | None:
    return figure.median if figure else None


def _most(target: str, found: float | None, limit: float) -> Verdict:
    what = f"{target}, at most {limit:g}"
    return Verdict(what, NOT_MEASURED, None) if found is None else Verdict(what, shown(found), found <= limit)


def _no_failures(results: Results) -> Verdict:
    runs = [run for cell in results.cells if cell.peer == OWN for run in cell.runs]
    failed = [run.failure for run in runs if run.failure is not None]
    target = "every message once, in every run of ours"
    if not runs:
        return Verdict(target, NOT_MEASURED, None)
    return Verdict(
        target, f"{len(failed)} of {len(runs)} runs failed" + "".join(f"; {why}" for why in failed), not failed
    )


def _ahead(results: Results, wanted: tuple[tuple[str, str], ...]) -> Iterator[Verdict]:
    better = list(ahead_of_us(results))
    rivals = [peer.name for peer in results.peers if peer.name not in (FLOOR, OWN)]
    for scenario, key in wanted:
        target = f"ahead of every peer in {scenario}, {FIGURES[key].title}"
        measured = [name for name in rivals if middle_of(results, scenario, name, key)]
        if not measured or middle_of(results, scenario, OWN, key) is None:
            yield Verdict(target, NOT_MEASURED, None)
            continue
        ahead = [name for at, figure, name, _ in better if (at, figure) == (scenario, key)]
        unknown = [name for name in rivals if name not in measured and _might_be(results, scenario, name)]
        found = f"behind {', '.join(ahead)}" if ahead else f"ahead of {', '.join(measured)}"
        if unknown:
            found += f"; {NOT_MEASURED}: {', '.join(unknown)}"
        yield Verdict(target, found, False if ahead else None if unknown else True)


def _might_be(results: Results, scenario: str, peer: str) -> bool:
    """Whether a peer without a figure could have one: it is installed here, and able."""
    cell = results.cell(scenario, peer)
    return cell is not None and cell.passed_over in (None, OUT_OF_TIME)
