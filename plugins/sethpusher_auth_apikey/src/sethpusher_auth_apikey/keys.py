"""Keys, and a ring of them. What is kept of a key is its SHA-256, so nothing here could print one."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from sethpusher_core.settings.values import Secret

__all__ = ["SCOPES", "ApiKey", "KeyRing", "hash_line", "key_of", "unlimited_key"]

SCOPES: Final = ("publish", "subscribe", "read", "administer")
HASH: Final = "sha256:"
GUESSABLE: Final = 16
"""Bytes below which a key is worth a warning."""

_FIELDS: Final = frozenset({"name", "key", "hash", "scopes", "channels", "expires"})


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key.

    Attributes:
        name: For the log, and for those who manage keys.
        digest: SHA-256 of the key.
        scopes: What it is for.
        channels: Patterns of the channels it is for; ``*`` also covers users and the server.
        expires_at: Unix time in seconds, or None.
        short: Whether it is so short that it might be guessed (known only of a key that is not given as a hash).
    """

    name: str
    digest: bytes
    scopes: frozenset[str]
    channels: tuple[str, ...] = ("*",)
    expires_at: float | None = None
    short: bool = False


class KeyRing:
    """All keys that hold now."""

    def __init__(self, keys: Iterable[ApiKey] = ()) -> None:
        """Checks that they can be told apart.

        Raises:
            ValueError: Two have the same name, or are the same key.
        """
        self._keys: dict[str, ApiKey] = {}
        seen: dict[bytes, str] = {}
        for key in keys:
            if key.name in self._keys:
                raise ValueError(f"two keys have the name {key.name!r}")
            if key.digest in seen:
                raise ValueError(f"{seen[key.digest]!r} and {key.name!r} are the same key")
            self._keys[key.name] = key
            seen[key.digest] = key.name

    def __iter__(self) -> Iterator[ApiKey]:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, name: object) -> ApiKey | None:
        """The key of a name."""
        return self._keys.get(name) if isinstance(name, str) else None

    def find(self, key: bytes) -> ApiKey | None:
        """The entry of a presented key. Takes the same time whichever it is, and if it is none."""
        digest = sha256(key).digest()
        found = None
        for candidate in self._keys.values():
            if hmac.compare_digest(candidate.digest, digest):
                found = candidate
        return found


def hash_line(key: bytes) -> str:
    """What may stand in a file instead of a key. Keys are long and random, so a fast hash without salt will do."""
    return HASH + sha256(key).hexdigest()


def key_of(fields: Mapping[str, Any]) -> ApiKey:
    """A key as a settings file or a keys file describes it.

    Raises:
        ValueError: It is wrong; the text names the key and never shows it.
    """
    name = fields.get("name")
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ValueError("a key needs a name, a printable text")
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise ValueError(f"key {name!r}: {', '.join(unknown)} is unknown (known: {', '.join(sorted(_FIELDS))})")
    try:
        digest, short = _digest(fields.get("key"), fields.get("hash"))
        scopes = frozenset(_texts("scopes", fields.get("scopes")))
        if not scopes or not scopes <= set(SCOPES):
            raise ValueError(f"scopes must be some of {', '.join(SCOPES)}")
        channels = _texts("channels", fields.get("channels", ("*",)))
        if not channels:
            raise ValueError('channels must not be empty; leave it out, or write ["*"], for all')
        return ApiKey(name, digest, scopes, channels, _moment(fields.get("expires")), short)
    except ValueError as error:
        raise ValueError(f"key {name!r}: {error}") from None


def unlimited_key(name: str, key: Secret) -> ApiKey:
    """A key without limits."""
    return key_of({"name": name, "key": key, "scopes": SCOPES})


def _digest(key: object, hash: object) -> tuple[bytes, bool]:
    if (key is None) == (hash is None):
        raise ValueError("give it either a key or a hash")
    if hash is not None:
        text = hash.removeprefix(HASH) if isinstance(hash, str) and hash.startswith(HASH) else ""
        try:
            digest = bytes.fromhex(text)
        except ValueError:
            digest = b""
        if len(digest) != 32:
            raise ValueError("hash must be what seth-pusher apikey new prints: sha256: and 64 hexadecimal digits")
        return digest, False
    text = key.reveal() if isinstance(key, Secret) else key if isinstance(key, str) else ""
    if not text:
        raise ValueError("key must be a text that is not empty")
    data = text.encode("utf-8", "surrogatepass")
    return sha256(data).digest(), len(data) < GUESSABLE


def _texts(what: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{what} must be a list of texts")
    return tuple(value)


def _moment(value: object) -> float | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("expires must be a date such as 2027-01-31 or 2027-01-31T12:00:00Z") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
