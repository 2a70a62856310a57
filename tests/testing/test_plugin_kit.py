"""The kit for plugins has teeth: each small wrong distribution is failed by the cases that are meant for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from plugins_ux.sites import Site
from testing.trials import distributions
from testing.trials.marks import judged, trials_in

from sethpusher_core.testing import PluginCompliance
from sethpusher_core.testing.hook_cases.plugin import PluginCases
from sethpusher_core.testing.installed import PluginBench

pytestmark = pytest.mark.slow  # many, and only the kit or the examples can break them

TRIALS = trials_in(distributions)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for one distribution, first on ``sys.path``."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("one_plugin", "one_helper"):
        sys.modules.pop(name, None)


def installed(trial: Any, root: Path, **options: Any) -> PluginBench:
    modules = {"one_plugin": trial.module()}
    if trial.helper:
        modules[trial.helper] = trial.helper_module()
    Site(root).add("sethpusher-one", points=trial.points, requires=trial.requires, fields=trial.fields, **modules)
    return PluginBench("one", trial.settings, [str(root)], **options)


@pytest.mark.parametrize("name", TRIALS)
def test_it_is_failed_by_what_is_meant_for_it(name: str, root: Path) -> None:
    trial = TRIALS[name]
    kit = installed(trial, root)
    chosen = {f"test_{case}" for case in distributions.IN_PROCESS} | trial.verdict.cases
    part = type("Part", (), {name: test for name, test in vars(PluginCases).items() if name in chosen})
    results = judged((part,), lambda: kit)
    failed = {case for case, outcome in results.items() if outcome == "failed"}
    if trial.verdict.among_others:
        assert failed >= trial.verdict.cases
    else:
        assert failed == trial.verdict.cases


def test_every_case_fails_something() -> None:
    cases = {name for name in dir(PluginCompliance) if name.startswith("test_")} - {"test_no_case_is_missing"}
    assert cases == set().union(*(trial.verdict.cases for trial in TRIALS.values()))


def test_a_right_one_passes(root: Path) -> None:
    kit = installed(distributions.Right, root)
    results = judged((PluginCases,), lambda: kit)
    assert set(results.values()) == {"passed"}, results


def test_an_early_import_is_excused_with_a_reason(root: Path) -> None:
    kit = installed(distributions.ImportsItsDriver, root, imports_early={"iniconfig": "it is small"})
    PluginCases().test_importing_it_is_light(kit)
    kit = installed_again(distributions.Right, root, {"iniconfig": "it was small"})
    with pytest.raises(AssertionError, match="imports_early names iniconfig, which is not imported"):
        PluginCases().test_importing_it_is_light(kit)


def test_what_the_core_imports_anyway_costs_nothing(root: Path) -> None:
    class OnTornado(distributions.Right):
        requires = ("sethpusher-core>=1.0,<2", "tornado>=6")
        head = "import tornado.simple_httpclient"

    PluginCases().test_importing_it_is_light(installed(OnTornado, root))


def installed_again(trial: Any, root: Path, imports_early: dict[str, str]) -> PluginBench:
    (root / "one_plugin.py").write_text(trial.module())
    return PluginBench("one", trial.settings, [str(root)], imports_early)


def test_two_of_one_name_are_named(root: Path) -> None:
    installed(distributions.Right, root)
    Site(root).add("sethpusher-other", points="one = one_plugin:One")
    with pytest.raises(AssertionError, match=r"sethpusher-one 1\.2 and sethpusher-other 1\.2 both have"):
        PluginBench("one", {}, [str(root)]).candidate()
