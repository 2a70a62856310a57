"""The head of an HTTP/1.1 request (RFC 9112), read only if it is plain in every respect.

This is no HTTP parser: what it takes is a small part of what the RFC allows, chosen so that nothing in it can be read
in two ways. Whatever else comes (other methods and versions, folded lines, transfer codings, expectations, repeated or
odd headers) is for a real parser to read, to answer or to refuse; None says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from tornado.httputil import HTTPHeaders

__all__ = ["Head", "read_head"]

_HEAD: Final = re.compile(
    rb"(GET|POST) (/[!-~]{0,4000}) HTTP/1\.1\r\n((?:[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}:[\t -~]{0,8000}\r\n){1,64})\r\n"
)
"""Printable ASCII, one header a line. The classes do not overlap what follows them, so it takes linear time."""

_HOST: Final = re.compile(r"[A-Za-z0-9._~:\[\]-]{1,255}")
"""A part of what Tornado takes, which answers others with 400."""
_ONCE: Final = frozenset({"Host", "Content-Length", "Connection", "Upgrade", "Authorization"})
_NEVER: Final = frozenset({"Transfer-Encoding", "Expect", "Trailer", "Te", "Http2-Settings"})
_MAX_LENGTH: Final = 12
"""Digits of a Content-Length."""


class Head(NamedTuple):
    """A plain request head.

    Attributes:
        size: Bytes of the head, with the empty line that ends it.
        method: ``GET`` or ``POST``.
        target: Path and query.
        headers: Each once, or of a kind that may be joined by commas.
        length: Bytes of the body; a GET has none.
    """

    size: int
    method: str
    target: str
    headers: HTTPHeaders
    length: int


def read_head(data: bytes) -> Head | None:
    """Reads the head that some bytes begin with; None if it is not there as a whole, or not plain."""
    found = _HEAD.match(data)
    if found is None:
        return None
    lines = [line.partition(":") for line in found[3].decode("ascii").split("\r\n")[:-1]]
    headers = HTTPHeaders()
    for name, _, value in lines:
        headers[name] = value.strip(" \t")
    if len(headers) < len(lines):
        headers = _joined(lines)
    if not (_HOST.fullmatch(headers.get("Host", "")) and _NEVER.isdisjoint(headers)):
        return None
    method = found[1].decode()
    length = headers.get("Content-Length", "")
    if method == "GET":
        if length:
            return None
        length = "0"
    if not (length.isdecimal() and len(length) <= _MAX_LENGTH):
        return None
    return Head(found.end(), method, found[2].decode("ascii"), headers, int(length))


def _joined(lines: Iterable[tuple[str, str, str]]) -> HTTPHeaders:
    """Headers of which some are repeated; those that must not be make it empty."""
    headers = HTTPHeaders()
    for name, _, value in lines:
        headers.add(name, value.strip(" \t"))
    repeated = any(len(headers.get_list(name)) > 1 for name in _ONCE)
    return HTTPHeaders() if repeated else headers
