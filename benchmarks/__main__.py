"""The command line of the benchmarks.

python -m benchmarks [--quick] [--peer NAME]... [--scenario NAME]... [--rounds N] [--out FOLDER] [--list]
python -m benchmarks page results.json [--out FOLDER]
python -m benchmarks targets results.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, NoReturn

from . import schema
from .page import write_page
from .peers.registry import all_peers
from .programs import built
from .rounds import Plan, measure
from .scenarios import SCENARIOS
from .summary import resultless
from .targets import verdicts

ROUNDS: Final = 3
QUICK_SECONDS: Final = 100.0
"""After which a quick look begins no further run, so that it ends within two minutes."""


def main(words: Sequence[str]) -> int:
    """Does what the command line says; gives the exit code.

    Returns:
        0; 1 for a target that is missed or open, and for a peer without a single result where it was to have one; 130
        if it was interrupted. What the command line cannot have ends it with 2.
    """
    commands: dict[str, Callable[[Sequence[str]], int]] = {"page": _page, "targets": _targets}
    if words and words[0] in commands:
        return commands[words[0]](words[1:])
    return _measure(words)


def _measure(words: Sequence[str]) -> int:
    peers = {peer.name: peer for peer in all_peers()}
    scenarios = {scenario.name: scenario for scenario in SCENARIOS}
    parser = _parser("python -m benchmarks", "Measures servers side by side; `page` and `targets` read the results.")
    parser.add_argument("--quick", action="store_true", help="a few scenarios, few messages, under two minutes")
    parser.add_argument("--peer", action="append", choices=peers, metavar="NAME", help="only these")
    parser.add_argument("--scenario", action="append", choices=scenarios, metavar="NAME", help="only these")
    parser.add_argument("--rounds", type=_count, help=f"{ROUNDS}; with --quick 1")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"), metavar="FOLDER")
    parser.add_argument(
        "--list",
        action="store_true",
        help="names the peers, what installs those not here, and the scenarios",
    )
    options = parser.parse_args(words)
    if options.list:
        for peer in peers.values():
            print(f"{peer.name:18}{peer.title}{f'; not here: {peer.install}' if peer.missing() else ''}")
        for scenario in SCENARIOS:
            print(f"{scenario.name:18}{scenario.group}: {scenario.title}")
        return 0
    chosen = options.scenario or [one.name for one in SCENARIOS if one.quick_messages or not options.quick]
    try:
        plan = Plan(
            peers=[peers[name] for name in dict.fromkeys(options.peer or peers)],
            scenarios=[scenarios[name] for name in dict.fromkeys(chosen)],
            rounds=options.rounds or (1 if options.quick else ROUNDS),
            generator=[str(built("load"))],
            quick=options.quick,
            budget_s=QUICK_SECONDS if options.quick else None,
        )
        _writable(options.out)
    except (RuntimeError, OSError) as error:
        _refuse(parser, error)
    return _run(plan, options.out)


def _run(plan: Plan, folder: Path) -> int:
    """Measures, keeps what each round has brought, and says what came of it."""
    path = folder / "results.json"
    rounds = 0

    def keep(results: schema.Results) -> None:
        nonlocal rounds
        schema.write(path, results)
        rounds = results.rounds

    try:
        results = measure(plan, lambda line: print(line, file=sys.stderr), keep)
    except KeyboardInterrupt:
        has = f"{path} has what was measured until round {rounds} ended" if rounds else "no round had come to its end"
        print(f"\ninterrupted; {has}", file=sys.stderr)
        return 130
    print(*write_page(results, folder), path, sep="\n")
    without = list(resultless(results))
    if without:
        print(f"no result: {'; '.join(without)}", file=sys.stderr)
    return 1 if without else 0


def _writable(folder: Path) -> None:
    """Sees to a folder for results before anything is measured for it.

    Raises:
        OSError: There can be none, or nothing can be written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder), suppress(FileNotFoundError), (folder / "results.json").open("r+b"):
        pass


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than one")
    return count


def _page(words: Sequence[str]) -> int:
    parser = _parser("python -m benchmarks page", "Makes the page and its plots from results.")
    parser.add_argument("results", type=Path, metavar="results.json")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to; beside the results if it is not named")
    options = parser.parse_args(words)
    results = _read(parser, options.results)
    try:
        print(*write_page(results, options.out or options.results.parent), sep="\n")
    except OSError as error:
        _refuse(parser, error)
    return 0


def _targets(words: Sequence[str]) -> int:
    parser = _parser(
        "python -m benchmarks targets",
        "Says of each target whether it is held; exit code 1 if one is missed or was not measured.",
    )
    parser.add_argument("results", type=Path, metavar="results.json")
    options = parser.parse_args(words)
    told = verdicts(_read(parser, options.results))
    for verdict in told:
        print(verdict.line())
    return 0 if all(verdict.held for verdict in told) else 1


def _read(parser: argparse.ArgumentParser, path: Path) -> schema.Results:
    try:
        return schema.read(path)
    except (OSError, ValueError) as error:
        _refuse(parser, error)


def _refuse(parser: argparse.ArgumentParser, error: Exception) -> NoReturn:
    """Ends with 2, and with what is wrong in one line."""
    parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")


def _parser(program: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=program, description=description)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
