"""Headers that every answer has, and those that none has."""

from __future__ import annotations

from typing import Final

from tornado.httputil import HTTPHeaders
from tornado.web import OutputTransform

__all__ = ["SECURITY_HEADERS", "NoServerHeader"]

SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # keys may stand in a query
    "X-Content-Type-Options": "nosniff",
}
"""Of the API's answers: data for programs, which no page may frame, sniff, embed or keep."""


class NoServerHeader(OutputTransform):
    """Takes out which server this is, and its version, also where a plugin's handler is Tornado's own."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """See Tornado."""
        if "Server" in headers:
            del headers["Server"]
        if "X-Content-Type-Options" not in headers:
            headers["X-Content-Type-Options"] = "nosniff"
        return status_code, headers, chunk
