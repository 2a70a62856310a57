"""Signing a token, for development."""

from __future__ import annotations

from typing import Any

from jwt import PyJWT
from jwt.algorithms import get_default_algorithms

from sethpusher_core import UsageError

__all__ = ["signed"]


def signed(claims: dict[str, Any], key: str, algorithm: str, kid: str | None) -> str:
    """A token.

    Args:
        claims: What it says.
        key: A shared secret, or a private key in PEM.
        algorithm: HS256, or empty: what fits the private key.
        kid: The key's name, or None.

    Raises:
        UsageError: The key is not fit.
    """
    headers = None if kid is None else {"kid": kid}
    for name in (algorithm,) if algorithm else ("RS256", "ES256"):
        if name not in get_default_algorithms():
            raise UsageError("token: --key-file needs cryptography: pip install 'sethpusher-auth-jwt[crypto]'")
        try:
            return PyJWT({"enforce_minimum_key_length": True}).encode(claims, key, algorithm=name, headers=headers)
        except Exception:  # noqa: BLE001, S112 - many kinds, of libraries that need not be there; the next is tried
            continue
    raise UsageError("token: that is no key to sign with: a private RSA key, or one on the curve P-256, in PEM")
