"""How a component declares its settings."""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any

from .kinds import Kind
from .problems import Invalid
from .shapes import OptionalKind, kind_of
from .tables import METADATA

__all__ = ["setting"]


def setting(
    default: Any = MISSING,
    *,
    help: str = "",
    required: bool | str = False,
    chosen_default: str | None = None,
    minimum: float | str | None = None,
    maximum: float | str | None = None,
    check: Callable[[Any], str | None] | None = None,
    in_file: bool = True,
) -> Any:
    """Declare one setting: a field of a ``dataclass(frozen=True, slots=True)``.

    The annotation is the type: ``str``, ``Secret``, ``bool``, ``int``, ``float``, ``Duration``, ``Size``, ``Literal``
    of words, ``X | None``, ``tuple[X, ...]``, ``Mapping[str, X]``, or a frozen dataclass, which is a table. A field
    with a plain default, or with none, is a setting too; this function adds what a default alone cannot say.

    Args:
        default: The value where no source sets it. A duration, a size or a secret is given as text ("5s", "1MiB") and
            stands in the instance as what it means.
        help: What it is for; shown by ``--help`` and in the docs.
        required: True: there is no default, and the component is active only once this is set. A word: of all keys with
            the same word at least one must be set; each has a default (None or empty) that holds while another is.
        chosen_default: Stands in for a required setting when the component is chosen by name and nothing sets it.
        minimum: The least value of a number; with its unit where it has one.
        maximum: The greatest value.
        check: Asked with each value of the right type that a source gives; a text it returns refuses the value. It
            must not repeat a secret.
        in_file: False: the settings file may not hold it.

    Raises:
        TypeError: ``required=True`` beside a default, or ``chosen_default`` without it.
    """
    if required is True and default is not MISSING:
        raise TypeError("a required setting has no default: leave one of the two out (there is also chosen_default)")
    if chosen_default is not None and required is not True:
        raise TypeError("chosen_default stands in for a required setting: add required=True")
    metadata = {
        METADATA: types.MappingProxyType(
            {
                "help": help,
                "required": required is True or default is MISSING,
                "group": required if isinstance(required, str) else "",
                "chosen_default": chosen_default,
                "minimum": minimum,
                "maximum": maximum,
                "check": check,
                "in_file": in_file,
            }
        )
    }
    if default is MISSING:
        return dataclasses.field(metadata=metadata)
    if isinstance(default, Mapping):
        frozen = types.MappingProxyType(dict(default))
        return dataclasses.field(default_factory=lambda: frozen, metadata=metadata)
    return dataclasses.field(default=_Written(default) if isinstance(default, str) else default, metadata=metadata)


class _Written:
    """A default as it was written, until the field's type is known.

    An instance made directly (in a test, by an embedding application) must hold 5.0 where the declaration says "5s", so
    the text is converted before the dataclass decorator runs: while the class is made, ``dataclasses.Field`` passes
    ``__set_name__`` on to its default. What cannot be converted is left as it is, for `declared` to refuse by name:
    an exception here would reach the author wrapped in a RuntimeError.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __set_name__(self, owner: type, name: str) -> None:
        field = owner.__dict__[name]
        field.default = self.text
        try:
            annotation = owner.__annotations__[name]
            if annotation == "str":
                return
            if isinstance(annotation, str):
                names = vars(sys.modules[owner.__module__])
                # Most are plain names, and looking one up is much quicker: this runs at import.
                annotation = names.get(annotation) or eval(annotation, names)  # noqa: S307 - as typing does
            kind = kind_of(annotation, _no_table)
            inner = kind.inner if isinstance(kind, OptionalKind) else kind
            if not inner.fits(self.text):
                field.default = inner.from_text(self.text)
        except (NameError, AttributeError, KeyError, TypeError, SyntaxError, Invalid):
            return


def _no_table(declaration: type) -> Kind:
    raise TypeError(f"a text is no default for the table {declaration.__name__}")
