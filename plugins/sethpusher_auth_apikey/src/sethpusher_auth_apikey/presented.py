"""Where a caller's key stands: in a header, in the query, or in a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sethpusher_core import Credentials
from sethpusher_core.identity import has_jwt_form

__all__ = ["Places"]

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_JSON_STARTS: Final = b'{["'


@dataclass(frozen=True, slots=True)
class Places:
    """Where keys are looked for; the first place that has one counts.

    Attributes:
        header: A header that is the key; empty for none.
        bearer: Whether ``Authorization: Bearer`` is a key.
        argument: A query or body argument that is the key; empty for none.
    """

    header: str
    bearer: bool
    argument: str

    def find(self, credentials: Credentials) -> bytes | None:
        """The key that a caller presents; None for one that presents none."""
        if credentials.token is not None:
            return None
        if self.header and (text := credentials.headers.get(self.header)) is not None:
            return _bytes_of(text)
        if self.bearer and (text := credentials.bearer) is not None and not has_jwt_form(text):
            return _bytes_of(text)  # a JWT is left to another authenticator, which may know it
        if not self.argument:
            return None
        if (data := credentials.query_bytes(self.argument)) is not None:
            return data  # one that is not UTF-8 is bad, not missing
        return self._in_form(credentials)

    def _in_form(self, credentials: Credentials) -> bytes | None:
        """The last value of a form's field. JSON that is called a form, as curl does by itself, is none."""
        kind = credentials.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if credentials.purpose != "http" or kind not in _FORMS:
            return None
        request = credentials.request
        if request.body.lstrip()[:1] in _JSON_STARTS and kind == _FORMS[0]:
            return None
        values = request.body_arguments.get(self.argument)
        return values[-1] if values else None


def _bytes_of(header: str) -> bytes:
    """The bytes that a header came in; Tornado reads them as Latin-1."""
    try:
        return header.encode("latin-1")
    except UnicodeEncodeError:
        return header.encode("utf-8", "surrogatepass")
