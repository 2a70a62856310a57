"""How numbers are read: plain ones, and those written with a unit."""

# ruff: noqa: D102 - subclasses of Kind: what it says of its methods, and their signatures, hold for them

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Collection
from typing import Any

from .kinds import Kind, toml_string
from .problems import Invalid, quote
from .references import Reading
from .values import Secret, format_duration, format_size, parse_duration, parse_size

__all__ = ["DurationKind", "FloatKind", "IntKind", "SizeKind"]

_INT_MAX = (1 << 63) - 1
"""What a TOML integer holds. Larger ones overflow in whatever counts with them later, far from the setting."""


class _NumberKind(Kind):
    """A plain number."""

    metavar = "NUMBER"
    number = True
    toml_types: tuple[type, ...] = (int,)

    @abstractmethod
    def parse(self, value: Any) -> object:
        """Read a number or a text; ValueError or OverflowError where it is none."""

    def from_text(self, text: str) -> object:
        # Python also reads digits of other scripts, and underscores: nobody means those in a setting.
        if text.isascii() and "_" not in text:
            return self._read(text)
        raise Invalid(f"{quote(text)} is not {self.wanted}")

    def from_file(self, value: object, path: str, reading: Reading) -> object:
        if isinstance(value, bool) or not isinstance(value, self.toml_types):
            hint = "; write it without quotes" if isinstance(value, str) else ""
            raise Invalid(f"{quote(value)} is not {self.wanted}{hint}")
        return self._read(value)

    def _read(self, value: object) -> object:
        try:
            return self.parse(value)
        except (ValueError, OverflowError):
            raise Invalid(f"{quote(value)} is not {self.wanted}") from None

    def to_toml(self, value: object, hidden: Collection[Secret] = ()) -> str:
        return self.to_text(value)


class IntKind(_NumberKind):
    """``int``: decimal digits, within 64 bits."""

    noun = "whole number"
    wanted = "a whole number such as 100"

    def parse(self, value: Any) -> object:
        number = int(value)
        if abs(number) > _INT_MAX:
            raise Invalid(f"{quote(value)} is out of range: it needs more than 64 bits")
        return number

    def fits(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)


class FloatKind(_NumberKind):
    """``float``: finite; a whole number is one too."""

    noun = "number"
    wanted = "a finite number such as 0.5"
    toml_types = (int, float)

    def parse(self, value: Any) -> object:
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(value)
        return number

    def fits(self, value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class _UnitKind(Kind):
    """A number that is written with a unit; only 0 may stand alone."""

    number = True

    @abstractmethod
    def parse(self, text: str) -> float:
        """Read a text; ValueError with a reason where it is none."""

    def from_text(self, text: str) -> object:
        return self._read(text, quote(text))

    def from_file(self, value: object, path: str, reading: Reading) -> object:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Invalid(f"{quote(value)} is not {self.wanted}")
        # A bare number takes the way of text, which knows that only 0 needs no unit.
        return self._read(value if isinstance(value, str) else quote(value), quote(value))

    def _read(self, text: str, shown: str) -> object:
        try:
            return self.parse(text)
        except ValueError as error:
            raise Invalid(f"{shown} {error}") from None

    def to_toml(self, value: object, hidden: Collection[Secret] = ()) -> str:
        return toml_string(self.to_text(value))


class DurationKind(_UnitKind):
    """``Duration``: seconds, at most a hundred years."""

    metavar = "DURATION"
    noun = "duration"
    wanted = 'a duration such as "5s"'

    def parse(self, text: str) -> float:
        return parse_duration(text)

    def fits(self, value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf

    def to_text(self, value: object) -> str:
        return format_duration(value) if isinstance(value, int | float) else str(value)


class SizeKind(_UnitKind):
    """``Size``: bytes."""

    metavar = "SIZE"
    noun = "size"
    wanted = 'a size such as "1MiB"'

    def parse(self, text: str) -> int:
        return parse_size(text)

    def fits(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0

    def to_text(self, value: object) -> str:
        return format_size(value) if isinstance(value, int) else str(value)
