"""Watches the logs: a WARNING or worse that no test has asked for fails the test."""

from __future__ import annotations

import logging
import re
import threading
from typing import Final

from support.timing import UNIT

__all__ = ["LogWatch"]

_QUIET: Final = "sethpusher.access"
"""Its lines follow from the HTTP answers, which the tests look at themselves."""


class LogWatch(logging.Handler):
    """Collects what is logged at WARNING or above, in every thread, while it is entered."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._records: list[logging.LogRecord] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != _QUIET:
            with self._changed:
                self._records.append(record)
                self._changed.notify_all()

    def expect(self, pattern: str, *, level: int = logging.WARNING, logger: str = "sethpusher") -> str:
        """Waits for a line that a regular expression is found in, takes it out and gives it."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._find(pattern, level, logger), UNIT)
            assert found, f"no {logging.getLevelName(level)} like {pattern!r}; there is {self.lines()}"
            self._records.remove(found)
        return found.getMessage()

    def drop(self, *patterns: str) -> None:
        """Takes out all lines that one of some regular expressions is found in, if there are any."""
        with self._changed:
            for record in list(self._records):
                if any(re.search(pattern, record.getMessage()) for pattern in patterns):
                    self._records.remove(record)

    def lines(self) -> list[str]:
        """What nobody has expected so far."""
        formatter = logging.Formatter("%(levelname)s %(name)s: %(message)s")
        return [formatter.format(record) for record in list(self._records)]

    def check(self) -> None:
        """Fails if there is a line that nobody expected."""
        assert not self._records, "unexpected in the log:\n" + "\n".join(self.lines())

    def __enter__(self) -> LogWatch:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)

    def _find(self, pattern: str, level: int, logger: str) -> logging.LogRecord | None:
        for record in self._records:
            if record.levelno == level and record.name.startswith(logger) and re.search(pattern, record.getMessage()):
                return record
        return None
