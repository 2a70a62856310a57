"""The results as they are kept: ``results.json``, from which the page can be made again without measuring.

Every number is what one run measured; medians, spread and ratios are reckoned when they are shown. A run that failed
stands there with its reason and without figures, a peer that was passed over with the reason for that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

__all__ = ["OUT_OF_TIME", "VERSION", "Cell", "Machine", "PeerFacts", "Results", "Run", "ScenarioFacts", "read", "write"]

VERSION: Final = 1
OUT_OF_TIME: Final = "out of time"
"""Why a cell was passed over that another time might not be."""


class Machine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where it was measured.

    Attributes:
        cores: CPUs that this process may use.
        cpu: Their model, as the kernel names it.
        memory_mib: Memory.
        kernel: Release of the kernel.
        python: Version of the interpreter that ran the harness.
        governor: How the kernel chooses the clock rate; None: it does not say.
        load_average: Over the minute before the first run.
        descriptors: How many files a process may open.
    """

    cores: int
    cpu: str
    memory_mib: int
    kernel: str
    python: str
    governor: str | None
    load_average: float
    descriptors: int


class PeerFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server that was to be measured.

    Attributes:
        name: Its name in the results.
        title: What it is.
        version: Which version ran; None: it was not there.
        settings: What it ran with.
        install: The line that installs it.
        missing: What was not there; None: all was.
    """

    name: str
    title: str
    version: str | None
    settings: str
    install: str
    missing: str | None


class ScenarioFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured.

    Attributes:
        name: Its name in the results.
        group: The heading under which the page shows it.
        title: In a few words.
        figures: The figures that are shown, by name, the first one first.
        judged: Those by which a peer may be ahead.
        load: What the load generator was told, by name; ``warm``: how many publications or cycles came before, on
            the same server, and were not measured.
    """

    name: str
    group: str
    title: str
    figures: tuple[str, ...]
    judged: tuple[str, ...]
    load: dict[str, int]


class Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run of a peer in a scenario.

    Attributes:
        round: In which round, from 1.
        place: As which of the peers in that turn of the scenario, from 1.
        figures: What was measured, by name; empty where it failed.
        failure: Why it is not a result; None: it is one.
    """

    round: int
    place: int
    figures: dict[str, float]
    failure: str | None = None


class Cell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All runs of a peer in a scenario.

    Attributes:
        scenario: Name of the scenario.
        peer: Name of the peer.
        runs: In the order in which they were made.
        passed_over: Why there are none; None: there are.
    """

    scenario: str
    peer: str
    runs: tuple[Run, ...] = ()
    passed_over: str | None = None


class Results(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that was measured in one call.

    Attributes:
        schema: Version of this layout.
        date: When it began, ISO 8601, UTC.
        commit: The project's commit, with ``+`` where files had been changed since; None: not known.
        quick: Whether it was a quick look, with few messages.
        rounds: How many rounds came to their end.
        seconds: How long all took.
        machine: Where.
        peers: The servers, in the order of the first round.
        scenarios: What was measured, in order.
        cells: The runs, by scenario and peer.
    """

    schema: int = VERSION
    date: str
    commit: str | None
    quick: bool
    rounds: int
    seconds: float
    machine: Machine
    peers: tuple[PeerFacts, ...]
    scenarios: tuple[ScenarioFacts, ...]
    cells: tuple[Cell, ...]

    def cell(self, scenario: str, peer: str) -> Cell | None:
        """The runs of a peer in a scenario; None: it was not asked for."""
        return next((cell for cell in self.cells if (cell.scenario, cell.peer) == (scenario, peer)), None)


def read(path: Path) -> Results:
    """Reads results.

    Raises:
        ValueError: It is no such file, or of another version.
    """
    try:
        results = msgspec.json.decode(path.read_bytes(), type=Results)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no file of results: {error}") from error
    if results.schema != VERSION:
        raise ValueError(f"{path} has version {results.schema} of the layout, and this program reads {VERSION}")
    return results


def write(path: Path, results: Results) -> None:
    """Writes results, for reading by people, too."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
