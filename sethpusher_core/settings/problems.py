"""How a refusal is worded.

A refusal is one line: which key, from which source, what stands there, and what to write instead. The value of a secret
is never part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from ..errors import SettingsError, UsageError

__all__ = ["Invalid", "Problem", "line", "quote", "raise_first", "readable", "suggestion", "without_password"]

_URL_PASSWORD = re.compile(r"(://[^/?#@\s]*?:)[^/?#\s]*@")
_LONGEST_QUOTE = 60
_LONGEST_LIST = 12


class Invalid(Exception):
    """A value that its declaration does not take; internal, it becomes a ``Problem`` beside its key and source.

    Attributes:
        why: What is wrong, and what would be right; the line's last part.
        path: The key within tables and lists ("auth.keys[2].secret"), or "" where the caller knows it.
    """

    def __init__(self, why: str, path: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.path = path


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One reason to refuse the start.

    Attributes:
        text: The whole line.
        usage: True where the command line itself is wrong (exit code 2), False for all other settings (exit code 3).
    """

    text: str
    usage: bool = False


def raise_first(problems: Sequence[Problem]) -> None:
    """Raise the first problem, those of the command line before others; do nothing where there is none.

    Raises:
        UsageError: the first problem is one of the command line.
        SettingsError: any other problem.
    """
    if not problems:
        return
    first = next((problem for problem in problems if problem.usage), problems[0])
    others = len(problems) - 1
    more = f" ({others} more: `seth-pusher check` lists all)" if others else ""
    _raise(first, more)


def _raise(problem: Problem, more: str) -> NoReturn:
    raise (UsageError if problem.usage else SettingsError)(problem.text + more)


def line(path: str, source: str, why: str) -> str:
    """Join the three parts of a refusal: the key, where it is set, and what is wrong there."""
    verb = why.startswith(("is ", "must ", "may ", "cannot ", "holds "))
    return f"{path} ({source}){' ' if verb else ': '}{why}"


def quote(value: object) -> str:
    """Show an offending value on one line, shortened; collections are named, not printed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array"
    try:
        shown = repr(without_password(value)) if isinstance(value, str) else str(value)
    except ValueError:  # an integer of more digits than Python is willing to print
        return "a very large number"
    return shown if len(shown) <= _LONGEST_QUOTE else shown[: _LONGEST_QUOTE - 3] + "..."


def without_password(text: str) -> str:
    """The text with asterisks for the password of each URL in it."""
    return _URL_PASSWORD.sub(r"\1***@", text)


def readable(name: str) -> str:
    """Show a name that somebody else chose (a key, a path, a variable) without letting it break the line."""
    shown = name if name.isprintable() else repr(name)
    return shown if len(shown) <= 2 * _LONGEST_QUOTE else shown[: 2 * _LONGEST_QUOTE - 3] + "..."


def suggestion(name: str, candidates: Iterable[str], *, prefix: str = "", list_all: bool = True) -> str:
    """Word the nearest valid name; where none is near, all valid ones if they are few and ``list_all`` wants them.

    Args:
        name: What was written.
        candidates: What is valid.
        prefix: What all of them begin with, so that it says nothing about which is near.
        list_all: Whether a list helps where no name is near.

    Returns:
        Something to append to a line, beginning with "; ", or "".
    """
    import difflib  # here, because only a refusal needs it

    names = sorted({candidate.removeprefix(prefix) for candidate in candidates})
    near = difflib.get_close_matches(name.removeprefix(prefix), names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {prefix}{near[0]}?"
    if list_all and names and len(names) <= _LONGEST_LIST:
        return f"; valid here: {', '.join(names)}"
    return ""
