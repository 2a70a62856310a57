"""The dashboard and the table in the README against what a server really serves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.server import RunningServer
from support.timing import UNIT

Metered = Callable[..., RunningServer]

PAGE = Path(__file__).parents[1] / "README.md"
OWN = ("job", "instance")
"""Labels that Prometheus adds."""


def dashboard() -> dict[str, Any]:
    board: dict[str, Any] = json.loads(files("sethpusher_metrics").joinpath("dashboard.json").read_text())
    return board


def queries() -> list[str]:
    board = dashboard()
    own = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [*own, *(variable["query"]["query"] for variable in board["templating"]["list"] if variable["name"] in OWN)]


@pytest.fixture
def served(metered: Metered) -> dict[str, set[str]]:
    """Every sample's name with its labels, of a server on which everything has happened once."""
    server = metered(message_rate=1)
    client = server.bare()
    client.subscribe("news")
    for _ in range(3):
        client.request({"type": "ping"})
    server.publish("news", 1)
    server.wait_until(lambda: server.push.counts.total() > 0, "a bound is met")
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(server.http.get("/metrics").text):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


def words(query: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics in a query, each with the labels that are asked of it."""
    grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(",")}
    for name, selector in re.findall(r"\b((?:sethpusher|process|python)_\w+)(\{[^}]*\})?", query):
        yield name, grouped | set(re.findall(r"(\w+)\s*=~?", selector))


def test_every_query_asks_for_what_is_served(served: dict[str, set[str]]) -> None:
    asked = [(query, *word) for query in queries() for word in words(query)]
    assert len(asked) >= len(queries())
    for query, name, labels in asked:
        assert name in served, f"{query}: nothing is called {name}"
        assert labels - set(OWN) <= served[name], f"{query}: {name} has not these labels"


def test_the_legends_use_labels_that_are_there(served: dict[str, set[str]]) -> None:
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            known = {label for _, labels in words(target["expr"]) for label in labels}
            assert used <= known | set(OWN), panel["title"]


def test_every_metric_is_on_the_dashboard(served: dict[str, set[str]]) -> None:
    shown = {name for query in queries() for name, _ in words(query)}
    ours = {name for name in served if name.startswith("sethpusher_") and not name.endswith("_created")}
    assert ours - shown == set()


def test_the_dashboard_is_well_formed() -> None:
    board = dashboard()
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(x + panel["gridPos"]["w"] <= 24 for panel, (x, _) in zip(panels, places, strict=True))
    for panel in panels:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}", "bound to one site's Prometheus"
            assert target["expr"].count("(") == target["expr"].count(")")


def test_the_command_prints_it() -> None:
    command = [sys.executable, "-m", "sethpusher_core", "--load-plugins=metrics", "dashboard"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=4 * UNIT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == dashboard()
    done = subprocess.run([*command, "x"], capture_output=True, text=True, timeout=4 * UNIT, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_the_page_names_every_metric(served: dict[str, set[str]]) -> None:
    named = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"^\| `(sethpusher_\w+)` \|([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    }
    ours = {
        re.sub(r"(_seconds)_(?:bucket|sum|count)$", r"\1", name): labels - {"le"}
        for name, labels in served.items()
        if name.startswith("sethpusher_") and not name.endswith("_created")
    }
    assert named == ours
