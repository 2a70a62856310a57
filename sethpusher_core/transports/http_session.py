"""A SockJS session that outlives requests: what waits for a client between them, and how it begins and ends.

Messages wait in the session's backlog until a *receiver* fetches them: a poll takes one packet, a streaming response
many. What waits at the end of a turn of the loop leaves in one packet, since the next one costs a poll a round trip.
While nothing waits, a streaming response takes frames from the fan-out at once, each in a packet of its own.

A session that has ended says so to whoever asks, until it expires (sockjs-protocol, "Framing accepted by the client":
close frame, and "Handling close").
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from .. import errors
from ..errors import CloseCode
from ..frames import Form
from ..identity import Credentials
from .packets import HEARTBEAT, OPEN, array, close_packet
from .session import ABNORMAL, Session

if TYPE_CHECKING:
    from .router import PushRouter

__all__ = ["ANOTHER", "INTERRUPTED", "HttpSession", "Receiver"]

ANOTHER: Final = CloseCode(2010, "Another connection still open")
"""For a second receiver, which gets nothing else; number and text are sockjs-protocol's (``test_simpleSession``)."""
INTERRUPTED: Final = CloseCode(1002, "Connection interrupted")
"""A receiver went away in the middle: messages may be lost, so the session is over (``test_abort_xhr_streaming``)."""

QUIET_BEATS: Final = 4
"""After so many heartbeats without a sign of life a streaming response ends, and the client has to come back.

Websockets have pings; a response has nothing that a client must answer, and the kernel of a stopped client takes
heartbeats for hours. A client that lives comes back at once, as after ``response_limit``; one that does not expires.
"""


class Receiver(ABC):
    """A request that fetches packets, as its session sees it."""

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether it takes a packet now: its response is open, and nothing is being written."""

    @property
    @abstractmethod
    def room(self) -> int:
        """How many bytes its response may still take (``response_limit``); one packet always fits."""

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Whether its response is complete."""

    @abstractmethod
    def begin(self) -> None:
        """Sends what comes before the first packet, if there is such a thing."""

    @abstractmethod
    def send(self, packet: bytes, *, last: bool = False) -> None:
        """Sends a packet; only while it is ready. Calls :meth:`HttpSession.written` when the socket has taken it.

        Args:
            packet: See :mod:`.packets`.
            last: Whether the response ends with it. That of a poll always does.
        """

    def take(self, items: bytes) -> bool:
        """Sends messages straight to the socket, if it can do so at once, and says whether they are its business now.

        Called within the fan-out, and only while nothing waits for the client. What the socket does not take at once
        of a packet must be told to :meth:`HttpSession.left_over`, and is followed by :meth:`HttpSession.written`.

        Args:
            items: Messages as in :attr:`~sethpusher_core.frames.Frame.items`, of a frame that others get, too.
        """
        return False

    @abstractmethod
    def abort(self) -> None:
        """Cuts its connection."""


class HttpSession(Session):
    """A client that comes in HTTP requests.

    Attributes:
        id: The session's id, which the client chose.
        paused: Whether no messages are taken from the client for now.
    """

    __slots__ = (
        "_farewell",
        "_greeted",
        "_in_flight",
        "_on_resume",
        "_quiet",
        "_receiver",
        "_said",
        "_stuck",
        "id",
        "paused",
    )

    def __init__(self, router: PushRouter, id: str, transport_name: str, remote_ip: str) -> None:
        super().__init__(router, Form.SESSION, transport_name, remote_ip)
        self.id = id
        self.paused = False
        self._receiver: Receiver | None = None
        self._farewell: bytes | None = None
        self._said = False
        self._greeted = False
        self._in_flight = 0
        self._on_resume: Callable[[], None] | None = None
        self._quiet = 0
        self._stuck = False

    def start(self, receiver: Receiver, credentials: Credentials) -> None:
        """Begins with its first receiver. The open packet goes out before the SockJSConnection may say anything."""
        self.server.http_sessions.add(self)
        self.server.remember(self)
        self.attach(receiver)
        if not self.closed:  # the client may be gone already
            self.opened(credentials)
            self.flush()

    def turn_away(self, receiver: Receiver, reason: CloseCode, message: bytes) -> None:
        """Instead of :meth:`start`: says one message and is over. No SockJSConnection is made."""
        self.server.http_sessions.add(self)
        self.server.room.parting.add(self)
        self.attach(receiver)
        self.post(message)
        self.close(reason.code, reason.reason)

    # --------------------------------------------------------------------------------------------------- receivers

    @property
    def has_receiver(self) -> bool:
        """Whether a request is fetching its packets."""
        return self._receiver is not None

    def refusal(self, remote_ip: str) -> bytes | None:
        """The packet for a receiver that may not fetch anything; None for one that may.

        With ``verify_ip`` a foreign address is told what a second receiver is told: the session is not its own.
        """
        if not self.belongs_to(remote_ip):
            return close_packet(ANOTHER.code, ANOTHER.reason)
        if self._receiver is None:
            return None
        return self._farewell or close_packet(ANOTHER.code, ANOTHER.reason)

    def belongs_to(self, remote_ip: str) -> bool:
        """Whether requests from an address may use the session (``verify_ip``), to receive and to send alike."""
        return remote_ip == self.remote_ip or not self.server.verify_ip

    def attach(self, receiver: Receiver) -> None:
        """Gives packets to a receiver from now on; only while there is no other."""
        self._receiver = receiver
        self._quiet = 0
        self._stuck = False
        self.server.http_sessions.touch(self)
        receiver.begin()
        self.flush()

    def interrupted(self, receiver: Receiver) -> None:
        """A receiver's connection broke while its response was open."""
        if receiver is not self._receiver:
            return
        self._detach()
        if self._farewell is None:
            self._forget_backlog()
            self._farewell = close_packet(INTERRUPTED.code, INTERRUPTED.reason)
            self.ended(INTERRUPTED.code)

    def left_over(self, size: int) -> None:
        """Of what the receiver took from the fan-out the socket has not taken so many bytes yet."""
        self._in_flight = size
        self._account(size)

    def written(self, receiver: Receiver) -> None:
        """The socket has taken the packet that was sent last."""
        self._stuck = False
        in_flight, self._in_flight = self._in_flight, 0
        if in_flight:
            self._account(-in_flight)
        if receiver.ended and receiver is self._receiver:
            self._detach()
            if self._said:
                self.server.http_sessions.settle(self)

    def _detach(self) -> None:
        self._receiver = None
        self.server.http_sessions.touch(self)

    # ---------------------------------------------------------------------------------------------------- outbound

    @property
    def way(self) -> Callable[[bytes], int | None]:
        """See :attr:`Outlet.way`: always the same, which looks for itself whether something is in the way."""
        return self._take

    def _take(self, items: bytes) -> int | None:
        receiver = self._receiver
        if receiver is None or self.backlog_bytes or self.closed or not receiver.take(items):
            return None
        return len(items)

    def pump(self) -> None:
        """See :meth:`Outlet.pump`; at the end of this turn of the loop."""
        if self._receiver is not None:
            self.server.http_sessions.flush_soon(self)

    def flush(self) -> None:
        """Gives the receiver what it takes now: the open packet, then messages, then the close packet."""
        receiver = self._receiver
        while receiver is not None and receiver.ready:
            if not self._greeted:
                self._greeted = True
                receiver.send(OPEN)
            elif packet := self._next_packet(receiver.room):
                receiver.send(packet)
            elif self._farewell is not None:
                self._said = True
                receiver.send(self._farewell, last=True)
            else:
                return
            receiver = self._receiver

    def _next_packet(self, room: int) -> bytes | None:
        """Messages that wait, oldest first, as many as fit, but at least one; None if none waits."""
        items: list[bytes] = []
        size = 0
        while (size < room) and (entry := self._pop()) is not None:
            items.append(entry.data)
            size += len(entry.data)
        self._in_flight = size  # stays on the account until the socket has taken it
        return array(items) if items else None

    def partial(self, data: bytes, sent: int) -> None:
        """Never called: :attr:`way` takes all or nothing."""
        raise AssertionError("a frame was taken in part")

    def failed(self, data: bytes, error: OSError) -> None:
        """Never called: :attr:`way` raises nothing of that kind."""
        raise AssertionError("a frame failed") from error

    def _forget_backlog(self) -> None:
        super()._forget_backlog()
        self._in_flight = 0

    # ----------------------------------------------------------------------------------------------------- inbound

    def accept(self, messages: Sequence[str]) -> bool:
        """Takes what the client sent in one request, and says whether more may come now.

        A session that is over takes it and drops it, as sockjs-node does: the client, which cannot know yet, would take
        a refusal for the end, and never hear the close code that its next receiver brings.
        """
        self._quiet = 0
        for message in messages:
            self.received(message)
        return not self.paused

    def pause(self) -> None:
        """See :meth:`Session.pause`: the request that is being served is answered only after :meth:`resume`."""
        self.paused = True

    def resume(self) -> None:
        """See :meth:`Session.resume`."""
        self.paused = False
        on_resume, self._on_resume = self._on_resume, None
        if on_resume is not None:
            on_resume()

    def on_resume(self, callback: Callable[[], None]) -> None:
        """Has something done once messages are taken again, or the session is over. For one caller at a time."""
        self._on_resume = callback

    # ----------------------------------------------------------------------------------------------------- the end

    def close(self, code: int = 3000, message: str = "Go away!") -> None:
        """See :meth:`Session.close`."""
        if self.closed:
            return
        self.closed = True
        self._farewell = close_packet(code, message)
        sessions = self.server.http_sessions
        sessions.owe(self)
        sessions.touch(self)
        sessions.flush_soon(self)
        asyncio.get_running_loop().call_soon(self.ended, code)  # not within the fan-out that may have caused it

    def abort(self) -> None:
        """See :meth:`Session.abort`; its id is unknown from now on."""
        self.server.http_sessions.drop(self)

    def ended(self, code: int) -> None:
        """See :meth:`Session.ended`."""
        super().ended(code)
        if self.paused:
            self.resume()

    def expire(self) -> None:
        """Nobody has fetched anything for ``disconnect_delay``: ends it if it is not over, and drops everything."""
        self.server.room.parting.discard(self)
        self.ended(ABNORMAL)
        self._forget_backlog()
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.abort()

    def heartbeat(self) -> None:
        """See :meth:`Session.heartbeat`; ends a client that has not taken a packet since the last one."""
        receiver = self._receiver
        if self.closed or receiver is None:
            return
        if not receiver.ready:
            if self._stuck:
                self._give_up(receiver)
            self._stuck = True
            return
        self._quiet += 1
        receiver.send(HEARTBEAT, last=self._quiet >= QUIET_BEATS)

    def _give_up(self, receiver: Receiver) -> None:
        receiver.abort()
        self._forget_backlog()
        self._detach()
        self.close(errors.SILENT.code, errors.SILENT.reason)
