"""Values with a meaning of their own: secrets, durations, sizes.

``Duration`` and ``Size`` are plain ``float`` (seconds) and ``int`` (bytes) to a type checker and to the code that
uses them; the annotation alone tells the readers of settings that a unit is written beside the number.
"""

from __future__ import annotations

import enum
import math
import re
from typing import Annotated, NoReturn, TypeAlias

__all__ = [
    "Duration",
    "Secret",
    "Size",
    "Unit",
    "format_duration",
    "format_size",
    "parse_duration",
    "parse_size",
]


class Unit(enum.Enum):
    """Marks a number in an annotation as one that is written with a unit."""

    DURATION = "duration"
    SIZE = "size"


Duration: TypeAlias = Annotated[float, Unit.DURATION]
"""Seconds, written as "500ms", "5s", "10m", "1h" or "2d"."""

Size: TypeAlias = Annotated[int, Unit.SIZE]
"""Bytes, written as "512B", "64KiB", "1MiB", "1GiB", or decimal: "1kB" (also "1KB"), "1MB", "1GB"."""


class Secret:
    """A text that never prints itself.

    ``repr``, ``str`` and f-strings give ``***``, so a secret cannot slip into a log line, an error or a dataclass's
    repr; only ``reveal()`` gives the text. Equality takes the same time wherever two secrets differ (their length may
    show). Pickling is refused, because a pickle is a copy in plain text.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a secret is made of text, not of {type(text).__name__}")
        self._text = text

    def reveal(self) -> str:
        """Give the text; call it as late as possible, where the text is used."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        import hmac  # here, because it loads OpenSSL, which a start-up without secrets need not pay

        return hmac.compare_digest(
            self._text.encode("utf-8", "surrogatepass"), other._text.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "***"

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self  # immutable; ``dataclasses.asdict`` copies deeply and would otherwise pickle

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: a pickle would hold it in plain text")


_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?(ms|s|m|h|d)", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))? ?([kKMG]?B|[KMG]iB)", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9.]+", re.ASCII)
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_BYTES = {
    "GiB": 1 << 30,
    "GB": 10**9,
    "MiB": 1 << 20,
    "MB": 10**6,
    "KiB": 1 << 10,
    "kB": 1000,
    "KB": 1000,
    "B": 1,
}
LONGEST_DURATION = 36_500 * 86_400.0
"""A hundred years. Anything longer is a slip, and timers of the operating system overflow on it."""
LARGEST_SIZE = (1 << 63) - 1
DURATION_UNITS = "ms, s, m, h, d"
SIZE_UNITS = "B, KiB, MiB, GiB, kB, MB, GB"


def parse_duration(text: str) -> float:
    """Read a duration with its unit, or a bare 0.

    Returns:
        Seconds, finite and not negative.

    Raises:
        ValueError: with a reason fit for an operator, which does not repeat the text.
    """
    text = text.strip()
    match = _DURATION.fullmatch(text)
    if match is None:
        return 0.0 if text == "0" else _refuse(text, "5s", DURATION_UNITS)
    number = float(match[1])
    seconds = number / 1000 if match[2] == "ms" else number * _SECONDS[match[2]]
    if seconds > LONGEST_DURATION:
        raise ValueError("is longer than a hundred years")
    return seconds


def parse_size(text: str) -> int:
    """Read a size with its unit, or a bare 0.

    Returns:
        Bytes; a fraction such as "1.5MiB" is taken where it is a whole number of bytes.

    Raises:
        ValueError: with a reason fit for an operator, which does not repeat the text.
    """
    text = text.strip()
    match = _SIZE.fullmatch(text)
    if match is None:
        return 0 if text == "0" else _refuse(text, "1MiB", SIZE_UNITS)
    whole, fraction, unit = match[1], match[2] or "", match[3]
    scale: int = 10 ** len(fraction)
    size, remainder = divmod(int(whole + fraction) * _BYTES[unit], scale)
    if remainder:
        raise ValueError("is not a whole number of bytes")
    if size > LARGEST_SIZE:
        raise ValueError("is more than any machine holds")
    return size


def _refuse(text: str, example: str, units: str) -> NoReturn:
    """Say what is wrong with a text that is no number with a unit."""
    if text.startswith("-"):
        raise ValueError(f"is negative; write one such as {example}")
    if _NUMBER.fullmatch(text):
        raise ValueError(f"has no unit; write one such as {example} (units: {units})")
    kind = "size" if units is SIZE_UNITS else "duration"
    raise ValueError(f"is not a {kind} such as {example} (units: {units})")


def format_duration(seconds: float) -> str:
    """Write seconds as an operator would: the largest unit that leaves a whole number ("90s", "10m", "500ms", "0s")."""
    if seconds == 0:
        return "0s"
    for unit, length in _SECONDS.items():
        if seconds % length == 0:
            return f"{int(seconds // length)}{unit}"
    milliseconds = round(seconds * 1000)
    if math.isclose(milliseconds, seconds * 1000, rel_tol=1e-12):
        return f"{milliseconds}ms"
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def format_size(size: int) -> str:
    """Write bytes with the largest unit that leaves a whole number ("64KiB", "1MB", "1500B")."""
    for unit, length in _BYTES.items():
        if size and size % length == 0:
            return f"{size // length}{unit}"
    return "0B"
