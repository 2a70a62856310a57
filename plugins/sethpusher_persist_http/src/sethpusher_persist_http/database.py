"""The database of an outbox, open: transactions, and what becomes of what SQLite raises."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from .errors import OutboxDamaged, OutboxError
from .files import MEMORY, OutboxFiles, is_damage, opened

__all__ = ["Database"]

T = TypeVar("T")

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Database:
    """A connection that is replaced when a damaged file is set aside."""

    def __init__(
        self,
        files: OutboxFiles | None,
        synchronous: str,
        set_aside: Callable[[Path, Exception], None] | None,
        begun: Callable[[], None],
    ) -> None:
        """Prepares; :meth:`open` opens.

        Args:
            files: Where it lies, locked by the caller; None for one in memory.
            synchronous: See :func:`.files.opened`.
            set_aside: Told of a damaged file that was renamed for a new one to take its place. None: a damaged file
                is left, and an error.
            begun: Called when a file has been opened.
        """
        self._files = files
        self._synchronous = synchronous
        self._set_aside = set_aside
        self._begun = begun
        self._connection: sqlite3.Connection | None = None
        self._file: int | None = None

    def open(self) -> None:
        """Opens it, or makes it where there is none.

        Raises:
            OutboxDamaged: It is damaged, and not to be set aside.
            OutboxError: It cannot be opened.
        """
        try:
            self._open()
        except OutboxDamaged as error:
            self._begin_anew(error)

    def close(self) -> None:
        """Closes it, if it is open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._file is not None:
            os.close(self._file)  # not before: closing any descriptor of a file drops SQLite's locks on it
            self._file = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of the moment."""
        if self._connection is None:
            raise OutboxError("the outbox is closed")
        return self._connection

    def one(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        """The one row that a statement gives; None when it gives none."""
        return self.connection.execute(statement, parameters).fetchone()

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Runs a statement that gives nothing."""
        self.connection.execute(statement, parameters).fetchall()

    @contextlib.contextmanager
    def hurried(self, yes: bool) -> Iterator[None]:
        """Transactions whose loss costs a repeat, nothing else: they do not wait for the disk.

        Args:
            yes: Whether they are such.
        """
        if not yes or self._synchronous != "FULL":
            yield
            return
        self.run("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self.run("PRAGMA synchronous = FULL")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is run within, or nothing of it."""
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._take_place()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # SQLite ends it itself for some errors
                connection.execute("ROLLBACK")
            raise

    def guarded(self, work: Callable[[], T]) -> T:
        """Does something with the database; where that sets a damaged file aside, it is done again with the new one.

        Raises:
            OutboxError: It cannot be done.
        """
        try:
            return work()
        except sqlite3.Error as error:
            if not is_damage(error):
                # A WAL that cannot grow can still be emptied, which makes room for what comes. It keeps its size.
                with contextlib.suppress(sqlite3.Error):
                    self.run("PRAGMA wal_checkpoint(RESTART)")
                raise OutboxError(f"the outbox cannot be used: {error}") from error
            damage = OutboxDamaged(f"the outbox is damaged: {error}")
            damage.__cause__ = error
        self._begin_anew(damage)
        try:
            return work()
        except sqlite3.Error as error:
            raise OutboxError(f"the new outbox cannot be used: {error}") from error

    def _open(self) -> None:
        self._connection = opened(
            MEMORY if self._files is None else self._files.database, synchronous=self._synchronous
        )
        if self._files is not None:
            self._file = os.open(self._files.database, os.O_RDWR)
            [self._page_size] = self.one("PRAGMA page_size")
        self._begun()

    def _take_place(self) -> None:
        """Has the file grow before a commit, not when a checkpoint moves there what was committed.

        On a full disk a WAL that cannot be moved could not be emptied; then even what was posted could not be removed.

        Raises:
            OutboxError: There is no room.
        """
        if self._file is None:
            return
        [pages] = self.one("PRAGMA page_count")
        size = os.fstat(self._file).st_size
        missing = pages * self._page_size - size
        if missing > 0 and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(self._file, size, missing)
            except OSError as error:
                if error.errno in _NO_ROOM:  # else the file system cannot do it
                    raise OutboxError(f"the outbox cannot be used: {error.strerror}") from error

    def _begin_anew(self, damage: OutboxDamaged) -> None:
        if self._set_aside is None or self._files is None:
            raise damage
        self.close()
        try:
            aside = self._files.set_aside()
        except OSError as error:
            raise OutboxError(f"{damage}, and cannot be set aside: {error}") from damage
        self._open()
        self._set_aside(aside, damage)
