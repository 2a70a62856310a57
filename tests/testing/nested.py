"""Runs tests within a test, and tells what became of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

__all__ = ["outcomes"]

HERE = Path(__file__).parent


class _Reporter:
    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, str]] = defaultdict(dict)
        self.texts: dict[str, str] = {}
        self.problems: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.problems.append(str(report.longrepr))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        *_, cls, test = report.nodeid.split("::")
        outcome = report.outcome if not hasattr(report, "wasxfail") else f"x{report.outcome}"
        if report.when == "call" or outcome != "passed":
            self.outcomes[cls][test] = outcome
            self.texts[f"{cls}::{test}"] = str(report.longrepr)


def outcomes(path: Path) -> tuple[Mapping[str, Mapping[str, str]], Mapping[str, str]]:
    """Runs the tests of a file by themselves.

    Returns:
        By class and test: ``passed``, ``failed``, ``skipped``, or ``xskipped`` for an expected failure; and the
        reports, by ``class::test``.
    """
    reporter = _Reporter()
    without = [f"-pno:{name}" for name in ("terminal", "cacheprovider", "faulthandler", "logging", "capture")]
    arguments = ["-c", "/dev/null", "--rootdir", str(HERE), "--noconftest", "--import-mode=importlib", *without]
    code = pytest.main([*arguments, str(path)], plugins=[reporter])
    assert not reporter.problems, "\n".join(reporter.problems)
    assert code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), code
    return reporter.outcomes, reporter.texts
