"""What the plugin can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sethpusher_core.settings import Duration, Secret, setting

__all__ = ["Algorithm", "JwtSettings", "KeyTable"]

Algorithm: TypeAlias = Literal["HS256", "RS256", "ES256"]


@dataclass(frozen=True, slots=True)
class KeyTable:
    """One ``[[plugins.auth_jwt.keys]]`` table."""

    key: Secret = setting(required=True, help="A shared secret (HS256) or a public key in PEM; best as a reference.")
    algorithm: Algorithm = setting("HS256", help="The one algorithm that the key is for.")
    kid: str | None = setting(None, help="Its name in the header of tokens; without one it is tried on all.")


@dataclass(frozen=True, slots=True)
class JwtSettings:
    """What the plugin can be told; one of the first three must be given."""

    key: Secret | None = setting(
        None, required="key", help="A shared secret of at least 32 bytes (HS256), or a public key in PEM."
    )
    keys: tuple[KeyTable, ...] = setting((), required="key", help="Several keys, with names.")
    jwks_file: str | None = setting(
        None, required="key", help="A file with a JSON Web Key Set; re-read when it changes."
    )
    algorithm: Algorithm = setting("HS256", help="The one algorithm that `key` is for.")
    check_every: Duration = setting("2s", minimum="10ms", help="How often it is looked whether jwks_file has changed.")

    audience: tuple[str, ...] = setting(
        (), help="Who we are: a token must name one of these in aud. Empty: a token that has an aud is refused."
    )
    issuer: tuple[str, ...] = setting((), help="Whose tokens are taken, by iss; empty: whoever has signed them.")
    leeway: Duration = setting("10s", maximum="10m", help="By how much clocks may differ: of exp, nbf and iat.")
    require_expiry: bool = setting(True, help="Whether a token without exp is refused.")
    capabilities: str = setting("capabilities", help="The claim that says what a token is for.")

    bearer: bool = setting(True, help="Whether Authorization: Bearer may hold a token.")
    header: str = setting("", help="Another header that may hold one; empty: none.")
    argument: str = setting("access_token", help="The query argument that may hold one; empty: none.")
    cookie: str = setting("", help="The cookie that may hold one, for connections only; empty: none.")
