"""``--list-plugins``: what is installed, what it does, and what is wrong with it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable
from typing import Any, Final

from .records import PluginRecord

__all__ = ["as_json", "as_table"]

_HEADINGS: Final = ("NAME", "VERSION", "STATUS", "PROVIDES", "FROM")
_GAP: Final = "  "
_INDENT: Final = "    "


def as_table(records: Iterable[PluginRecord], *, verbose: bool = False) -> str:
    """An aligned table; below the row of a problem stand its reason and its remedy.

    Args:
        records: The plugins, in the order in which they shall stand.
        verbose: Whether the traceback behind a problem follows it.
    """
    records = tuple(records)
    rows = [_HEADINGS, *map(_row, records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [_aligned(rows[0], widths)]
    for record, row in zip(records, rows[1:], strict=True):
        lines.append(_aligned(row, widths))
        lines += [f"{_INDENT}{text}" for text in (record.error, record.remedy) if text]
        if verbose and record.cause is not None:
            trace = "".join(traceback.format_exception(record.cause))
            lines += [f"{_INDENT}{line}" for line in trace.splitlines()]
    return "\n".join(lines)


def as_json(records: Iterable[PluginRecord]) -> str:
    """A JSON array of objects. Stable: keys are only ever added, and the array stays an array.

    Every object has ``name``, ``distribution``, ``version``, ``status``, ``provides`` and ``hooks`` (arrays of text),
    ``order`` (a number or null), ``path``, ``error`` and ``remedy`` (text or null).
    """
    return json.dumps([_object(record) for record in records], indent=2, ensure_ascii=False)


def _row(record: PluginRecord) -> tuple[str, ...]:
    cells = (record.name, record.version, record.status.value, ", ".join(record.provides), record.distribution)
    return tuple(_printable(cell) or "-" for cell in cells)


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    return _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _printable(text: str) -> str:
    # Names and versions are somebody else's text, and this goes to a terminal.
    return text if text.isprintable() else repr(text)[1:-1]


def _object(record: PluginRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "distribution": record.distribution,
        "version": record.version,
        "status": record.status.value,
        "provides": list(record.provides),
        "hooks": list(record.hooks),
        "order": record.order,
        "path": record.path or None,
        "error": record.error,
        "remedy": record.remedy,
    }
