"""The compliance class for dispatchers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from .hook_cases.dispatch import DispatchCases
from .hook_cases.life import HookLifeCases
from .hook_compliance import HookCompliance, missing
from .talks import DispatchBench, Exchange

__all__ = ["DispatchCompliance"]


class DispatchCompliance(DispatchCases, HookLifeCases, HookCompliance):
    """What every plugin with the hook ``dispatch`` must hold, case by case, over real sockets.

    An author gives two fixtures: ``make_plugin`` returns a function that makes a new plugin object with each call,
    ``exchanges`` the messages that it handles, and what it answers::

        class TestMyDispatcher(DispatchCompliance):
            @pytest.fixture
            def make_plugin(self):
                return lambda: MyDispatcher(Settings(limit=100))

            @pytest.fixture
            def exchanges(self):
                return [
                    Exchange({"type": "shout", "text": "hi"}, reply={"text": "HI"}),
                    Exchange({"type": "shout"}, error=errors.BAD_FIELD),
                ]

    Each exchange must come out the same however often it is repeated.
    """

    OPEN = frozenset({"exchanges"})

    @pytest.fixture
    def exchanges(self) -> Sequence[Exchange]:
        """Gives the messages that the plugin handles; authors override it."""
        missing(
            type(self),
            "exchanges",
            "a list of sethpusher_core.testing.Exchange: messages that the plugin handles, and its answers",
        )

    @pytest.fixture
    def kit(self, make_plugin: Callable[[], object], exchanges: Sequence[Exchange]) -> DispatchBench:
        """What the cases work with; not to be overridden."""
        return DispatchBench(make_plugin, exchanges)
