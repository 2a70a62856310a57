"""The statements of the outbox.

Each question is one statement with one row as its answer: a thread that fetches row by row gives the interpreter's lock
away with each row, and beside a busy event loop waits five milliseconds for each to get it back.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

INSERT_LIMIT: Final = 2000
"""Letters in one statement: SQLite takes 32,766 parameters."""

READ: Final = """
SELECT group_concat('[' || seq || ',' || size || ',"' || id || '",' || target || ']'), group_concat(body, '')
FROM (
    SELECT seq, size, id, target, body
    FROM (
        SELECT seq, size, id, target, body, sum(size) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) - size AS before
        FROM (SELECT seq, size, id, target, body FROM letters WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?)
    )
    WHERE before < ?
    ORDER BY seq
)
"""
"""Letters of a lane, after a number, up to a count and so many bytes: their heads as JSON, their bodies joined."""

LANES: Final = "SELECT lane, max(seq) FROM letters GROUP BY lane"
OLDEST: Final = "SELECT at FROM letters ORDER BY seq LIMIT 1"
COUNT: Final = """
SELECT (SELECT count(*) FROM letters), (SELECT coalesce(sum(size), 0) FROM letters),
    (SELECT count(*) FROM dead), (SELECT coalesce(sum(size), 0) FROM dead),
    max((SELECT coalesce(max(seq), 0) FROM letters), (SELECT coalesce(max(seq), 0) FROM dead))
"""

KNOWN: Final = "SELECT json_group_array(id) FROM known WHERE id IN (SELECT value FROM json_each(?))"
REMEMBER: Final = "INSERT OR IGNORE INTO known (id, at) SELECT value, ? FROM json_each(?)"
FORGET: Final = "DELETE FROM known WHERE at < ?"

SIZE_OF: Final = "SELECT count(*), coalesce(sum(size), 0) FROM letters WHERE seq IN (SELECT value FROM json_each(?))"
REMOVE: Final = "DELETE FROM letters WHERE seq IN (SELECT value FROM json_each(?))"
BURY: Final = """
INSERT INTO dead (seq, lane, at, size, id, target, body, died_at, why)
SELECT letters.seq, lane, at, size, letters.id, target, body, ?, json_extract(grave.value, '$[1]')
FROM json_each(?) AS grave JOIN letters ON letters.seq = json_extract(grave.value, '$[0]')
"""
DIG_UP: Final = """
INSERT INTO letters (seq, lane, at, size, id, target, body)
SELECT ? + row_number() OVER (ORDER BY seq), lane, ?, size, id, target, body FROM dead WHERE again
"""
DUG_UP: Final = "DELETE FROM dead WHERE again"

LETTERS_TO: Final = """
SELECT seq, rows, bytes
FROM (
    SELECT seq, row_number() OVER w AS rows, sum(size) OVER w AS bytes
    FROM letters WINDOW w AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)
)
WHERE rows >= ? AND bytes >= ?
LIMIT 1
"""
"""The oldest that are at least so many and take at least so many bytes: the last of them, how many, how much."""
DEAD_TO: Final = LETTERS_TO.replace("FROM letters", "FROM dead")
TOO_OLD: Final = """
SELECT max(seq), count(*), sum(size)
FROM (
    SELECT seq, size, sum(at >= ?) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS fresh
    FROM (SELECT seq, size, at FROM letters ORDER BY seq LIMIT 1000)
)
WHERE fresh = 0
"""
"""The oldest, up to the first that is not too old; of many, the first thousand."""
DROP_LETTERS: Final = "DELETE FROM letters WHERE seq <= ?"
DROP_DEAD: Final = "DELETE FROM dead WHERE seq <= ?"

RELANE_LETTERS: Final = "UPDATE letters SET lane = lane_of(target)"
RELANE_DEAD: Final = "UPDATE dead SET lane = lane_of(target)"
LAYOUT: Final = "SELECT value FROM meta WHERE name = 'layout'"
SET_LAYOUT: Final = "INSERT OR REPLACE INTO meta (name, value) VALUES ('layout', ?)"


@lru_cache(maxsize=64)
def insert(rows: int) -> str:
    """Puts in letters with numbers that follow each other.

    Parameters: when, the first number, and for each letter its lane, id, target and body.
    """
    places = (3 + 4 * row for row in range(rows))
    values = (
        f"(?2 + {row}, ?{place}, ?1, length(?{place + 3}), ?{place + 1}, ?{place + 2}, ?{place + 3})"
        for row, place in enumerate(places)
    )
    return f"INSERT INTO letters (seq, lane, at, size, id, target, body) VALUES {', '.join(values)}"  # noqa: S608 - numbers
