"""What all HTTP handlers share: who is asking, and one shape for every answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from tornado.web import HTTPError, RequestHandler

from .. import errors
from ..errors import ErrorCode, RequestError
from ..identity import ANONYMOUS, Credentials, Identity
from .hygiene import SECURITY_HEADERS

if TYPE_CHECKING:
    from ..addresses import Address
    from ..server import PushServer

__all__ = ["JSON", "ApiHandler", "PublicHandler", "refusal_fields"]

log = logging.getLogger("sethpusher.api")

JSON = "application/json; charset=UTF-8"
"""The Content-Type of answers."""

_CODE_OF_STATUS = {404: errors.NOT_FOUND, 405: errors.BAD_METHOD, 413: errors.TOO_LARGE}


class PublicHandler(RequestHandler):
    """A handler that anybody may call. Answers and errors are JSON objects with a ``status``.

    Attributes:
        elsewhere: Methods that a rule before the handler's answers at the same paths.
    """

    elsewhere: ClassVar[tuple[str, ...]] = ()
    server: PushServer
    identity: Identity = ANONYMOUS

    def initialize(self, server: PushServer) -> None:
        """Tornado hands over the keyword arguments of the rule."""
        self.server = server

    def set_default_headers(self) -> None:
        """No version of the server, and what :data:`SECURITY_HEADERS` says."""
        self.clear_header("Server")
        self.set_header("Content-Type", JSON)
        for name, value in SECURITY_HEADERS.items():
            self.set_header(name, value)

    def compute_etag(self) -> None:
        """None: answers are not cached, so hashing them would be for nothing."""
        return

    def answer(self, fields: dict[str, Any], status: int = 200) -> None:
        """Writes a JSON object, ended by a newline as release 0.2.2 did."""
        self.set_status(status)
        self.write(msgspec.json.encode(fields) + b"\n")

    def text(self, name: str) -> str | None:
        """The last value of a query argument, to the last character (Tornado would strip it); None where there is none.

        Raises:
            RequestError: It is not UTF-8.
        """
        values = self.request.query_arguments.get(name)
        try:
            return values[-1].decode() if values else None
        except UnicodeDecodeError:
            raise RequestError(errors.BAD_FIELD, f"{name} must be UTF-8.") from None

    def number(self, name: str, default: int) -> int:
        """A query argument that is a whole number, not negative.

        Raises:
            RequestError: It is something else.
        """
        text = self.text(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise RequestError(errors.BAD_FIELD, f"{name} must be a whole number, 0 or more.")
        return int(text)

    def refuse(self, error: RequestError) -> None:
        """Writes an error: ``{"message", "status", "code"}``."""
        code = error.code
        if code.status == 401:  # RFC 9110, section 15.5.2
            self.set_header("WWW-Authenticate", self.server.challenge)
        self.answer(refusal_fields(error), code.status)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tornado's own errors (no such method, a bad path, an exception) in the same shape."""
        exception = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(exception, RequestError):
            self.refuse(exception)
            return
        if status_code == 405:  # RFC 9110, section 15.5.6
            self.set_header("Allow", ", ".join(self._methods()))
        code = _CODE_OF_STATUS.get(status_code)
        if code is None:
            code = errors.INTERNAL if status_code >= 500 else errors.BAD_FIELD
        text = code.text if code.status == status_code else self._reason
        self.refuse(RequestError(ErrorCode(code.code, code.name, status_code, text)))

    def _methods(self) -> list[str]:
        own = type(self)
        names = ((method, method.lower()) for method in self.SUPPORTED_METHODS)
        mine = [method for method, name in names if getattr(own, name) is not getattr(RequestHandler, name)]
        return [*mine, *(method for method in self.elsewhere if method not in mine)]

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """A refusal is an answer, not a failure; only failures are logged with their traceback."""
        if not isinstance(value, (RequestError, HTTPError)):
            log.error("%s %s failed", self.request.method, self.request.path, exc_info=value)


def refusal_fields(error: RequestError) -> dict[str, Any]:
    """What the answer to a refused call says."""
    return {"message": error.text, "status": error.code.status, "code": error.code.code}


class ApiHandler(PublicHandler):
    """A handler whose caller is authenticated first."""

    async def authorize(self, action: str, target: Address) -> None:
        """Lets the caller do something, or refuses the call.

        Raises:
            RequestError: Denied.
        """
        await self.server.access.authorize(self.identity, action, target)

    async def prepare(self) -> None:
        """Asks the authenticators; a refusal is answered here."""
        credentials = Credentials.of_request(self.request, purpose="http", transport="http")
        try:
            self.identity = await self.server.access.authenticate(credentials)
        except RequestError as error:
            self.refuse(error)
            self.finish()


class NotFoundHandler(PublicHandler):
    """Answers what no route answers."""

    def prepare(self) -> None:
        """Always 404."""
        raise RequestError(errors.NOT_FOUND)
