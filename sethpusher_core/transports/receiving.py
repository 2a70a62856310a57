"""Requests that fetch a session's packets: what polls and streaming responses share."""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from typing import ClassVar, Final

from ..identity import Credentials
from .exchange import Exchange
from .http_session import HttpSession, Receiver

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
        callback: Its name, checked.
    """

    transport: ClassVar[str]
    takes_callback: ClassVar[bool] = False
    callback: str = ""

    _session: HttpSession | None = None
    _writing = False
    _last = False
    _ended = False
    _last_words: bytes | None = None

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
        self._watch(self.write_packet(packet))

    def abort(self) -> None:
        """See :class:`Receiver`."""
        self._session = None
        self._connection.close()

    # ------------------------------------------------------------------------------------------- what transports say

    def begin(self) -> asyncio.Future[None] | None:
        """Sends what comes before the first packet, and says when it is out; None if there is no such thing."""
        return None

    @abstractmethod
    def write_packet(self, packet: bytes) -> asyncio.Future[None]:
        """Writes a packet in the transport's form, and says when the socket has taken it."""

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
        session = self.router.http_sessions.get(self.session_id)
        if session is None:
            self._open_session()
            return
        refusal = session.refusal(self.request.remote_ip or "")
        if refusal is None:
            self._begin(session)
            session.attach(self)
        else:
            self._last_words = refusal
            self._begin(None)
            self._say_last_words()

    def _open_session(self) -> None:
        router = self.router
        if not router.has_room():
            self.answer(503, b"Too many sessions.\n", extra={"Retry-After": "5"})
            return
        session = HttpSession(router, self.session_id, self.transport, self.request.remote_ip or "")
        self._begin(session)
        session.start(self, Credentials.of_request(self.request, purpose="connection", transport=self.transport))

    def _read_callback(self) -> bool:
        """Reads the name of the function to call; answers 500, as sockjs-protocol has it, if there is none."""
        arguments = self.request.query_arguments
        values = arguments.get("c") or arguments.get("callback")
        if not values:
            self.answer(500, CALLBACK_MISSING)
            return False
        self.callback = values[-1].decode("latin-1")
        if not _CALLBACK.fullmatch(self.callback):
            self.answer(500, CALLBACK_WRONG)
            return False
        return True

    def _begin(self, session: HttpSession | None) -> None:
        self._session = session
        self._connection.set_close_callback(self._gone)
        begun = self.begin()
        if begun is not None:
            self._watch(begun)

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
            if self.request.version == "HTTP/1.0" and self._streams:
                self._connection.close()  # its only sign of a response's end, whatever Connection says
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

    _streams: ClassVar[bool] = False
