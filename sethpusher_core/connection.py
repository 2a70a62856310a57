"""One client: who it is, what it is subscribed to, and the work that its messages make.

Messages of one connection are handled one after the other; a client that sends faster than they can be handled is not
read from until it is. What a client did before it went away is finished, then its leaving is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from . import errors, jsontext, protocol
from .addresses import CHANNEL, COMMON_CHANNEL, Address
from .admission import Admission
from .answers import Handled
from .errors import BackendError, CloseCode, HookError, RequestError
from .identity import ANONYMOUS, Credentials, Identity
from .protocol import ClientMessage
from .roster import Member
from .transports.outlet import Outlet

if TYPE_CHECKING:
    from .backends.base import Position
    from .history import Recovered
    from .server import PushServer

__all__ = ["ClientSession", "Connection"]

log = logging.getLogger("sethpusher.connection")

INBOX_LIMIT: Final = 64
"""Messages that wait before the client is not read from any more."""


class ClientSession(Protocol):
    """What a connection needs of its transport."""

    @property
    def outlet(self) -> Outlet:
        """Where frames go."""

    def close(self, code: int = 3000, message: str = "Go away!") -> None:
        """Ends the connection in good order."""

    def abort(self) -> None:
        """Cuts the line without a word."""

    def pause(self) -> None:
        """Stops reading from the client."""

    def resume(self) -> None:
        """Reads on."""


class Connection:
    """One live client.

    Attributes:
        id: Unique over all nodes.
        server: The server it is connected to.
        transport: ``websocket``, ``rawwebsocket``, ``xhr``, ``xhr_streaming``, ``eventsource``, ...
        remote_ip: Address of the peer, as text.
        identity: Who it is, as far as the server knows.
        admission: Its way past the authenticators; None where none is active.
        closed: Whether it has ended.
    """

    __slots__ = (
        "__weakref__",
        "_allowance",
        "_counted_at",
        "_inbox",
        "_members",
        "_opened",
        "_session",
        "_task",
        "admission",
        "close_code",
        "closed",
        "id",
        "identity",
        "remote_ip",
        "server",
        "transport",
    )

    def __init__(self, server: PushServer, session: ClientSession, id: str, credentials: Credentials) -> None:
        self.server = server
        self.id = id
        self.transport = credentials.transport
        self.remote_ip = credentials.remote_ip
        self.identity: Identity = ANONYMOUS
        self.closed = False
        self.close_code = 1006
        self.admission = None if server.hooks.authenticate is None else Admission(self, credentials)
        self._session = session
        self._members: dict[Address, Member] = {}
        self._inbox: deque[str | bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._opened = False
        self._allowance = float(server.settings.message_rate)
        self._counted_at = monotonic()

    # ------------------------------------------------------------------------------------------- for plugin authors

    @property
    def subscriber_id(self) -> str | None:
        """Who the client says or proves it is; None before ``connect``."""
        return self.identity.subscriber_id

    @property
    def connected(self) -> bool:
        """Whether it has sent ``connect``: it gets what is sent to its user, and is in the channel ``all``."""
        return self.subscriber_id is not None and Address.user(self.subscriber_id) in self._members

    @property
    def channels(self) -> list[str]:
        """The channels it is subscribed to, in the order of subscribing."""
        return [address.name for address in self._members if address.kind == CHANNEL]

    def send(self, message: Any) -> None:
        """Sends a message to this client alone, behind everything that was sent before.

        Raises:
            ValueError, TypeError: The message has no form in JSON.
        """
        self._session.outlet.post(jsontext.encode(message))

    def close(self, code: CloseCode = errors.NORMAL) -> None:
        """Ends the connection in good order."""
        self._session.close(code.code, code.reason)

    def abort(self) -> None:
        """Cuts the line without a word, as a fault of the network would: for tests of how a client comes back."""
        self._session.abort()

    def reply(self, message: ClientMessage, fields: Mapping[str, Any] | None = None) -> None:
        """Answers a message with an ``ack`` if it carries an ``id`` and has not been answered."""
        if message.id is not None and not message.answered:
            self._session.outlet.post(protocol.ack(message.id, fields))
        message.answered = True

    def turn_away(self, error: RequestError, message: ClientMessage | None = None) -> None:
        """Ends the connection because its credentials are missing, bad or cannot be checked.

        Args:
            error: Why.
            message: What showed them, which is answered with the error; None: the handshake.
        """
        if message is not None:
            self._refuse(message, error)
        if self._inbox is not None:
            self._inbox.clear()
        self.close(errors.REJECTED if error.code is errors.UNAUTHENTICATED else errors.FAILED)

    # ----------------------------------------------------------------------------------------- called by transports

    def opened(self) -> None:
        """The line is up. Asks who it is where an authenticator is active, before any message is looked at."""
        if self.admission is None:
            self._opened = True
        else:
            self._start()

    def receive(self, text: str | bytes) -> None:
        """A message has come; an empty one is ignored, as by release 0.2.2."""
        if not text:
            return
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append(text)
        if self._task is None:
            self._start()
        elif len(self._inbox) == INBOX_LIMIT:
            self._session.pause()

    def lost(self, code: int) -> None:
        """The line is down. Frames stop at once; what was sent before is still handled, then everything is left."""
        if self.closed:
            return
        self.closed = True
        self.close_code = code
        if self.admission is not None:
            self.admission.end()
        if self._task is None:
            if not self._members and self.subscriber_id is None and self.server.hooks.disconnected is None:
                self.server.forget(self)
            else:
                self._start()

    async def finished(self) -> None:
        """Waits until a connection that was lost has left everything."""
        if self._task is not None:
            await asyncio.wait([self._task])

    # -------------------------------------------------------------------------------------------------- membership

    async def enter(self, address: Address) -> Position | None:
        """Becomes a member of an address; see :meth:`Interest.enter` for what its return promises.

        Raises:
            RequestError: The backend does not hear the address.
        """
        member = Member(self._session.outlet, self.id)
        try:
            return await self.server.interest.enter(address, member, lambda: self._admit(address, member))
        except BackendError as error:
            log.warning("%s cannot join %s: %s", self.id, address, error)
            raise RequestError(errors.UNAVAILABLE) from error

    def stay(self, address: Address) -> Position | None:
        """Remains a member, and is given at once what was published so far.

        Returns:
            The position after which it misses nothing; None where no history is kept.
        """
        local = self.server.hub.get(address)
        if local is None:
            return None
        local.hand_over(self._members[address])
        return local.position

    async def recover(self, channel: str, since: Position) -> Recovered:
        """Becomes a member of a channel, or one anew, and is given what it missed.

        Raises:
            RequestError: The channel keeps no history, the backend does not hear it, or cannot read it now.
        """
        member = Member(self._session.outlet, self.id)
        address = Address.channel(channel)

        def admit() -> bool:
            if not self.closed:
                self.leave(address, owed=False)  # it is among what is recovered
            return self._admit(address, member)

        try:
            return await self.server.history.recover_into(channel, member, since, admit)
        except BackendError as error:
            log.warning("%s cannot recover %s: %s", self.id, channel, error)
            raise RequestError(errors.UNAVAILABLE) from error

    def _admit(self, address: Address, member: Member) -> bool:
        if not self.closed:
            self._members[address] = member
        return not self.closed

    def is_in(self, address: Address) -> bool:
        """Whether it is a member of an address."""
        return address in self._members

    def leave(self, address: Address, *, owed: bool = True) -> bool:
        """Leaves an address; False if it was not a member. For ``owed`` see :meth:`Local.leave`."""
        member = self._members.pop(address, None)
        if member is None:
            return False
        self.server.interest.leave(address, member, owed)
        return True

    # ------------------------------------------------------------------------------------------------- the work

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            if not self._opened and self.admission is not None:
                self._opened = True
                await self.admission.begin()
            while self._inbox:
                text = self._inbox.popleft()
                await self._handle(text)
                if len(self._inbox) == INBOX_LIMIT // 2:
                    self._session.resume()
            if self.closed:
                await self._leave_everything()
        except Exception:
            log.exception("connection %s failed; closing it", self.id)
            self.close(errors.FAILED)
        finally:
            self._task = None
            if self.closed:
                self.server.forget(self)

    async def _handle(self, text: str | bytes) -> None:
        message = ClientMessage({})
        try:
            message = ClientMessage.decode(text)
            message.check()
            if not self._within_rate():
                raise RequestError(errors.OVERLOADED)
            if self.admission is not None and not await self.admission.admits(message):
                return
            dispatch = self.server.hooks.dispatch
            handled = None if dispatch is None else await dispatch(self, message)
            if handled is None:
                raise RequestError(errors.UNKNOWN_TYPE, f"Wrong type: {message.type[:100]}.")
            self._reply_with(message, handled)
        except RequestError as error:
            self._refuse(message, error)
        except HookError as error:
            log.error("%s: %s", self.id, error, exc_info=error.__cause__)
            self._refuse(message, RequestError(errors.INTERNAL))

    def _reply_with(self, message: ClientMessage, handled: Handled) -> None:
        try:
            self.reply(message, handled.reply)
        except (TypeError, ValueError) as error:  # a plugin's answer has no form in JSON
            log.error("%s: the reply to a %.100s message cannot be sent: %s", self.id, message.type, error)
            raise RequestError(errors.INTERNAL) from error

    def _within_rate(self) -> bool:
        """Takes one from the client's allowance, which fills up at ``message_rate`` per second."""
        rate = self.server.settings.message_rate
        if not rate:
            return True
        now = monotonic()
        self._allowance = min(float(rate), self._allowance + (now - self._counted_at) * rate)
        self._counted_at = now
        if self._allowance < 1.0:
            self.server.counts["messages_over_rate"] += 1
            return False
        self._allowance -= 1.0
        return True

    def _refuse(self, message: ClientMessage, error: RequestError) -> None:
        if message.answered:
            log.warning("%s failed after its answer: %s", self.id, error)
            return
        message.answered = True
        id = message.id if protocol.text_of(message.id) is not None else None
        self._session.outlet.post(protocol.error(id, error.code, error.text))

    async def _leave_everything(self) -> None:
        channels, announced = self.channels, self.connected
        for address in list(self._members):
            self.leave(address)
        server = self.server
        for channel in channels:
            gone = await server.presence.leave(self, channel)
            if channel == COMMON_CHANNEL:
                announced = announced and gone
            if server.hooks.unsubscribed is not None:
                await server.hooks.unsubscribed(self, channel)
        if announced:
            await server.notices.announce(self, "disconnect")
        if server.hooks.disconnected is not None:
            await server.hooks.disconnected(self, self.close_code)
