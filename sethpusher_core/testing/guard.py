"""What keeps cases from being deleted or loosened unseen, and lets them run as plain functions."""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Mapping
from types import CodeType, TracebackType
from typing import Any, ClassVar, Final, TypeVar

import pytest

from ..errors import PluginError

__all__ = ["Bench", "Compliance", "case"]

_HOME: Final = __name__.rpartition(".")[0]

Case = Callable[..., None]

NOT_REACHED: Final = "The plugin cannot be used as it is, so this case says nothing yet: mend that first."


class Bench(ABC):
    """What a case works with: the fixture ``kit`` of its class."""

    @abstractmethod
    def require(self, need: str) -> None:
        """Skips the case if what it needs is not there, naming that."""

    @abstractmethod
    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a case in a loop of its own, and tidies up."""


S = TypeVar("S")
B = TypeVar("B", bound=Bench)


def case(*needs: str) -> Callable[[Callable[[S, B], Coroutine[Any, Any, None]]], Callable[[S, B], None]]:
    """Makes a test of a coroutine function: a plain function that runs it.

    When it fails, its docstring is added to the report: the contract's sentence, and what to do. Not where the plugin
    cannot even be registered: then the case was not reached, and its advice would only bury what is wrong.

    Args:
        needs: Capabilities and the like without which the case does not apply; see :meth:`Bench.require`.
    """

    def decorate(test: Callable[[S, B], Coroutine[Any, Any, None]]) -> Callable[[S, B], None]:
        @functools.wraps(test)
        def run(self: S, kit: B) -> None:
            __tracebackhide__ = True
            for need in needs:
                kit.require(need)
            try:
                kit.run(test(self, kit))
            except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - raised again, with a note
                error.add_note(f"\n{NOT_REACHED if isinstance(error, PluginError) else inspect.getdoc(test)}")
                raise error.with_traceback(_from(test.__code__, error.__traceback__))  # noqa: B904 - it is the same

        return run

    return decorate


def _from(code: CodeType, traceback: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames (of the event loop) that led to the test."""
    place = traceback
    while place is not None and place.tb_frame.f_code is not code:
        place = place.tb_next
    return place or traceback


class Compliance:
    """What all classes of the kit have in common: their cases stand.

    A subclass of an author may add tests and give fixtures. A case that it overrides or deletes fails, unless what
    stands in its place says ``xfail(strict=True, reason=...)``; then the kit's own case runs under that mark.
    """

    OPEN: ClassVar[frozenset[str]] = frozenset()
    """What a subclass may define; only the kit's own word counts."""
    _stand: ClassVar[Mapping[str, object]] = {}

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if cls.__module__.startswith(f"{_HOME}."):
            return
        stand: dict[str, object] = {}
        for name, original in _fixed(cls):
            found = inspect.getattr_static(cls, name, None)
            if name.startswith("test") and (found is not original or _marks(found)):
                found = _admitted(name, original, found)
                setattr(cls, name, found)
            stand[name] = found
        cls._stand = stand

    def test_no_case_is_missing(self) -> None:
        """All cases of the kit stand, each as the kit has it, and so does what they work with.

        If this fails: remove what the message names. A case that cannot be held for now is overridden by a function
        of its name that is marked ``@pytest.mark.xfail(strict=True, reason="...")``.
        """
        replaced = [
            name
            for name, original in _fixed(type(self))
            if inspect.getattr_static(type(self), name, None) is not self._stand.get(name)
            or (not name.startswith("test") and self._stand.get(name) is not original)
        ]
        assert not replaced, f"{type(self).__name__} replaces what belongs to the kit: {', '.join(replaced)}"


def _fixed(cls: type[Compliance]) -> Iterator[tuple[str, Any]]:
    """What the kit defines, and a subclass may not."""
    kit = [base for base in cls.__mro__ if base.__module__.startswith(f"{_HOME}.")]
    seen = set().union(*(vars(base).get("OPEN", ()) for base in kit))
    for base in kit:
        for name, value in vars(base).items():
            if name not in seen and not name.startswith("_"):
                seen.add(name)
                yield name, value


def _marks(test: object) -> list[pytest.Mark]:
    return list(getattr(test, "pytestmark", []))


def _admitted(name: str, original: Case, found: object) -> Case:
    """The kit's case under the author's mark, or one that fails because there is no good mark."""

    @functools.wraps(original)
    def marked(self: object, kit: Bench) -> None:
        __tracebackhide__ = True
        original(self, kit)

    def refused(_: object) -> None:
        pytest.fail(
            f"{name} is a case of the compliance kit and cannot be overridden or deleted. If it cannot be held for "
            'now, mark a function of this name @pytest.mark.xfail(strict=True, reason="..."), with nothing in it: '
            "the kit's own case runs under that mark.",
            pytrace=False,
        )

    marks = _marks(found)
    if len(marks) != 1 or not _says_why(marks[0]):
        return refused
    if "kit" not in inspect.signature(original).parameters:
        return refused
    marked.pytestmark = marks  # type: ignore[attr-defined]
    return marked


def _says_why(mark: pytest.Mark) -> bool:
    known = {"strict", "reason", "raises"}
    reason = mark.kwargs.get("reason")
    return (
        mark.name == "xfail"
        and not mark.args
        and mark.kwargs.keys() <= known
        and mark.kwargs.get("strict") is True
        and isinstance(reason, str)
        and bool(reason.strip())
    )
