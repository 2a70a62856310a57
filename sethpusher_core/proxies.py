"""Who is really calling, behind proxies that the settings trust.

Tornado's own ``xheaders`` believes whoever connects. Here the headers of a proxy are looked at only if the connection
comes from an address that ``trusted_proxies`` names, and of a chain only the part that trusted proxies have written.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Iterable
from typing import Any, Final

from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)

__all__ = ["UNIX", "ProxiedServer", "TrustedProxies"]

UNIX: Final = "unix"
"""Names the proxy at the other end of a unix socket."""

_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)


class TrustedProxies:
    """Addresses and networks whose proxy headers are believed."""

    def __init__(self, names: Iterable[str]) -> None:
        """Reads the setting.

        Args:
            names: Addresses, networks (``10.0.0.0/8``), or ``unix``.

        Raises:
            ValueError: One of them is none of these.
        """
        names = tuple(names)
        self._unix = UNIX in names
        try:
            self._networks = tuple(ipaddress.ip_network(name, strict=False) for name in names if name != UNIX)
        except ValueError as error:
            raise ValueError(f"{error}; write an address, a network such as 10.0.0.0/8, or {UNIX}") from None

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def trusts(self, address: str, *, unix: bool = False) -> bool:
        """Whether the headers of this peer are believed."""
        if unix:
            return self._unix
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(mapped.version == network.version and mapped in network for network in self._networks)

    def caller(self, forwarded_for: str) -> str | None:
        """The caller by an ``X-Forwarded-For`` header: the last address in it that is no trusted proxy.

        Returns:
            None where what stands there is no address: then the peer is the caller as far as anybody knows.
        """
        caller = None
        for hop in reversed(forwarded_for.split(",")):
            try:
                caller = str(ipaddress.ip_address(hop.strip()))
            except ValueError:
                return None
            if not self.trusts(caller):
                return caller
        return caller

    def read(self, headers: HTTPHeaders, context: Any) -> None:
        """Puts the real caller into the context of a request, if its peer is a trusted proxy.

        Args:
            headers: Of the request.
            context: Of its connection: ``remote_ip``, ``protocol``, ``address_family``.
        """
        if not self:
            return
        unix = getattr(context, "address_family", None) not in _INTERNET
        if not self.trusts(context.remote_ip, unix=unix):
            return
        caller = self.caller(headers.get("X-Forwarded-For", ""))
        if caller is not None:
            context.remote_ip = caller
        scheme = headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip()
        if scheme in ("http", "https"):
            context.protocol = scheme


class ProxiedServer(HTTPServer):
    """An HTTPServer that knows its trusted proxies."""

    trusted: TrustedProxies

    def initialize(  # type: ignore[override]  # it passes on what Tornado's takes
        self, *arguments: Any, trusted: TrustedProxies, **options: Any
    ) -> None:
        """Tornado's way to construct a server.

        Args:
            *arguments: As for HTTPServer.
            trusted: Whose headers are believed.
            **options: As for HTTPServer.
        """
        super().initialize(*arguments, **options)
        self.trusted = trusted

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """See Tornado."""
        delegate = super().start_request(server_conn, request_conn)
        return _Forwarded(delegate, request_conn, self.trusted) if self.trusted else delegate


class _Forwarded(HTTPMessageDelegate):
    """Puts the real caller into the connection's context for the time of one request."""

    def __init__(self, delegate: HTTPMessageDelegate, connection: Any, trusted: TrustedProxies) -> None:
        self._delegate = delegate
        self._context = connection.context
        self._peer = (self._context.remote_ip, self._context.protocol)
        self._trusted = trusted

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """See Tornado."""
        self._trusted.read(headers, self._context)
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """See Tornado."""
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        """See Tornado."""
        self._delegate.finish()
        self._restore()

    def on_connection_close(self) -> None:
        """See Tornado."""
        self._delegate.on_connection_close()
        self._restore()

    def _restore(self) -> None:
        self._context.remote_ip, self._context.protocol = self._peer
