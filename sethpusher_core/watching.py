"""A file that holds while the server runs: read at the start, and again whenever it has changed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from .repeating import Repeating

__all__ = ["LARGEST", "WatchedFile"]

T = TypeVar("T")

LARGEST: Final = 1 << 20
"""Bytes that such a file may have: it is read within the server's loop."""


class WatchedFile(Generic[T]):
    """What a file says now: keys, tokens, lists of names. For plugins whose settings name one.

    A file that is gone, or has become wrong, changes nothing: what was read last goes on to hold, and the log says what
    is the matter, once for each change. A change counts once the file has stayed the same from one look to the next: it
    may be halfway through being written, and half of it may be a sound file that says less.

    Attributes:
        path: Where it is.
        value: What was made of it last.
    """

    def __init__(self, path: str, read: Callable[[bytes], T], *, what: str, log: logging.Logger) -> None:
        """Reads it.

        Args:
            path: Where it is; a relative one counts from the folder that the server was started in.
            read: Makes the value of the file's content. What is wrong it says by a ValueError with one line, which
                must not show a secret.
            what: What is in the file, for the log, such as ``"the keys"``.
            log: Where bad news go.

        Raises:
            ValueError: The file cannot be read, or is wrong; one line that names it.
        """
        self.path = Path(path)
        self._make = read
        self._what = what
        self._log = log
        self._read_of = self._seen = self._state()
        self._on_change: Callable[[T, T], None] | None = None
        self._watch = Repeating(self._look)
        self.value = self._read()

    def start(self, interval: float, on_change: Callable[[T, T], None]) -> None:
        """Looks every ``interval`` seconds, on the running loop, whether the file has changed.

        Args:
            interval: Seconds.
            on_change: Called with the old value and the new one, after ``value`` is the new one.
        """
        self._on_change = on_change
        self._watch.start(interval)

    def stop(self) -> None:
        """Looks no more."""
        self._watch.stop()

    async def _look(self) -> None:
        state = self._state()
        steady, self._seen = state == self._seen, state
        if not steady or state == self._read_of:
            return
        self._read_of = state  # of before it is read: what is written meanwhile is another change
        try:
            new = self._read()
        except ValueError as error:
            self._log.error("%s stay as they were: %s", self._what, error)
            return
        old, self.value = self.value, new
        if self._on_change is not None:
            self._on_change(old, new)

    def _state(self) -> object:
        """By what a change shows; a missing file is a state, too."""
        try:
            status = os.stat(self.path)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            return type(error), str(error)
        return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev

    def _read(self) -> T:
        try:
            with self.path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise ValueError(f"{self.path}: {error.strerror or 'cannot be read'}") from None
        if len(data) > LARGEST:
            raise ValueError(f"{self.path}: is larger than {LARGEST} bytes")
        try:
            return self._make(data)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None
