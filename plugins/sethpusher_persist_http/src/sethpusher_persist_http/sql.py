"""The statements of the outbox.

Each question is one statement with one row as its answer: a thread that fetches row by row gives the interpreter's lock
away with each row, and beside a busy event loop waits up to five milliseconds for each to get it back.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

INSERT_LIMIT: Final = 2000
"""Bundles in one statement: SQLite takes 32,766 parameters."""

READ: Final = """
SELECT group_concat('[' || seq || ',' || lane || ',' || heads || ']'), group_concat(bodies)
FROM (
    SELECT seq, lane, heads, bodies
    FROM (
        SELECT seq AS chosen, sum(count) OVER earlier - count AS rows, sum(size) OVER earlier - size AS bytes
        FROM (SELECT seq, count, size FROM bundles WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?)
        WINDOW earlier AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)
    )
    JOIN bundles ON seq = chosen
    WHERE rows < ? AND bytes < ?
    ORDER BY seq
)
"""
"""Bundles of a lane, after a number, up to the one that reaches so many letters or bytes; see ``bundles.decoded``."""
READ_ONE: Final = "SELECT at, seq || ',' || lane || ',' || heads, bodies FROM bundles WHERE seq = ?"
NEXT: Final = "SELECT min(seq) FROM bundles WHERE seq > ?"

LANES: Final = "SELECT lane, max(seq + count - 1) FROM bundles GROUP BY lane"
OLDEST: Final = "SELECT at FROM bundles ORDER BY seq LIMIT 1"
COUNT: Final = """
SELECT (SELECT coalesce(sum(count), 0) FROM bundles), (SELECT coalesce(sum(size), 0) FROM bundles),
    (SELECT count(*) FROM dead), (SELECT coalesce(sum(size), 0) FROM dead),
    max((SELECT coalesce(max(seq + count - 1), 0) FROM bundles), (SELECT coalesce(max(seq), 0) FROM dead))
"""

KNOWN: Final = "SELECT json_group_array(id) FROM known WHERE id IN (SELECT value FROM json_each(?))"
REMEMBER: Final = "INSERT OR IGNORE INTO known (id, at) SELECT value, ? FROM json_each(?)"
FORGET: Final = "DELETE FROM known WHERE at < ?"

# What is removed is told by ranges of numbers: [[first, last], ...].
_BEGUN_WITHIN: Final = """
json_each(?) AS range CROSS JOIN bundles
ON seq BETWEEN json_extract(range.value, '$[0]') AND json_extract(range.value, '$[1]')
"""
SIZE_OF: Final = f"""
SELECT coalesce(sum(count), 0), coalesce(sum(size), 0),
    coalesce(sum(seq + count - 1 > json_extract(range.value, '$[1]')), 0)
FROM {_BEGUN_WITHIN}
"""  # noqa: S608 - text of ours
"""Of the bundles that begin within ranges: letters, bytes, and how many of them end beyond."""
REMOVE: Final = f"DELETE FROM bundles WHERE seq IN (SELECT seq FROM {_BEGUN_WITHIN})"  # noqa: S608 - text of ours
CUT: Final = """
SELECT json_group_array(DISTINCT seq)
FROM json_each(?) AS edge CROSS JOIN bundles ON seq = (SELECT max(seq) FROM bundles WHERE seq <= edge.value)
WHERE seq + count - 1 > edge.value
"""
"""The bundles that hold both an edge and the number after it."""
REMOVE_ONE: Final = "DELETE FROM bundles WHERE seq = ?"

BURY: Final = """
INSERT INTO dead (seq, lane, at, size, id, target, body, died_at, why)
SELECT seq, lane, at, size, json_extract('[' || heads || ']', '$[0][0]'), json_extract('[' || heads || ']', '$[1][0]'),
    bodies, ?, json_extract(grave.value, '$[1]')
FROM json_each(?) AS grave JOIN bundles ON seq = json_extract(grave.value, '$[0]')
"""
"""Copies letters, each of which is a bundle, to the dead ones."""
DIG_UP: Final = """
INSERT INTO bundles (seq, lane, at, count, size, heads, bodies)
SELECT ? + row_number() OVER (ORDER BY seq), lane, ?, 1, size,
    json_array(id) || ',' || json_array(json(target)) || ',' || json_array(size), body
FROM dead WHERE again
"""
DUG_UP: Final = "DELETE FROM dead WHERE again"

DROP_TO: Final = """
SELECT seq + count - 1, rows, bytes, count
FROM (
    SELECT seq, count, sum(count) OVER earlier AS rows, sum(size) OVER earlier AS bytes
    FROM bundles WINDOW earlier AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)
)
WHERE rows >= ? AND bytes >= ?
LIMIT 1
"""
"""The oldest that are at least so many and take at least so many bytes: the last of them, how many, how much, and how
many of them are in the last bundle."""
DEAD_TO: Final = """
SELECT seq, rows, bytes
FROM (
    SELECT seq, row_number() OVER earlier AS rows, sum(size) OVER earlier AS bytes
    FROM dead WINDOW earlier AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)
)
WHERE rows >= ? AND bytes >= ?
LIMIT 1
"""
TOO_OLD: Final = """
SELECT max(seq + count - 1), sum(count), sum(size)
FROM (
    SELECT seq, count, size, sum(at >= ?) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS fresh
    FROM (SELECT seq, count, size, at FROM bundles ORDER BY seq LIMIT 1000)
)
WHERE fresh = 0
"""
"""The oldest, up to the first that is not too old; of many, the first thousand bundles."""
DROP: Final = "DELETE FROM bundles WHERE seq <= ?"
DROP_DEAD: Final = "DELETE FROM dead WHERE seq <= ?"

RELANE_DEAD: Final = "UPDATE dead SET lane = lane_of(target)"
LAYOUT: Final = "SELECT value FROM meta WHERE name = 'layout'"
SET_LAYOUT: Final = "INSERT OR REPLACE INTO meta (name, value) VALUES ('layout', ?)"


@lru_cache(maxsize=64)
def insert(rows: int) -> str:
    """Puts in bundles.

    Parameters: when, and for each bundle its number, lane, count, size, heads and bodies.
    """
    places = (2 + 6 * row for row in range(rows))
    values = (f"(?1, {', '.join(f'?{place + field}' for field in range(6))})" for place in places)
    return f"INSERT INTO bundles (at, seq, lane, count, size, heads, bodies) VALUES {', '.join(values)}"  # noqa: S608 - numbers
