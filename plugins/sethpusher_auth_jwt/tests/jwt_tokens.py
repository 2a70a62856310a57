"""Keys and tokens for the tests. Tokens are put together by hand where PyJWT would not make such a thing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

__all__ = [
    "EC_KEY",
    "OTHER_SECRET",
    "RSA_KEY",
    "SECRET",
    "b64",
    "bearer",
    "by_hand",
    "jwk",
    "jwks",
    "private_pem",
    "public_pem",
    "token",
]

SECRET: Final = "a shared secret of 32 bytes, or more"
OTHER_SECRET: Final = "another secret of 32 bytes, or more!"
RSA_KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY: Final = ec.generate_private_key(ec.SECP256R1())

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def token(key: Any = SECRET, algorithm: str = "HS256", *, kid: str | None = None, **claims: Any) -> str:
    """A signed token of Ada's that ends in an hour; a claim that is None is left out."""
    merged = {"sub": "ada", "exp": int(time.time()) + 3600, **claims}
    headers = None if kid is None else {"kid": kid}
    return jwt.encode({k: v for k, v in merged.items() if v is not None}, key, algorithm=algorithm, headers=headers)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(header: object, payload: object, key: bytes = SECRET.encode(), signature: bytes | None = None) -> str:
    """A token with any header and payload, signed by HMAC-SHA256 unless one is given; bytes stay what they are."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    body = ".".join(b64(part) for part in parts)
    if signature is None:
        signature = hmac.new(key, body.encode(), hashlib.sha256).digest()
    return f"{body}.{b64(signature)}"


def public_pem(key: PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def jwk(key: PrivateKey | str, **members: Any) -> dict[str, Any]:
    """A key as it stands in a set; of a private one the public part."""
    if isinstance(key, str):
        fields: Mapping[str, Any] = {"kty": "oct", "k": b64(key.encode())}
    elif isinstance(key, rsa.RSAPrivateKey):
        fields = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        fields = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**fields, **members}


def jwks(*keys: Mapping[str, Any]) -> str:
    return json.dumps({"keys": list(keys)})


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}
