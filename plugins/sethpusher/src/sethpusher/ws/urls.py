"""The SockJS endpoint of an application."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.routing import PathMatches, Router, RuleRouter

from sethpusher_core.server import CONNECT_PREFIX
from sethpusher_core.transports.router import PushRouter

from .views import SethSocketHandler

if TYPE_CHECKING:
    from ..applications import DefaultSethApplication

__all__ = ["SethSockJSRouter", "get_ws_handlers"]

_WEBSOCKET_ORIGINS: Final = "websocket_allow_origin"
_FOLLOWED: Final = ("origins", "max_body_size", "max_message_size")
"""What an endpoint takes over from its application's own one, unless its ``user_settings`` say otherwise."""

_DEFAULT: Final = SethSocketHandler.check_origin


class SethSockJSRouter(PushRouter):
    """A SockJS endpoint for any SockJSConnection subclass.

    One with an application begins and ends with the application's server. One without begins with its first request, or
    when ``io_loop`` runs.

    Attributes:
        application: The application that its connections belong to, or None.
    """

    def __init__(
        self,
        connection: Callable[[Any], Any],
        prefix: str = "",
        user_settings: Mapping[str, Any] = types.MappingProxyType({}),
        io_loop: IOLoop | None = None,
        **kwargs: Any,
    ) -> None:
        """Makes an endpoint; its rules are in ``urls``.

        Args:
            connection: The SockJSConnection subclass that serves each client.
            prefix: Path before the transports' names, without a slash at its end.
            user_settings: Names and meanings are those of sockjs-tornado, ``websocket_allow_origin`` included; see
                ``sethpusher_core.transports.router.DEFAULT_SETTINGS`` for all of them and for the defaults.
            io_loop: Begins when this loop runs. Not needed with an application.
            kwargs: ``application_instance``: the application.

        Raises:
            ValueError: A setting is not known, or has a value that means nothing.
        """
        settings = dict(user_settings)
        self._websocket_origins = _hosts(settings.pop(_WEBSOCKET_ORIGINS, "*"))
        self._said = frozenset(settings)
        self._running: bool | None = None
        super().__init__(connection, prefix, settings, kwargs.get("budget"))
        self.application: DefaultSethApplication | None = kwargs.get("application_instance")
        if self.application is not None:
            self.application.adopt(self)
        elif io_loop is not None:
            io_loop.add_callback(self.start)

    @property
    def running(self) -> bool:
        """Whether requests are served. Asked by requests: the first one begins what nobody else will."""
        if self._running is None and self.application is None:
            self.start()
        return bool(self._running)

    @running.setter
    def running(self, value: bool) -> None:
        if value or self._running is not None:  # not what the constructor says
            self._running = value

    def begin_like(self, main: PushRouter) -> None:
        """Begins to serve, within the bounds of the application's own endpoint."""
        self.budget = main.budget
        for name in _FOLLOWED:
            if name not in self._said:
                setattr(self, name, getattr(main, name))
        self.start()

    def origin_allowed(self, headers: HTTPHeaders) -> bool:
        """Whether a request may be served: a handler's own ``check_origin`` says so, else the settings."""
        origin = headers.get("Origin")
        make: Any = self.get_connection_class()
        if origin is None or getattr(make, "check_origin", _DEFAULT) is _DEFAULT:
            return self.admits(headers)
        return bool(make(_Caller(self, headers)).check_origin(origin))

    def admits(self, headers: HTTPHeaders) -> bool:
        """What the settings say of a request."""
        if not super().origin_allowed(headers):
            return False
        if self._websocket_origins is None or headers.get("Upgrade", "").lower() != "websocket":
            return True
        origin = headers.get("Origin")
        host = urlsplit(origin).netloc.lower() if origin is not None else None
        return host is None or host == headers.get("Host", "").lower() or host in self._websocket_origins


class _Caller:
    """Stands in for the session of a client that has not been let in yet."""

    def __init__(self, router: SethSockJSRouter, headers: HTTPHeaders) -> None:
        self.server = router
        self.headers = headers


def _hosts(allowed: str | Iterable[str]) -> frozenset[str] | None:
    """The hosts that sockjs-tornado's ``websocket_allow_origin`` lists; None for everybody."""
    if allowed == "*":
        return None
    if isinstance(allowed, str):
        raise ValueError(f'{_WEBSOCKET_ORIGINS} must be "*" or a list of hosts, not the text {allowed!r}')
    return frozenset(host.lower() for host in allowed)


class _Own(Router):
    """An application's own endpoint, which need not be there yet when the rules are."""

    def __init__(self, application: DefaultSethApplication) -> None:
        self._application = application
        self._rules: RuleRouter | None = None

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """See Tornado."""
        if self._rules is None:
            self._rules = RuleRouter(self._application.push.router.urls)
        return self._rules.find_handler(request)


def get_ws_handlers(application_instance: DefaultSethApplication) -> list[Any]:
    """The rules of an application's own endpoint, under ``/connect``."""
    return [(PathMatches(f"{CONNECT_PREFIX}(?:/.*)?$"), _Own(application_instance))]
