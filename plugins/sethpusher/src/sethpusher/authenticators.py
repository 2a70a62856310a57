"""Authentication policies: whether a request may be served.

The application asks its policy for every HTTP call and, with ``authenticate_connections = True``, for every connection.
"""

from __future__ import annotations

import hmac
from typing import Any

from tornado.httputil import HTTPServerRequest

__all__ = [
    "ApiKeyAuthenticationPolicy",
    "BaseAuthenticationPolicy",
    "EchoAuthenticationPolicy",
    "HeaderAuthenticationPolicy",
    "lets_everybody_in",
]


class BaseAuthenticationPolicy:
    """Lets everybody pass; override ``authenticate``.

    A policy may declare by attributes what the server has to know of it: ``reads_cookies`` (then pages of other sites
    may not connect unless ``origins`` names them), ``proves_ids`` (it gives proven identities: then an id that a client
    merely claims does not count) and ``challenge`` (what a 401 says in ``WWW-Authenticate``).
    """

    def authenticate(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Whether a request may be served. An override may be a plain function or a coroutine.

        Args:
            request: The whole request; for a connection that of its handshake, which has no body.
            kwargs: Nothing for now.

        Returns:
            Something true or false; or an ``Identity`` of ``sethpusher_core``, which says who the caller is.
        """
        return True


class EchoAuthenticationPolicy(BaseAuthenticationPolicy):
    """Lets everybody pass: the policy of an application that names none."""

    def authenticate(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """True."""
        return True


class ApiKeyAuthenticationPolicy(BaseAuthenticationPolicy):
    """Wants a key in an argument of the query or of a form body.

    Attributes:
        key_name: The argument's name.
        key_secret_value: The key. Change it: this one is public.
    """

    key_name = "api_key"
    key_secret_value = "secret"  # noqa: S105 - the documented default, which everybody knows

    def authenticate(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Whether the first value of the argument is the key; compared in constant time."""
        values = request.arguments.get(self.key_name) or request.body_arguments.get(self.key_name) or [b""]
        return bool(values[0]) and _same(values[0], self.key_secret_value)


class HeaderAuthenticationPolicy(BaseAuthenticationPolicy):
    """Wants a secret in a header.

    Attributes:
        secret_header: The header's name.
        secret_header_value: The secret. Change it: this one is public.
    """

    secret_header = "Seth-Authentication-Header"  # noqa: S105 - a name
    secret_header_value = "Seth-Value"  # noqa: S105 - the documented default, which everybody knows

    def authenticate(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Whether the header holds the secret; compared in constant time."""
        value = request.headers.get(self.secret_header, "")
        try:
            given = value.encode("latin-1")  # as the bytes came over the wire
        except UnicodeEncodeError:
            given = value.encode()
        return bool(given) and _same(given, self.secret_header_value)


def _same(given: bytes, secret: str | bytes) -> bool:
    return hmac.compare_digest(given, secret if isinstance(secret, bytes) else secret.encode())


def lets_everybody_in(policy: Any) -> bool:
    """Whether a policy need not be asked, because there is none or it is one of those that say yes to everything."""
    if policy is None:
        return True
    method = getattr(policy, "authenticate", None)
    return getattr(method, "__func__", None) in _YES


_YES = (BaseAuthenticationPolicy.authenticate, EchoAuthenticationPolicy.authenticate)
