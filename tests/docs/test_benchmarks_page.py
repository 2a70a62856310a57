"""The page of benchmarks says what was measured, and nothing else."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.page import page, write_page
from benchmarks.schema import read

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/results/results.json"
AGAIN = "python -m benchmarks page benchmarks/results/results.json --out=docs"


def test_it_is_made_from_the_committed_results() -> None:
    assert (ROOT / "docs/benchmarks.md").read_text() == page(read(RESULTS)), AGAIN


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="the plots need matplotlib")
def test_so_are_its_plots(tmp_path: Path) -> None:
    for path in write_page(read(RESULTS), tmp_path)[1:]:
        assert path.read_bytes() == (ROOT / "docs/images" / path.name).read_bytes(), AGAIN
