"""The server: puts the parts together, starts, drains and stops them. Runs alone or inside any Tornado application."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from time import monotonic
from typing import Any, Final
from uuid import uuid4

from tornado.web import Application

from . import errors, jsontext
from .access import Access
from .accesslog import log_request
from .addresses import CHANNEL, Address
from .api.base import NotFoundHandler
from .api.hygiene import NoServerHeader
from .api.routes import api_routes, plugin_routes, post_endpoints
from .backends.base import Backend, Position
from .backends.capabilities import HISTORY
from .backends.choice import choose_backend, closed, made, started
from .backends.memory import MemoryBackend, MemoryBounds
from .builtins import with_builtins
from .census import Census
from .connection import ClientSession, Connection
from .deadlines import Deadlines
from .errors import HookError, RequestError, SettingsError
from .farewell import FETCH_TIME, come_back, see_off
from .front.server import Lane
from .history import History
from .hub import Hub, Local
from .identity import Credentials, Identity
from .interest import Interest
from .logs import hush_tornado
from .notices import Notices
from .orders import Orders
from .plugins.hooks import Hooks
from .plugins.registry import PluginRegistry, name_of
from .presence import Presence
from .publication import Publication, derived_id
from .publisher import Published, Publisher
from .settings.core import CoreSettings
from .settings.rules import ChannelRule, ChannelRules
from .transports.outlet import Budget
from .transports.push_socket import PushSocket
from .transports.router import PushRouter

__all__ = ["PushServer"]

log = logging.getLogger("sethpusher.server")

CONNECT_PREFIX: Final = "/connect"
"""Where clients connect (seed documentation, section 1.5)."""


class PushServer:
    """A push server.

    Attributes:
        settings: The core's settings.
        rules: What holds in which channel.
        hooks: The plugins' implementations, compiled.
        hub: Local members and the fan-out.
        interest: Which addresses this node hears.
        notices: Join and leave messages.
        presence: Who is in the channels that keep presence.
        census: How many members channels and users have, over all nodes.
        history: Reading channels back.
        access: Who is calling, and what they may do.
        deadlines: The one timer of all connections whose identity ends, or that have yet to show one.
        router: The SockJS endpoint.
        plugin_names: The active plugins, built-in ones aside.
        challenge: What a 401 says in ``WWW-Authenticate``: what plugins have in an attribute of this name.
        reads_cookies: Whether an authenticator says (by an attribute of this name) that it reads cookies.
        backend_name: The backend that it runs on.
        node_id: Unique name of this node, new with each start; empty before.
        connections: Live connections by id.
        accepted: How many there have been.
        publisher: The way of all publications to the backend; it counts them.
        counts: How often which limit was crossed.
    """

    connection_class: type[Connection] = Connection
    """What a client becomes; embedding programs may derive from it."""

    def __init__(
        self,
        settings: CoreSettings | None = None,
        *,
        plugins: Sequence[object] = (),
        discover: bool = False,
        registry: PluginRegistry | None = None,
        component_settings: Mapping[str, object] | None = None,
    ) -> None:
        """Puts a server together. Nothing is bound to an event loop before :meth:`start`, so this may run at import.

        Args:
            settings: The core's settings; the defaults when left out.
            plugins: Plugin objects (modules or instances), in the order in which they run.
            discover: Whether installed plugins are loaded besides, and settings are read from the environment and the
                file that SETHPUSHER_CONFIG names (``settings``, when given, stand for the core's).
            registry: Instead of ``plugins``: a registry that a loader has filled, built-ins included.
            component_settings: Settings of the plugins' components by name, for backends that declare some.

        Raises:
            SettingsError: A plugin or a setting is refused, or the chosen backend is not there.
        """
        if discover:
            from .start import discovered

            found = discovered(plugins)
            settings = settings or found.settings
            registry, component_settings = found.registry, found.component_settings()
        self.settings = settings or CoreSettings()
        self.rules = ChannelRules(self.settings.channels)
        order = self.settings.plugin_order
        if registry is None:
            order = order or tuple(name_of(plugin) for plugin in plugins)
            registry = with_builtins(PluginRegistry.of(plugins))
        self.reads_cookies = any(getattr(plugin.plugin, "reads_cookies", False) for plugin in registry.plugins)
        challenges = [getattr(plugin.plugin, "challenge", None) for plugin in registry.plugins]
        stated = dict.fromkeys(challenge for challenge in challenges if isinstance(challenge, str))
        self.challenge = ", ".join(stated) or "Bearer"
        self.plugin_names = tuple(plugin.name for plugin in registry.plugins if not plugin.builtin)
        self.hooks = Hooks.compile(
            registry,
            timeout=self.settings.hook_timeout,
            order=order,
            trace=self.settings.trace_plugins,
        )
        self.connections: dict[str, Connection] = {}
        self._orders = Orders(self.connections)
        self.hub = Hub(self._orders.obey)
        self.interest = Interest(self.hub, self.rule_of)
        self.presence = Presence(self.rules)
        self.census = Census(self.hub, self.interest)
        self.history = History(self.rules, self.interest)
        self.access = Access(
            self.hooks, self.rules, self.settings.anonymous, registry.plugins, self.settings.max_id_length
        )
        self.deadlines = Deadlines()
        self.notices = Notices(self.rules, self.hub, self.settings.announce_max_members)
        self.counts: Counter[str] = Counter()
        self.node_id = ""
        memory = MemoryBounds(self.settings.history_total)
        self._component_settings = {"memory": memory, **(component_settings or {})}
        self.backend_name, self._make_backend = choose_backend(
            self.hooks, self.settings.backend, self._component_settings
        )
        self._backend: Backend | None = None
        self.publisher = Publisher(
            self.hooks, self.rule_of, self.settings.persist_failure, self.settings.idempotency_window
        )
        self._last_publication = 0
        self.accepted = 0
        self._state = "not started"
        self._idle: asyncio.Event | None = None
        budget = Budget(self.settings.outbound_limit, self.settings.outbound_total)
        try:
            self.router = PushRouter(
                lambda session: PushSocket(self, session),
                CONNECT_PREFIX,
                self._router_settings(),
                budget,
                counts=self.counts,
                farewell=lambda: jsontext.encode(come_back(self.settings.return_window)),
            )
        except ValueError as error:
            key = "origins" if "origin" in str(error) else "disabled_transports"
            raise SettingsError(str(error), key=key) from None

    def settings_of(self, plugin: str) -> Any:
        """The settings of a plugin that declares some, for plugins that are modules; None where there are none."""
        return self._component_settings.get(plugin.replace("-", "_"))

    # ---------------------------------------------------------------------------------------------------- life cycle

    def routes(self) -> list[Any]:
        """Rules for a Tornado Application: the API, the SockJS endpoint, and the plugins' routes after them."""
        rules, failures = plugin_routes(self)
        for failure in failures:
            log.error("%s", failure, exc_info=failure.__cause__)
        return [*api_routes(self), *self.router.urls, *rules]

    def lanes(self) -> list[Lane]:
        """What a :class:`FrontServer` may serve of :meth:`routes` itself. Who puts rules before those gives none."""
        posts = [Lane("POST", endpoint.path, endpoint) for endpoint in post_endpoints(self)]
        return [*posts, *self.router.lanes]

    def application(self) -> Application:
        """A Tornado Application that is this server and nothing else."""
        return Application(
            self.routes(),
            default_handler_class=NotFoundHandler,
            default_handler_args={"server": self},
            log_function=log_request,
            transforms=[NoServerHeader],
        )

    def check_backend(self) -> None:
        """Makes a backend, without starting it, and sees whether it can do what the channel rules need.

        Raises:
            SettingsError: It cannot be made, or lacks a capability.
        """
        made(self._make_backend, self.backend_name, self.settings.channels)

    async def start(self) -> None:
        """Starts on the running loop: the backend, then the plugins. Listening is the caller's.

        Raises:
            SettingsError: The backend or a plugin cannot start. What was started is stopped again.
        """
        if self._state not in ("not started", "stopped"):
            raise RuntimeError(f"the server is {self._state}")
        self._state = "starting"
        hush_tornado()
        self.node_id = uuid4().hex[:12]
        self.hub.bind(asyncio.get_running_loop())
        try:
            self._backend = backend = await started(
                self._make_backend, self.backend_name, self.settings.channels, self.hub, self.node_id
            )
            self._bind(backend)
            if self.hooks.startup is not None:
                await self.hooks.startup(self)
        except (HookError, SettingsError) as error:
            await self._take_down(self._not_started(error))
            if isinstance(error, SettingsError) and error.key:
                raise
            raise SettingsError(f"not started: {error}") from error
        except asyncio.CancelledError:
            if self.waits_for_backend:  # no plugin was started
                await self._take_down(self.plugin_names)
            raise
        self.router.start()
        self._state = "running"

    async def stop(self) -> None:
        """Sends every client away with the word when to come back, lets accepted work end, and stops.

        Takes ``drain`` and at most ``shutdown_timeout`` more. Stop listening first. Failures of plugins are logged.
        """
        if self._state != "running":
            return
        self._state = "stopping"
        self.router.drain()
        await see_off(self.connections.values(), self.settings.drain, self.settings.return_window)
        deadline = monotonic() + self.settings.shutdown_timeout
        await self._until_idle(deadline)
        try:
            async with asyncio.timeout(max(0.1, deadline - monotonic())):
                await self.publisher.drain()
                await self.interest.settled()
        except TimeoutError:
            log.warning("stopped with work unfinished: shutdown_timeout is over")
        await self.router.http_sessions.until_settled(min(FETCH_TIME, deadline - monotonic()))
        await self._take_down()

    @property
    def waits_for_backend(self) -> bool:
        """Whether a start is under way, and the backend has not answered yet; till then it may be cancelled."""
        return self._state == "starting" and self._backend is None

    @property
    def trouble(self) -> str | None:
        """Why clients should not be sent here now; None while all is well."""
        return self._state if self._state != "running" else self.backend_trouble

    @property
    def backend_trouble(self) -> str | None:
        """What is the matter with the backend; None while all is well."""
        return self._state if self._backend is None else self._backend.trouble

    @property
    def taskless(self) -> bool:
        """Whether no code but the core's own runs until a publication is taken; see :func:`.coroutines.started`."""
        hooks = self.hooks
        if hooks.authenticate or hooks.authorize or hooks.transform or hooks.persist:
            return False
        return self._backend is None or type(self._backend) is MemoryBackend

    # ---------------------------------------------------------------------------------------------------- publishing

    async def publish(
        self, channel: str, message: Any, *, sender_id: str | None = None, idempotency_key: str | None = None
    ) -> Published:
        """Publishes a message in a channel.

        Args:
            channel: The channel.
            message: Anything that JSON has a form for.
            sender_id: Who says it; without one, a member ``sender_id`` of the message itself.
            idempotency_key: Makes a repeat harmless.

        Raises:
            ValueError, TypeError: The message has no form in JSON.
            RequestError: It was refused, or cannot be taken now.
        """
        return await self._publish_message(Address.channel(channel), message, sender_id, idempotency_key)

    async def publish_to_user(
        self, subscriber_id: str, message: Any, *, sender_id: str | None = None, idempotency_key: str | None = None
    ) -> Published:
        """Sends a message to all connections of a user, on all nodes. See :meth:`publish`."""
        return await self._publish_message(Address.user(subscriber_id), message, sender_id, idempotency_key)

    async def publish_json(
        self, address: Address, data: bytes, *, identity: Identity, idempotency_key: str | None = None
    ) -> Published:
        """Publishes JSON text that came from outside; the text is checked and passed on unchanged.

        Args:
            address: A channel or a user.
            data: JSON text; its sender is its own member ``sender_id``.
            identity: Who publishes; ``authorize`` is asked.
            idempotency_key: Makes a repeat harmless.

        Raises:
            ValueError: It is not JSON.
            RequestError: Denied, refused, or it cannot be taken now.
        """
        sender = jsontext.sender_of(data)
        await self.access.authorize(identity, "publish", address)
        return await self.publish_one(address, data, sender, idempotency_key=idempotency_key)

    async def publish_one(
        self, address: Address, data: bytes, sender: bytes, *, idempotency_key: str | None = None, skip: str = ""
    ) -> Published:
        """Publishes JSON text that has been checked and may be published.

        Args:
            address: A channel or a user.
            data: JSON text.
            sender: JSON text of the sender's id.
            idempotency_key: Makes a repeat harmless.
            skip: Id of a connection that shall not get it.

        Raises:
            RequestError: It was refused, or cannot be taken now.
        """
        [result] = await self.publisher.publish((self.publication(address, data, sender, idempotency_key, skip),))
        if isinstance(result, RequestError):
            raise result
        return result

    def publication(
        self, address: Address, data: bytes, sender: bytes, idempotency_key: str | None = None, skip: str = ""
    ) -> Publication:
        """A publication with an id of its own, for :meth:`publish_many`.

        Raises:
            RequestError: It has an idempotency key, and the backend remembers none.
        """
        if idempotency_key is not None:
            if self._backend is not None and HISTORY not in self._backend.capabilities:
                raise RequestError(errors.UNSUPPORTED, "This server's backend remembers no idempotency keys.")
            id = derived_id(idempotency_key, address)
        else:
            self._last_publication += 1
            id = f"{self.node_id}-{self._last_publication:x}"
        return Publication(address, data, id, sender, idempotency_key, skip)

    async def publish_many(self, publications: Sequence[Publication]) -> list[Published | RequestError]:
        """Publishes, in order; a result for each."""
        return await self.publisher.publish(publications)

    async def disconnect_user(self, subscriber_id: str) -> None:
        """Ends all connections of a user, on all nodes, with a code that says not to come back.

        Raises:
            RequestError: The order cannot be sent now.
        """
        await self._orders.disconnect(subscriber_id)

    # ----------------------------------------------------------------------------------------------------- reading

    def rule_of(self, address: Address) -> ChannelRule | None:
        """The rule of a channel; None for what is not a channel."""
        return self.rules.rule_for(address.name) if address.kind == CHANNEL else None

    def position(self, address: Address) -> Position | None:
        """Where this node stands in a channel that it hears; None where no history is kept."""
        local = self.hub.get(address)
        return local.position if local is not None else None

    # ------------------------------------------------------------------------------------- called by connections

    def accept(self, session: ClientSession, credentials: Credentials) -> Connection:
        """Makes the connection of a session that has begun."""
        self.accepted += 1
        connection = self.connection_class(self, session, f"{self.node_id}-{self.accepted:x}", credentials)
        self.connections[connection.id] = connection
        connection.opened()
        return connection

    def forget(self, connection: Connection) -> None:
        """Drops a connection that has ended and left everything."""
        self.connections.pop(connection.id, None)
        if self._idle is not None and not self.connections:
            self._idle.set()

    def members(self) -> dict[Address, list[str | None]]:
        """The subscriber_ids of the members of each address on this node."""

        def who(local: Local) -> list[str | None]:
            here = (self.connections.get(member.id) for member in local.members())
            return [connection.subscriber_id for connection in here if connection is not None]

        return {local.address: who(local) for local in self.hub if local.count}

    # -------------------------------------------------------------------------------------------------------- inside

    def _router_settings(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "compression": settings.compression,
            "disabled_transports": settings.disabled_transports,
            "disconnect_delay": settings.disconnect_delay,
            "heartbeat_delay": settings.heartbeat_interval,
            "max_body_size": settings.max_body_size,
            "max_message_size": settings.max_message_size,
            "max_sessions": settings.max_sessions,
            "max_sessions_per_ip": settings.max_sessions_per_ip,
            "origins": self._origins(),
            "ping_interval": settings.ping_interval,
            "ping_timeout": settings.ping_timeout,
            "sockjs_url": settings.sockjs_url,
        }

    def _origins(self) -> tuple[str, ...]:
        """Whose pages may connect; where cookies say who is calling, other sites' pages must be named."""
        origins = self.settings.origins
        if "*" in origins and self.reads_cookies:
            return tuple(origin for origin in origins if origin != "*")
        return origins

    async def _publish_message(
        self, address: Address, message: Any, sender_id: str | None, idempotency_key: str | None
    ) -> Published:
        data = jsontext.encode(message)
        if sender_id is not None:
            sender = jsontext.encode(sender_id)
        else:
            sender = jsontext.encode(message.get("sender_id")) if isinstance(message, dict) else b"null"
        return await self.publish_one(address, data, sender, idempotency_key=idempotency_key)

    def _bind(self, backend: Backend | None) -> None:
        for part in (
            self.interest,
            self.notices,
            self.presence,
            self.census,
            self.history,
            self._orders,
            self.publisher,
        ):
            part.bind(backend)

    async def _until_idle(self, deadline: float) -> None:
        if not self.connections:
            return
        self._idle = asyncio.Event()
        try:
            async with asyncio.timeout(max(0.1, deadline - monotonic())):
                await self._idle.wait()
        except TimeoutError:
            log.warning("stopped with %d connections left: shutdown_timeout is over", len(self.connections))
        self._idle = None

    def _not_started(self, error: Exception) -> Collection[str]:
        """The plugins whose ``startup`` has not run to its end when the start failed."""
        startup = self.hooks.startup
        if startup is None:
            return ()
        return startup.not_done(error) if isinstance(error, HookError) else startup.plugins

    async def _take_down(self, not_started: Collection[str] = ()) -> None:
        self.router.stop()
        self.deadlines.stop()
        shutdown = self.hooks.shutdown
        if shutdown is not None and not_started:
            shutdown = shutdown.without(not_started)
        if shutdown is not None:
            try:
                await shutdown(self)
            except ExceptionGroup as failures:
                for failure in failures.exceptions:
                    log.error("%s", failure, exc_info=failure.__cause__)
        self._bind(None)
        if self._backend is not None:
            await closed(self._backend, max(1.0, self.settings.shutdown_timeout))
            self._backend = None
        self._state = "stopped"
