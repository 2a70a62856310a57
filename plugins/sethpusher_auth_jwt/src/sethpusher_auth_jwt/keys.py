"""Keys, each bound to the one algorithm that it is for, and where they come from: settings, and JWKS files.

That binding is what defeats algorithm confusion (RFC 8725, sections 2.1 and 3.1): a public key can never be taken for
a shared secret, and nothing that stands in a token chooses how it is verified.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, get_args

from jwt import PyJWK
from jwt.algorithms import get_default_algorithms
from jwt.utils import base64url_encode

from .settings import Algorithm

__all__ = ["ALGORITHMS", "Key", "KeySet", "NotForUs", "key_of_jwk", "key_of_text", "keys_of_jwks"]

ALGORITHMS: Final[tuple[str, ...]] = get_args(Algorithm)
MOST_KEYS: Final = 100
"""Keys in a set. A token that names none is tried with all of its algorithm, and that must stay cheap."""

_ALGORITHM_OF: Final[Mapping[tuple[object, object], str]] = {
    ("oct", None): "HS256",
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
}
_THUMBPRINTED: Final = {"HS256": ("k", "kty"), "RS256": ("e", "kty", "n"), "ES256": ("crv", "kty", "x", "y")}
"""The members of a JWK that make its thumbprint, sorted (RFC 7638, section 3.2; RFC 7517 and 7518 for their names)."""

_NEEDS_CRYPTO: Final = "{} needs the package cryptography: pip install 'sethpusher-auth-jwt[crypto]'"
_UNFIT: Final = {
    "HS256": "is no key for HS256: that needs a secret of at least 32 bytes, which is not a key of another kind",
    "RS256": "is no key for RS256: that needs a public RSA key in PEM, of at least 2048 bits",
    "ES256": "is no key for ES256: that needs a public key in PEM, on the curve P-256",
}


class NotForUs(ValueError):
    """A key of a set is for something else than verifying tokens by an algorithm of ours."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes:
        algorithm: The only one that it verifies.
        jwk: The key, in the form that PyJWT takes.
        kid: The name by which tokens call it, or None.
        thumbprint: Tells it from every other key, whatever it is called (RFC 7638).
    """

    algorithm: str
    jwk: PyJWK = field(repr=False, compare=False)
    kid: str | None
    thumbprint: str


class KeySet:
    """All keys that hold now."""

    def __init__(self, keys: Iterable[Key]) -> None:
        """Puts a set together.

        Raises:
            ValueError: It has no key, or too many.
        """
        self._keys = tuple(keys)
        if not 0 < len(self._keys) <= MOST_KEYS:
            raise ValueError(f"a set must have 1 to {MOST_KEYS} usable keys, not {len(self._keys)}")

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def candidates(self, algorithm: object, kid: object) -> list[Key]:
        """The keys that may have signed a token whose header says so.

        A token that names a key is tried with the keys of that name and with those that have none.
        """
        return [
            key
            for key in self._keys
            if key.algorithm == algorithm and (kid is None or key.kid is None or key.kid == kid)
        ]

    def gone(self, new: KeySet) -> frozenset[str]:
        """Thumbprints of the keys that are not in a newer set."""
        return frozenset(key.thumbprint for key in self) - {key.thumbprint for key in new}


def key_of_text(text: str, algorithm: str, kid: str | None = None) -> Key:
    """A key as a setting gives it: a shared secret, or a public key in PEM.

    Raises:
        ValueError: It is not fit for the algorithm; the text never shows it.
    """
    maker = get_default_algorithms().get(algorithm)
    if maker is None or algorithm not in ALGORITHMS:
        raise ValueError(_NEEDS_CRYPTO.format(algorithm))
    if algorithm != "HS256" and "PRIVATE KEY" in text:
        raise ValueError("is a private key; the server needs the public one only, so let it have no other")
    try:
        jwk = maker.to_jwk(maker.prepare_key(text), as_dict=True)
        return _checked(PyJWK(jwk, algorithm), jwk, kid)
    except Exception:  # noqa: BLE001 - PyJWT's, and those of cryptography, which need not be there to be imported
        raise ValueError(_UNFIT[algorithm]) from None


def keys_of_jwks(data: bytes) -> tuple[list[Key], list[str]]:
    """The keys of a JSON Web Key Set (RFC 7517, section 5), and why some of it are left out, one line each.

    What is there for something else (encryption, other algorithms) is left out, as the RFC asks.

    Raises:
        ValueError: It is no such set; it has no key for us; or one that is for us is broken, or private.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise ValueError("is not JSON") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError('must be a JSON Web Key Set: an object with a list "keys" of objects')
    keys: list[Key] = []
    left_out: list[str] = []
    for place, entry in enumerate(entries):
        try:
            keys.append(key_of_jwk(entry))
        except NotForUs as why:
            left_out.append(f"keys[{place}] {why}")
        except ValueError as error:
            raise ValueError(f"keys[{place}] {error}") from None
    if not keys:
        raise ValueError("; ".join(["it has no key for tokens", *left_out]))
    return keys, left_out


def key_of_jwk(jwk: Mapping[str, Any]) -> Key:
    """One key of a set.

    Raises:
        NotForUs: It is for something else.
        ValueError: It is broken, or private; the text never shows it.
    """
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise ValueError("has a kid that is no text")
    algorithm = _algorithm(jwk)
    if algorithm not in get_default_algorithms():
        raise ValueError(_NEEDS_CRYPTO.format(algorithm))
    if "d" in jwk:
        raise ValueError("is a private key; the server needs the public one only, so let it have no other")
    try:
        return _checked(PyJWK(dict(jwk), algorithm), jwk, kid)
    except Exception:  # noqa: BLE001 - likewise; and odd members of the object lead PyJWT to many others
        raise ValueError(f"is no key for {algorithm}, or a weak one") from None


def _algorithm(jwk: Mapping[str, Any]) -> str:
    """What a key is for, by what it says of itself (RFC 7517, section 4).

    Raises:
        NotForUs: Not for verifying, or by no algorithm of ours.
    """
    operations = jwk.get("key_ops")
    if jwk.get("use", "sig") != "sig" or (isinstance(operations, list) and "verify" not in operations):
        raise NotForUs("is not for signatures")
    kind, curve = jwk.get("kty"), jwk.get("crv")
    by_kind = _ALGORITHM_OF.get((kind, curve)) if isinstance(kind, str) and isinstance(curve, str | None) else None
    if by_kind is None or jwk.get("alg", by_kind) != by_kind:
        raise NotForUs(f"is not for {', '.join(ALGORITHMS)}")
    return by_kind


def _checked(key: PyJWK, jwk: Mapping[str, Any], kid: str | None) -> Key:
    """Makes sure that PyJWT will use it, and that it is as long as the algorithm wants (RFC 7518, 3.2 and 3.3).

    Raises:
        Exception: It is not.
    """
    algorithm = key.algorithm_name
    if key.Algorithm.check_key_length(key.Algorithm.prepare_key(key.key)) is not None:
        raise ValueError("too short")
    members = {name: jwk[name] for name in _THUMBPRINTED[algorithm]}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return Key(algorithm, key, kid, base64url_encode(sha256(canonical).digest()).decode())
