"""The heads of answers: what they have in common is put together once a second, not for each."""

from __future__ import annotations

from functools import lru_cache
from http.client import responses
from typing import NamedTuple

from tornado.httputil import format_timestamp

__all__ = ["Traits", "head_fields", "head_lines", "reason_of"]


class Traits(NamedTuple):
    """What the head of an answer depends on, beside the length of its body.

    Attributes:
        second: Unix time.
        type: Content-Type, or None for none.
        cache: Cache-Control.
        varies: Whether the answer depends on the page's origin.
        origin: Whose pages may read it (Access-Control-Allow-Origin), or None for none.
        credentials: Whether those pages may send credentials.
        cookie: The value of JSESSIONID that is set, or None for none.
    """

    second: int
    type: str | None
    cache: str
    varies: bool
    origin: str | None
    credentials: bool
    cookie: str | None


def head_fields(traits: Traits) -> dict[str, str]:
    """The headers by name."""
    fields = {"Date": _date(traits.second), "Cache-Control": traits.cache, "X-Content-Type-Options": "nosniff"}
    if traits.type is not None:
        fields["Content-Type"] = traits.type
    if traits.varies:
        fields["Vary"] = "Origin"
    if traits.origin is not None:
        fields["Access-Control-Allow-Origin"] = traits.origin
    if traits.credentials:
        fields["Access-Control-Allow-Credentials"] = "true"
    if traits.cookie is not None:
        fields["Set-Cookie"] = f"JSESSIONID={traits.cookie}; Path=/"
    return fields


@lru_cache(maxsize=256)  # pages of so many origins within a second
def head_lines(status: int, traits: Traits) -> bytes:
    """The same as lines, behind the status line."""
    lines = [
        f"HTTP/1.1 {status} {reason_of(status)}",
        *(f"{name}: {value}" for name, value in head_fields(traits).items()),
        "",
    ]
    return "\r\n".join(lines).encode("latin-1")


def reason_of(status: int) -> str:
    """What a status is called."""
    return responses.get(status, "Unknown")


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return format_timestamp(second)
