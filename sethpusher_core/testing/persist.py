"""The compliance class for persisters."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .hook_compliance import HookCompliance, missing
from .persist_cases.repeats import RepeatCases
from .persist_cases.storing import StoringCases
from .stores import PersistBench, ReadBack

__all__ = ["PersistCompliance"]


class PersistCompliance(StoringCases, RepeatCases, HookCompliance):
    """What every plugin with the hook ``persist`` must hold, case by case.

    The plugin is asked as the server asks it: started, in batches, one after the other, and shut down. An author gives
    two fixtures: ``make_plugin`` returns a function that makes a new plugin object with each call (what one of them has
    stored the next one finds), ``read_back`` a function, ``async`` or not, that gives what the store has, oldest
    first::

        class TestMyPersister(PersistCompliance):
            @pytest.fixture
            def make_plugin(self, tmp_path):
                return lambda: MyPersister(Settings(path=tmp_path / "log"))

            @pytest.fixture
            def read_back(self, tmp_path):
                return lambda: [Kept(row["id"], row["message"], ...) for row in rows(tmp_path / "log")]

    In each test the store begins empty. Optional fixture: ``make_failing`` returns a function that makes a plugin whose
    store refuses or cannot be reached; without it the case about failures is skipped.
    """

    OPEN = frozenset({"read_back"})

    @pytest.fixture
    def read_back(self) -> ReadBack:
        """Gives a function that reads back what is stored; authors override it."""
        missing(
            type(self),
            "read_back",
            "a function: it gives what the store has, a list of sethpusher_core.testing.Kept, oldest first",
        )

    @pytest.fixture
    def kit(
        self,
        make_plugin: Callable[[], object],
        read_back: ReadBack,
        make_failing: Callable[[], object] | None,
    ) -> PersistBench:
        """What the cases work with; not to be overridden."""
        return PersistBench(make_plugin, read_back, make_failing)
