"""The kit has teeth: each small wrong backend is failed by the cases that are meant for it, and by no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from testing.trials import carriers, fixtures, histories, keys, lives, nodes, presences
from testing.trials.marks import judged, trials_in

from sethpusher_core.backends.memory import SWEEP_SECONDS, MemoryBackend
from sethpusher_core.testing import BackendCompliance, kit_time
from sethpusher_core.testing.backend_cases.bounds import BoundsCases
from sethpusher_core.testing.backend_cases.census import CensusCases
from sethpusher_core.testing.backend_cases.delivery import DeliveryCases
from sethpusher_core.testing.backend_cases.fixture import FixtureCases
from sethpusher_core.testing.backend_cases.history import HistoryCases
from sethpusher_core.testing.backend_cases.idempotency import IdempotencyCases
from sethpusher_core.testing.backend_cases.life import LifeCases
from sethpusher_core.testing.backend_cases.line import BrokenLineCases
from sethpusher_core.testing.backend_cases.payloads import PayloadCases
from sethpusher_core.testing.backend_cases.presence import PresenceCases
from sethpusher_core.testing.backend_cases.several import SeveralNodesCases
from sethpusher_core.testing.nodes import BackendBench

ALL = (FixtureCases, LifeCases)
HISTORY = (HistoryCases, BoundsCases, IdempotencyCases)
PRESENCE = (PresenceCases, CensusCases)

TRIALS: Mapping[str, tuple[Any, tuple[type, ...]]] = {
    name: (trial, parts)
    for module, parts in (
        (fixtures, ALL),
        (lives, (*ALL, DeliveryCases, PayloadCases, *HISTORY)),
        (carriers, (*ALL, DeliveryCases, PayloadCases, *HISTORY)),
        (histories, (*ALL, *HISTORY)),
        (keys, (*ALL, *HISTORY)),
        (presences, (*ALL, *PRESENCE)),
        (nodes, (*ALL, SeveralNodesCases, BrokenLineCases, *HISTORY, *PRESENCE)),
    )
    for name, trial in trials_in(module).items()
}
"""Each with the parts of the kit that have to do with what is wrong."""


def kit_for(trial: Any) -> BackendBench:
    if hasattr(trial, "bench"):
        return trial.bench()
    if issubclass(trial, MemoryBackend):
        return BackendBench(
            lambda: trial(clock=kit_time), one_node="in memory", virtual=True, forgets_idle_after=SWEEP_SECONDS
        )
    bus = trial.bus_class(kit_time)
    return BackendBench(lambda: trial(bus), virtual=True, break_connection=lambda broken: broken.cut())


@pytest.mark.parametrize("name", TRIALS)
def test_it_is_failed_by_what_is_meant_for_it(name: str) -> None:
    trial, parts = TRIALS[name]
    results = judged(parts, lambda: kit_for(trial))
    failed = {case for case, outcome in results.items() if outcome == "failed"}
    if trial.verdict.among_others:
        assert failed >= trial.verdict.cases
        assert "passed" in results.values()
    else:
        assert failed == trial.verdict.cases


def test_every_case_fails_something() -> None:
    cases = {name for name in dir(BackendCompliance) if name.startswith("test_")} - {"test_no_case_is_missing"}
    meant = set().union(*(trial.verdict.cases for trial, _ in TRIALS.values()))
    assert cases == meant, "no case without a wrong backend that it is meant for, and no misspelt one"
