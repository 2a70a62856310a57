"""Secrets by reference: ``{ env = "X" }`` and ``{ file = "/run/secrets/x" }`` in place of a text in the file."""

from __future__ import annotations

from collections.abc import Mapping

from .problems import Invalid, quote, readable
from .values import Secret

__all__ = ["Reading", "follow"]

_LARGEST_FILE = 64 * 1024
"""A secret is short. The bound keeps ``{ file = "/dev/zero" }`` from eating the memory."""


class Reading:
    """What reading one settings value may use, and what it leaves behind.

    Attributes:
        environ: The variables that ``{ env = ... }`` may name.
        folder: Where a relative ``{ file = ... }`` is looked up: beside the settings file, wherever the server is
            started.
        hidden: Every text that came through a reference, so that it is masked even in a plain ``str`` setting.
        via: The references followed, worded for the source column ("environment X").
    """

    __slots__ = ("environ", "folder", "hidden", "via")

    def __init__(self, environ: Mapping[str, str], folder: str) -> None:
        self.environ = environ
        self.folder = folder
        self.hidden: set[Secret] = set()
        self.via: list[str] = []


def follow(reference: Mapping[str, object], reading: Reading) -> str:
    """Give the text that a reference names, without its trailing line ends.

    Args:
        reference: The table that stands where a text is expected.
        reading: The variables and the folder; takes note of what was read.

    Raises:
        Invalid: the table is no reference, or what it names is missing, empty, unreadable or not UTF-8. The text itself
            is never in the message.
    """
    if len(reference) != 1 or not reference.keys() <= {"env", "file"}:
        raise Invalid('a table here must be { env = "NAME" } or { file = "/path" }')
    [(way, name)] = reference.items()
    if not isinstance(name, str) or not name:
        raise Invalid(f"{way} = {quote(name)} must name a {'variable' if way == 'env' else 'file'}")
    source = f"{'environment' if way == 'env' else 'file'} {readable(name)}"
    try:
        text = _variable(name, reading.environ) if way == "env" else _content(reading.folder, name)
    except Invalid as error:
        raise Invalid(f"{source}, which it refers to, {error.why}") from None
    reading.hidden.add(Secret(text))
    reading.via.append(source)
    return text


def _variable(name: str, environ: Mapping[str, str]) -> str:
    text = environ.get(name)
    if text is None:
        raise Invalid("is not set")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid("is not UTF-8 text") from None
    return _checked(text)


def _content(folder: str, name: str) -> str:
    from pathlib import Path  # here, because most starts read no file

    try:
        with Path(folder, name).open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a valid path"
        raise Invalid(f"cannot be read: {reason}") from None
    if len(content) > _LARGEST_FILE:
        raise Invalid(f"is larger than {_LARGEST_FILE // 1024} KiB, which no secret is")
    try:
        return _checked(content.decode())
    except UnicodeDecodeError:
        raise Invalid("is not UTF-8 text") from None


def _checked(text: str) -> str:
    # ``echo x > file`` and most editors end a file with a line end that is no part of the secret.
    text = text.rstrip("\r\n")
    if not text:
        raise Invalid("is empty")
    return text
