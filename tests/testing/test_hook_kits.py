"""The kits for hooks have teeth: each small wrong plugin is failed by the cases meant for it, and by no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from testing.trials import authenticators, authorizers, dispatchers, hook_lives, transforms
from testing.trials.marks import judged, trials_in

from sethpusher_core.testing import (
    AuthenticateCompliance,
    AuthorizeCompliance,
    DispatchCompliance,
    TransformCompliance,
)
from sethpusher_core.testing.hook_cases.authenticate import AuthenticateCases
from sethpusher_core.testing.hook_cases.authorize import AuthorizeCases
from sethpusher_core.testing.hook_cases.dispatch import DispatchCases
from sethpusher_core.testing.hook_cases.life import HookLifeCases
from sethpusher_core.testing.hook_cases.transform import TransformCases

pytestmark = pytest.mark.slow  # many, and only the kit or the examples can break them

KITS: Mapping[Any, tuple[type, type]] = {
    authenticators: (AuthenticateCompliance, AuthenticateCases),
    authorizers: (AuthorizeCompliance, AuthorizeCases),
    dispatchers: (DispatchCompliance, DispatchCases),
    transforms: (TransformCompliance, TransformCases),
}
TRIALS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": (trial, cases)
    for module, cases in [*((module, kit[1]) for module, kit in KITS.items()), (hook_lives, HookLifeCases)]
    for name, trial in trials_in(module).items()
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials hang on purpose."""
    monkeypatch.setenv("SETHPUSHER_TEST_TIME_SCALE", "0.15")


@pytest.mark.parametrize("name", TRIALS)
def test_it_is_failed_by_what_is_meant_for_it(name: str) -> None:
    trial, cases = TRIALS[name]
    results = judged((cases,), trial.bench)
    failed = {case for case, outcome in results.items() if outcome == "failed"}
    if trial.verdict.among_others:
        assert failed >= trial.verdict.cases
        assert failed < results.keys()
    else:
        assert failed == trial.verdict.cases


@pytest.mark.parametrize("module", KITS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_case_fails_something(module: Any) -> None:
    kit, _ = KITS[module]
    cases = {name for name in dir(kit) if name.startswith("test_")} - {"test_no_case_is_missing"}
    trials = [*trials_in(module).values(), *trials_in(hook_lives).values()]
    assert cases == set().union(*(trial.verdict.cases for trial in trials))


@pytest.mark.parametrize("module", KITS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_right_one_passes(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SETHPUSHER_TEST_TIME_SCALE")
    results = judged((KITS[module][1], HookLifeCases), module.Right.bench)
    assert set(results.values()) == {"passed"}, results
