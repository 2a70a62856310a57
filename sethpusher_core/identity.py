"""Who is calling: the credentials that a caller presents, and the identity that an authenticator makes of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tornado.escape import parse_qs_bytes
from tornado.httputil import HTTPHeaders, HTTPServerRequest, parse_cookie

from .front.request import PlainRequest

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ANONYMOUS", "Credentials", "Identity", "has_jwt_form"]

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a caller is, as the server knows it.

    Attributes:
        subscriber_id: The person or service; None for an anonymous caller.
        proven: Whether an authenticator vouches for ``subscriber_id``. A claimed id (``connect`` without an
            authenticator) is not proven.
        info: What the authenticator wants plugins to know (JSON-like); never sent to other clients by the core.
        expires_at: Unix time in seconds at which the identity ends, or None.
        plugin: Name of the authenticator that answered; empty when none did.
    """

    subscriber_id: str | None = None
    proven: bool = False
    info: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    expires_at: float | None = None
    plugin: str = ""


ANONYMOUS: Final = Identity()
"""The identity of a caller about whom nothing is known."""


class Credentials:
    """Everything a caller presents, in one value that never prints its secrets.

    Attributes:
        purpose: ``"connection"``, ``"http"`` or ``"token"`` (a ``connect`` message that carries one).
        transport: ``"websocket"``, ``"rawwebsocket"``, ``"xhr"``, ...; ``"http"`` for an HTTP call.
        remote_ip: Address of the peer, as text.
        method: HTTP method of the request.
        uri: Path and query of the request.
        headers: The request's headers.
        token: The token of a ``connect`` message, or None.
    """

    __slots__ = (
        "_cookies",
        "_make_request",
        "_query",
        "headers",
        "method",
        "purpose",
        "remote_ip",
        "token",
        "transport",
        "uri",
    )

    def __init__(
        self,
        *,
        purpose: str,
        transport: str,
        remote_ip: str,
        method: str,
        uri: str,
        headers: HTTPHeaders,
        token: str | None = None,
        make_request: Callable[[], HTTPServerRequest] | None = None,
    ) -> None:
        self.purpose = purpose
        self.transport = transport
        self.remote_ip = remote_ip
        self.method = method
        self.uri = uri
        self.headers = headers
        self.token = token
        self._make_request = make_request
        self._cookies: dict[str, str] | None = None
        self._query: dict[str, list[bytes]] | None = None

    @classmethod
    def of_request(cls, request: HTTPServerRequest | PlainRequest, *, purpose: str, transport: str) -> Credentials:
        """The credentials that an HTTP request presents."""
        return cls(
            purpose=purpose,
            transport=transport,
            remote_ip=request.remote_ip or "",
            method=request.method or "GET",
            uri=request.uri or "/",
            headers=request.headers.copy(),  # a connection's requests may share theirs
            make_request=request.full if isinstance(request, PlainRequest) else lambda: request,
        )

    def with_token(self, token: str) -> Credentials:
        """The same caller, presenting a token in a message."""
        return Credentials(
            purpose="token",
            transport=self.transport,
            remote_ip=self.remote_ip,
            method=self.method,
            uri=self.uri,
            headers=self.headers,
            token=token,
            make_request=self._make_request,
        )

    @property
    def cookies(self) -> Mapping[str, str]:
        """The request's cookies by name; an unreadable Cookie header gives none."""
        if self._cookies is None:
            self._cookies = parse_cookie(self.headers.get("Cookie", ""))
        return self._cookies

    def query(self, name: str) -> str | None:
        """The last value of a query argument; None when it is absent or not UTF-8."""
        value = self.query_bytes(name)
        try:
            return None if value is None else value.decode()
        except UnicodeDecodeError:
            return None

    def query_bytes(self, name: str) -> bytes | None:
        """The same whatever it is, so that a credential which is not UTF-8 can be told from one that is not there."""
        if self._query is None:
            self._query = parse_qs_bytes(self.uri.partition("?")[2], keep_blank_values=True)
        values = self._query.get(name)
        return values[-1] if values else None

    @property
    def bearer(self) -> str | None:
        """What stands after ``Bearer`` in the header Authorization (RFC 6750, section 2.1); None where that is not."""
        scheme, _, text = self.headers.get("Authorization", "").partition(" ")
        return text.strip() if scheme.lower() == "bearer" else None

    @property
    def request(self) -> HTTPServerRequest:
        """Tornado's request, for code that needs all of it (built only when asked for).

        Raises:
            LookupError: The credentials did not come from a request (a test, an embedding program).
        """
        if self._make_request is None:
            raise LookupError("these credentials did not come with an HTTP request")
        return self._make_request()

    def __repr__(self) -> str:
        path = self.uri.partition("?")[0]
        return f"<Credentials {self.purpose} over {self.transport} from {self.remote_ip}: {self.method} {path}>"


def has_jwt_form(text: str) -> bool:
    """Whether a text has the form of a JSON Web Token: three parts of base64url, not padded (RFC 7515, section 7.1).

    By it authenticators for JWTs and those for other tokens tell whose a bearer token is.
    """
    return _JWT.fullmatch(text) is not None
