"""Where a caller's token stands: in a message, a header, the query, or a cookie."""

from __future__ import annotations

from dataclasses import dataclass

from sethpusher_core import Credentials
from sethpusher_core.identity import has_jwt_form

__all__ = ["Places"]


@dataclass(frozen=True, slots=True)
class Places:
    """Where tokens are looked for. The first place that has one counts, so a bad one is not helped by a good one.

    Attributes:
        bearer: Whether ``Authorization: Bearer`` may hold one; what has not the form of a JWT is somebody else's.
        header: Another header; empty for none.
        argument: An argument of the query; empty for none.
        cookie: A cookie; empty for none. It counts for connections only, whose origin the server checks: to the HTTP
            API any page could have a browser send it along (cross-site request forgery).
    """

    bearer: bool
    header: str
    argument: str
    cookie: str

    def find(self, credentials: Credentials) -> str | None:
        """The token that a caller presents; None for one that presents none of ours."""
        if credentials.token is not None:  # of a connect or refresh message: then nothing else counts
            return credentials.token if has_jwt_form(credentials.token) else None
        if self.bearer and (text := credentials.bearer) is not None and has_jwt_form(text):
            return text
        if self.header and (text := credentials.headers.get(self.header)) is not None:
            return text
        if self.argument and (data := credentials.query_bytes(self.argument)) is not None:
            return data.decode("latin-1")  # whatever it is: what is no token is bad, not missing
        if self.cookie and credentials.purpose == "connection":
            return credentials.cookies.get(self.cookie) or None  # an empty one has been taken back
        return None
