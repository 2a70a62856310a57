"""The SockJS endpoint: its URLs, its sessions, and what they share.

:class:`PushRouter` is a SockJSRouter of sockjs-tornado by type and by its public methods (``urls``,
``apply_routes``, ``broadcast``, ``get_connection_class``, ``settings``), but every session and transport behind it is
ours; nothing is bound to a loop before :meth:`PushRouter.start`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final

from tornado.httputil import HTTPHeaders

from ..errors import CloseCode
from ..frames import Frame
from ..front.server import Lane
from .http_sessions import HttpSessions
from .origins import ANY, OriginPolicy
from .outlet import Budget
from .room import Room
from .session import Session
from .sockjs import SockJSConnection, SockJSRouter
from .streaming import chunker
from .urls import endpoint_rules, polling_lanes, transports_without, websocket_lanes
from .websocket import WebSocketSession
from .wheel import Wheel

__all__ = ["DEFAULT_SETTINGS", "PushRouter"]

DEFAULT_SETTINGS: Final[Mapping[str, Any]] = {
    # Whether pages of other origins may send credentials, that is: whether the answer to a page's request names its
    # origin and says ``Access-Control-Allow-Credentials: true``. sockjs-client 1.6.1 sets ``withCredentials`` on every
    # XHR to another origin, ``/info`` included (lib/transport/browser/abstract-xhr.js), and a browser then refuses
    # ``*``; so without it no page of another origin gets in with that client, whatever the transport. It gives nothing
    # away as long as nothing here reads cookies; once something does, ``origins`` must not be ``*``.
    "credentials": True,
    # Whether large messages on websockets are compressed (permessage-deflate), for clients that offer it.
    "compression": False,
    # Transports that are not offered: websocket, rawwebsocket (the bare endpoint), xhr_streaming, eventsource,
    # htmlfile, xhr, jsonp; sockjs-client's own names, such as xhr-polling, are understood, too.
    "disabled_transports": (),
    # How long a session lives without a receiver, and says that it is over.
    "disconnect_delay": 5.0,
    # Between two SockJS heartbeats of a client.
    "heartbeat_delay": 25.0,
    # Whether session URLs set the cookie JSESSIONID, by which some load balancers keep a client on one server.
    "jsessionid": False,
    # The body of an HTTP request, and one message from a client.
    "max_body_size": 2**20,
    "max_message_size": 2**16,
    # Sessions at once; 0 takes what the limit of open files leaves room for.
    "max_sessions": 0,
    # Sessions at once from one address; 0 sets no such bound.
    "max_sessions_per_ip": 0,
    # Whose pages may connect; see OriginPolicy.
    "origins": (ANY,),
    # Between two pings of a websocket, and how long the answer may take.
    "ping_interval": 25.0,
    "ping_timeout": 20.0,
    # After how many bytes a streaming response ends; also what one poll may fetch.
    "response_limit": 128 * 1024,
    # The client that the page for iframe transports loads. It must be of exactly the version that the outer page uses
    # (lib/iframe-bootstrap.js compares them), so a copy served beside that page's own is better than this one.
    "sockjs_url": "https://cdn.jsdelivr.net/npm/sockjs-client@1.6.1/dist/sockjs.min.js",
    # Whether a session's requests must come from the address that began it. Which address that is behind a proxy is
    # the HTTP server's business.
    "verify_ip": True,
}
"""What ``user_settings`` may say. Times in seconds, sizes in bytes; the names are sockjs-tornado's where it has one."""

IGNORED_SETTINGS: Final = frozenset({"disable_nagle", "immediate_flush", "session_check_interval"})
"""What sockjs-tornado could be told and means nothing here."""


class PushRouter(SockJSRouter):  # type: ignore[misc]  # sockjs-tornado has no types
    """A SockJS endpoint.

    Attributes:
        settings: DEFAULT_SETTINGS, overridden by ``user_settings``.
        budget: The bounds of what waits for clients.
        sessions: Every live session.
        http_sessions: Those that outlive requests; also such as are over and only say so.
        room: How many there may be.
        origins: Whose pages may connect. May be replaced before :meth:`start`.
        running: Whether requests are served; others are answered with 503.
        chunker: Gives the one chunker for all streaming responses of a kind.
        credentials: See DEFAULT_SETTINGS, as for the others.
    """

    def __init__(
        self,
        connection: Callable[[Any], SockJSConnection],
        prefix: str = "",
        user_settings: Mapping[str, Any] | None = None,
        budget: Budget | None = None,
        *,
        counts: Counter[str] | None = None,
        farewell: Callable[[], bytes] | None = None,
    ) -> None:
        """Makes an endpoint; may run before there is a loop.

        Args:
            connection: The SockJSConnection subclass that serves each session, or what makes one for a session.
            prefix: Path before the transports' names, without a slash at its end.
            user_settings: See DEFAULT_SETTINGS.
            budget: The bounds of what waits for clients; a default one when left out.
            counts: Where to count clients that find no room; see :class:`Room`.
            farewell: Gives the message that such a client is told before it is closed; without it, it is refused.

        Raises:
            ValueError: A setting is not known, or has a value that means nothing.
        """
        self._connection = connection
        self._prefix = prefix
        self.settings = _checked(user_settings or {})
        self.budget = budget or Budget()
        self.origins = OriginPolicy(self.settings["origins"])
        self.credentials = bool(self.settings["credentials"])
        self.max_body_size = int(self.settings["max_body_size"])
        self.max_message_size = int(self.settings["max_message_size"])
        self.response_limit = int(self.settings["response_limit"])
        self.verify_ip = bool(self.settings["verify_ip"])
        self.compression = bool(self.settings["compression"])
        self.cookie_needed = bool(self.settings["jsessionid"])
        self.transports = transports_without(self.settings["disabled_transports"])
        self.websockets_enabled = "websocket" in self.transports
        self.running = False
        self.chunker = cache(chunker)
        self.sessions: set[Session] = set()
        self.http_sessions = HttpSessions(float(self.settings["disconnect_delay"]))
        self.room = Room(
            int(self.settings["max_sessions"]), int(self.settings["max_sessions_per_ip"]), counts, farewell
        )
        self._ping_timeout = float(self.settings["ping_timeout"])
        self._heartbeats: Wheel[Session] = Wheel(float(self.settings["heartbeat_delay"]), _heartbeat)
        self._pings: Wheel[WebSocketSession] = Wheel(
            float(self.settings["ping_interval"]), self._ping, check=self._check, check_after=self._ping_timeout
        )

    # --------------------------------------------------------------------------------------------------- life cycle

    def start(self) -> None:
        """Begins to serve, on the running loop."""
        self.room.open()
        self.running = True
        self._heartbeats.start()
        self._pings.start()

    def drain(self) -> None:
        """Takes no new sessions but goes on with those that live, until :meth:`stop`."""
        self.room.draining = True

    def stop(self) -> None:
        """Serves nothing any more. Sessions of HTTP transports are dropped; websockets are the caller's to close."""
        self.running = False
        self._heartbeats.stop()
        self._pings.stop()
        self.http_sessions.stop()

    # ------------------------------------------------------------------------------------- asked by the transports

    def origin_allowed(self, headers: HTTPHeaders) -> bool:
        """Whether a request with these headers may be served: the one place where transports ask for origins."""
        return self.origins.admits(headers)

    def refusal(self, remote_ip: str) -> CloseCode | None:
        """Why no session of an address may begin; None if one may."""
        return self.room.refusal(len(self._pings) + len(self.http_sessions), remote_ip)

    def farewell(self, *, line: bool) -> bytes | None:
        """The message for a client that was refused; None if it can only be answered with 503. See :class:`Room`."""
        return self.room.farewell(line=line, sessions=len(self.http_sessions))

    def get_connection_class(self) -> Callable[[Any], SockJSConnection]:
        """What makes the SockJSConnection that serves a session."""
        return self._connection

    def remember(self, session: Session) -> None:
        """Notes a session that has begun."""
        self.sessions.add(session)
        self.room.enter(session.remote_ip)
        if session.transport_name != "rawwebsocket":
            self._heartbeats.add(session)
        if isinstance(session, WebSocketSession):
            self._pings.add(session)

    def forget(self, session: Session) -> None:
        """Drops a session that has ended; harmless for one that is not known."""
        if session not in self.sessions:
            return
        self.sessions.remove(session)
        self.room.leave(session.remote_ip)
        self._heartbeats.remove(session)
        if isinstance(session, WebSocketSession):
            self._pings.remove(session)

    # ---------------------------------------------------------------------------------------------------- public API

    @property
    def urls(self) -> list[Any]:
        """Rules for a Tornado Application."""
        return endpoint_rules(self, self._prefix, self.transports)

    @property
    def lanes(self) -> list[Lane]:
        """Handshakes and polls, for a :class:`~sethpusher_core.front.server.FrontServer`."""
        arguments = (self, self._prefix, self.transports)
        return [*websocket_lanes(*arguments), *polling_lanes(*arguments)]

    def apply_routes(self, routes: list[Any]) -> list[Any]:
        """Adds the rules to a list, and gives it back."""
        routes.extend(self.urls)
        return routes

    def broadcast(self, clients: Iterable[SockJSConnection], msg: str | bytes) -> None:
        """Sends one message to many connections; encoded once, and one that fails costs the others nothing."""
        frame = Frame((msg if isinstance(msg, bytes) else msg.encode(),))
        for client in clients:
            session = client.session
            if not session.is_closed:
                session.send_shared(frame)

    # ---------------------------------------------------------------------------------------------------- heartbeats

    def _ping(self, session: WebSocketSession) -> None:
        session.ping(asyncio.get_running_loop().time())

    def _check(self, session: WebSocketSession) -> None:
        session.check(asyncio.get_running_loop().time(), self._ping_timeout)


def _heartbeat(session: Session) -> None:
    session.heartbeat()


def _checked(user_settings: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(user_settings.keys() - DEFAULT_SETTINGS.keys() - IGNORED_SETTINGS)
    if unknown == ["websocket_allow_origin"]:
        raise ValueError("websocket_allow_origin guarded websockets only; say whose pages may connect in origins")
    if unknown:
        raise ValueError(f"unknown settings: {', '.join(unknown)} (known: {', '.join(DEFAULT_SETTINGS)})")
    settings = {**DEFAULT_SETTINGS, **{name: user_settings[name] for name in DEFAULT_SETTINGS if name in user_settings}}
    settings["sockjs_url"] = settings["sockjs_url"] or DEFAULT_SETTINGS["sockjs_url"]
    for name in ("disconnect_delay", "heartbeat_delay", "ping_interval", "ping_timeout", "max_body_size"):
        if not settings[name] > 0:
            raise ValueError(f"{name} must be more than 0, not {settings[name]!r}")
    for name in ("disabled_transports", "origins"):
        if isinstance(settings[name], str):
            raise ValueError(f"{name} must be a list, not the text {settings[name]!r}")
    return settings
