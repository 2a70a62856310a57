"""What ``read.lua`` answers, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sethpusher_core.backends.base import Position
from sethpusher_core.backends.capabilities import Stored

__all__ = ["Page", "page_of", "position_of"]

HEAD: Final = 6
"""Fields before the payloads."""


def position_of(text: bytes) -> Position:
    """Reads ``<epoch> <offset>``.

    Raises:
        ValueError: It is something else.
    """
    epoch, _, offset = text.partition(b" ")
    return Position(epoch.decode(), int(offset))


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a stream.

    Attributes:
        top: Position of the newest publication.
        start: Where the reading began, in the epoch of now: the first of ``stored`` comes right after it.
        whole: Whether nothing is missing between the position that was asked for and ``start``.
        stored: What was read.
    """

    top: Position
    start: Position
    whole: bool
    stored: tuple[Stored, ...]


def page_of(answer: list[Any], reverse: bool = False) -> Page:
    """Reads an answer."""
    epoch = answer[0].decode()
    top, known, since, first, fresh = (int(field) for field in answer[1:HEAD])
    if known:
        start = since if reverse else max(since, first - 1)
        whole = reverse or start == since
    else:  # of a new stream everything is news; of one that has a past nobody knows what the asker has seen of it
        start, whole = (0 if fresh else top), False
    offset, step = (min(since - 1, top), -1) if reverse else (start + 1, 1)
    stored = tuple(
        Stored(Position(epoch, offset + step * place), kept.partition(b"\n")[2])
        for place, kept in enumerate(answer[HEAD:])
    )
    return Page(Position(epoch, top), Position(epoch, start), whole, stored)
