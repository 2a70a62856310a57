"""The outbox on disk: its files, the lock that one server holds, and opening, checking, setting aside."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from pathlib import Path
from typing import IO, Final

from .errors import OutboxDamaged, OutboxError, OutboxInUse

__all__ = ["MEMORY", "OutboxFiles", "connect", "is_damage", "known", "opened"]

MEMORY: Final = ":memory:"
APPLICATION_ID: Final = 0x53455448
VERSION: Final = 2
BUSY_SECONDS: Final = 5.0
"""How long a statement waits for ``seth-pusher outbox`` beside the server, which holds the file for moments only."""
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_SCHEMA: Final = f"""
PRAGMA auto_vacuum = INCREMENTAL;
BEGIN;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE bundles (
    seq INTEGER PRIMARY KEY, lane INTEGER NOT NULL, at REAL NOT NULL, count INTEGER NOT NULL, size INTEGER NOT NULL,
    heads TEXT NOT NULL, bodies BLOB NOT NULL
);
CREATE INDEX bundles_by_lane ON bundles (lane, seq, count, size);
CREATE TABLE dead (
    seq INTEGER PRIMARY KEY, lane INTEGER NOT NULL, at REAL NOT NULL, size INTEGER NOT NULL,
    id TEXT NOT NULL, target TEXT NOT NULL, body BLOB NOT NULL,
    died_at REAL NOT NULL, why TEXT NOT NULL, again INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE known (id TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
COMMIT;
"""


class OutboxFiles:
    """The files of the outbox in one folder.

    Attributes:
        database: The SQLite database.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self.database = self._folder / "persist-http.sqlite"
        self._lock_path = self._folder / "persist-http.lock"
        self._lock: IO[str] | None = None

    def acquire(self) -> None:
        """Takes the outbox for this process, until :meth:`release` or the end of the process, however it comes.

        The lock is on a file of its own: closing any descriptor of the database would drop SQLite's own locks.

        Raises:
            OutboxInUse: Another server has it; names its process.
            OutboxError: The folder cannot be used.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = open(self._lock_path, "a+", opener=_private)  # noqa: SIM115 - held until release
        except OSError as error:
            raise OutboxError(f"state_dir: {self._folder} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise OutboxInUse(
                f"the outbox {self.database} belongs to a running server (process {owner}); "
                "give each server a state_dir of its own"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def owner(self) -> str | None:
        """The process that has the outbox, as text; None when nobody has it. Changes nothing."""
        try:
            with open(self._lock_path) as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except OSError:
                    return lock.read().strip() or "unknown"
        except FileNotFoundError:
            pass
        return None

    def release(self) -> None:
        """Gives the outbox free."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def set_aside(self) -> Path:
        """Renames a damaged database, with what belongs to it; gives its new name.

        Raises:
            OSError: It cannot be renamed.
        """
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        aside = self.database.with_name(f"{self.database.name}.damaged-{stamp}")
        number = 1
        while aside.exists():
            number += 1
            aside = self.database.with_name(f"{self.database.name}.damaged-{stamp}-{number}")
        for end in ("-wal", "-shm", ""):  # SQLite finds them by their names, so they keep theirs
            part = Path(f"{self.database}{end}")
            if part.exists():
                part.rename(f"{aside}{end}")
        return aside


def connect(database: str | Path) -> sqlite3.Connection:
    """A connection that commits when it is told to, and may be handed from thread to thread."""
    if str(database) != MEMORY:
        # Made here and not by SQLite, so that nobody else may read it; -wal and -shm take after it.
        os.close(os.open(database, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(
        database, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.text_factory = bytes
    return connection


def opened(database: str | Path, *, synchronous: str) -> sqlite3.Connection:
    """Opens an outbox, makes it where there is none, and checks the whole of it.

    Args:
        database: The file, or :data:`MEMORY`.
        synchronous: What SQLite calls FULL (each commit waits for the disk) or NORMAL.

    Raises:
        OutboxDamaged: It is damaged, or no outbox.
        OutboxError: It cannot be opened.
    """
    connection = None
    try:
        connection = connect(database)
        _prepare(connection, database, synchronous)
    except (sqlite3.Error, OSError) as error:
        if connection is not None:
            connection.close()
        if is_damage(error):
            raise OutboxDamaged(f"the outbox {database} is damaged: {error}") from error
        raise OutboxError(f"the outbox {database} cannot be opened: {error}") from error
    except OutboxError:
        assert connection is not None, "it is what was looked into"
        connection.close()
        raise
    return connection


def known(connection: sqlite3.Connection) -> bool:
    """Whether it leads to an outbox of this release."""
    return (_number(connection, "application_id"), _number(connection, "user_version")) == (APPLICATION_ID, VERSION)


def is_damage(error: BaseException) -> bool:
    """Whether an error of SQLite says that the file is damaged."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return isinstance(error, sqlite3.DatabaseError) and code & 0xFF in _DAMAGE


def _prepare(connection: sqlite3.Connection, database: str | Path, synchronous: str) -> None:
    for pragma in (f"synchronous = {synchronous}", "fullfsync = 1", "checkpoint_fullfsync = 1", "cell_size_check = 1"):
        connection.execute(f"PRAGMA {pragma}")
    # A WAL that a burst has blown up is cut back, and deleted rows leave nothing of theirs in the file.
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA secure_delete = 0")
    if not _number(connection, "schema_version"):
        connection.executescript(_SCHEMA)
    elif _number(connection, "application_id") != APPLICATION_ID:
        raise OutboxDamaged(f"{database} is no outbox: another program has made it")
    elif not known(connection):
        version = _number(connection, "user_version")
        raise OutboxError(f"the outbox {database} is of version {version}; this release reads version {VERSION}")
    [mode] = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode not in (b"wal", b"memory"):
        raise OutboxError(f"the outbox {database} lies on a file system that SQLite's WAL does not work on")
    [verdict] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != b"ok":
        raise OutboxDamaged(f"the outbox {database} is damaged: {verdict.decode(errors='replace')}")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    number: int = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    return number


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
