"""One client of an application, as a SockJSConnection."""

from __future__ import annotations

import asyncio
import inspect
import logging
import weakref
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from tornado.httputil import HTTPHeaders

from sethpusher_core import errors, protocol
from sethpusher_core.protocol import ClientMessage
from sethpusher_core.transports.session import HandshakeInfo
from sethpusher_core.transports.sockjs import SockJSConnection

from .._connections import HandledConnection
from .._work import DONE
from ..dispatchers import DefaultMessageDispatcher

if TYPE_CHECKING:
    from ..applications import DefaultSethApplication

__all__ = ["SethSocketHandler", "handling"]

log = logging.getLogger("sethpusher.application")

handling: Final[ContextVar[ClientMessage | None]] = ContextVar("sethpusher_message", default=None)
"""What a client has said and is being handled: it is answered by what its dispatcher has done."""

_CALLED: Final = ("on_open", "on_message", "on_close")


class SethSocketHandler(SockJSConnection):  # type: ignore[misc]  # sockjs-tornado has no types
    """Serves one client: hands what it says to its dispatcher, and does what the dispatcher makes of it.

    ``on_open``, ``on_message`` and ``on_close`` may be overridden by plain functions or by coroutines; coroutines run
    one after the other.

    Attributes:
        dispatcher: What ``get_dispatcher`` of the application gave for this client.
        connection: The core's side of it; None before ``on_open``.
    """

    _one_by_one: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Sees whether something that the transport calls is a coroutine."""
        super().__init_subclass__(**kwargs)
        cls._one_by_one = any(inspect.iscoroutinefunction(getattr(cls, name)) for name in _CALLED)

    def __init__(self, session: Any) -> None:
        """Made for each client when its session begins."""
        super().__init__(session)
        self.dispatcher: Any = None
        self.connection: HandledConnection | None = None
        self._last: asyncio.Task[None] | None = None
        if self._one_by_one:
            for name in _CALLED:
                setattr(self, name, partial(self._in_order, getattr(self, name)))

    @property
    def application(self) -> DefaultSethApplication:
        """The application."""
        return cast("DefaultSethApplication", self.session.server.application)

    def check_origin(self, origin: str) -> bool:
        """Whether a page of an origin may connect. Override it to decide; asked before there is a session.

        Args:
            origin: As the browser names it; requests without one are not asked about.
        """
        headers = getattr(self.session, "headers", None) or HTTPHeaders({"Origin": origin})
        return bool(self.session.server.admits(headers))

    # --------------------------------------------------------------------------------------- called by the transport

    def on_open(self, request: HandshakeInfo) -> Any:
        """The client has come.

        Args:
            request: What is known of it: ``ip``, ``headers``, ``cookies``, ``arguments``, ``path``.

        Returns:
            False from an override refuses the client.
        """
        self.dispatcher = self.application.get_dispatcher()
        if not inspect.isawaitable(self.dispatcher):
            self.dispatcher.register_handler(self)
        connection = self.application.push.accept(self.session, request.credentials)
        assert isinstance(connection, HandledConnection)
        connection.handler = self
        self.connection = connection
        return DONE

    def on_message(self, raw_msg: str | bytes) -> Any:
        """The client has said something: JSON text, not looked at yet."""
        if self.connection is not None:
            self.connection.receive(raw_msg)
        return DONE

    def on_close(self) -> Any:
        """The client has gone. What it said before is still handled, then it leaves its channels."""
        if self.connection is not None:
            self.connection.lost(self.session.close_code)
        return DONE

    def close(self, code: int = 3000, message: str = "") -> None:
        """Ends the connection in good order.

        Args:
            code: What the client is told; see the table of close codes in ``sethpusher_core.errors``.
            message: Why.
        """
        self.session.close(code, message)

    # ------------------------------------------------------------------------------------- called by the dispatcher

    def handle_connect(self, source_msg: Mapping[str, Any], subscriber_id: Any) -> Awaitable[None]:
        """Makes the client known under an id, lets it into the channel ``all`` and announces it."""
        known = self.connection is not None and subscriber_id == self.connection.subscriber_id
        said = handling.get()
        left_out = said is not None and said.get("subscriber_id") is None
        # A proven id that the client did not say stays left out: then the reply tells it.
        named = {"subscriber_id": None if known and left_out else subscriber_id}
        return self._go_on({**source_msg, "type": protocol.CONNECT, **named})

    def handle_subscribe(self, source_msg: Mapping[str, Any]) -> Awaitable[None]:
        """Lets the client into the message's ``channel`` and announces it."""
        return self._go_on({**source_msg, "type": protocol.SUBSCRIBE})

    def handle_unsubscribe(self, source_msg: Mapping[str, Any]) -> Awaitable[None]:
        """Takes the client out of the message's ``channel`` and announces it."""
        return self._go_on({**source_msg, "type": protocol.UNSUBSCRIBE})

    async def own_dispatcher(self) -> Any:
        """The dispatcher; awaited first where ``get_dispatcher`` is a coroutine."""
        if inspect.isawaitable(self.dispatcher):
            self.dispatcher = await self.dispatcher
            self.dispatcher.register_handler(self)
        return self.dispatcher

    def retire(self) -> None:
        """Lets go of what holds it in a circle, once everything is over: circles wait long for the collector."""
        for name in _CALLED:
            self.__dict__.pop(name, None)
        if isinstance(self.dispatcher, DefaultMessageDispatcher):
            self.dispatcher.messages.clear()
            self.dispatcher.handler = weakref.proxy(self)

    def _go_on(self, fields: Mapping[str, Any]) -> Awaitable[None]:
        """Has the core, and plugins behind the application, handle a message."""
        if self.connection is None:
            return DONE
        return self.application.begin(self._hand_on(self.connection, ClientMessage(fields), handling.get()))

    async def _hand_on(self, connection: HandledConnection, message: ClientMessage, said: ClientMessage | None) -> None:
        if said is not None:  # the reply is to what the client said, whatever became of it
            message.id, message.answered = said.id, said.answered
        try:
            handled = await self.application.push.dispatch_further(connection, message)
            connection.reply(message, handled.reply)
        finally:
            if said is not None:
                said.answered = message.answered

    def _in_order(self, method: Callable[..., Any], *arguments: Any) -> None:
        self._last = asyncio.get_running_loop().create_task(self._after(self._last, method, arguments))

    async def _after(self, last: asyncio.Task[None] | None, method: Callable[..., Any], arguments: Any) -> None:
        if last is not None:
            await asyncio.wait([last])
        try:
            answer = method(*arguments)
            if inspect.isawaitable(answer):
                answer = await answer
            if answer is False:
                self.close(errors.REJECTED.code, errors.REJECTED.reason)
        except Exception:
            log.exception("%s.%s failed; the connection is closed", type(self).__name__, method.__name__)
            self.close(errors.FAILED.code, errors.FAILED.reason)
