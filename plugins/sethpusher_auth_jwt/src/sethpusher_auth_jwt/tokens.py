"""From a token to what it proves, or to the reason why it proves nothing (RFC 7519; RFC 8725 for what to mind)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt
from jwt import PyJWT

from sethpusher_core.identity import has_jwt_form

from .capabilities import Capabilities, capabilities_of
from .keys import Key, KeySet
from .settings import JwtSettings

__all__ = ["BadToken", "Proof", "Verifier"]

SHOWN: Final = 40
"""Characters of a token's header that a reason may quote."""

_REASONS: Final[Sequence[tuple[type[Exception], str]]] = (
    (jwt.ExpiredSignatureError, "has expired"),
    (jwt.ImmatureSignatureError, "is not valid yet (nbf, iat)"),
    (jwt.InvalidAudienceError, "is for another audience (aud)"),
    (jwt.InvalidIssuerError, "is of another issuer (iss)"),
)
"""In words of ours: PyJWT's may quote the token, and what an attacker writes must not get into the log as it is."""


class BadToken(Exception):
    """A token proves nothing. Its text says why, for the log."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a good token says.

    Attributes:
        subscriber_id: Who has it (``sub``); None for a service that is nobody in particular.
        expires_at: Unix time in seconds from which it counts no more, leeway included; None: never.
        capabilities: What it is for; None where it does not say.
        claims: All of it.
        key: The thumbprint of the key that has signed it.
    """

    subscriber_id: str | None
    expires_at: float | None
    capabilities: Capabilities | None
    claims: Mapping[str, Any]
    key: str


class Verifier:
    """Verifies tokens as the settings say."""

    def __init__(self, settings: JwtSettings) -> None:
        self._settings = settings
        self._required = ["exp"] if settings.require_expiry else []
        self._library = PyJWT({"enforce_minimum_key_length": True})

    def verify(self, token: str, keys: KeySet) -> Proof:
        """What a token proves.

        Raises:
            BadToken: Nothing.
        """
        if not has_jwt_form(token):  # PyJWT would also take one that is padded
            raise BadToken("the token is malformed")
        key, claims = self._signed(token, self._candidates(token, keys))
        try:
            granted = claims.get(self._settings.capabilities)
            capabilities = None if granted is None else capabilities_of(granted)
        except ValueError as error:
            raise BadToken(f"the claim {self._settings.capabilities} {error}") from None
        subscriber_id = claims.get("sub")
        if subscriber_id == "":
            raise BadToken("the claim sub is empty")
        return Proof(subscriber_id, self._end(claims.get("exp")), capabilities, claims, key.thumbprint)

    def _candidates(self, token: str, keys: KeySet) -> list[Key]:
        """The keys that may have signed it. What else its header offers (jwk, jku, x5c, x5u) is not looked at."""
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError) as error:  # ValueError: a number too long to be read
            raise BadToken("the token is malformed") from error
        algorithm, kid = header.get("alg"), header.get("kid")
        candidates = keys.candidates(algorithm, kid)
        if not candidates:
            raise BadToken(f"there is no key for alg {_quoted(algorithm)}, kid {_quoted(kid)}")
        return candidates

    def _signed(self, token: str, candidates: Sequence[Key]) -> tuple[Key, dict[str, Any]]:
        settings = self._settings
        for key in candidates:
            try:
                claims: dict[str, Any] = self._library.decode(
                    token,
                    key.jwk,
                    algorithms=[key.algorithm],
                    options={"require": self._required},
                    audience=settings.audience or None,
                    issuer=settings.issuer or None,
                    leeway=settings.leeway,
                )
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, ValueError) as error:
                raise BadToken(f"the token {_reason(error)}") from error
            return key, claims
        raise BadToken("the token is signed by no key of ours, or was changed since")

    def _end(self, exp: object) -> float | None:
        """When it counts no more. PyJWT also takes texts for numbers; RFC 7519, section 2, does not."""
        if exp is None:
            return None
        if isinstance(exp, bool) or not isinstance(exp, int | float):
            raise BadToken("the claim exp is no number")
        try:
            return float(exp) + self._settings.leeway
        except OverflowError:
            raise BadToken("the claim exp is too large") from None


def _reason(error: Exception) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"has no {error.claim}"  # one of those that we ask for
    return next((text for kind, text in _REASONS if isinstance(error, kind)), "is malformed")


def _quoted(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
