"""The page of results: Markdown and plots, made from the results alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Final

from .figures import FIGURES, shown
from .plots import PLOTS, draw, drawable
from .schema import Cell, Results, ScenarioFacts
from .summary import FLOOR, OWN, Middle, ahead_of_us, middle, middle_of, ratio
from .targets import CPU, verdicts

__all__ = ["page", "write_page"]

NAME: Final = "benchmarks.md"
IMAGES: Final = "images"

HERE: Final = Path(__file__).parent


def write_page(results: Results, folder: Path) -> list[Path]:
    """Writes the page and, where matplotlib is installed, its plots; gives what it has written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / NAME]
    written[0].write_text(page(results))
    if find_spec("matplotlib"):
        (folder / IMAGES).mkdir(exist_ok=True)
        for plot in PLOTS:
            if drawable(plot, results):
                written.append(draw(plot, results, folder / IMAGES))
    return written


def page(results: Results) -> str:
    """The page as Markdown."""
    parts = [*_head(results), "## How it is measured", _words("method")]
    for group, scenarios in groupby(results.scenarios, key=lambda scenario: scenario.group):
        parts.append(f"## {group}")
        for scenario in scenarios:
            parts += _scenario(results, scenario)
    parts += ["## What we hold ourselves to", *_targets(results)]
    parts += ["## Where Seth-Pusher is not ahead", *_behind(results)]
    parts += ["## What the numbers do not say", _words("limits"), "## Servers and settings", *_servers(results)]
    return "\n\n".join(parts) + "\n"


def _words(name: str) -> str:
    """What stands on every page, from a file in ``words/``."""
    return (HERE / "words" / f"{name}.md").read_text().strip()


def _head(results: Results) -> Iterator[str]:
    machine = results.machine
    yield "# Benchmarks"
    yield "<!-- Written by `python -m benchmarks page`; change what makes it. -->"
    yield (
        "Seth-Pusher side by side with what else one might take, in one run on one machine. `make bench` measures it "
        "again, `make bench-quick` a part of it in under two minutes; `benchmarks/README.md` says more."
    )
    if results.quick:
        yield "**This is a quick look:** few messages and few rounds. It shows orders of magnitude, and no more."
    clock = f", governor {machine.governor}" if machine.governor else ""
    yield (
        f"Measured {results.date[:10]} at commit `{results.commit or 'unknown'}`, {results.rounds} "
        f"round{'' if results.rounds == 1 else 's'}, {results.seconds / 60:.0f} minutes; {machine.cores} cores "
        f"({machine.cpu}{clock}), {machine.memory_mib / 1024:.0f} GiB, Linux {machine.kernel}, "
        f"Python {machine.python}, {machine.descriptors:,} descriptors per process, "
        f"load average before {machine.load_average:g}."
    )
    absent = [f"{peer.name} ({peer.missing}; `{peer.install}`)" for peer in results.peers if peer.missing is not None]
    if absent:
        yield f"Passed over, because not installed: {', '.join(absent)}."


def _scenario(results: Results, scenario: ScenarioFacts) -> Iterator[str]:
    yield f"### {scenario.title[0].upper()}{scenario.title[1:]}"
    for plot in PLOTS:
        if plot.at == scenario.name and drawable(plot, results):
            yield f"![{plot.title}]({IMAGES}/{plot.name}.svg)"
    cells = [cell for peer in results.peers if (cell := results.cell(scenario.name, peer.name))]
    chief = FIGURES[scenario.figures[0]]
    rows = [(value.median, cell) for cell in cells if (value := middle(cell, chief.key))]
    rows.sort(key=lambda row: row[0], reverse=not chief.less)
    if rows:
        yield _made(scenario, [cell for _, cell in rows])
    if rows:
        yield _table(results, scenario, [cell for _, cell in rows])
    yield from _remarks(cells)


def _made(scenario: ScenarioFacts, cells: Sequence[Cell]) -> str:
    """How often it was measured, and behind what."""
    counts = sorted({len(cell.runs) for cell in cells})
    least, most = counts[0], counts[-1]
    runs = f"{least} run{'' if most == 1 else 's'} each" if least == most else f"{least} to {most} runs each"
    # Results from before there was such a thing do not name it.
    warm = scenario.load.get("warm", 0)
    what = "cycles of each client" if "cycles_per_s" in scenario.figures else "publications"
    return f"{runs}, {f'warmed up by {warm:,} {what}' if warm else 'not warmed up'}."


def _table(results: Results, scenario: ScenarioFacts, cells: Sequence[Cell]) -> str:
    chief, *others = scenario.figures
    own, floor = (middle_of(results, scenario.name, peer, chief) for peer in (OWN, FLOOR))
    # It bounds what a delivery costs. Of HTTP it reads next to nothing, so it bounds neither publishing nor connecting.
    bases: dict[str, Middle | None] = {"/ floor": floor} if floor and chief == CPU else {}
    bases["/ ours"] = own
    heads = ["server", FIGURES[chief].title, *bases, *(FIGURES[key].title for key in others)]
    lines = [heads, ["-"] + ["-:"] * (len(heads) - 1)]
    for cell in cells:
        name = f"**{cell.peer}**" if cell.peer == OWN else cell.peer
        ratios = [_times(ratio(middle(cell, chief), base)) for base in bases.values()]
        failed = "†" if any(run.failure is not None for run in cell.runs) else ""
        figures = [_figure(cell, key) for key in others]
        lines.append([name + failed, _figure(cell, chief), *ratios, *figures])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figure(cell: Cell, key: str) -> str:
    value = middle(cell, key)
    if value is None:
        return ""
    spread = f" ({shown(value.least)}..{shown(value.most)})" if value.rounds > 1 else ""
    return shown(value.median) + spread


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _remarks(cells: Sequence[Cell]) -> Iterator[str]:
    """What failed, with each reason, and who was passed over."""
    failures = []
    for cell in cells:
        failed = [run for run in cell.runs if run.failure is not None]
        if failed:
            reasons = "; ".join(f"round {run.round}: {_plain(run.failure or '')}" for run in failed)
            failures.append(f"* † **{cell.peer} failed in {len(failed)} of {len(cell.runs)} runs.** {reasons}")
    if failures:
        yield "\n".join(failures)
    over = [f"{cell.peer} ({_plain(cell.passed_over)})" for cell in cells if cell.passed_over is not None]
    if over:
        yield f"Passed over: {', '.join(over)}."


def _plain(text: str) -> str:
    """A text from elsewhere as one line of Markdown that means nothing but itself."""
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#" else char for char in " ".join(text.split()))


def _targets(results: Results) -> Iterator[str]:
    yield "`python -m benchmarks targets` says it again; *open* is what these results do not tell."
    yield "\n".join(f"* **{told.word}**: {told.target}: {_plain(told.found)}" for told in verdicts(results))


def _behind(results: Results) -> Iterator[str]:
    titles = {scenario.name: f"{scenario.group}, {scenario.title}" for scenario in results.scenarios}
    lines = []
    for (name, key), found in groupby(ahead_of_us(results), key=lambda one: one[:2]):
        own = middle_of(results, name, OWN, key)
        theirs = [
            f"{peer} {shown(value.median)}" for *_, peer, _ in found if (value := middle_of(results, name, peer, key))
        ]
        lines.append(
            f"* {titles[name]}: {FIGURES[key].title}: {', '.join(theirs)}; ours {shown(own.median) if own else ''}"
        )
    rivals = [peer.name for peer in results.peers if peer.version is not None and peer.name not in (FLOOR, OWN)]
    if not rivals:
        yield "No other server was measured."
    elif lines:
        yield f"Every figure by which we judge and in which one of {', '.join(rivals)} does better, by the medians:"
        yield "\n".join(lines)
        yield _words("behind")
    else:
        yield f"In no figure by which we judge does one of {', '.join(rivals)} do better."


def _servers(results: Results) -> Iterator[str]:
    for peer in results.peers:
        if peer.version is not None:
            yield f"### {peer.name}"
            yield f"{peer.title}. Version: {peer.version}."
            if peer.settings:
                yield f"```text\n{peer.settings.rstrip()}\n```"
