"""The server: puts the parts together, starts, drains and stops them. Runs alone or inside any Tornado application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any, Final
from uuid import uuid4

import msgspec
from tornado.web import Application

from . import errors, jsontext
from .accesslog import log_request
from .addresses import CHANNEL, CONTROL, Address
from .answers import Denied, Rejected
from .api.base import NotFoundHandler
from .api.routes import api_routes
from .backends.base import Backend, Outgoing
from .backends.choice import choose_backend
from .builtins import with_builtins
from .connection import ClientSession, Connection
from .errors import BackendError, HookError, RequestError, SettingsError
from .hub import Hub, Local
from .identity import ANONYMOUS, Credentials, Identity
from .interest import Interest
from .notices import Notices
from .plugins.hooks import Hooks
from .plugins.registry import PluginRegistry, name_of
from .publication import CONTROL_KIND, Publication, derived_id, notice_payload
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
        router: The SockJS endpoint.
        plugin_names: The active plugins, built-in ones aside.
        backend_name: The backend that it runs on.
        node_id: Unique name of this node, new with each start; empty before.
        connections: Live connections by id.
    """

    def __init__(
        self,
        settings: CoreSettings | None = None,
        *,
        plugins: Sequence[object] = (),
        registry: PluginRegistry | None = None,
        component_settings: Mapping[str, object] | None = None,
    ) -> None:
        """Puts a server together. Nothing is bound to an event loop before :meth:`start`, so this may run at import.

        Args:
            settings: The core's settings; the defaults when left out.
            plugins: Plugin objects (modules or instances), in the order in which they run; nothing is discovered.
            registry: Instead of ``plugins``: a registry that a loader has filled, built-ins included.
            component_settings: Settings of the plugins' components by name, for backends that declare some.

        Raises:
            SettingsError: A plugin is refused, or the chosen backend is not there.
        """
        self.settings = settings or CoreSettings()
        self.rules = ChannelRules(self.settings.channels)
        order = self.settings.plugin_order
        if registry is None:
            order = order or tuple(name_of(plugin) for plugin in plugins)
            registry = with_builtins(PluginRegistry.of(plugins))
        self.plugin_names = tuple(plugin.name for plugin in registry.plugins if not plugin.builtin)
        self.hooks = Hooks.compile(
            registry,
            timeout=self.settings.hook_timeout,
            order=order,
        )
        self.hub = Hub(self._control)
        self.interest = Interest(self.hub, self._on_slow)
        self.notices = Notices(self.rules, self.hub, self.settings.announce_max_members)
        self.connections: dict[str, Connection] = {}
        self.node_id = ""
        self._component_settings = dict(component_settings or {})
        self.backend_name, self._make_backend = choose_backend(
            self.hooks, self.settings.backend, self._component_settings
        )
        self._backend: Backend | None = None
        self._publisher = Publisher(self.hooks, self._rule_of, self.settings.persist_failure)
        self._last_connection = 0
        self._state = "not started"
        self._idle: asyncio.Event | None = None
        self.router = PushRouter(
            lambda session: PushSocket(self, session),
            CONNECT_PREFIX,
            self._router_settings(),
            Budget(self.settings.outbound_limit, self.settings.outbound_total),
        )

    def settings_of(self, plugin: str) -> Any:
        """The settings of a plugin that declares some, for plugins that are modules; None where there are none."""
        return self._component_settings.get(plugin.replace("-", "_"))

    # ---------------------------------------------------------------------------------------------------- life cycle

    def routes(self) -> list[Any]:
        """Rules for a Tornado Application: the API, the SockJS endpoint, and the plugins' routes after them."""
        offers = self.hooks.routes(self)
        for error in offers.errors:
            log.error("%s", error, exc_info=error.__cause__)
        return [*api_routes(self), *self.router.urls, *(rule for offer in offers.accepted for rule in offer.rules)]

    def application(self) -> Application:
        """A Tornado Application that is this server and nothing else."""
        return Application(
            self.routes(),
            default_handler_class=NotFoundHandler,
            default_handler_args={"server": self},
            log_function=log_request,
        )

    async def start(self) -> None:
        """Starts on the running loop: the backend, then the plugins. Listening is the caller's.

        Raises:
            SettingsError: The backend or a plugin cannot start. What was started is stopped again.
        """
        if self._state not in ("not started", "stopped"):
            raise RuntimeError(f"the server is {self._state}")
        self._state = "starting"
        self.node_id = uuid4().hex[:12]
        self.hub.bind(asyncio.get_running_loop())
        self._backend = backend = self._make_backend()
        try:
            await backend.start(self.hub, self.node_id)
            await backend.subscribe(CONTROL)
            self.interest.bind(backend)
            self.notices.bind(backend)
            self._publisher.bind(backend)
            if self.hooks.startup is not None:
                await self.hooks.startup(self)
        except (BackendError, HookError) as error:
            await self._take_down(error if isinstance(error, HookError) else None)
            raise SettingsError(f"not started: {error}") from error
        self.router.start()
        self._state = "running"

    async def stop(self) -> None:
        """Tells every client to come back elsewhere, lets accepted work end, and stops. At most ``shutdown_timeout``.

        Stop listening first. Failures of plugins are logged.
        """
        if self._state != "running":
            return
        self._state = "stopping"
        deadline = monotonic() + self.settings.shutdown_timeout
        for session in list(self.router.sessions):
            session.close(errors.SHUTDOWN.code, errors.SHUTDOWN.reason)
        await self._until_idle(deadline)
        try:
            async with asyncio.timeout(max(0.1, deadline - monotonic())):
                await self._publisher.drain()
                await self.interest.settled()
        except TimeoutError:
            log.warning("stopped with work unfinished: shutdown_timeout is over")
        await self._take_down(None)

    @property
    def trouble(self) -> str | None:
        """Why clients should not be sent here now; None while all is well."""
        if self._state != "running" or self._backend is None:
            return self._state
        return self._backend.trouble

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
        await self.authorize(identity, "publish", address)
        return await self._publish_one(_publication(address, data, sender, idempotency_key))

    async def publish_many(self, publications: Sequence[Publication]) -> list[Published | RequestError]:
        """Publishes, in order; a result for each."""
        return await self._publisher.publish(publications)

    async def disconnect_user(self, subscriber_id: str) -> None:
        """Ends all connections of a user, on all nodes, with a code that says not to come back.

        Raises:
            RequestError: The order cannot be sent now.
        """
        order = msgspec.json.encode({"order": "disconnect", "subscriber_id": subscriber_id})
        if self._backend is None:
            raise RequestError(errors.UNAVAILABLE)
        [result] = await self._backend.publish([Outgoing(CONTROL, notice_payload(order, kind=CONTROL_KIND))])
        if isinstance(result, BackendError):
            raise RequestError(errors.UNAVAILABLE) from result

    # --------------------------------------------------------------------------------------------- who may do what

    async def authenticate(self, credentials: Credentials) -> Identity:
        """Who a caller is.

        Raises:
            RequestError: UNAUTHENTICATED, or UNAVAILABLE when an authenticator failed.
        """
        authenticate = self.hooks.authenticate
        if authenticate is None:
            return ANONYMOUS
        try:
            plugin, answer = await authenticate.ask(credentials)
        except HookError as error:
            log.error("refused %r: %s", credentials, error, exc_info=error.__cause__)
            raise RequestError(errors.UNAVAILABLE) from error
        if answer is None or isinstance(answer, Rejected):
            reason = "no credentials that any authenticator knows" if answer is None else f"{plugin}: {answer.reason}"
            log.info("refused %r: %s", credentials, reason)
            raise RequestError(errors.UNAUTHENTICATED)
        return replace(answer, plugin=plugin)

    async def authorize(self, identity: Identity, action: str, target: Address, *, by_client: bool = False) -> None:
        """Lets an action pass, or does not.

        Args:
            identity: Who asks.
            action: See :func:`sethpusher_core.hookspecs.authorize`.
            target: The channel, user or server.
            by_client: Whether a client asks over its connection: then the channel's rule decides where no plugin does.

        Raises:
            RequestError: Denied.
        """
        authorize = self.hooks.authorize
        if authorize is not None:
            plugin, verdict = await authorize.ask(identity, action, target)
            if isinstance(verdict, Denied):
                who, why = identity.subscriber_id, verdict.reason
                log.info("denied %s of %s to %s: %s: %s", action, target, who, plugin, why)
                raise RequestError(errors.DENIED)
            if verdict is not None:
                return
        if by_client and not self._rule_allows(identity, action, target):
            raise RequestError(errors.DENIED)

    # ------------------------------------------------------------------------------------- called by connections

    def accept(self, session: ClientSession, credentials: Credentials) -> Connection:
        """Makes the connection of a session that has begun."""
        self._last_connection += 1
        connection = Connection(self, session, f"{self.node_id}-{self._last_connection:x}", credentials)
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
            "disabled_transports": settings.disabled_transports,
            "disconnect_delay": settings.disconnect_delay,
            "heartbeat_delay": settings.heartbeat_interval,
            "max_message_size": settings.max_message_size,
            "ping_timeout": settings.ping_timeout,
            "sockjs_url": settings.sockjs_url,
        }

    async def _publish_message(
        self, address: Address, message: Any, sender_id: str | None, idempotency_key: str | None
    ) -> Published:
        data = jsontext.encode(message)
        if sender_id is not None:
            sender = jsontext.encode(sender_id)
        else:
            sender = jsontext.encode(message.get("sender_id")) if isinstance(message, dict) else b"null"
        return await self._publish_one(_publication(address, data, sender, idempotency_key))

    async def _publish_one(self, publication: Publication) -> Published:
        [result] = await self._publisher.publish((publication,))
        if isinstance(result, RequestError):
            raise result
        return result

    def _rule_of(self, address: Address) -> ChannelRule | None:
        return self.rules.rule_for(address.name) if address.kind == CHANNEL else None

    def _on_slow(self, address: Address) -> str:
        rule = self._rule_of(address)
        return rule.on_slow if rule is not None else "disconnect"

    def _rule_allows(self, identity: Identity, action: str, target: Address) -> bool:
        rule = self._rule_of(target)
        if rule is None:
            return False
        audience = {
            "subscribe": rule.subscribe,
            "publish": rule.publish,
            "presence": rule.presence_read,
            "history": rule.history_read,
        }.get(action, "nobody")
        return audience == "anyone" or (audience == "identified" and identity.subscriber_id is not None)

    def _control(self, order: bytes) -> None:
        """Does what another node, or this one, has ordered."""
        fields = msgspec.json.decode(order)
        if fields.get("order") != "disconnect":
            log.error("ignored an unknown order of another node: %.200r", fields)
            return
        local = self.hub.get(Address.user(fields["subscriber_id"]))
        for member in list(local.members()) if local is not None else ():
            connection = self.connections.get(member.id)
            if connection is not None:
                connection.close(errors.FORCED)

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

    async def _take_down(self, failed_startup: HookError | None) -> None:
        self.router.stop()
        shutdown = self.hooks.shutdown
        if shutdown is not None and failed_startup is not None and self.hooks.startup is not None:
            shutdown = shutdown.without(self.hooks.startup.not_done(failed_startup))
        if shutdown is not None:
            try:
                await shutdown(self)
            except ExceptionGroup as failures:
                for failure in failures.exceptions:
                    log.error("%s", failure, exc_info=failure.__cause__)
        self._publisher.bind(None)
        self.notices.bind(None)
        if self._backend is not None:
            await self._backend.close()
            self._backend = None
        self._state = "stopped"


def _publication(address: Address, data: bytes, sender: bytes, idempotency_key: str | None) -> Publication:
    id = uuid4().hex if idempotency_key is None else derived_id(idempotency_key, address)
    return Publication(address, data, id, sender, idempotency_key)
