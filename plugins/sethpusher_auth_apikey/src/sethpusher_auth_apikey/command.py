"""``seth-pusher apikey``: makes keys. A plugin of its own, so that it is there before any key is."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from typing import Final

from sethpusher_core import RegisterCommand, UsageError, hookimpl
from sethpusher_core.commands.options import read_options

from .keys import SCOPES, hash_line, key_of

__all__ = ["commands"]

name = "apikey"
USAGE: Final = (
    "write seth-pusher apikey new [--name=N] [--scopes=publish,read] [--channel=news.*] [--expires=2027-01-31], "
    "or seth-pusher apikey hash (a key on standard input)"
)
_OPTIONS: Final = ("name", "scopes", "channel", "expires")
"""``channel`` and not ``channels``, which is a setting of the core and would be read as its flag."""


@hookimpl
def commands(register: RegisterCommand) -> None:
    """See :func:`sethpusher_core.hookspecs.commands`."""
    register("apikey", _run, help="Make an API key and the hash to configure: apikey new")


def _run(arguments: Sequence[str], _settings: object) -> int:
    match list(arguments):
        case ["new", *words]:
            key = f"sp_{secrets.token_urlsafe(32)}"
            table = _table(_options(words), key)
            print(f"# The key. It is shown this once; keep it where only its user can read it.\n{key}\n")
            print(f"# For keys_file; in the settings file the table is [[plugins.auth_apikey.keys]].\n{table}")
            return 0
        case ["hash"]:
            key = sys.stdin.readline().rstrip("\r\n")
            if not key:
                raise UsageError("apikey hash: there is no key on standard input")
            print(hash_line(key.encode("utf-8", "surrogateescape")))
            return 0
        case _:
            raise UsageError(f"apikey: {USAGE}")


def _options(words: Sequence[str]) -> dict[str, str]:
    defaults = {"name": "new key", "scopes": ",".join(SCOPES), "channel": "*", "expires": ""}
    return {**defaults, **read_options("apikey new", words, _OPTIONS, USAGE)}


def _table(options: dict[str, str], key: str) -> str:
    """The key's table for a file, checked as it will be when it is read."""
    fields: dict[str, object] = {
        "name": options["name"],
        "hash": hash_line(key.encode()),
        "scopes": options["scopes"].split(","),
        "channels": options["channel"].split(","),
    }
    if options["expires"]:
        fields["expires"] = options["expires"]
    try:
        key_of(fields)
    except ValueError as error:
        raise UsageError(f"apikey new: {error}") from None
    return "\n".join(["[[keys]]", *(f"{field} = {_toml(value)}" for field, value in fields.items())])


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
