"""The kit has teeth: each small wrong persister is failed by the cases that are meant for it, and by no others."""

from __future__ import annotations

from typing import Any

import pytest
from testing.trials import persisters
from testing.trials.marks import judged, trials_in

from sethpusher_core.testing import PersistCompliance
from sethpusher_core.testing.persist_cases.repeats import RepeatCases
from sethpusher_core.testing.persist_cases.storing import StoringCases
from sethpusher_core.testing.stores import PersistBench

TRIALS = trials_in(persisters)


def kit_for(trial: Any) -> PersistBench:
    store = getattr(trial, "shared", None)
    store = [] if store is None else store
    make_failing = getattr(trial, "make_failing", lambda: persisters.Failing([]))
    return PersistBench(lambda: trial(store), lambda: store, make_failing)


@pytest.mark.parametrize("name", TRIALS)
def test_it_is_failed_by_what_is_meant_for_it(name: str) -> None:
    trial = TRIALS[name]
    results = judged((StoringCases, RepeatCases), lambda: kit_for(trial))
    failed = {case for case, outcome in results.items() if outcome == "failed"}
    if trial.verdict.among_others:
        assert failed >= trial.verdict.cases
        assert "passed" in results.values()
    else:
        assert failed == trial.verdict.cases


def test_every_case_fails_something() -> None:
    cases = {name for name in dir(PersistCompliance) if name.startswith("test_")} - {"test_no_case_is_missing"}
    meant = set().union(*(trial.verdict.cases for trial in TRIALS.values()))
    assert cases == meant, "no case without a wrong persister that it is meant for, and no misspelt one"


def test_a_right_one_passes() -> None:
    results = judged((StoringCases, RepeatCases), lambda: kit_for(persisters.Right))
    assert set(results.values()) == {"passed"}
