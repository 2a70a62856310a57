"""The push server of a class application: the core's, with the application asked where it overrides something."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import msgspec
from tornado.web import Application

from sethpusher_core import errors, jsontext
from sethpusher_core.addresses import CHANNEL, Address
from sethpusher_core.answers import Handled
from sethpusher_core.errors import BackendError, RequestError, SettingsError
from sethpusher_core.front.server import Lane
from sethpusher_core.notices import Notices
from sethpusher_core.plugins.chain import FirstAnswer
from sethpusher_core.publisher import Published
from sethpusher_core.server import CONNECT_PREFIX, PushServer

from ._connections import AskingConnection, HandledConnection, connection_of
from ._ours import is_ours
from ._policies import DISPATCHER
from ._work import DONE, Work, settled
from .api.urls import get_api_handlers
from .dispatchers import wrong_type
from .ws.urls import SethSockJSRouter

if TYPE_CHECKING:
    from sethpusher_core.connection import Connection
    from sethpusher_core.hub import Local
    from sethpusher_core.plugins.registry import PluginRegistry
    from sethpusher_core.protocol import ClientMessage
    from sethpusher_core.settings.core import CoreSettings

    from .applications import DefaultSethApplication
    from .ws.views import SethSocketHandler

__all__ = ["ClassServer"]

log = logging.getLogger("sethpusher.application")

_skip: Final[ContextVar[str]] = ContextVar("sethpusher_skip", default="")
"""Whom the notice under way must not reach: the connection that it is about."""


class ClassServer(PushServer):
    """The server of one class application.

    Attributes:
        owner: The application.
        asks_nobody: Whether the application overrides nothing that joining, leaving and announcing go by.
        behind: Those who are asked about a client's message after the application: other plugins, and the core.
        unpersisted: Ids of publications under way that the persistence policy shall not be asked for, because they were
            sent by ``send_to_channel`` or ``send_to_user``: who calls those has asked it, as in release 0.2.2.
    """

    router: SethSockJSRouter

    def __init__(
        self,
        owner: DefaultSethApplication,
        settings: CoreSettings,
        registry: PluginRegistry,
        component_settings: Mapping[str, object],
    ) -> None:
        """See :class:`PushServer`."""
        super().__init__(settings, registry=registry, component_settings=component_settings)
        self.owner = owner
        self.unpersisted: set[str] = set()
        self.persists = self.hooks.persist is not None
        self._starting: asyncio.Task[None] | None = None
        self.begun = False
        steps = self.hooks.dispatch.steps if self.hooks.dispatch is not None else ()
        names = [step.plugin for step in steps]
        behind = steps[names.index(DISPATCHER) + 1 :]
        self.behind: FirstAnswer[Handled, Any, Any] = FirstAnswer(behind, settings.hook_timeout, (Handled,))
        joins = is_ours(owner, "add_subscriber", "remove_subscriber")
        joins = joins and is_ours(owner.subscriber, "subscribe", "unsubscribe")
        tells = is_ours(owner, "broadcast") and is_ours(owner.publisher, "publish")
        self.asks_nobody = joins and tells
        self.connection_class = HandledConnection if joins else AskingConnection
        if not tells:
            self.notices = _BroadcastNotices(self)
        self.router = SethSockJSRouter(
            owner.socket_handler_class,
            CONNECT_PREFIX,
            self._router_settings(),
            application_instance=owner,
            budget=self.router.budget,
        )

    # ---------------------------------------------------------------------------------------------------- life cycle

    def routes(self) -> list[Any]:
        """See :meth:`PushServer.routes`; the class application's handlers come before the core's."""
        return [*get_api_handlers(self.owner), *super().routes()]

    def lanes(self) -> list[Lane]:
        """See :meth:`PushServer.lanes`: the application's rules are asked about everything."""
        return []

    def application(self) -> Application:
        """The class application: it is what is served."""
        return self.owner

    async def start(self) -> None:
        """See :meth:`PushServer.start`."""
        self.begun = True
        try:
            await super().start()
        except BaseException:
            self.begun = False
            raise
        for router in self._other_routers():
            router.begin_like(self.router)

    @property
    def is_waited_for(self) -> bool:
        """Whether nobody has started it, or a request that did so still waits."""
        return not self.begun or self._starting is not None

    async def ensure_started(self) -> None:
        """Starts it, unless somebody has begun to; whoever comes meanwhile waits for the same start.

        Raises:
            SettingsError: See :meth:`start`.
        """
        if self._starting is None:
            if self.begun:
                return
            self._starting = asyncio.get_running_loop().create_task(self._start_for_a_request())
        try:
            await asyncio.shield(self._starting)
        finally:
            if self._starting is not None and self._starting.done():
                self._starting = None

    async def _start_for_a_request(self) -> None:
        try:
            await self.start()
        except SettingsError as error:
            log.error("%s", error)
            raise

    async def stop(self) -> None:
        """See :meth:`PushServer.stop`."""
        for router in self._other_routers():
            router.drain()
        await super().stop()
        for router in self._other_routers():
            router.stop()

    def _other_routers(self) -> Sequence[SethSockJSRouter]:
        return [router for router in self.owner.routers if router is not self.router]

    def forget(self, connection: Connection) -> None:
        """See :meth:`PushServer.forget`."""
        super().forget(connection)
        if isinstance(connection, HandledConnection) and connection.handler is not None:
            connection.handler.retire()
            connection.handler = None

    # ---------------------------------------------------------------------------------------- members, as handlers

    def handlers(self, channel: str | None = None) -> dict[str, list[SethSocketHandler]]:
        """Who is in one channel, or in each that has somebody, on this node."""
        if channel is not None:
            local = self.hub.get(Address.channel(channel))
            return {channel: [] if local is None else self._handlers_in(local)}
        return {local.address.name: self._handlers_in(local) for local in self.hub if _is_occupied(local)}

    def handlers_of(self, subscriber_id: str) -> list[SethSocketHandler]:
        """The connections of a user on this node, in the order in which they came."""
        local = self.hub.get(Address.user(subscriber_id))
        return [] if local is None else self._handlers_in(local)

    def _handlers_in(self, local: Local) -> list[SethSocketHandler]:
        here = (self.connections.get(member.id) for member in local.members())
        handlers = (connection.handler for connection in here if isinstance(connection, HandledConnection))
        return [handler for handler in handlers if handler is not None]

    def let_in(self, channels: Sequence[str], subscriber: Any) -> Awaitable[None]:
        """Lets a handler into channels; see :meth:`BasicPubSubManager.subscribe`."""
        connection = connection_of(subscriber)
        waiting = [channel for channel in channels if not connection.admit_now(channel)]
        if not waiting:
            return DONE

        async def join() -> None:
            for channel in waiting:
                await connection.let_in(channel)

        return self.owner.begin(join())

    def let_out(self, channel: str, subscriber: Any) -> Awaitable[None]:
        """Takes a handler out of a channel; see :meth:`BasicPubSubManager.unsubscribe`."""
        connection = connection_of(subscriber)
        return DONE if connection.dismiss_now(channel) else self.owner.begin(connection.let_out(channel))

    # ------------------------------------------------------------------------------------------------------ messages

    async def dispatch_further(self, connection: HandledConnection, message: ClientMessage) -> Handled:
        """Has a message handled by those who come behind the application's dispatcher: other plugins, and the core.

        Raises:
            RequestError: It is refused, or none of them knows its type.
        """
        handled = await self.behind(connection, message)
        if handled is None:
            raise RequestError(errors.UNKNOWN_TYPE, wrong_type(message.type))
        return handled

    # ------------------------------------------------------------------------------------------------------- sending

    async def tell(self, channel: str, text: bytes) -> None:
        """Sends JSON text to the members of a channel as it is; see :meth:`BasicPubSubManager.publish`.

        Raises:
            RequestError: It cannot be sent now.
        """
        try:
            await Notices.tell(self.notices, channel, text, skip=_skip.get())
        except BackendError as error:
            raise RequestError(errors.UNAVAILABLE) from error

    async def send(self, address: Address, message: Any) -> Published:
        """Publishes without asking the persistence policy.

        Raises:
            ValueError, TypeError: The message has no form in JSON.
            RequestError: It was refused, or cannot be taken now.
        """
        sender = message.get("sender_id") if isinstance(message, dict) else None
        publication = self.publication(address, jsontext.encode(message), jsontext.encode(sender))
        if self.persists:
            self.unpersisted.add(publication.id)
        try:
            [result] = await self.publish_many((publication,))
        finally:
            self.unpersisted.discard(publication.id)
        if isinstance(result, RequestError):
            raise result
        return result


class _BroadcastNotices(Notices):
    """Sends notices by the application's ``broadcast``."""

    def __init__(self, server: ClassServer) -> None:
        super().__init__(server.rules, server.hub, server.settings.announce_max_members)
        self._owner = server.owner

    async def tell(self, channel: str, envelope: bytes, *, skip: str = "") -> None:
        """See :meth:`Notices.tell`; what an override raises costs the notice, nothing else."""
        notice = msgspec.json.decode(envelope)
        common = notice["message"]["type"] in ("connect", "disconnect")
        token = _skip.set(skip)
        try:
            async with Work():
                await settled(self._owner.broadcast(message=notice, channel=None if common else channel))
        except Exception:
            log.exception("the broadcast of a notice in channel %s failed", channel)
        finally:
            _skip.reset(token)


def _is_occupied(local: Local) -> bool:
    return local.address.kind == CHANNEL and local.count > 0
