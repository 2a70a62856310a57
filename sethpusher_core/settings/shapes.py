"""Types made of others (``X | None``, tuples, mappings), and the way from an annotation to its ``Kind``."""

# ruff: noqa: D102 - subclasses of Kind: what it says of its methods, and their signatures, hold for them

from __future__ import annotations

import re
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import is_dataclass
from typing import Annotated, Literal, Union, get_args, get_origin

from .kinds import BoolKind, ChoiceKind, Kind, SecretKind, TextKind, toml_string
from .numbers import DurationKind, FloatKind, IntKind, SizeKind
from .problems import Invalid
from .references import Reading
from .values import Secret, Unit

__all__ = ["ListKind", "MapKind", "OptionalKind", "kind_of", "read_at"]

_BARE_KEY = r"[A-Za-z0-9_-]+"


def read_at(kind: Kind, value: object, path: str, reading: Reading) -> object:
    """Read a TOML value that stands at ``path`` within another; a refusal carries that path.

    Raises:
        Invalid: with its path set.
    """
    try:
        return kind.from_file(value, path, reading)
    except Invalid as error:
        raise Invalid(error.why, error.path or path) from None


class OptionalKind(Kind):
    """``X | None``: an empty text means None (an empty list stays an empty list); TOML leaves the key out instead."""

    def __init__(self, inner: Kind) -> None:
        self.inner = inner
        self.metavar = inner.metavar
        self.noun = inner.noun
        self.wanted = inner.wanted
        self.textual = inner.textual
        self.secret = inner.secret
        self.number = inner.number

    def from_text(self, text: str) -> object:
        if not text and not isinstance(self.inner, ListKind):
            return None
        return self.inner.from_text(text)

    def from_file(self, value: object, path: str, reading: Reading) -> object:
        return self.inner.from_file(value, path, reading)

    def fits(self, value: object) -> bool:
        return value is None or self.inner.fits(value)

    def to_text(self, value: object) -> str:
        return "" if value is None else self.inner.to_text(value)

    def to_toml(self, value: object, hidden: Collection[Secret] = ()) -> str:
        return self.inner.to_toml(value, hidden)


class ListKind(Kind):
    """``tuple[X, ...]``: an array in TOML, items between commas in a text (so an item with a comma needs the file)."""

    def __init__(self, item: Kind) -> None:
        self.item = item
        self.textual = item.textual and not isinstance(item, ListKind)
        self.secret = item.secret
        self.metavar = f"{item.metavar or 'BOOL'},..."
        self.noun = f"list: {item.noun}"
        self.wanted = 'an array such as ["a", "b"]' if item.textual else "an array of tables"

    def from_text(self, text: str) -> object:
        return tuple(self.item.from_text(part) for part in map(str.strip, text.split(",")) if part)

    def from_file(self, value: object, path: str, reading: Reading) -> object:
        if not isinstance(value, list):
            raise Invalid(f"{self.shown(value)} is not {self.wanted}")
        return tuple(read_at(self.item, item, f"{path}[{index}]", reading) for index, item in enumerate(value))

    def fits(self, value: object) -> bool:
        return isinstance(value, tuple) and all(map(self.item.fits, value))

    def to_text(self, value: object) -> str:
        return ",".join(map(self.item.to_text, value)) if isinstance(value, tuple) else str(value)

    def to_toml(self, value: object, hidden: Collection[Secret] = ()) -> str:
        items = value if isinstance(value, tuple) else ()
        return "[" + ", ".join(self.item.to_toml(item, hidden) for item in items) + "]"


class MapKind(Kind):
    """``Mapping[str, X]``: a table whose keys are data, such as HTTP headers; settings file only, and read-only."""

    textual = False
    wanted = "a table"

    def __init__(self, item: Kind) -> None:
        self.item = item
        self.noun = f"table of {item.noun}"
        self.secret = item.secret

    def from_text(self, text: str) -> object:
        raise Invalid("is a table, which only the settings file can hold")

    def from_file(self, value: object, path: str, reading: Reading) -> object:
        if not isinstance(value, dict):
            raise Invalid(f"{self.shown(value)} is not {self.wanted}")
        read = {key: read_at(self.item, item, f"{path}.{_toml_key(key)}", reading) for key, item in value.items()}
        return types.MappingProxyType(read)

    def fits(self, value: object) -> bool:
        return isinstance(value, Mapping) and all(map(self.item.fits, value.values()))

    def to_toml(self, value: object, hidden: Collection[Secret] = ()) -> str:
        items = value.items() if isinstance(value, Mapping) else ()
        pairs = ", ".join(f"{_toml_key(key)} = {self.item.to_toml(item, hidden)}" for key, item in items)
        return f"{{ {pairs} }}" if pairs else "{}"


def _toml_key(key: str) -> str:
    return key if re.fullmatch(_BARE_KEY, key) else toml_string(key)


_SIMPLE: Mapping[object, type[Kind]] = types.MappingProxyType(
    {
        str: TextKind,
        Secret: SecretKind,
        bool: BoolKind,
        int: IntKind,
        float: FloatKind,
        Unit.DURATION: DurationKind,
        Unit.SIZE: SizeKind,
    }
)


def kind_of(annotation: object, table: Callable[[type], Kind]) -> Kind:
    """Give the kind of an annotation.

    Args:
        annotation: As ``typing.get_type_hints(..., include_extras=True)`` gives it.
        table: Makes the kind of a dataclass.

    Raises:
        TypeError: a setting cannot have this type; the text says which types it may have.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        unit = next((mark for mark in arguments[1:] if isinstance(mark, Unit)), None)
        return kind_of(unit or arguments[0], table)
    if simple := _SIMPLE.get(annotation):
        return simple()
    if isinstance(annotation, type) and is_dataclass(annotation):
        return table(annotation)
    if origin is Literal and all(
        isinstance(choice, str | int) and not isinstance(choice, bool) for choice in arguments
    ):
        return ChoiceKind(arguments)
    if origin in (Union, types.UnionType) and len(arguments) == 2 and types.NoneType in arguments:
        [inner] = (argument for argument in arguments if argument is not types.NoneType)
        return OptionalKind(kind_of(inner, table))
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return ListKind(kind_of(arguments[0], table))
    if origin in (Mapping, dict) and arguments[0] is str:
        return MapKind(kind_of(arguments[1], table))
    raise TypeError(
        f"{annotation!r} is not a type of settings: use str, Secret, bool, int, float, Duration, Size, Literal of "
        "words, X | None, tuple[X, ...], Mapping[str, X], or a frozen dataclass"
    )
