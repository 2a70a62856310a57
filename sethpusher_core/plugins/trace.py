"""``--trace-plugins``: a log line for each call of a plugin's hook: hook, plugin, microseconds, outcome.

Tracing is compiled in: a traced chain holds wrapped functions, any other holds the plugins' own. So where it is off it
costs nothing, not even a test.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Any, Final

from ..answers import Allowed, Denied, Refused, Rejected
from .inspection import Spec
from .steps import described

__all__ = ["traced"]

log = logging.getLogger("sethpusher.trace")

_WITH_REASON: Final = (Denied, Refused, Rejected)


def traced(plugin: str, spec: Spec, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, each of whose calls leaves a line in the log at level INFO.

    The time is that from the call to its end, waiting included. Of an answer the line shows the type, and the reason
    that it gives for the log; never a value, which may hold what must not be logged.

    Args:
        plugin: Name of the plugin.
        spec: The hook.
        function: Its implementation, taking positionally all that the hook offers.
    """

    def say(began: int, outcome: str) -> None:
        log.info("%s %s %d us: %s", spec.name, plugin, (perf_counter_ns() - began) // 1000, outcome)

    async def settle(awaitable: Awaitable[Any], began: int, arguments: tuple[Any, ...]) -> Any:
        try:
            answer = await awaitable
        except BaseException as error:
            say(began, _raised(error))
            raise
        say(began, _answered(answer, arguments))
        return answer

    def call(*arguments: Any) -> Any:
        began = perf_counter_ns()
        try:
            answer = function(*arguments)
        except BaseException as error:
            say(began, _raised(error))
            raise
        if spec.may_wait and inspect.isawaitable(answer):
            return settle(answer, began, arguments)
        say(began, _answered(answer, arguments))
        return answer

    return call


def _answered(answer: object, arguments: tuple[Any, ...]) -> str:
    if answer is None:
        return "None"
    if isinstance(answer, Allowed):
        return "ALLOW"
    if isinstance(answer, _WITH_REASON):
        return f"{type(answer).__name__}: {answer.reason}"
    if any(answer is argument for argument in arguments):
        return "unchanged"
    return type(answer).__name__


def _raised(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "given up (it took too long, or its caller went away)"
    return f"raised {described(error)}"
