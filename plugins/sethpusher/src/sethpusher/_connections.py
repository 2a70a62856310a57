"""Connections that know the handler which serves them, and those that ask the application before they join or leave.

Only an application that overrides ``add_subscriber`` or ``remove_subscriber``, or brings a subscriber of its own, pays
for being asked: once per joining and leaving, never per message sent.
"""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any, cast

from sethpusher_core.addresses import CHANNEL, Address
from sethpusher_core.connection import Connection
from sethpusher_core.history import Recovered
from sethpusher_core.roster import Member

from ._work import is_pending

if TYPE_CHECKING:
    from sethpusher_core.backends.base import Position
    from sethpusher_core.connection import ClientSession
    from sethpusher_core.identity import Credentials
    from sethpusher_core.server import PushServer

    from ._server import ClassServer
    from .applications import DefaultSethApplication
    from .ws.views import SethSocketHandler

__all__ = ["AskingConnection", "HandledConnection", "connection_of"]

log = logging.getLogger("sethpusher.application")


class HandledConnection(Connection):
    """A connection of a class application.

    Attributes:
        handler: The SethSocketHandler that serves it; None until its ``on_open`` has made it.
    """

    __slots__ = ("handler",)

    def __init__(self, server: PushServer, session: ClientSession, id: str, credentials: Credentials) -> None:
        super().__init__(server, session, id, credentials)
        self.handler: SethSocketHandler | None = None

    @property
    def application(self) -> DefaultSethApplication:
        """The application whose client it is."""
        return cast("ClassServer", self.server).owner

    def has_joined(self, channel: str) -> bool:
        """Whether it gets what is sent in a channel."""
        return self.is_in(Address.channel(channel))

    def admit_now(self, channel: str) -> bool:
        """Joins at once if it is just about to; False if that is not so."""
        return False

    def dismiss_now(self, channel: str) -> bool:
        """Leaves at once if it is just about to; False if that is not so."""
        return False

    async def let_in(self, channel: str) -> None:
        """Joins by the application's own word: neither authorized nor announced."""
        address = Address.channel(channel)
        if self.closed or self.has_joined(channel):
            return
        known = self.is_in(address)
        await self.enter(address)
        if known:
            return
        await self.server.presence.enter(self, channel)
        if self.server.hooks.subscribed is not None:
            await self.server.hooks.subscribed(self, channel)

    async def let_out(self, channel: str) -> None:
        """Leaves by the application's own word; not announced."""
        if not self.leave(Address.channel(channel)):
            return
        await self.server.presence.leave(self, channel)
        if self.server.hooks.unsubscribed is not None:
            await self.server.hooks.unsubscribed(self, channel)


class AskingConnection(HandledConnection):
    """Joins and leaves channels through ``add_subscriber`` and ``remove_subscriber`` of its application.

    A plain override is called at the moment of joining: when its ``super().add_subscriber(...)`` returns the client is
    in. A coroutine is asked before, and the client joins when it has ended. One that does not call super keeps the
    client out, or in; at the end of a connection it is taken out of everything, whatever an override says.
    """

    __slots__ = ("_asked", "_asking", "_dismissing", "_joined", "_unasked")

    def __init__(self, server: PushServer, session: ClientSession, id: str, credentials: Credentials) -> None:
        super().__init__(server, session, id, credentials)
        self._joined: set[Address] = set()
        """Channels in which it is a member in the hub; those that an override kept it out of are in _members only."""
        self._unasked: set[Address] = set()
        self._asked: tuple[Address, Member] | None = None
        self._asking: dict[Address, bool] = {}
        self._dismissing: Address | None = None

    # ------------------------------------------------------------------------------------------------------- joining

    async def enter(self, address: Address) -> Position | None:
        """See :meth:`Connection.enter`."""
        if not self._wants_to_wait(address):
            return await super().enter(address)
        if not await self._approved(address):
            return None
        self._unasked.add(address)
        try:
            return await super().enter(address)
        finally:
            self._unasked.discard(address)

    def stay(self, address: Address) -> Position | None:
        """See :meth:`Connection.stay`; who was kept out is given nothing."""
        return super().stay(address) if address in self._joined else None

    async def recover(self, channel: str, since: Position) -> Recovered:
        """See :meth:`Connection.recover`; who is in already is not asked again."""
        address = Address.channel(channel)
        if address not in self._joined and self._wants_to_wait(address):
            if not await self._approved(address):
                return Recovered(None, False, ())
            self._unasked.add(address)
        elif address in self._joined:
            self._unasked.add(address)
        try:
            return await super().recover(channel, since)
        finally:
            self._unasked.discard(address)

    async def let_in(self, channel: str) -> None:
        """See :meth:`HandledConnection.let_in`: whoever asks for it has asked the application."""
        address = Address.channel(channel)
        self._unasked.add(address)
        try:
            await super().let_in(channel)
        finally:
            self._unasked.discard(address)

    def has_joined(self, channel: str) -> bool:
        """See :class:`HandledConnection`."""
        return Address.channel(channel) in self._joined

    def admit_now(self, channel: str) -> bool:
        """See :class:`HandledConnection`."""
        address = Address.channel(channel)
        if address in self._asking:
            self._asking[address] = True
            return True
        if self._asked is not None and self._asked[0] == address and address not in self._joined:
            self.server.interest.join(*self._asked)
            self._joined.add(address)
        return address in self._joined

    def _admit(self, address: Address, member: Member) -> bool:
        if self.closed or address.kind != CHANNEL:
            return super()._admit(address, member)
        if address in self._unasked:
            self._joined.add(address)
            return super()._admit(address, member)
        self._members[address] = member
        self._asked = address, member
        try:
            self.application.continue_with(self.application.add_subscriber(address.name, self.handler))
        except BaseException:
            self._part(address)
            raise
        finally:
            self._asked = None
        return False  # it has joined by itself, or stays out

    def _wants_to_wait(self, address: Address) -> bool:
        """Whether the application must be asked by a coroutine."""
        waits = inspect.iscoroutinefunction(self.application.add_subscriber)
        return waits and address.kind == CHANNEL and address not in self._unasked

    async def _approved(self, address: Address) -> bool:
        self._asking[address] = False
        try:
            await self.application.add_subscriber(address.name, self.handler)
        finally:
            approved = self._asking.pop(address)
        if not approved and not self.closed:
            self._members[address] = Member(self._session.outlet, self.id)
        return approved

    # ------------------------------------------------------------------------------------------------------- leaving

    def leave(self, address: Address, *, owed: bool = True) -> bool:
        """See :meth:`Connection.leave`; False also if the application keeps the client in."""
        if address.kind != CHANNEL:
            return super().leave(address, owed=owed)
        if address not in self._members:
            return False
        if not owed or address in self._unasked:
            return self._part(address, owed=owed)
        self._ask_to_leave(address)
        if address in self._joined and not self.closed:
            return False
        self._part(address)
        return True

    async def let_out(self, channel: str) -> None:
        """See :meth:`HandledConnection.let_out`: whoever asks for it has asked the application."""
        address = Address.channel(channel)
        self._unasked.add(address)
        try:
            await super().let_out(channel)
        finally:
            self._unasked.discard(address)

    def dismiss_now(self, channel: str) -> bool:
        """See :class:`HandledConnection`."""
        address = Address.channel(channel)
        if self._dismissing != address:
            return False
        self._part(address)
        return True

    def _ask_to_leave(self, address: Address) -> None:
        self._dismissing = address
        try:
            answer: Any = self.application.remove_subscriber(address.name, self.handler)
            if is_pending(answer):  # leaving does not wait
                self._part(address)
            self.application.continue_with(answer)
        except Exception:
            if not self.closed:
                raise
            log.exception("remove_subscriber failed for channel %s of a connection that has ended", address.name)
        finally:
            self._dismissing = None

    def _part(self, address: Address, *, owed: bool = True) -> bool:
        """Leaves, asked or not."""
        if address in self._joined:
            self._joined.discard(address)
            return super().leave(address, owed=owed)
        return self._members.pop(address, None) is not None


def connection_of(subscriber: Any) -> HandledConnection:
    """The core's side of a handler.

    Raises:
        TypeError: It is no handler of an application, or has not been opened.
    """
    connection = getattr(subscriber, "connection", None)
    if not isinstance(connection, HandledConnection):
        raise TypeError(f"{subscriber!r} is no SethSocketHandler of an application's endpoint")
    return connection
