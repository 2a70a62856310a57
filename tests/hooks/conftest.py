"""What the tests of hooks share: plugins made of functions, a loop per call, and a watch on the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from sethpusher_core.hookspecs import hookimpl


class Logged(logging.Handler):
    """The warnings and errors of a test; a line that it does not ask for fails it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: list[str] = []
        self._asked_for = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Takes note of a line."""
        self._lines.append(record.getMessage())

    def lines(self) -> list[str]:
        """All lines so far; they are expected now."""
        self._asked_for = len(self._lines)
        return list(self._lines)

    def unexpected(self) -> list[str]:
        """The lines that nobody has asked for."""
        return self._lines[self._asked_for :]


@pytest.fixture(autouse=True)
def logged() -> Iterator[Logged]:
    """Fails a test that leaves an unexpected line in the log."""
    handler = Logged()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    assert handler.unexpected() == []


@pytest.fixture
def run() -> Callable[[Awaitable[Any]], Any]:
    """Runs a coroutine in a loop of its own; no task may be left."""

    def run(awaitable: Awaitable[Any]) -> Any:
        async def alone() -> Any:
            result = await awaitable
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return result

        return asyncio.run(alone())

    return run


@pytest.fixture
def plugin() -> Callable[..., object]:
    """Makes a plugin object of functions, each implementing the hook of its own name."""

    def plugin(name: str, *functions: Callable[..., Any], **options: Any) -> object:
        implementations = {f.__name__: staticmethod(hookimpl(**options)(f)) for f in functions}
        return type(f"Plugin_{name}", (), {"name": name, **implementations})()

    return plugin
