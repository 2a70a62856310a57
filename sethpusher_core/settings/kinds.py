"""How one value of each simple type is read, checked and written.

A ``Kind`` stands for one type that a setting may have. It reads text (an environment variable, a flag) and TOML values,
says whether a declared default fits, and writes a value back. Numbers are in ``numbers``, types made of others in
``shapes``.
"""

# ruff: noqa: D102 - subclasses of Kind: what it says of its methods, and their signatures, hold for them

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection

from .problems import Invalid, quote, suggestion, without_password
from .references import Reading, follow
from .values import Secret

__all__ = ["MASK", "BoolKind", "ChoiceKind", "Kind", "SecretKind", "TextKind", "toml_string"]

MASK = "***"


class Kind(ABC):
    """One type that a setting may have.

    Reading raises ``Invalid``; its path is set only by kinds made of others, which know what it is within them.

    Attributes:
        metavar: Stands for a value in ``--help``; "" where a flag needs none.
        noun: What a value of this type is called in the docs.
        wanted: What a refusal asks for, with an example.
        textual: Whether a variable or a flag can hold it; False means settings file only.
        secret: Whether values are masked and have no flag.
        number: Whether bounds have a meaning.
    """

    metavar = "TEXT"
    noun = "text"
    wanted = "text in quotes"
    textual = True
    secret = False
    number = False

    @abstractmethod
    def from_text(self, text: str) -> object:
        """Read what a variable or a flag holds."""

    @abstractmethod
    def from_file(self, value: object, path: str, reading: Reading) -> object:
        """Read what TOML gave at ``path``."""

    @abstractmethod
    def fits(self, value: object) -> bool:
        """Whether a declared default has the type of this kind."""

    def shown(self, value: object) -> str:
        """Show what stands in the place of a value of this kind, unless it may be a secret in the wrong place."""
        return "a single value" if self.secret and not isinstance(value, dict | list) else quote(value)

    def to_text(self, value: object) -> str:
        """Write a value as one would type it, or as TOML where that is the only way; never a secret's."""
        return str(value) if self.textual else self.to_toml(value)

    @abstractmethod
    def to_toml(self, value: object, hidden: Collection[Secret] = ()) -> str:
        """Write a value as TOML on one line; secrets, and texts in ``hidden``, as asterisks."""


def toml_string(text: str) -> str:
    """Write a text as a TOML basic string on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'


class TextKind(Kind):
    """``str``: taken as it is, the empty text included; in the file also by reference."""

    def from_text(self, text: str) -> object:
        return text

    def from_file(self, value: object, path: str, reading: Reading) -> object:
        if isinstance(value, dict):
            return follow(value, reading)
        if not isinstance(value, str):
            raise Invalid(f"{quote(value)} is not {self.wanted}")
        return value

    def fits(self, value: object) -> bool:
        return isinstance(value, str)

    def to_toml(self, value: object, hidden: Collection[Secret] = ()) -> str:
        text = str(value)
        return toml_string(MASK if hidden and Secret(text) in hidden else without_password(text))


class SecretKind(Kind):
    """``Secret``: no flag, masked everywhere, never empty."""

    noun = "secret"
    secret = True

    def from_text(self, text: str) -> object:
        if not text:
            raise Invalid("is empty; unset it, or set it to the secret")
        return Secret(text)

    def from_file(self, value: object, path: str, reading: Reading) -> object:
        if isinstance(value, dict):
            return Secret(follow(value, reading))
        if not isinstance(value, str):
            raise Invalid('must be text in quotes, or { env = "NAME" }, or { file = "/path" }')
        if not value:
            raise Invalid("is empty; leave the key out, or give the secret")
        return Secret(value)

    def fits(self, value: object) -> bool:
        return isinstance(value, Secret)

    def to_text(self, value: object) -> str:
        return MASK

    def to_toml(self, value: object, hidden: Collection[Secret] = ()) -> str:
        return toml_string(MASK)


_BOOL_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class BoolKind(Kind):
    """``bool``: a flag without a value means true; a text is one of the usual words, never guessed."""

    metavar = ""
    noun = wanted = "true or false"

    def from_text(self, text: str) -> object:
        try:
            return _BOOL_WORDS[text.strip().lower()]
        except KeyError:
            raise Invalid(f"{quote(text)} is neither true nor false (yes, no, on, off, 1, 0 will do too)") from None

    def from_file(self, value: object, path: str, reading: Reading) -> object:
        if not isinstance(value, bool):
            raise Invalid(f"{quote(value)} is neither true nor false; write one of these, without quotes")
        return value

    def fits(self, value: object) -> bool:
        return isinstance(value, bool)

    def to_text(self, value: object) -> str:
        return "true" if value else "false"

    def to_toml(self, value: object, hidden: Collection[Secret] = ()) -> str:
        return self.to_text(value)


class ChoiceKind(Kind):
    """``Literal[...]``: one of a few words or whole numbers, in any case of letters."""

    def __init__(self, choices: tuple[str | int, ...]) -> None:
        self._choices = {str(choice).lower(): choice for choice in choices}
        self.metavar = "|".join(str(choice) for choice in choices)
        self.noun = self.wanted = "one of " + ", ".join(str(choice) for choice in choices)

    def from_text(self, text: str) -> object:
        try:
            return self._choices[text.strip().lower()]
        except KeyError:
            near = suggestion(text.lower(), self._choices, list_all=False)
            raise Invalid(f"{quote(text)} is not {self.wanted}{near}") from None

    def from_file(self, value: object, path: str, reading: Reading) -> object:
        if isinstance(value, str):
            return self.from_text(value)
        if not self.fits(value):
            raise Invalid(f"{quote(value)} is not {self.wanted}")
        return value

    def fits(self, value: object) -> bool:
        return any(type(value) is type(choice) and value == choice for choice in self._choices.values())

    def to_toml(self, value: object, hidden: Collection[Secret] = ()) -> str:
        return toml_string(value) if isinstance(value, str) else str(value)
