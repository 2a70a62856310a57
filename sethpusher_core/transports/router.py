"""The SockJS endpoint: its URLs, its sessions, and what they share.

:class:`PushRouter` is a SockJSRouter of sockjs-tornado by type and by its public methods (``urls``,
``apply_routes``, ``broadcast``, ``get_connection_class``, ``settings``), but every session and transport behind it is
ours; nothing is bound to a loop before :meth:`PushRouter.start`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tornado.routing import PathMatches

from ..frames import Form, Frame
from .outlet import Budget
from .session import Session
from .sockjs import SockJSConnection, SockJSRouter
from .websocket import WebSocketEndpoint

__all__ = ["PushRouter"]

DEFAULT_SETTINGS: Final[Mapping[str, Any]] = {
    "disconnect_delay": 5.0,
    "disabled_transports": (),
    "heartbeat_delay": 25.0,
    "jsessionid": False,
    "max_message_size": 2**16,
    "response_limit": 128 * 1024,
    "sockjs_url": "",
}
"""What ``user_settings`` may say. Times in seconds, sizes in bytes; the names are sockjs-tornado's where it has one."""


class PushRouter(SockJSRouter):  # type: ignore[misc]  # sockjs-tornado has no types
    """A SockJS endpoint.

    Attributes:
        settings: DEFAULT_SETTINGS, overridden by ``user_settings``.
        budget: The bounds of what waits for clients.
        max_message_size: Bytes that one client message may have.
        sessions: Every live session.
    """

    def __init__(
        self,
        connection: type[SockJSConnection],
        prefix: str = "",
        user_settings: Mapping[str, Any] | None = None,
        budget: Budget | None = None,
    ) -> None:
        """Makes an endpoint; may run before there is a loop.

        Args:
            connection: The SockJSConnection subclass that serves each session.
            prefix: Path before the transports' names, without a slash at its end.
            user_settings: See DEFAULT_SETTINGS.
            budget: The bounds of what waits for clients; a default one when left out.
        """
        self._connection = connection
        self._prefix = prefix
        self.settings = {**DEFAULT_SETTINGS, **(user_settings or {})}
        self.budget = budget or Budget()
        self.max_message_size = int(self.settings["max_message_size"])
        self.sessions: set[Session] = set()
        self._heartbeat: asyncio.TimerHandle | None = None

    # --------------------------------------------------------------------------------------------------- life cycle

    def start(self) -> None:
        """Begins heartbeats, on the running loop."""
        self._beat_later()

    def stop(self) -> None:
        """Ends heartbeats. Sessions are the caller's to close."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None

    # ------------------------------------------------------------------------------------- asked by the transports

    def origin_allowed(self, origin: str | None) -> bool:
        """Whether a page of this origin may connect."""
        return True

    def has_room(self) -> bool:
        """Whether one more session may begin."""
        return True

    def get_connection_class(self) -> type[SockJSConnection]:
        """The SockJSConnection subclass that serves each session."""
        return self._connection

    def remember(self, session: Session) -> None:
        """Notes a session that has begun."""
        self.sessions.add(session)

    def forget(self, session: Session) -> None:
        """Drops a session that has ended."""
        self.sessions.discard(session)

    # ---------------------------------------------------------------------------------------------------- public API

    @property
    def urls(self) -> list[Any]:
        """Rules for a Tornado Application."""
        base = re.escape(self._prefix)
        session = base + r"/[^/.]+/(?P<session_id>[^/.]+)"
        return [
            (PathMatches(f"{session}/websocket$"), WebSocketEndpoint(self, Form.FRAMED)),
            (PathMatches(f"{base}/websocket$"), WebSocketEndpoint(self, Form.BARE)),
        ]

    def broadcast(self, clients: Iterable[SockJSConnection], msg: str | bytes) -> None:
        """Sends one message to many connections; encoded once, and one that fails costs the others nothing."""
        frame = Frame((msg if isinstance(msg, bytes) else msg.encode(),))
        for client in clients:
            session = client.session
            if not session.is_closed:
                session.send_shared(frame)

    # ------------------------------------------------------------------------------------------------------ heartbeat

    def _beat_later(self) -> None:
        delay = float(self.settings["heartbeat_delay"])
        self._heartbeat = asyncio.get_running_loop().call_later(delay, self._beat)

    def _beat(self) -> None:
        self._beat_later()
        for session in list(self.sessions):
            session.heartbeat()
