"""An application's policies and dispatchers, as plugins of its server."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sethpusher_core import errors
from sethpusher_core.addresses import COMMON_CHANNEL, Address
from sethpusher_core.answers import Handled, Rejected
from sethpusher_core.errors import BackendError, RequestError
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.identity import ANONYMOUS, Identity

from ._connections import HandledConnection
from ._ours import is_ours
from ._work import Work, settled
from .authenticators import lets_everybody_in
from .dispatchers import DefaultMessageDispatcher, wrong_type
from .persistors import keeps_nothing, persisting
from .ws.views import handling

if TYPE_CHECKING:
    from sethpusher_core.connection import Connection
    from sethpusher_core.identity import Credentials
    from sethpusher_core.protocol import ClientMessage
    from sethpusher_core.publication import Publication
    from sethpusher_core.server import PushServer
    from sethpusher_core.settings.core import CoreSettings

    from .applications import DefaultSethApplication

__all__ = ["DISPATCHER", "policies_of"]

log = logging.getLogger("sethpusher.application")

DISPATCHER: Final = "application"
"""Name of the plugin that is the application itself."""

_COMMON: Final = Address.channel(COMMON_CHANNEL)


def policies_of(application: DefaultSethApplication) -> list[object]:
    """The plugins that an application needs. Policies that do nothing are none, so nothing is asked for them."""
    plugins: list[object] = [ApplicationPlugin(application)]
    if not lets_everybody_in(application.authentication_policy):
        plugins.append(AuthenticationPlugin(application))
    if not (is_ours(application, "persist") and keeps_nothing(application.persistence_policy)):
        plugins.append(PersistencePlugin(application))
    return plugins


class ApplicationPlugin:
    """Gives each client's messages to its dispatcher, and ends what the application has begun."""

    name = DISPATCHER

    def __init__(self, application: DefaultSethApplication) -> None:
        self._application = application
        self._plain: dict[type, bool] = {}

    @hookimpl(tryfirst=True)
    async def dispatch(self, connection: Connection, message: ClientMessage) -> Handled | None:
        """See :func:`sethpusher_core.hookspecs.dispatch`."""
        if not isinstance(connection, HandledConnection) or connection.handler is None:
            return None
        handler = connection.handler
        dispatcher, fields = handler.dispatcher, message.fields
        if inspect.isawaitable(dispatcher):
            dispatcher = await handler.own_dispatcher()
        if _leaves_its_id_out(connection, message):
            if connection.subscriber_id is None:
                return None  # an anonymous connection among proven ones: nothing for a dispatcher to know
            fields = {**fields, "subscriber_id": connection.subscriber_id}
        if self._is_plain(dispatcher, handler):
            dispatcher.note(fields)
            return await self._hand_on(connection, message, dispatcher)
        return await self._ask(connection, message, dispatcher, fields)

    async def _hand_on(
        self, connection: Connection, message: ClientMessage, dispatcher: DefaultMessageDispatcher
    ) -> Handled | None:
        """Nothing is overridden on the way: those behind handle it."""
        push = self._application.push
        try:
            if push.asks_nobody:
                return await push.behind(connection, message)
            async with Work():
                return await push.behind(connection, message)
        except RequestError:
            _correct(dispatcher, connection)
            raise

    async def _ask(
        self, connection: HandledConnection, message: ClientMessage, dispatcher: Any, fields: Mapping[str, Any]
    ) -> Handled | None:
        """Goes the way of overridden methods."""
        is_valid, error = await settled(dispatcher.validate_message(fields))
        if not is_valid:
            if error == wrong_type(message.type):
                return None  # somebody behind us may know it; the core says the same if nobody does
            unknown = message.type not in getattr(dispatcher, "messages", ())
            raise RequestError(errors.UNKNOWN_TYPE if unknown else errors.BAD_FIELD, error)
        heard = await self._hear(message)
        token = handling.set(message)
        try:
            async with Work():
                answer = await settled(dispatcher.dispatch(fields))
        except RequestError:
            _correct(dispatcher, connection)
            raise
        finally:
            handling.reset(token)
            for address in heard:
                self._application.push.interest.release(address)
        return answer if isinstance(answer, Handled) else Handled()

    def _is_plain(self, dispatcher: Any, handler: Any) -> bool:
        """Whether nothing of ours is overridden between a message and what the core does with it."""
        if type(dispatcher) is not DefaultMessageDispatcher or not dispatcher.is_unchanged:
            return False
        kind = type(handler)
        plain = self._plain.get(kind)
        if plain is None:
            plain = self._plain[kind] = is_ours(handler, "handle_connect", "handle_subscribe", "handle_unsubscribe")
        return plain

    async def _hear(self, message: ClientMessage) -> list[Address]:
        """Has the addresses heard that a message will ask for.

        An override may expect that all is done when ``super().handle_subscribe(...)`` returns; joining an address that
        is heard already does not have to wait for anything.
        """
        push = self._application.push
        heard: list[Address] = []
        try:
            for address in _wanted_by(message, push.settings):
                await push.interest.hold(address)
                heard.append(address)
        except (BackendError, RequestError):
            pass  # whoever joins will hear of it
        return heard

    @hookimpl
    async def startup(self, server: PushServer) -> None:
        """See :func:`sethpusher_core.hookspecs.startup`: policies that come from coroutines are awaited."""
        application = self._application
        for name in ("authentication_policy", "persistence_policy"):
            policy = getattr(application, name)
            if inspect.isawaitable(policy):
                setattr(application, name, await policy)
        begin = getattr(application.persistence_policy, "begin", None)
        if begin is not None:
            await settled(begin(server))

    @hookimpl
    async def shutdown(self, server: PushServer) -> None:
        """See :func:`sethpusher_core.hookspecs.shutdown`."""
        if self._application.under_way:
            await asyncio.wait(self._application.under_way)
        drain = getattr(self._application.persistence_policy, "drain", None)
        if drain is not None:
            await settled(drain())


def _wanted_by(message: ClientMessage, settings: CoreSettings) -> list[Address]:
    """The addresses that a message asks to be in.

    Raises:
        RequestError: It does not say so well enough.
    """
    if message.type == DefaultMessageDispatcher.SUBSCRIBE:
        return [Address.channel(message.text("channel", settings.max_channel_length))]
    if message.type == DefaultMessageDispatcher.CONNECT:
        return [Address.user(message.text("subscriber_id", settings.max_id_length)), _COMMON]
    return []


def _leaves_its_id_out(connection: Connection, message: ClientMessage) -> bool:
    """Whether a client says ``connect`` without an id, as it may where ids are proven."""
    if message.type != DefaultMessageDispatcher.CONNECT or message.get("subscriber_id") is not None:
        return False
    return connection.identity.proven or connection.server.access.proves_ids


def _correct(dispatcher: Any, connection: Connection) -> None:
    """After a refusal: a dispatcher believes no more than what is so."""
    if isinstance(dispatcher, DefaultMessageDispatcher):
        dispatcher.subscribed_to.intersection_update(connection.channels)
        if not connection.connected:
            dispatcher.subscriber_id = None


class AuthenticationPlugin:
    """Asks the authentication policy."""

    name = "authentication_policy"

    def __init__(self, application: DefaultSethApplication) -> None:
        self._application = application
        policy = application.authentication_policy
        self.reads_cookies = bool(getattr(policy, "reads_cookies", False))
        self.proves_ids = bool(getattr(policy, "proves_ids", False))
        self.challenge = getattr(policy, "challenge", None)

    @hookimpl(tryfirst=True)
    async def authenticate(self, credentials: Credentials) -> Identity | Rejected | None:
        """See :func:`sethpusher_core.hookspecs.authenticate`.

        The policy can refuse a caller. Whom it lets pass is asked by the other authenticators, if there are any.
        """
        if credentials.purpose == "token":
            return None
        if credentials.purpose == "connection" and not self._application.authenticate_connections:
            return self._pass()
        policy = self._application.authentication_policy
        answer = True if policy is None else await settled(policy.authenticate(credentials.request))
        if isinstance(answer, Identity):
            return answer
        return self._pass() if answer else Rejected(f"{type(policy).__name__} said no")

    @hookimpl
    def startup(self) -> None:
        """See :func:`sethpusher_core.hookspecs.startup`: says what the core cannot know."""
        if not self._application.authenticate_connections:
            policy = type(self._application.authentication_policy).__name__
            log.info("%s is asked about HTTP calls; connections need no credentials (authenticate_connections)", policy)

    def _pass(self) -> Identity | None:
        asked = self._application.push.hooks.authenticate
        return None if asked is not None and len(asked.plugins) > 1 else ANONYMOUS


class PersistencePlugin:
    """Asks the application's ``persist`` for each publication, one after the other."""

    name = "persistence_policy"

    def __init__(self, application: DefaultSethApplication) -> None:
        self._application = application

    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        """See :func:`sethpusher_core.hookspecs.persist`."""
        application = self._application
        for publication in publications:
            if publication.id in application.push.unpersisted:
                continue
            target = {"channel": publication.channel} if publication.user is None else {"user": publication.user}
            token = persisting.set(publication)
            try:
                await settled(application.persist(publication.message, **target))
            finally:
                persisting.reset(token)
