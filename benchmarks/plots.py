"""The plots of the page, as SVG: the same results give the same bytes, and text stays text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .figures import FIGURES, shown
from .schema import Results
from .summary import FLOOR, OWN, Middle, middle_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PLOTS", "Plot", "draw", "drawable"]

STYLE: Final[dict[Any, Any]] = {  # its stubs want a type with 300 names
    "svg.hashsalt": "benchmarks",  # or ids would differ each time
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",  # a card, in the dark as well
}
COLOURS: Final = {OWN: "#c2410c", FLOOR: "#6b7280"}
OTHER: Final = "#7aa2c8"
MARKERS: Final = "osD^v<>PX*hd"


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot.

    Attributes:
        name: Its file's name, without the ending.
        at: The scenario above whose table it stands.
        title: What it shows.
        figure: Which figure.
        sizes: For a plot over sizes: the scenario of each number of subscribers; empty: bars of ``at``.
    """

    name: str
    at: str
    title: str
    figure: str
    sizes: tuple[tuple[int, str], ...] = ()


_SIZES: Final = (100, 1000, 10_000, 15_000)
APART: Final = (100, 1000, 10_000)
"""Those of the sizes whose labels have room."""
PLOTS: Final = (
    Plot(
        "fanout-cpu",
        "fanout-100",
        "CPU per delivery, one publication at a time",
        "server_cpu_us_per_delivery",
        tuple((size, f"fanout-{size}") for size in _SIZES),
    ),
    Plot("fanout-p99", "fanout-1000", "p99 latency at 1,000 subscribers", "p99_us"),
    Plot(
        "burst-rate", "burst-1000", "Deliveries per second, 64 publishers busy, 1,000 subscribers", "deliveries_per_s"
    ),
    Plot("connect-cpu", "connect-1000", "CPU per connection", "connect_cpu_us"),
    Plot("connect-memory", "connect-5000", "Memory per idle connection, of 5,000", "kib_per_conn"),
    Plot("publish-cpu", "publish", "CPU per publication over HTTP", "server_cpu_us_per_publication"),
)


def drawable(plot: Plot, results: Results) -> bool:
    """Whether the results have what a plot shows."""
    if plot.sizes:
        return sum(bool(_values(results, name, plot.figure)) for _, name in plot.sizes) > 1
    return bool(_values(results, plot.at, plot.figure))


def draw(plot: Plot, results: Results, folder: Path) -> Path:
    """Draws a plot into a folder, and gives the file."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    path = folder / f"{plot.name}.svg"
    with rc_context(STYLE):
        rows = len(results.peers) if plot.sizes else len(_values(results, plot.at, plot.figure))
        figure = Figure(figsize=(8.0, 4.5 if plot.sizes else 1.2 + 0.3 * rows), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(plot.title, loc="left", fontsize=11)
        if plot.sizes:
            _lines(axes, plot, results)
        else:
            _bars(axes, plot, results)
        figure.savefig(path, format="svg", metadata={"Date": None})
    return path


def _values(results: Results, scenario: str, key: str) -> dict[str, Middle]:
    """The figure of each peer that has it."""
    found = ((peer.name, middle_of(results, scenario, peer.name, key)) for peer in results.peers)
    return {name: value for name, value in found if value is not None}


def _bars(axes: Axes, plot: Plot, results: Results) -> None:
    """One bar for each peer, the best on top, with a whisker from the least to the most."""
    figure = FIGURES[plot.figure]
    values = _values(results, plot.at, plot.figure)
    names = sorted(values, key=lambda name: values[name].median, reverse=figure.less)
    medians = [values[name].median for name in names]
    whiskers = [
        [values[name].median - values[name].least for name in names],
        [values[name].most - values[name].median for name in names],
    ]
    colours = [COLOURS.get(name, OTHER) for name in names]
    axes.barh(names, medians, xerr=whiskers, color=colours, ecolor="#374151", capsize=2, height=0.7)
    for place, name in enumerate(names):
        axes.annotate(shown(medians[place]), (values[name].most, place), xytext=(5, -3), textcoords="offset points")
    axes.set_xlim(0, max(value.most for value in values.values()) * 1.15)
    axes.set_xlabel(f"{figure.title} ({'less' if figure.less else 'more'} is better)")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value == int(value) else f"{value:g}")


def _lines(axes: Axes, plot: Plot, results: Results) -> None:
    """One line for each peer over the number of subscribers, both axes logarithmic."""
    heights = []
    for number, peer in enumerate(results.peers):
        found = [(size, middle_of(results, name, peer.name, plot.figure)) for size, name in plot.sizes]
        points = [(size, value.median) for size, value in found if value is not None]
        if points:
            heights += [height for _, height in points]
            strong = peer.name in COLOURS
            axes.plot(
                *zip(*points, strict=True),
                marker=MARKERS[number % len(MARKERS)],
                label=peer.name,
                color=COLOURS.get(peer.name),
                linewidth=2.5 if strong else 1.2,
                zorder=3 if strong else 2,
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(APART, [f"{size:,}" for size in APART])
    axes.set_yticks([digit * scale for scale in (1, 10, 100) for digit in (1, 2, 5)])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(min(heights) / 1.3, max(heights) * 1.3)
    axes.set_xlabel("subscribers")
    axes.set_ylabel(FIGURES[plot.figure].title)
    axes.grid(alpha=0.3)
    axes.figure.legend(loc="outside right center", frameon=False)
