"""``seth-pusher outbox``: looks into an outbox, beside the server that has it or without one.

A plugin of its own, so that it is there whatever the other one is told. It never posts: what it puts back, the server
posts, at once or when it starts.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sethpusher_core import RegisterCommand, UsageError, hookimpl
from sethpusher_core.errors import SettingsError

if TYPE_CHECKING:
    import sqlite3

    from .files import OutboxFiles

__all__ = ["commands"]

name = "outbox"
USAGE: Final = (
    "write seth-pusher outbox status, or dead-letters, or retry [ID ...] or purge [ID ...] (dead letters; all of them "
    "without an ID), or purge --waiting (what waits to be posted; only while no server runs)"
)

_COUNT: Final = "SELECT coalesce(sum(count), 0), coalesce(sum(size), 0), min(at) FROM bundles"
_COUNT_DEAD: Final = "SELECT count(*), coalesce(sum(size), 0), min(died_at) FROM dead"
_DEAD: Final = "SELECT id, target, at, died_at, why, again, body FROM dead ORDER BY seq"
_AGAIN: Final = "UPDATE dead SET again = 1"
_PURGE: Final = "DELETE FROM dead"
_PURGE_WAITING: Final = "DELETE FROM bundles"
_OF_IDS: Final = " WHERE id IN (SELECT value FROM json_each(?))"


@hookimpl
def commands(register: RegisterCommand) -> None:
    """See :func:`sethpusher_core.hookspecs.commands`."""
    register("outbox", _run, help="Look after the outbox of persist_http: status, dead-letters, retry, purge")


def _run(arguments: Sequence[str], settings: Any) -> int:
    action, *rest = arguments or [""]
    if action not in ACTIONS:
        raise UsageError(f"outbox: {USAGE}")
    # Here, because it needs SQLite, and this module is there at every start.
    from .errors import OutboxError
    from .files import OutboxFiles

    folder = settings.of("").state_dir
    if folder is None:
        raise SettingsError("outbox: state_dir is not set; give the one that the server has, such as --state-dir=PATH")
    files = OutboxFiles(folder)
    if not files.database.exists():
        raise SettingsError(f"outbox: there is no outbox in {folder}")
    try:
        return ACTIONS[action](files, rest)
    except OutboxError as error:
        raise SettingsError(f"outbox {action}: {error}") from error


def _status(files: OutboxFiles, rest: Sequence[str]) -> int:
    _refuse_words("status", rest)
    with _opened(files) as connection:
        waiting, size, oldest = connection.execute(_COUNT).fetchone()
        dead, dead_size, first = connection.execute(_COUNT_DEAD).fetchone()
    owner = files.owner()
    print(f"outbox        {files.database}")
    print(f"server        {'none runs' if owner is None else f'process {owner}'}")
    print(f"waiting       {waiting}, {size} bytes" + (f", the oldest since {_time(oldest)}" if waiting else ""))
    print(f"dead letters  {dead}, {dead_size} bytes" + (f", the first of {_time(first)}" if dead else ""))
    return 0


def _dead_letters(files: OutboxFiles, rest: Sequence[str]) -> int:
    """One line of JSON for each, oldest first."""
    _refuse_words("dead-letters", rest)
    with _opened(files) as connection:
        for id, target, at, died_at, why, again, body in connection.execute(_DEAD):
            row = {
                "id": id.decode(),
                **json.loads(target),
                "accepted": _time(at),
                "refused": _time(died_at),
                "why": why.decode(errors="replace"),
                "retry": bool(again),
                "body": body.decode(errors="replace"),
            }
            print(json.dumps(row, ensure_ascii=not _prints_utf8()))
    return 0


def _retry(files: OutboxFiles, rest: Sequence[str]) -> int:
    count = _change(files, _AGAIN, "retry", rest)
    print(f"{count} dead letters will be posted again, {_when(files)}")
    return 0


def _purge(files: OutboxFiles, rest: Sequence[str]) -> int:
    if list(rest) != ["--waiting"]:
        count = _change(files, _PURGE, "purge", rest)
        print(f"{count} dead letters are gone")
        return 0
    files.acquire()
    try:
        with _opened(files) as connection:
            count = connection.execute(_COUNT).fetchone()[0]
            connection.execute(_PURGE_WAITING)
    finally:
        files.release()
    print(f"{count} waiting publications are gone, and will not be posted")
    return 0


def _change(files: OutboxFiles, statement: str, action: str, ids: Sequence[str]) -> int:
    """Runs a statement on all dead letters, or on those with some ids; gives how many there were."""
    if any(word.startswith("-") for word in ids):
        raise UsageError(f"outbox {action}: {USAGE}")
    with _opened(files) as connection:
        if not ids:
            return connection.execute(statement).rowcount
        count = connection.execute(statement + _OF_IDS, (json.dumps(list(ids)),)).rowcount
    if not count:
        raise UsageError(f"outbox {action}: no dead letter has such an id; seth-pusher outbox dead-letters lists them")
    return count


@contextlib.contextmanager
def _opened(files: OutboxFiles) -> Iterator[sqlite3.Connection]:
    """A connection beside the server's; what is wrong with the outbox is said in one line."""
    import sqlite3

    from .files import connect, known

    connection = connect(files.database)
    try:
        if not known(connection):
            raise SettingsError(f"outbox: {files.database} is no outbox of this release")
        yield connection
    except sqlite3.Error as error:
        raise SettingsError(f"outbox: {files.database} cannot be used: {error}") from error
    finally:
        connection.close()


def _refuse_words(action: str, rest: Sequence[str]) -> None:
    if rest:
        raise UsageError(f"outbox {action}: it takes no {rest[0]!r}; {USAGE}")


def _when(files: OutboxFiles) -> str:
    return "by the server that starts next" if files.owner() is None else "by the server that runs"


def _time(seconds: float) -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _prints_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


ACTIONS: Final[Mapping[str, Callable[[OutboxFiles, Sequence[str]], int]]] = MappingProxyType(
    {"status": _status, "dead-letters": _dead_letters, "retry": _retry, "purge": _purge}
)
"""What the words after ``outbox`` do."""
