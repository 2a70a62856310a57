"""One implementation of one hook, compiled: what a chain calls, counts and blames."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from inspect import Parameter
from operator import itemgetter
from time import monotonic
from types import CoroutineType
from typing import Any, Final, NamedTuple

from ..coroutines import begun
from ..errors import HookError

__all__ = ["Count", "FailureLog", "Step", "positional"]

log = logging.getLogger("sethpusher.plugins")

QUIET_SECONDS: Final = 60.0
"""How long after a log line the same failing hook of the same plugin is only counted."""


class Count(NamedTuple):
    """How often an implementation was called, and how often it raised, timed out or answered wrongly."""

    calls: int
    failures: int


class Step:
    """One implementation within a chain.

    Attributes:
        plugin: Name of the plugin.
        hook: Name of the hook.
        function: Takes all that the hook offers, positionally.
        passing: Exceptions that are answers, not failures, and pass unchanged.
        calls: How often it was called.
        failures: How often it failed.
    """

    __slots__ = ("calls", "failures", "function", "hook", "passing", "plugin")

    def __init__(
        self, plugin: str, hook: str, function: Callable[..., Any], passing: tuple[type[Exception], ...] = ()
    ) -> None:
        self.plugin = plugin
        self.hook = hook
        self.function = function
        self.passing = passing
        self.calls = 0
        self.failures = 0

    def call(self, arguments: tuple[object, ...]) -> Any:
        """Calls it; the result is its answer, or an awaitable for :meth:`settled`.

        Raises:
            HookError: It raised, or tried to end the process.
        """
        self.calls += 1
        try:
            return self.function(*arguments)
        except self.passing:
            raise
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # nobody can cancel a call: it is the plugin's
            raise self.failed(error) from error

    def call_plain(self, arguments: tuple[object, ...]) -> Any:
        """Calls it where nothing may be awaited.

        Raises:
            HookError: It raised, tried to end the process, or returned an awaitable.
        """
        answer = self.call(arguments)
        if hasattr(answer, "__await__"):
            raise self.wrong(answer, "no awaitable")
        return answer

    async def settled(self, answer: Any, timeout: float | None) -> Any:
        """The answer itself, awaited if it is awaitable.

        A timer is armed only for a coroutine that suspends, or another awaitable: most coroutines answer at once, and
        the timer would cost more than all the rest.

        A cancellation passes if somebody cancelled the running task. One that nobody asked for comes from within the
        plugin (it awaited a task of its own that was cancelled): let through, it would end the caller without a word.

        Raises:
            HookError: It raised, took longer than ``timeout`` seconds, or was cancelled from within.
        """
        deadline = None
        try:
            ended = not inspect.isawaitable(answer)
            if type(answer) is CoroutineType:
                ended, answer = begun(answer)
            if ended:
                return answer
            deadline = asyncio.timeout(timeout)
            async with deadline:
                answer = await answer
        except self.passing:
            raise
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _cancel_requested():
                raise
            late = deadline is not None and deadline.expired()
            raise self.failed(_too_slow(timeout) if late else error) from error
        if deadline.expired():  # it swallowed the cancellation and answered after all: too late is too late
            raise self.failed(_too_slow(timeout))
        return answer

    def failed(self, what: BaseException | str) -> HookError:
        """Counts a failure and words it; the caller raises it from the exception, if there is one."""
        self.failures += 1
        return HookError(self.plugin, self.hook, what if isinstance(what, str) else described(what))

    def wrong(self, answer: object, expected: str) -> HookError:
        """Counts an answer of a type that the hook does not know, and words it without showing its value."""
        if inspect.iscoroutine(answer):
            answer.close()  # else Python warns, much later and without the plugin's name, that nobody awaited it
        return self.failed(f"answered {_shown(answer)} where {expected} is expected")


def described(error: BaseException) -> str:
    """An exception on one line, for a person."""
    if isinstance(error, SystemExit):
        return f"tried to end the process (SystemExit {error.code})"
    if isinstance(error, asyncio.CancelledError):
        return "was cancelled from within"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _shown(answer: object) -> str:
    if answer is None or isinstance(answer, bool):
        return repr(answer)
    if isinstance(answer, type):
        return f"the class {answer.__name__} (not an instance of it)"
    if inspect.isawaitable(answer):
        return f"an awaitable ({type(answer).__name__}; this hook must be a plain function)"
    # Never the value: it may hold what must not be logged.
    return f"a value of type {type(answer).__name__}"


def _too_slow(timeout: float | None) -> str:
    return f"timed out after {timeout:g} s"


def _cancel_requested() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


class FailureLog:
    """Logs failures that nobody else will: the first at once, then at most one line a minute per plugin and hook.

    Args:
        clock: Gives seconds that only grow.
        logger: Where to.
    """

    def __init__(self, clock: Callable[[], float] = monotonic, logger: logging.Logger = log) -> None:
        self._clock = clock
        self._logger = logger
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def report(self, error: HookError, before: str = "") -> None:
        """Logs a failure, with some words before it, or counts it until its next line."""
        key, now = (error.plugin, error.hook), self._clock()
        last, unsaid = self._seen.get(key, (float("-inf"), 0))
        if now - last < QUIET_SECONDS:
            self._seen[key] = (last, unsaid + 1)
            return
        self._seen[key] = (now, 0)
        more = f" (and {unsaid} more since the last such line)" if unsaid else ""
        self._logger.error("%s%s%s", before, error, more, exc_info=error.__cause__)


def positional(function: Callable[..., Any], offered: tuple[str, ...]) -> Callable[..., Any]:
    """A callable that takes all that a hook offers, positionally, and passes on what ``function`` asks for by name.

    That is ``function`` itself when it takes everything in the hook's order. A parameter with a default that the hook
    does not offer keeps its default, so a plugin can be ahead of the core.
    """
    parameters = list(inspect.signature(function).parameters.values())
    count = 0
    while count < len(parameters) and _leads(parameters[count], offered):
        count += 1
    leading = [parameter.name for parameter in parameters[:count]]
    rest = parameters[count:]
    keywords = [parameter.name for parameter in rest if parameter.name in offered]
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in rest):
        keywords = [name for name in offered if name not in leading]
    if keywords:
        return _by_name(function, [offered.index(n) for n in leading], [(n, offered.index(n)) for n in keywords])
    if tuple(leading) == offered:
        return function
    return _selected(function, [offered.index(name) for name in leading])


def _leads(parameter: Parameter, offered: tuple[str, ...]) -> bool:
    return parameter.name in offered and parameter.kind in (
        Parameter.POSITIONAL_ONLY,
        Parameter.POSITIONAL_OR_KEYWORD,
    )


def _selected(function: Callable[..., Any], places: list[int]) -> Callable[..., Any]:
    if not places:
        return lambda *_: function()
    if len(places) == 1:
        place = places[0]
        return lambda *arguments: function(arguments[place])
    pick = itemgetter(*places)
    return lambda *arguments: function(*pick(arguments))


def _by_name(function: Callable[..., Any], places: list[int], named: list[tuple[str, int]]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        return function(*(arguments[i] for i in places), **{name: arguments[i] for name, i in named})

    return call
