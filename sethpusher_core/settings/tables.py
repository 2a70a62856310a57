"""A dataclass as a table of settings: its keys, and how one is read, checked and built."""

# ruff: noqa: D102 - subclasses of Kind: what it says of its methods, and their signatures, hold for them

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, get_type_hints

from .kinds import Kind
from .problems import Invalid, quote, readable, suggestion
from .references import Reading
from .shapes import OptionalKind, kind_of, read_at
from .values import Secret

__all__ = ["METADATA", "NAME", "Key", "TableKind", "build", "declared", "normal", "spelled"]

METADATA = "sethpusher"
"""Where ``setting()`` leaves what it was told, in the metadata of the dataclass field."""

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
"""Names of components and keys: two underscores in a row would blur where a variable's component ends."""


def normal(name: str) -> str:
    """Give the one spelling under which ``-`` and ``_`` read alike."""
    return name.replace("-", "_")


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """One declared setting.

    Attributes:
        name: As the dataclass names it.
        kind: Reads and writes its values.
        default: What holds where no source sets it; MISSING for a required one.
        help: What it is for, one or two sentences.
        required: Whether a component without it is not active.
        group: Names a set of keys of which at least one is required; "" for none.
        chosen_default: Stands in for a required one when its component is chosen by name; as text, or None.
        minimum: The least value, in the kind's own unit.
        maximum: The greatest value.
        check: Gives a text where a value of the right type is still wrong, else None or "".
        in_file: False where the settings file may not hold it.
    """

    name: str
    kind: Kind
    default: object = MISSING
    help: str = ""
    required: bool = False
    group: str = ""
    chosen_default: str | None = None
    minimum: object = None
    maximum: object = None
    check: Callable[[Any], str | None] | None = None
    in_file: bool = True

    @property
    def in_variable(self) -> bool:
        """Whether an environment variable may hold it."""
        return self.kind.textual

    @property
    def in_flag(self) -> bool:
        """Whether a flag may hold it: not where it is a secret, because everybody on a machine sees command lines."""
        return self.kind.textual and not self.kind.secret

    def verify(self, value: object, hidden: Collection[Secret] = ()) -> None:
        """Check a value that a source gives and that already has the right type.

        Raises:
            Invalid: with a reason that shows neither secrets nor what is in ``hidden``.
        """
        self.verify_bounds(value)
        if self.check is not None and value is not None:
            self._ask(self.check, value, hidden)

    def verify_bounds(self, value: object) -> None:
        """Check what the declaration itself says of its values; defaults are held to that much.

        Raises:
            Invalid: with a reason that shows a value only where it is a number, which no secret is.
        """
        if (self.required or self.group) and value in ("", (), {}):
            raise Invalid("is required and may not be empty")
        if value is None:
            return
        if self.minimum is not None and value < self.minimum:  # type: ignore[operator]  # both numbers: see _bound
            raise Invalid(
                f"{self.kind.to_text(value)} is less than {self.kind.to_text(self.minimum)}, the least allowed"
            )
        if self.maximum is not None and value > self.maximum:  # type: ignore[operator]  # as above
            raise Invalid(
                f"{self.kind.to_text(value)} is more than {self.kind.to_text(self.maximum)}, the most allowed"
            )

    def _ask(self, check: Callable[[Any], str | None], value: object, hidden: Collection[Secret]) -> None:
        try:
            why = check(value)
        except Exception as error:  # noqa: BLE001 - a plugin's code: whatever it raises must be told beside its key
            why = f"its check raised {type(error).__name__}: {error}"
        if why:
            secrets = {*hidden, *_secrets_in(value)}
            shown = "its value" if secrets or not isinstance(value, str | int | float) else quote(value)
            raise Invalid(f"{shown} is refused: {_discreet(why, secrets)}")


def _secrets_in(value: object) -> Iterator[Secret]:
    """Walk a built value for the secrets in it."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _secrets_in(item)
    elif isinstance(value, Mapping):
        yield from _secrets_in(tuple(value.values()))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from _secrets_in(tuple(getattr(value, field.name) for field in dataclasses.fields(value)))


def _discreet(text: str, secrets: Iterable[Secret]) -> str:
    """Withhold a reason, made by a plugin's code, that repeats a secret; keep any other on one line."""
    for secret in secrets:
        told = secret.reveal()
        if told and (told in text or repr(told)[1:-1] in text):
            return "(the reason repeats a secret and is withheld)"
    return " ".join(text.split())


def spelled(table: Mapping[str, object], path: str) -> dict[str, tuple[str, object]]:
    """Give a table's values under their normal names, each beside its name as written.

    Raises:
        Invalid: one name is written in two spellings, so which of them holds would be a guess.
    """
    found: dict[str, tuple[str, object]] = {}
    for name, value in table.items():
        if normal(name) in found:
            raise Invalid(
                f"is given twice, as {readable(found[normal(name)][0])} and as {readable(name)}; keep one",
                path + readable(normal(name)),
            )
        found[normal(name)] = (name, value)
    return found


def build(declaration: type, values: Mapping[str, object], hidden: Collection[Secret] = ()) -> object:
    """Make the dataclass; what its ``__post_init__`` raises is a refusal.

    Raises:
        Invalid: with what the dataclass said.
    """
    try:
        return declaration(**values)
    except Exception as error:  # noqa: BLE001 - as in _ask: a plugin's code
        why = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise Invalid(_discreet(why, {*hidden, *_secrets_in(tuple(values.values()))})) from None


class TableKind(Kind):
    """A dataclass within settings: a table of the settings file."""

    textual = False
    noun = "table"
    wanted = "a table"

    def __init__(self, declaration: type) -> None:
        self.declaration = declaration
        self.keys = declared(declaration)
        self.secret = any(key.kind.secret for key in self.keys)

    def from_text(self, text: str) -> object:
        raise Invalid("is a table, which only the settings file can hold")

    def from_file(self, value: object, path: str, reading: Reading) -> object:
        if not isinstance(value, dict):
            raise Invalid(f"{self.shown(value)} is not {self.wanted}")
        given = spelled(value, f"{path}.")
        names = {key.name for key in self.keys}
        for name in given.keys() - names:
            raise Invalid(f"is unknown{suggestion(name, names)}", f"{path}.{readable(given[name][0])}")
        values = {
            key.name: self._read(key, given[key.name][1], path, reading) for key in self.keys if key.name in given
        }
        for key in self.keys:
            if key.required and key.name not in given:
                raise Invalid("is required; add it to its table", f"{path}.{key.name}")
        return build(self.declaration, values, reading.hidden)

    def _read(self, key: Key, value: object, path: str, reading: Reading) -> object:
        where = f"{path}.{key.name}"
        read = read_at(key.kind, value, where, reading)
        try:
            key.verify(read, reading.hidden)
        except Invalid as error:
            raise Invalid(error.why, error.path or where) from None
        return read

    def fits(self, value: object) -> bool:
        return isinstance(value, self.declaration)

    def to_toml(self, value: object, hidden: Collection[Secret] = ()) -> str:
        shown = ((key, getattr(value, key.name)) for key in self.keys)
        # What equals its default is left out: the line stays short, and None, which TOML lacks, is always a default.
        pairs = [f"{k.name} = {k.kind.to_toml(v, hidden)}" for k, v in shown if v is not None and v != k.default]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"


def alternatives(key: Key, keys: Iterable[Key]) -> str:
    """Name the keys of which at least one is required: ``key`` and the others of its group."""
    return " or ".join(other.name for other in keys if other.group == key.group)


def declared(declaration: type) -> tuple[Key, ...]:
    """Read a dataclass into its keys, in their order.

    Raises:
        TypeError: it is not a frozen dataclass, or a key of it is wrongly declared; the text names the key.
    """
    parameters = getattr(declaration, "__dataclass_params__", None)
    if parameters is None or not parameters.frozen:
        raise TypeError(f"{declaration.__name__} must be a dataclass(frozen=True)")
    try:
        hints = get_type_hints(declaration, include_extras=True)
    except (NameError, AttributeError) as error:
        raise TypeError(f"{declaration.__name__}: {error}; annotations of settings are read at run time") from None
    return tuple(_key(field, hints[field.name]) for field in dataclasses.fields(declaration) if field.init)


def _key(field: dataclasses.Field[object], annotation: object) -> Key:
    if not NAME.fullmatch(field.name):
        raise TypeError(f"{field.name}: names are lower case words joined by single underscores")
    given = field.metadata.get(METADATA, {})
    default = field.default
    if default is MISSING and field.default_factory is not MISSING:
        default = field.default_factory()
        if isinstance(default, dict):
            default = types.MappingProxyType(default)
    try:
        kind = kind_of(annotation, TableKind)
        if default is not MISSING and not kind.fits(default):
            raise TypeError(f"its default {quote(default)} is not {kind.wanted}")
        bounds = {name: _bound(kind, given.get(name)) for name in ("minimum", "maximum")}
        key = Key(field.name, kind, default, **{"required": default is MISSING, **given, **bounds})
        _verify_defaults(key)
    except (TypeError, Invalid) as error:
        raise TypeError(f"{field.name}: {error}") from None
    return key


def _bound(kind: Kind, bound: object) -> object:
    """Bring a bound to the kind's own unit."""
    if bound is None:
        return None
    if not kind.number:
        raise TypeError("minimum and maximum are for numbers")
    inner = kind.inner if isinstance(kind, OptionalKind) else kind
    read = inner.from_text(bound) if isinstance(bound, str) else bound
    if not inner.fits(read):
        raise TypeError(f"the bound {quote(bound)} is not {kind.wanted}")
    return read


def _verify_defaults(key: Key) -> None:
    if key.chosen_default is not None:
        key.verify_bounds(key.kind.from_text(key.chosen_default))
    if key.default is not MISSING and not key.group:
        key.verify_bounds(key.default)
