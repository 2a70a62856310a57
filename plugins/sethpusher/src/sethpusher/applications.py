"""Application classes: Tornado Applications that are push servers, made of parts that a subclass replaces.

::

    class Shop(SethPusherInMemoryApplication):
        def get_authentication_policy(self, **kwargs):
            return ShopKeys()

    AppRunner(port=8080).start(app=Shop)        # or: seth-pusher --app=shop.Shop
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from contextvars import ContextVar
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypeVar

from tornado.web import Application

from sethpusher_core.accesslog import log_request
from sethpusher_core.api.hygiene import NoServerHeader
from sethpusher_core.errors import RequestError
from sethpusher_core.plugins.hooks import Hooks
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.start import discovered

from ._first import FirstRequest
from ._plugins import Plugins, require
from ._policies import policies_of
from ._server import ClassServer
from ._work import DONE, awaitable, begun, is_pending, settled
from .api.views import UnknownHandler
from .authenticators import EchoAuthenticationPolicy, lets_everybody_in
from .dispatchers import DefaultMessageDispatcher
from .mixins import InMemoryPubSubMixin, RedisPubSubMixin
from .persistors import (
    DefaultPersistencePolicy,
    ExternalApiPersistencePolicy,
    RedisPersistencePolicy,
    keeps_nothing,
)
from .utils import BasicPubSubManager
from .ws.views import SethSocketHandler

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

    from sethpusher_core.server import PushServer
    from sethpusher_core.start import Start

    from .ws.urls import SethSockJSRouter

__all__ = ["DefaultSethApplication", "SethPusherInMemoryApplication", "SethPusherOnRedisApplication"]

log = logging.getLogger("sethpusher.application")

T = TypeVar("T")


class _Given(NamedTuple):
    settings: CoreSettings
    start: Start | None


_given: Final[ContextVar[_Given | None]] = ContextVar("sethpusher_given", default=None)
"""What the command has for the application that is being made; a subclass's constructor need not pass it on."""


class DefaultSethApplication(Application):
    """The base of all applications; its pub/sub comes from a mixin of :mod:`sethpusher.mixins`.

    Attributes:
        authentication_policy: Who may call; what ``get_authentication_policy`` gave.
        persistence_policy: Where messages are kept; what ``get_persistence_policy`` gave.
        authenticate_connections: Whether the authentication policy is asked for clients' connections, too. Pages that
            connect must then carry its credentials.
        discover: Whether installed plugins are loaded, with their settings; the policies are asked besides.
        socket_handler_class: What serves a client.
        debug: Whether the debug pages are served.
        subscriber: What ``get_subscriber`` gave.
        publisher: What ``get_publisher`` gave.
    """

    authentication_policy: Any = None
    persistence_policy: Any = None
    authenticate_connections: ClassVar[bool] = False
    discover: ClassVar[bool] = False
    socket_handler_class: ClassVar[type[SethSocketHandler]] = SethSocketHandler

    debug: bool = False
    _push: ClassServer | None = None
    _given: _Given | None = None
    _start: Start | None = None
    _core_settings: CoreSettings | None = None

    # What the mixin brings.
    subscriber: Any
    publisher: Any
    get_subscriber: Any
    get_publisher: Any
    get_subscribers: Any
    get_subscriber_count: Any
    get_user: Any
    add_subscriber: Any
    remove_subscriber: Any
    broadcast: Any
    send_to_channel: Any
    send_to_user: Any

    # --------------------------------------------------------------------------------------------------- to override

    def get_dispatcher(self) -> Any:
        """What makes sense of a client's messages; called for each client."""
        return DefaultMessageDispatcher()

    def get_authentication_policy(self, **kwargs: Any) -> Any:
        """Who may call; called once, with the application's keyword arguments."""
        return EchoAuthenticationPolicy() if self.authentication_policy is None else self.authentication_policy

    def get_persistence_policy(self, **kwargs: Any) -> Any:
        """Where messages are kept; called once, with the application's keyword arguments."""
        return DefaultPersistencePolicy() if self.persistence_policy is None else self.persistence_policy

    def persist(self, data: Any, **kwargs: Any) -> Any:
        """Keeps one message, before it is sent: asks the persistence policy.

        Args:
            data: What was published.
            kwargs: ``channel`` or ``user``: where it goes.
        """
        policy = self.persistence_policy
        return DONE if policy is None else awaitable(policy.persist(data, **kwargs))

    def get_core_settings(self, **kwargs: Any) -> CoreSettings:
        """The settings of the core; called once, with the application's keyword arguments.

        Those of the command where it runs the application. Else the defaults, or with ``discover`` what environment and
        settings file say, with ``host``, ``port`` and ``debug`` of the arguments.
        """
        if self._given is not None:
            return self._given.settings
        base = CoreSettings() if self._start is None else self._start.settings
        return replace(base, **{name: kwargs[name] for name in ("host", "port", "debug") if name in kwargs})

    # ------------------------------------------------------------------------------------------------------ the whole

    def __init__(self, **kwargs: Any) -> None:
        """Puts the parts together. The server is made when it is first needed (see :attr:`push`).

        Args:
            kwargs: ``debug``, ``host``, ``port``, and whatever a Tornado Application takes besides handlers.

        Raises:
            TypeError: It has no pub/sub: a mixin is missing.
            SettingsError: A part of it needs a distribution that is not installed.
        """
        self._given = _given.get()
        self._start = self._given.start if self._given is not None else discovered(()) if self.discover else None
        self.debug = bool(kwargs.get("debug", False))
        self._core_settings = self.get_core_settings(**kwargs)
        if not hasattr(self, "get_subscriber"):
            raise TypeError(
                f"{type(self).__name__} has no pub/sub: add InMemoryPubSubMixin, or derive from another class"
            )
        self.subscriber = self.get_subscriber(**kwargs)
        self.publisher = self.get_publisher(**kwargs)
        self._bind_managers()
        self.authentication_policy = self.get_authentication_policy(**kwargs)
        self.persistence_policy = self.get_persistence_policy(**kwargs)
        if isinstance(self.persistence_policy, RedisPersistencePolicy):
            require("persist_redis", self.persistence_policy.why)
        if isinstance(self.persistence_policy, ExternalApiPersistencePolicy):
            require("persist_http", self.persistence_policy.why)
        super().__init__([], **kwargs)

    @classmethod
    def for_server(cls, settings: CoreSettings, start: Start | None = None) -> PushServer:
        """Makes an application and gives its server: what ``seth-pusher --app=...`` runs.

        Raises:
            SettingsError: It cannot be put together.
        """
        token = _given.set(_Given(settings, start))
        try:
            application = cls(host=settings.host, port=settings.port, debug=settings.debug)
        finally:
            _given.reset(token)
        return application.push

    @property
    def push(self) -> ClassServer:
        """The server. Made when it is first asked for, so that all that a constructor does counts.

        Its ``publish`` and ``publish_to_user`` may be awaited from anywhere in the server's loop.

        Raises:
            SettingsError: It cannot be put together.
        """
        if self._push is None:
            self._push = self._made()
            self.wildcard_router.add_rules(self._push.routes())
            self.settings.setdefault("default_handler_class", UnknownHandler)
            self.settings.setdefault("log_function", log_request)  # Tornado's own names no logger of ours
            self.transforms = [NoServerHeader, *self.transforms]
        return self._push

    @property
    def routers(self) -> list[SethSockJSRouter]:
        """Its SockJS endpoints."""
        routers: list[SethSockJSRouter] = self.__dict__.setdefault("_routers", [])
        return routers

    @property
    def under_way(self) -> set[asyncio.Task[Any]]:
        """What it has begun outside of any message or call."""
        tasks: set[asyncio.Task[Any]] = self.__dict__.setdefault("_under_way", set())
        return tasks

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """See Tornado. Where nobody has started the server, the first request does."""
        if self.push.is_waited_for:
            return FirstRequest(self.push, lambda: super(DefaultSethApplication, self).find_handler(request, **kwargs))
        return super().find_handler(request, **kwargs)

    def adopt(self, router: SethSockJSRouter) -> None:
        """Has a SockJS endpoint begin and end with the server; called by the endpoint."""
        self.routers.append(router)
        if self._push is not None and self._push.trouble is None:
            router.begin_like(self._push.router)

    # --------------------------------------------------------------------------------------------------------- inside

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Begins work of a method that may return before it is done; see :mod:`sethpusher._work`."""
        return begun(coroutine, self._watch)

    def continue_with(self, answer: Any) -> None:
        """Sees to it that what an override returned is brought to its end."""
        if is_pending(answer):
            self.begin(settled(answer))

    def _bind_managers(self) -> None:
        for manager in (self.subscriber, self.publisher):
            if isinstance(manager, BasicPubSubManager):
                manager.bind(self)

    def _made(self) -> ClassServer:
        self._bind_managers()  # again: a constructor may have exchanged them
        plugins = Plugins(self._start, everything=self.discover)
        settings = replace(self._core_settings or self.get_core_settings(), debug=self.debug)
        choose = getattr(self, "choose_backend", None)
        if choose is not None and (backend := choose(plugins)) is not None:
            settings = replace(settings, backend=backend)
        if isinstance(self.persistence_policy, RedisPersistencePolicy):
            self._give_store(self.persistence_policy, plugins, settings.hook_timeout)
        plugins.refuse_ignored(type(self).__name__)
        for plugin in policies_of(self):
            plugins.registry.register(plugin)
        return ClassServer(self, settings, plugins.registry, plugins.component_settings)

    def _watch(self, task: asyncio.Task[Any]) -> None:
        self.under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.under_way.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, RequestError):
            log.warning("%s: not sent: %s", type(self).__name__, error)
        elif error is not None:
            log.error("%s: what it began has failed", type(self).__name__, exc_info=error)

    def _give_store(self, policy: RedisPersistencePolicy, plugins: Plugins, timeout: float) -> None:
        store = Plugins(self._start)
        url = self.redis_url if isinstance(self, RedisPubSubMixin) else RedisPubSubMixin().redis_url
        store.add_installed("persist_redis", {"url": url}, policy.why)
        plugins.component_settings |= store.component_settings
        policy.store = Hooks.compile(store.registry, timeout=timeout)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "settings":  # set by Tornado's constructor, whoever calls it
            # Its debug mode restarts the process when a file changes, which drops all clients.
            value.setdefault("autoreload", False)
        # A policy that nobody asks would be an open door, or lost messages: better an error.
        push = self.__dict__.get("_push")
        if push is not None and name in _IDLE and name not in push.plugin_names and not _IDLE[name](value):
            raise RuntimeError(f"{name} must be set before the server is made: in the constructor, or by get_{name}")
        super().__setattr__(name, value)


_IDLE: Final = MappingProxyType({"authentication_policy": lets_everybody_in, "persistence_policy": keeps_nothing})
"""The policies, and what says that one need not be asked."""


class SethPusherInMemoryApplication(DefaultSethApplication, InMemoryPubSubMixin):
    """A push server on one node."""


class SethPusherOnRedisApplication(DefaultSethApplication, RedisPubSubMixin):
    """A push server on any number of nodes, joined by Redis. Needs the distribution sethpusher-redis."""
