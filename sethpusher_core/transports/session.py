"""A session: one client of a SockJS endpoint, over whatever transport, with the SockJSConnection that serves it.

It is at once the :class:`Outlet` that the fan-out writes to and the ``session`` that a SockJSConnection of
sockjs-tornado expects (``send_message``, ``broadcast``, ``close``, ``is_closed``, ``conn_info``, ``server``), so that
any SockJSConnection subclass runs on these transports.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, Final

from tornado.escape import parse_qs_bytes

from .. import errors
from ..errors import CloseCode
from ..frames import Form, Frame
from ..identity import Credentials
from .outlet import Outlet
from .sockjs import ConnectionInfo, SockJSConnection

if TYPE_CHECKING:
    from .router import PushRouter

__all__ = ["HandshakeInfo", "Session"]

log = logging.getLogger("sethpusher.transport")

ABNORMAL: Final = 1006
"""The close code of a line that just broke (RFC 6455, section 7.1.5)."""


class HandshakeInfo(ConnectionInfo):  # type: ignore[misc]  # sockjs-tornado has no types
    """What a SockJSConnection is told in ``on_open``; read from the request only when asked for.

    Attributes:
        credentials: The same, as the core's hooks see it.
    """

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.ip = credentials.remote_ip
        self.headers = credentials.headers
        self.path = credentials.uri.partition("?")[0]

    @property
    def cookies(self) -> SimpleCookie:
        """The request's cookies, as sockjs-tornado gives them."""
        return SimpleCookie(self.headers.get("Cookie", ""))

    @property
    def arguments(self) -> dict[str, list[bytes]]:
        """The query's arguments."""
        return parse_qs_bytes(self.credentials.uri.partition("?")[2], keep_blank_values=True)


class Session(Outlet):
    """One client.

    Attributes:
        server: The router that it belongs to (the name is sockjs-tornado's).
        transport_name: ``websocket``, ``rawwebsocket``, ``xhr``, ...
        remote_ip: Address of the peer that began it.
        conn: The SockJSConnection that serves it; None once it has ended.
        conn_info: What is known of the handshake; None once ``on_open`` has run.
        close_code: How it ended.
    """

    __slots__ = ("close_code", "conn", "conn_info", "remote_ip", "server", "transport_name")

    def __init__(self, router: PushRouter, form: Form, transport_name: str, remote_ip: str) -> None:
        super().__init__(form, router.budget)
        self.server = router
        self.transport_name = transport_name
        self.remote_ip = remote_ip
        self.conn: SockJSConnection | None = None
        self.conn_info: HandshakeInfo | None = None
        self.close_code = ABNORMAL

    # --------------------------------------------------------------------- what a SockJSConnection may ask of it

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.closed

    @property
    def outlet(self) -> Outlet:
        """Where frames go: the session itself."""
        return self

    def send_message(self, msg: str | bytes, stats: bool = True, binary: bool = False) -> None:
        """Sends one message; ``stats`` is taken for sockjs-tornado's sake and means nothing."""
        if binary:
            self.send_binary(msg if isinstance(msg, bytes) else msg.encode())
        else:
            self.post(msg if isinstance(msg, bytes) else msg.encode())

    def send_binary(self, data: bytes) -> None:
        """Sends one binary message, where the transport has such a thing.

        Raises:
            ValueError: It has not.
        """
        raise ValueError(f"binary messages are not possible over {self.transport_name}")

    def broadcast(self, clients: Iterable[Any], msg: str | bytes) -> None:
        """Sends one message to many connections of this router; one that fails costs the others nothing."""
        self.server.broadcast(clients, msg)

    def send_shared(self, frame: Frame) -> None:
        """Sends a frame that other clients get, too."""
        if self.blocked:
            self.enqueue(frame, "", "disconnect")
            return
        data = frame.form(self.form)
        try:
            sent = self.send(data)
        except OSError as error:
            self.failed(data, error)
        else:
            if sent != len(data):
                self.partial(data, sent)

    @abstractmethod
    def close(self, code: int = 3000, message: str = "Go away!") -> None:
        """Ends the session in good order, behind everything that was sent before."""

    @abstractmethod
    def abort(self) -> None:
        """Cuts the line without a word, as a fault of the network would."""

    @abstractmethod
    def pause(self) -> None:
        """Stops reading from the client."""

    @abstractmethod
    def resume(self) -> None:
        """Reads on."""

    @abstractmethod
    def heartbeat(self) -> None:
        """Sends the SockJS heartbeat, if there is something to send it over."""

    def cut(self, reason: CloseCode) -> None:
        """See :meth:`Outlet.cut`."""
        self._budget.cut += 1
        self._forget_backlog()
        self.close(reason.code, reason.reason)

    # ---------------------------------------------------------------------------------- called by the transports

    def opened(self, credentials: Credentials) -> None:
        """Makes the SockJSConnection and tells it; a ``False`` from ``on_open`` or an exception ends the session."""
        self.conn_info = HandshakeInfo(credentials)
        try:
            self.conn = self.server.get_connection_class()(self)
            if self.conn.on_open(self.conn_info) is False:
                self.close(errors.REJECTED.code, errors.REJECTED.reason)
        except Exception:
            log.exception("on_open failed; the connection is closed")
            self.close(errors.FAILED.code, errors.FAILED.reason)
        self.conn_info = None

    def received(self, text: str | bytes) -> None:
        """Hands a message to the SockJSConnection; what it raises ends the session."""
        if self.conn is None or self.closed:
            return
        try:
            self.conn.on_message(text)
        except Exception:
            log.exception("on_message failed; the connection is closed")
            self.close(errors.FAILED.code, errors.FAILED.reason)

    def ended(self, code: int) -> None:
        """Tells the SockJSConnection, once, that it is over. What was sent before may still be on its way."""
        self.closed = self.blocked = True
        conn, self.conn = self.conn, None
        self.server.forget(self)
        if conn is None:
            return
        self.close_code = code
        try:
            conn.on_close()
        except Exception:
            log.exception("on_close failed")
