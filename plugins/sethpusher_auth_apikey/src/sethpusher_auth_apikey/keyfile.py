"""The file that keys are read from, and read again from when it changes."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Final

from .keys import ApiKey, key_of

__all__ = ["KeyFile"]

LARGEST: Final = 1 << 20
"""Bytes that the file may have: it is read within the server's loop."""


class KeyFile:
    """A TOML file with ``[[keys]]``."""

    def __init__(self, path: str) -> None:
        """Nothing is read yet."""
        self.path = Path(path)
        self._seen: object = None

    def changed(self) -> bool:
        """Whether it is another file than at the last asking; a missing one counts as a file of its own."""
        try:
            status = os.stat(self.path)
        except OSError as error:
            seen: object = error.errno
        else:
            seen = status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev
        changed = seen != self._seen
        self._seen = seen
        return changed

    def read(self) -> list[ApiKey]:
        """The keys in it.

        Raises:
            ValueError: It cannot be read, or something in it is wrong; one line, without any key.
        """
        try:
            with self.path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise ValueError(f"{self.path}: {error.strerror or 'cannot be read'}") from None
        if len(data) > LARGEST:
            raise ValueError(f"{self.path}: is larger than {LARGEST} bytes")
        try:
            tables = tomllib.loads(data.decode())
        except UnicodeDecodeError:
            raise ValueError(f"{self.path}: is not UTF-8") from None
        except tomllib.TOMLDecodeError as error:  # says where, and no more than a character of what
            raise ValueError(f"{self.path}: is not TOML: {error}") from None
        keys = tables.get("keys")
        if set(tables) != {"keys"} or not isinstance(keys, list) or not keys:
            raise ValueError(f"{self.path}: must hold [[keys]] and nothing else")
        if not all(isinstance(key, dict) for key in keys):
            raise ValueError(f"{self.path}: each of [[keys]] must be a table")
        try:
            return [key_of(key) for key in keys]
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None
