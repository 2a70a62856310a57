"""Work that plain functions begin, and the coroutine around them finishes.

The methods of release 0.2.2 were plain functions that had done their work when they returned. Here most of that work
may have to wait (for a backend, for a plugin). So that an old override, which calls ``super().method(...)`` and throws
the result away, still does all it did, each message of a client and each HTTP call opens a :class:`Work`. What a method
begins within it runs at once as far as it can without waiting; what is left is finished, in order, before the message
counts as handled or the call is answered. Who wants to may await the result earlier.
"""

from __future__ import annotations

import inspect
from asyncio import Future, Task, current_task, get_running_loop, wait
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import ContextVar, Token, copy_context
from typing import Any, Final, Generic, TypeAlias, TypeVar

from ._begun import Begun, End

__all__ = ["DONE", "Work", "awaitable", "begun", "current", "is_pending", "settled"]

T = TypeVar("T")
Watch: TypeAlias = "Callable[[Task[Any]], object] | None"


class _Done(Awaitable[T], Generic[T]):
    """What a method returns whose work is done, so that a coroutine that overrides it can await it all the same."""

    def __init__(self, result: T) -> None:
        self._result = result

    def __await__(self) -> Generator[Any, Any, T]:
        yield from ()
        return self._result


DONE: Final[Awaitable[None]] = _Done(None)


def awaitable(answer: Any) -> Awaitable[Any]:
    """What a method returned, as something that may be awaited and need not be."""
    if answer is None:
        return DONE
    return answer if inspect.isawaitable(answer) else _Done(answer)


def is_pending(answer: Any) -> bool:
    """Whether something that a method returned has still to be awaited."""
    if isinstance(answer, Future):
        return not answer.done()
    if isinstance(answer, _Item):
        return not answer.begun.done
    return inspect.isawaitable(answer) and not isinstance(answer, _Done)


async def settled(answer: Any) -> Any:
    """What a method returned, awaited if it is awaitable: overrides may be plain functions or coroutines."""
    return await answer if inspect.isawaitable(answer) else answer


class Work:
    """What is begun while one message or call is handled, in order. Used as ``async with``.

    Attributes:
        open: Whether something may still be begun.
    """

    def __init__(self) -> None:
        """Nothing is begun yet."""
        self.open = True
        self._owner = current_task()
        self._waiting: deque[_Item[Any]] = deque()
        self._apart: set[Task[Any]] = set()
        self._token: Token[Work | None] | None = None

    def begin(self, coroutine: Coroutine[Any, Any, T], watch: Watch = None) -> Awaitable[T]:
        """Begins something, behind all that was begun before.

        Begun by another task than the one whose work this is (or by a callback), it runs apart: what is in line may be
        waiting for that very task.

        Args:
            coroutine: What to do.
            watch: Told of the task, where it runs apart.

        Returns:
            Its result, for who wants to await it; what nobody awaits is finished all the same.

        Raises:
            Exception: What the coroutine raised before it had to wait.
        """
        if current_task() is not self._owner:
            task = _task(coroutine, watch)
            self._apart.add(task)
            task.add_done_callback(self._apart.discard)
            return task
        self._forget_done()
        item = _Item(self._waiting, coroutine)
        if not self._waiting and item.begun.run():
            item.begun.result()
        else:
            self._waiting.append(item)
        return item

    async def finish(self) -> None:
        """Finishes all that was begun.

        Raises:
            Exception: The first failure that nobody has awaited; what was begun behind it is given up.
        """
        while self._waiting:
            item = self._waiting[0]
            await (End(item.begun) if item.taken else item.begun)
            self._forget_done()
        while self._apart:
            await wait(self._apart)

    def _forget_done(self) -> None:
        while self._waiting and self._waiting[0].is_over:
            self._waiting.popleft()

    def close(self) -> None:
        """Begins nothing any more, and gives up what is not finished."""
        self.open = False
        while self._waiting:
            self._waiting.popleft().drop()

    async def __aenter__(self) -> Work:
        self._token = _current.set(self)
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            if error is None:
                await self.finish()
        finally:
            self.close()
            if self._token is not None:
                _current.reset(self._token)


class _Item(Awaitable[T], Generic[T]):
    """One thing begun, with work of its own for what it begins itself: nothing may wait for what waits for it.

    Attributes:
        begun: The thing.
        taken: Whether somebody has awaited it: then a failure is theirs.
    """

    def __init__(self, line: deque[_Item[Any]], coroutine: Coroutine[Any, Any, T]) -> None:
        self.taken = False
        self._line = line
        self._coroutine = coroutine
        context = copy_context()
        inner = Work()
        context.run(_current.set, inner)
        self.begun: Begun[T] = Begun(_with_its_own(coroutine, inner), context)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do or to tell."""
        return self.begun.done and (self.taken or not self.begun.failed)

    def drop(self) -> None:
        """Gives it up, unless a task runs it now."""
        if not self.begun.driven:
            self.begun.drop()
            self._coroutine.close()  # else, if nothing of it has run, Python would warn

    def __await__(self) -> Generator[Any, Any, T]:
        self.taken = True
        for earlier in list(self._line):
            if earlier is self:
                break
            yield from earlier.begun.complete()
        return (yield from self.begun.__await__())


async def _with_its_own(coroutine: Coroutine[Any, Any, T], inner: Work) -> T:
    try:
        result = await coroutine
        await inner.finish()
        return result
    finally:
        inner.close()


_current: Final[ContextVar[Work | None]] = ContextVar("sethpusher_work", default=None)


def current() -> Work | None:
    """The work of the message or call that is being handled; None outside of any."""
    work = _current.get()
    return work if work is not None and work.open else None


def begun(coroutine: Coroutine[Any, Any, T], watch: Watch = None) -> Awaitable[T]:
    """Begins something in the work of the message or call that is being handled; outside of any, in a task.

    Args:
        coroutine: What to do.
        watch: Told of the task, where there is one.

    Raises:
        RuntimeError: There is neither such work nor a running loop.
        Exception: What the coroutine raised before it had to wait.
    """
    work = current()
    return _task(coroutine, watch) if work is None else work.begin(coroutine, watch)


def _task(coroutine: Coroutine[Any, Any, T], watch: Watch) -> Task[T]:
    context = copy_context()
    context.run(_current.set, None)
    try:
        task = get_running_loop().create_task(coroutine, context=context)
    except RuntimeError:
        coroutine.close()
        raise RuntimeError("this needs a running event loop: call it from a handler, or once the server runs") from None
    if watch is not None:
        watch(task)
    return task
