"""The compliance class for transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from .changes import Change, TransformBench
from .hook_cases.life import HookLifeCases
from .hook_cases.transform import TransformCases
from .hook_compliance import HookCompliance, missing

__all__ = ["TransformCompliance"]


class TransformCompliance(TransformCases, HookLifeCases, HookCompliance):
    """What every plugin with the hook ``transform`` must hold, case by case.

    An author gives two fixtures: ``make_plugin`` returns a function that makes a new plugin object with each call,
    ``changes`` what becomes of which messages::

        class TestMyTransform(TransformCompliance):
            @pytest.fixture
            def make_plugin(self):
                return lambda: MyTransform(Settings(words=("secret",)))

            @pytest.fixture
            def changes(self):
                return [Change("a secret", "a ***"), Change({"n": 1}, {"n": 1}), Change("forbidden", REFUSED)]

    Optional fixture: ``make_failing`` returns a function that makes a plugin which fails on each of the ``changes``;
    without it the case about failures is skipped.
    """

    OPEN = frozenset({"changes"})

    @pytest.fixture
    def changes(self) -> Sequence[Change]:
        """Gives what becomes of which messages; authors override it."""
        missing(type(self), "changes", "a list of sethpusher_core.testing.Change: what becomes of which messages")

    @pytest.fixture
    def kit(
        self,
        make_plugin: Callable[[], object],
        changes: Sequence[Change],
        make_failing: Callable[[], object] | None,
    ) -> TransformBench:
        """What the cases work with; not to be overridden."""
        return TransformBench(make_plugin, changes, make_failing)
