"""What is in a file of keys."""

from __future__ import annotations

import tomllib

from .keys import ApiKey, key_of

__all__ = ["keys_in"]


def keys_in(data: bytes) -> list[ApiKey]:
    """The ``[[keys]]`` of a TOML file.

    Raises:
        ValueError: Something in it is wrong; one line, without any key.
    """
    try:
        tables = tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:  # says where, and no more than a character of what
        raise ValueError(f"is not TOML: {error}") from None
    keys = tables.get("keys")
    if set(tables) != {"keys"} or not isinstance(keys, list) or not keys:
        raise ValueError("must hold [[keys]] and nothing else")
    if not all(isinstance(key, dict) for key in keys):
        raise ValueError("each of [[keys]] must be a table")
    return [key_of(key) for key in keys]
