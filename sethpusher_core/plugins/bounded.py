"""Running a plugin's code at start-up for a bounded time, and without letting it write on our output."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final, TypeVar

__all__ = ["Hung", "bounded"]

T = TypeVar("T")

_AGAIN: Final = 1.0
"""Seconds after which code that swallowed the interruption is interrupted again."""


class Hung(BaseException):
    """A plugin's code did not end in time.

    Not an Exception: it is raised in the middle of the plugin's code, whose ``except Exception`` must not swallow it.
    """

    def __init__(self, seconds: float, where: str) -> None:
        super().__init__(f"did not end within {seconds:g} s" + (f"; it was at {where}" if where else ""))


def bounded(function: Callable[[], T], seconds: float) -> T:
    """Runs a function of a plugin, for at most so long; what it prints goes to stderr.

    In the main thread an alarm signal interrupts it where it stands, so nothing is left behind: a module half imported
    is taken out of ``sys.modules`` by Python itself. Elsewhere, and where there are no such signals, it runs in a
    thread of its own, which is abandoned when time is up. Neither helps against C code that never gives back the
    interpreter's lock.

    Args:
        function: What to run.
        seconds: How long it may take; 0 or less: as long as it likes.

    Raises:
        Hung: Time is up; the text says how long, and where it was.
        BaseException: Whatever the function raises.
    """
    with contextlib.redirect_stdout(sys.stderr):
        if seconds <= 0:
            return function()
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
            with _alarm(seconds):
                return function()
        return _in_thread(function, seconds)


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    armed = True

    def ring(_signal: int, frame: FrameType | None) -> None:
        if armed:
            raise Hung(seconds, _place(frame))

    before = signal.signal(signal.SIGALRM, ring)
    began = time.monotonic()
    delay, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        armed = False
        # Somebody else's alarm, if there is one, is put back with what is left of it.
        left = max(delay - (time.monotonic() - began), 0.001) if delay else 0.0
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if before is None else before)
        signal.setitimer(signal.ITIMER_REAL, left, interval)


def _in_thread(function: Callable[[], T], seconds: float) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - carried over to the caller, whatever it is
            errors.append(error)

    thread = threading.Thread(target=run, name="sethpusher-plugin", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise Hung(seconds, _place(_frames().get(thread.ident or 0)))
    return results[0]


def _frames() -> dict[int, Any]:
    return sys._current_frames()


def _place(frame: FrameType | None) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""
