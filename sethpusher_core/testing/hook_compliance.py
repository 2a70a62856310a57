"""What the compliance classes for hooks have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import pytest

from .guard import Compliance

__all__ = ["HookCompliance", "missing"]


def missing(cls: type, fixture: str, what: str) -> NoReturn:
    """Fails a test whose class lacks a fixture.

    Args:
        cls: The author's class.
        fixture: The fixture.
        what: What it must return.
    """
    pytest.fail(f"{cls.__name__} needs a fixture `{fixture}` that returns {what}", pytrace=False)


class HookCompliance(Compliance):
    """The fixtures that make plugins."""

    OPEN = frozenset({"make_failing", "make_plugin"})

    @pytest.fixture
    def make_plugin(self) -> Callable[[], object]:
        """Gives a function that makes a new plugin object; authors override it."""
        missing(type(self), "make_plugin", "a function: each of its calls makes a new plugin object")

    @pytest.fixture
    def make_failing(self) -> Callable[[], object] | None:
        """Gives a function that makes a plugin which fails; authors may override it."""
        return None
