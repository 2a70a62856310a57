"""Coroutines that are run by hand up to the point where they have to wait."""

from __future__ import annotations

from asyncio import CancelledError, Future, get_running_loop
from collections.abc import Awaitable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

__all__ = ["Begun", "End"]

T = TypeVar("T")


class Begun(Awaitable[T], Generic[T]):
    """A coroutine that may have run up to its first suspension. May be awaited several times, or not at all.

    It runs in the task that awaits it first, and in the context that was current when it was made. What it raises is
    raised once, and not kept: an exception that is kept holds all frames that it has passed.

    Attributes:
        done: Whether it has ended.
        failed: Whether it has ended by an exception.
        driven: Whether a task runs it now.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T], context: Context | None = None) -> None:
        """Nothing runs yet."""
        self.done = self.failed = self.driven = False
        self._coroutine = coroutine
        self._context = context or copy_context()
        self._started = False
        self._waits_for: Any = None
        self._end: Future[None] | None = None
        self._result: T | None = None
        self._error: BaseException | None = None

    def run(self) -> bool:
        """Runs it up to its first suspension, unless it has begun; says whether it has ended."""
        if not self._started:
            self._step(None)
        return self.done

    def result(self) -> T:
        """What it returned, or raises what it raised; only once it is done."""
        if not self.failed:
            return self._result  # type: ignore[return-value]  # it is done, so this is a T
        error, self._error = self._error, None
        try:
            raise error or RuntimeError("it has failed, and has said so to somebody else")
        finally:
            error = None

    def drop(self) -> None:
        """Gives it up, wherever it is; only while no task runs it."""
        if not self.done:
            self._coroutine.close()
            self._ended()

    def __await__(self) -> Generator[Any, Any, T]:
        yield from self.complete()
        return self.result()

    def complete(self) -> Generator[Any, Any, None]:
        """Runs it to its end, without raising what it raises; where another task does that already, waits for it.

        Raises:
            CancelledError: Who waits is cancelled.
        """
        if self.driven:
            if self._end is None:
                self._end = get_running_loop().create_future()
            yield from self._end
            return
        self.driven = True
        thrown: BaseException | None = None
        try:
            self.run()
            while not self.done:
                thrown = None
                try:
                    yield self._waits_for
                except BaseException as error:  # noqa: BLE001 - what the loop throws in is the coroutine's
                    thrown = error
                self._step(thrown)
            if isinstance(thrown, CancelledError) and self._error is thrown:
                self.result()
        finally:
            self.driven = False
            thrown = None

    def _step(self, thrown: BaseException | None) -> None:
        self._started = True
        try:
            if thrown is None:
                self._waits_for = self._context.run(self._coroutine.send, None)
            else:
                self._waits_for = self._context.run(self._coroutine.throw, thrown)
        except StopIteration as ended:
            self._result = ended.value
            self._ended()
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            self._error = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
            self.failed = True
            self._ended()

    def _ended(self) -> None:
        self.done = True
        self._waits_for = None
        if self._end is not None and not self._end.done():
            self._end.set_result(None)


class End(Awaitable[None]):
    """Awaits the end of something, however it ends."""

    def __init__(self, begun: Begun[Any]) -> None:
        self._begun = begun

    def __await__(self) -> Generator[Any, Any, None]:
        return self._begun.complete()
