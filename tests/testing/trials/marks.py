"""What a wrong implementation is expected to fail, and what it does fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from sethpusher_core.testing.guard import Bench

__all__ = ["Verdict", "fails", "judged", "trials_in"]

C = TypeVar("C", bound=type)


@dataclass(frozen=True)
class Verdict:
    """Which cases fail: exactly these, or these among others."""

    cases: frozenset[str]
    among_others: bool


def fails(*cases: str, among_others: bool = False) -> Callable[[C], C]:
    """Notes what must fail.

    Args:
        cases: Names without their ``test_``.
        among_others: For what is so wrong that little works.
    """

    def mark(cls: C) -> C:
        cls.verdict = Verdict(frozenset(f"test_{case}" for case in cases), among_others)  # type: ignore[attr-defined]
        return cls

    return mark


def judged(parts: Sequence[type], make_kit: Callable[[], Bench]) -> dict[str, str]:
    """Runs the cases of some parts of the kit as pytest would, without its costs.

    Args:
        parts: Classes of cases.
        make_kit: Makes what a case works with, for each anew.

    Returns:
        ``passed``, ``failed`` or ``skipped``, by case.
    """
    results: dict[str, str] = {}
    for part in parts:
        for name, test in vars(part).items():
            if name.startswith("test"):
                results[name] = _outcome(lambda test=test, part=part: test(part(), make_kit()))  # type: ignore[misc]
    return results


def _outcome(run: Callable[[], object]) -> str:
    try:
        run()
    except pytest.skip.Exception:
        return "skipped"
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever a wrong one comes up with
        return "failed"
    return "passed"


def trials_in(*modules: Any) -> dict[str, Any]:
    """The marked classes of some modules, by name."""
    found: dict[str, Any] = {}
    for module in modules:
        for name, value in vars(module).items():
            if "verdict" in getattr(value, "__dict__", ()) and value.__module__ == module.__name__:
                assert found.setdefault(name, value) is value, f"two trials are called {name}"
    return found
