"""Hook chains: the implementations of one hook, compiled once, and the ways in which hooks are asked.

A chain holds one :class:`~.steps.Step` per implementation, in the order in which they run. Where nobody implements a
hook there is no chain: the call site holds None, and pays one identity test.

Rules that hold for all kinds:

* Implementations run one at a time; the next is not called before the one before it has answered. Nothing is ever
  created and left unawaited.
* A timer is armed only for what returned an awaitable, and of coroutines only for those that suspend.
* What an implementation raises, SystemExit and cancellations of its own included, an answer that takes too long and an
  answer of a wrong type become a HookError that names plugin and hook, with the cause behind it. KeyboardInterrupt
  passes, and so does the cancellation of the calling task.
* A kind that raises leaves logging to its caller; a kind that goes on (:class:`Observers`, :class:`AskAll`,
  :class:`Survey`) logs itself, throttled.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, Generic, TypeVar, TypeVarTuple

from ..answers import Allowed, Denied, Refused
from ..errors import HookError
from .steps import FailureLog, Step

__all__ = ["AskAll", "Cold", "FirstAnswer", "HookChain", "Observers", "Pipeline", "RunAll", "RunReverse", "Survey"]

A = TypeVar("A")
T = TypeVar("T")
Offered = TypeVarTuple("Offered")

_OPINIONS: Final = (Allowed, Denied)


class HookChain:
    """What all kinds have in common."""

    __slots__ = ("_steps", "_timeout")

    def __init__(self, steps: Iterable[Step], timeout: float | None = None) -> None:
        self._steps = tuple(steps)
        self._timeout = timeout

    @property
    def plugins(self) -> tuple[str, ...]:
        """Names of the plugins, in the order in which they run."""
        return tuple(step.plugin for step in self._steps)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The implementations, with their counters."""
        return self._steps


class FirstAnswer(HookChain, Generic[A, *Offered]):
    """Asks one after the other until one answers; None means: not mine.

    Args:
        answers: The types of an answer.
    """

    __slots__ = ("_answers",)

    def __init__(self, steps: Iterable[Step], timeout: float | None, answers: tuple[type[Any], ...]) -> None:
        super().__init__(steps, timeout)
        self._answers: tuple[type[A], ...] = answers

    async def __call__(self, *arguments: *Offered) -> A | None:
        """The first answer; None when nobody has one.

        Raises:
            HookError: One failed; those after it are not asked.
        """
        return (await self.ask(*arguments))[1]

    async def ask(self, *arguments: *Offered) -> tuple[str, A | None]:
        """The same, with the name of the plugin that answered before it; ``("", None)`` when nobody did."""
        for step in self._steps:
            answer = step.call(arguments)
            if answer is None:
                continue
            if not isinstance(answer, self._answers):
                answer = await step.settled(answer, self._timeout)
                if answer is None:
                    continue
                if not isinstance(answer, self._answers):
                    raise step.wrong(answer, " or ".join([*(kind.__name__ for kind in self._answers), "None"]))
            return step.plugin, answer
        return "", None

    def only(self, plugins: Collection[str]) -> FirstAnswer[A, *Offered] | None:
        """The same with some plugins only; None when there is none of them. Counters are shared."""
        steps = [step for step in self._steps if step.plugin in plugins]
        return FirstAnswer(steps, self._timeout, self._answers) if steps else None


class AskAll(HookChain, Generic[*Offered]):
    """Asks everybody: one Denied wins, else one ALLOW, else there is no verdict (None).

    An implementation that fails denies: its failure is logged here and never raised.
    """

    __slots__ = ("_failures",)

    def __init__(self, steps: Iterable[Step], timeout: float | None, failures: FailureLog) -> None:
        super().__init__(steps, timeout)
        self._failures = failures

    async def __call__(self, *arguments: *Offered) -> Allowed | Denied | None:
        """The verdict."""
        return (await self.ask(*arguments))[1]

    async def ask(self, *arguments: *Offered) -> tuple[str, Allowed | Denied | None]:
        """The verdict, with the name of the first plugin that gave it before it; ``("", None)`` for no verdict."""
        plugin, verdict = "", None
        for step in self._steps:
            opinion = await self._opinion(step, arguments)
            if opinion is None or isinstance(verdict, Denied):
                continue
            if verdict is None or isinstance(opinion, Denied):
                plugin, verdict = step.plugin, opinion
        return plugin, verdict

    async def explain(self, *arguments: *Offered) -> list[tuple[str, Allowed | Denied | None]]:
        """What each plugin says, in order; a failure as the Denied that it counts for."""
        return [(step.plugin, await self._opinion(step, arguments)) for step in self._steps]

    async def _opinion(self, step: Step, arguments: tuple[object, ...]) -> Allowed | Denied | None:
        try:
            answer = step.call(arguments)
            if answer is None or isinstance(answer, _OPINIONS):
                return answer
            answer = await step.settled(answer, self._timeout)
            if answer is None or isinstance(answer, _OPINIONS):
                return answer
            raise step.wrong(answer, "ALLOW, Denied or None")
        except HookError as error:
            self._failures.report(error)
            return Denied(str(error))


class RunAll(HookChain, Generic[*Offered]):
    """Runs everybody in order; the first failure stops.

    Args:
        strict: Whether an implementation may return nothing but None. Where returning means "it is safe", a False
            must not pass for that.
    """

    __slots__ = ("_strict",)

    def __init__(self, steps: Iterable[Step], timeout: float | None, *, strict: bool = False) -> None:
        super().__init__(steps, timeout)
        self._strict = strict

    async def __call__(self, *arguments: *Offered) -> None:
        """Runs all.

        Raises:
            HookError: One failed; those after it did not run. :meth:`not_done` tells who that is.
        """
        for step in self._steps:
            answer = step.call(arguments)
            if answer is not None:
                answer = await step.settled(answer, self._timeout)
                if answer is not None and self._strict:
                    raise step.wrong(answer, "nothing (None)")

    def not_done(self, error: HookError) -> frozenset[str]:
        """The plugins that did not run to their end in the call that raised ``error``."""
        names = self.plugins
        return frozenset(names[names.index(error.plugin) :]) if error.plugin in names else frozenset(names)


class RunReverse(HookChain, Generic[*Offered]):
    """Runs everybody in reverse order, whoever fails, and reports all failures together."""

    __slots__ = ()

    async def __call__(self, *arguments: *Offered) -> None:
        """Runs all.

        Raises:
            ExceptionGroup: Of HookErrors, one for each that failed; all have run.
        """
        failures: list[HookError] = []
        for step in reversed(self._steps):
            try:
                await step.settled(step.call(arguments), self._timeout)
            except HookError as error:
                failures.append(error)
        if failures:
            raise ExceptionGroup("; ".join(str(error) for error in failures), failures)

    def without(self, plugins: Collection[str]) -> RunReverse[*Offered] | None:
        """The same for all but some plugins; None when nobody is left. Counters are shared."""
        steps = [step for step in self._steps if step.plugin not in plugins]
        return RunReverse(steps, self._timeout) if steps else None


class Observers(HookChain, Generic[*Offered]):
    """Tells everybody, in order; what they return is ignored, and a failure is counted and logged, never raised."""

    __slots__ = ("_failures",)

    def __init__(self, steps: Iterable[Step], timeout: float | None, failures: FailureLog) -> None:
        super().__init__(steps, timeout)
        self._failures = failures

    async def __call__(self, *arguments: *Offered) -> None:
        """Tells all."""
        for step in self._steps:
            try:
                answer = step.call(arguments)
                if answer is not None:
                    await step.settled(answer, self._timeout)
            except HookError as error:
                self._failures.report(error)


class Survey(HookChain, Generic[*Offered]):
    """Asks everybody for a mapping, and gives each answer under its plugin's name; None is left out.

    A failure is counted and logged, and stands as ``{"failed": ...}`` where the answer would be.
    """

    __slots__ = ("_failures",)

    def __init__(self, steps: Iterable[Step], timeout: float | None, failures: FailureLog) -> None:
        super().__init__(steps, timeout)
        self._failures = failures

    async def __call__(self, *arguments: *Offered) -> dict[str, Mapping[str, Any]]:
        """The answers."""
        answers: dict[str, Mapping[str, Any]] = {}
        for step in self._steps:
            try:
                answer = step.call(arguments)
                if answer is not None:
                    answer = await step.settled(answer, self._timeout)
                if answer is None:
                    continue
                if not isinstance(answer, Mapping):
                    raise step.wrong(answer, "a mapping or None")
                answers[step.plugin] = answer
            except HookError as error:
                self._failures.report(error)
                answers[step.plugin] = {"failed": str(error)}
        return answers


class Pipeline(HookChain, Generic[T]):
    """Hands a value through plain functions, each getting what the one before it returned; Refused stops."""

    __slots__ = ()

    def __call__(self, value: T) -> T | Refused:
        """What comes out at the end, or the Refused that stopped it.

        Raises:
            HookError: One failed, or returned neither a value of the same type nor Refused.
        """
        return self.ask(value)[1]

    def ask(self, value: T) -> tuple[str, T | Refused]:
        """The same, with the name of the plugin that refused before it; empty when nobody did."""
        kind = type(value)
        for step in self._steps:
            step.calls += 1
            try:
                answer = step.function(value)
            except (Exception, SystemExit, CancelledError) as error:
                raise step.failed(error) from error
            if answer is value:
                continue
            if isinstance(answer, kind):
                value = answer
            elif isinstance(answer, Refused):
                return step.plugin, answer
            else:
                raise step.wrong(answer, f"{kind.__name__} or Refused")
        return "", value


class Cold(HookChain):
    """Asks plain functions at start-up; one that fails does not keep the others from being asked."""

    __slots__ = ()

    def gather(self, ask: Callable[[Step], Iterable[T]]) -> tuple[list[T], list[HookError]]:
        """What ``ask`` makes of each implementation, joined, and the failures that it raised."""
        gathered: list[T] = []
        failures: list[HookError] = []
        for step in self._steps:
            try:
                gathered.extend(ask(step))
            except HookError as error:
                failures.append(error)
        return gathered, failures
