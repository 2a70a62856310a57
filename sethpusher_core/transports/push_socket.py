"""The SockJSConnection of the push server: what joins a transport's session to a :class:`Connection`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .sockjs import SockJSConnection

if TYPE_CHECKING:
    from ..connection import Connection
    from ..server import PushServer
    from .session import HandshakeInfo, Session

__all__ = ["PushSocket"]


class PushSocket(SockJSConnection):  # type: ignore[misc]  # sockjs-tornado has no types
    """Hands what a transport tells to the connection that the server made for it."""

    __slots__ = ("_connection", "_server")

    def __init__(self, server: PushServer, session: Session) -> None:
        super().__init__(session)
        self._server = server
        self._connection: Connection | None = None

    def on_open(self, request: HandshakeInfo) -> None:
        """See sockjs-tornado."""
        self._connection = self._server.accept(self.session, request.credentials)

    def on_message(self, message: str | bytes) -> None:
        """See sockjs-tornado; a binary message on the bare endpoint is read as text."""
        if self._connection is not None:
            self._connection.receive(message)

    def on_close(self) -> None:
        """See sockjs-tornado."""
        if self._connection is not None:
            self._connection.lost(self.session.close_code)
