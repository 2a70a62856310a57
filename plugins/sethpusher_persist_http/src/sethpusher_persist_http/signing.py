"""Signatures of posts, as the Standard Webhooks specification has them (https://www.standardwebhooks.com).

What is signed is ``<webhook-id>.<webhook-timestamp>.<body>``, by HMAC-SHA256; the header ``webhook-signature`` holds
one ``v1,<base64>`` for each secret, with blanks between them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["ID", "SIGNATURE", "TIMESTAMP", "key_of", "sign", "verify"]

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
_PREFIX: Final = "whsec_"


def key_of(secret: str) -> bytes:
    """The key that a secret stands for: what follows ``whsec_`` is base64, any other secret is taken as it is.

    Raises:
        ValueError: It begins with ``whsec_`` and goes on with something else than base64.
    """
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a secret that begins with whsec_ must go on in base64") from None


def sign(keys: Iterable[bytes], id: str, timestamp: int, body: bytes) -> str:
    """The value of the header ``webhook-signature``."""
    signed = b"%b.%d.%b" % (id.encode(), timestamp, body)
    digests = (hmac.digest(key, signed, hashlib.sha256) for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def verify(
    secrets: Iterable[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance: float = 300.0,
    now: float | None = None,
) -> bool:
    """Whether a post is signed with one of some secrets, and not old.

    For endpoints written in Python; the names of ``headers`` must be found in lower case.

    Args:
        secrets: The secrets.
        headers: The headers of the request.
        body: Its body, as it came.
        tolerance: Seconds by which the two clocks may differ, or a post be late.
        now: Seconds since 1970; the system's clock when left out.
    """
    text = headers.get(TIMESTAMP, "")
    if not (text.isascii() and text.isdigit()):
        return False
    if abs((time.time() if now is None else now) - int(text)) > tolerance:
        return False
    expected = sign(map(key_of, secrets), headers.get(ID, ""), int(text), body).split()
    given = [signature.encode() for signature in headers.get(SIGNATURE, "").split()]
    return any(hmac.compare_digest(one.encode(), other) for one in expected for other in given)
