"""Requests that fetch a session's packets: what polls and streaming responses share."""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

from tornado.escape import parse_qs_bytes
from tornado.httputil import HTTPServerRequest

from ..front.request import PlainRequest
from ..identity import Credentials
from .exchange import Exchange
from .http_session import HttpSession, Receiver

if TYPE_CHECKING:
    from .router import PushRouter

__all__ = ["CALLBACK_MISSING", "CALLBACK_WRONG", "SCRIPT", "PacketExchange"]

SCRIPT: Final = "application/javascript; charset=UTF-8"

CALLBACK_MISSING: Final = b'"callback" parameter required'
CALLBACK_WRONG: Final = b'invalid "callback" parameter'
"""Texts of sockjs-protocol (``test_no_callback``, ``test_invalid_callback``)."""

# What becomes code in the answer. sockjs-protocol would let a minus pass, too, but no name of a function has one.
_CALLBACK: Final = re.compile(r"[a-zA-Z0-9_.]{1,128}")


class PacketExchange(Exchange, Receiver):
    """A request whose answer is a session's packets.

    Attributes:
        transport: The transport's SockJS name.
        takes_callback: Whether the query names a function of the page.
        ends_with_connection: Whether the answer's length is not told, so that in HTTP/1.0 the connection's end is its
            end, whatever the client's ``Connection`` header wishes.
        callback: The function's name, checked.
    """

    transport: ClassVar[str]
    takes_callback: ClassVar[bool] = False
    ends_with_connection: ClassVar[bool] = False
    callback: str

    def __init__(self, router: PushRouter, request: HTTPServerRequest | PlainRequest, session_id: str) -> None:
        super().__init__(router, request, session_id)
        self.callback = ""
        self._session: HttpSession | None = None
        self._last_words: bytes | None = None
        self._writing = False
        self._last = False
        self._ended = False

    # ------------------------------------------------------------------------------------------- see :class:`Receiver`

    @property
    def ready(self) -> bool:
        """See :class:`Receiver`."""
        return not (self._writing or self._ended or self._connection.stream.closed())

    @property
    def ended(self) -> bool:
        """See :class:`Receiver`."""
        return self._ended

    def send(self, packet: bytes, *, last: bool = False) -> None:
        """See :class:`Receiver`."""
        self._last = last
        write = self.write_packet(packet)
        if write is None:
            self._written()
        else:
            self._watch(write)

    def abort(self) -> None:
        """See :class:`Receiver`."""
        self._session = None
        self._connection.close()

    def begin(self) -> None:
        """See :class:`Receiver`."""
        prelude = self.write_prelude()
        if prelude is not None:
            self._watch(prelude)

    # ------------------------------------------------------------------------------------------- what transports say

    def write_prelude(self) -> asyncio.Future[None] | None:
        """Writes what comes before the first packet; None if there is no such thing. See :meth:`write_packet`."""
        return None

    @abstractmethod
    def write_packet(self, packet: bytes) -> asyncio.Future[None] | None:
        """Writes a packet in the transport's form, and says when the socket has taken it; None if it has."""

    @property
    def complete(self) -> bool:
        """Whether the response ends after what was written."""
        return self._last

    # --------------------------------------------------------------------------------------------------- the request

    def respond(self) -> None:
        """Fetches from the session of this id, or opens it."""
        if self.takes_callback and not self._read_callback():
            return
        self._answered = True
        self._connection.set_close_callback(self._gone)
        session = self.router.http_sessions.get(self.session_id)
        if session is None:
            self._open_session()
        elif refusal := session.refusal(self.request.remote_ip or ""):
            self._last_words = refusal
            self.begin()
            self._say_last_words()
        else:
            self._session = session
            session.attach(self)
        if self._connection.stream.closed():  # before Tornado listens for that: it went right after its request
            self._gone()

    def on_connection_close(self) -> None:
        """See Tornado, which also calls it when :meth:`respond` has failed."""
        super().on_connection_close()
        self._gone()

    def _open_session(self) -> None:
        router = self.router
        remote_ip = self.request.remote_ip or ""
        reason = router.refusal(remote_ip)
        message = b"" if reason is None else router.farewell(line=False)
        if message is None:
            self.answer(503, b"Too many sessions.\n", extra={"Retry-After": "5"})
            return
        self._session = session = HttpSession(router, self.session_id, self.transport, remote_ip)
        if reason is not None:
            session.turn_away(self, reason, message)
            return
        session.start(self, Credentials.of_request(self.request, purpose="connection", transport=self.transport))

    def _read_callback(self) -> bool:
        """Reads the name of the function to call; answers 500, as sockjs-protocol has it, if there is none."""
        arguments = parse_qs_bytes(self.request.uri.partition("?")[2], keep_blank_values=True)
        values = arguments.get("c") or arguments.get("callback")
        if not values or not values[-1]:
            self.answer(500, CALLBACK_MISSING)
            return False
        self.callback = values[-1].decode("latin-1")
        if not _CALLBACK.fullmatch(self.callback):
            self.answer(500, CALLBACK_WRONG)
            return False
        return True

    def _say_last_words(self) -> None:
        """Sends the one packet that a receiver without a session gets."""
        if self._last_words is not None and self.ready:
            words, self._last_words = self._last_words, None
            self.send(words, last=True)

    # --------------------------------------------------------------------------------------------------- the writing

    def _watch(self, write: asyncio.Future[None]) -> None:
        """Goes on when a write is out: at once, mostly, since the socket takes it."""
        if write.done():
            self._written()
        else:
            self._writing = True
            write.add_done_callback(self._written_later)

    def _written_later(self, _: asyncio.Future[None]) -> None:
        self._writing = False
        session = self._session
        self._written()
        if session is not None:
            session.flush()
        self._say_last_words()

    def _written(self) -> None:
        if self._connection.stream.closed():  # Tornado's writes do not fail then, they just end
            self._gone()
            return
        if self.complete:
            self._ended = True
            self._connection.finish()
            if self.ends_with_connection and self.request.version == "HTTP/1.0":
                self._connection.close()
        session = self._session
        if session is not None:
            if self._ended:
                self._session = None
            session.written(self)

    def _gone(self) -> None:
        """The connection broke before the response was complete."""
        session, self._session = self._session, None
        self._ended = True
        if session is not None:
            session.interrupted(self)
