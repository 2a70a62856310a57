"""Which pages may connect: one policy for every transport.

A browser names the page's origin in ``Origin`` (WebSocket: RFC 6455, section 10.2; XHR: the Fetch standard). Scripts
and frames that a page loads by GET, as jsonp, htmlfile and the iframe transports do, carry none; there
``Sec-Fetch-Site`` says whether they are foreign, and ``Referer`` by whom they were loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from tornado.httputil import HTTPHeaders

__all__ = ["ANY", "OriginPolicy"]

ANY: Final = "*"

_HOST: Final = r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+\.?|\[[0-9a-f:.]+\]"
_PATTERN: Final = re.compile(rf"(?:(https?)://)?(\*\.)?({_HOST})(?::(\d{{1,5}}))?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


class _Origin(NamedTuple):
    scheme: str | None
    host: str
    port: str | None

    def covers(self, origin: _Origin) -> bool:
        """Whether a page of this origin may connect if the policy lists ``self``."""
        if self.scheme is not None and self.scheme != origin.scheme:
            return False
        port = self.port or _DEFAULT_PORTS[origin.scheme or "https"]
        if port != origin.port:
            return False
        if self.host.startswith("*."):
            return origin.host.endswith(self.host[1:])
        return self.host == origin.host


class OriginPolicy:
    """The origins whose pages may connect. Pages of the server's own origin and clients without one always may.

    Attributes:
        allowed: The entries, as given.
        any: Whether every page may connect.
    """

    def __init__(self, allowed: Iterable[str] = (ANY,)) -> None:
        """Makes a policy.

        Args:
            allowed: Origins (``https://app.example.com``), hosts (``app.example.com``: by http and https), or either
                with ``*.`` before the host: every name below it, not itself. A port is the scheme's default one
                unless it is given. ``null`` lets sandboxed frames and local files in, ``*`` everyone. Nothing at all:
                only pages of the server's own origin.

        Raises:
            ValueError: An entry is none of these.
        """
        self.allowed = tuple(allowed)
        self.any = ANY in self.allowed
        self._null = "null" in self.allowed
        self._patterns = [_pattern(entry) for entry in self.allowed if entry not in (ANY, "null")]

    def admits(self, headers: HTTPHeaders) -> bool:
        """Whether a request with these headers may be served.

        Own origin means the same host and port as in ``Host``. Behind a proxy that rewrites ``Host`` the own origin
        has to be listed.
        """
        if self.any:
            return True
        origin = headers.get("Origin")
        if origin is None:
            return self._admits_without_origin(headers)
        return self._admits_origin(origin, headers)

    def _admits_without_origin(self, headers: HTTPHeaders) -> bool:
        site = headers.get("Sec-Fetch-Site")
        if site in ("same-origin", "none"):
            return True
        referer = headers.get("Referer")
        if referer is None:
            return site is None
        return self._admits_origin("/".join(referer.split("/", 3)[:3]), headers)

    def _admits_origin(self, text: str, headers: HTTPHeaders) -> bool:
        if text == "null":
            return self._null
        origin = _parse(text)
        if origin is None or origin.scheme is None or origin.host.startswith("*."):
            return False
        default = _DEFAULT_PORTS[origin.scheme]
        origin = origin._replace(port=origin.port or default)
        own = _parse(headers.get("Host", ""))
        # Only host and port: whether a proxy before us speaks https is not known here.
        if own is not None and own.host == origin.host and (own.port or default) == origin.port:
            return True
        return any(pattern.covers(origin) for pattern in self._patterns)

    def frame_ancestors(self) -> str | None:
        """The Content-Security-Policy of the iframe page; None when every page may frame it.

        The page does what its parent says, and its requests carry the server's own origin: where it may be framed,
        the policy would be void. The source list's grammar is CSP's host-source, of which ours is a part.
        """
        if self.any:
            return None
        return " ".join(["frame-ancestors 'self'", *(entry for entry in self.allowed if entry != "null")])


def _parse(text: str) -> _Origin | None:
    match = _PATTERN.fullmatch(text.lower())
    if match is None:
        return None
    scheme, star, host, port = match.groups()
    return _Origin(scheme, (star or "") + host.rstrip("."), port)


def _pattern(entry: str) -> _Origin:
    origin = _parse(entry.rstrip("/") if "://" in entry else entry)
    if origin is None:
        raise ValueError(f"not an origin: {entry!r} (https://app.example.com, *.example.com, null or *)")
    return origin
