"""Requests that carry messages from the client: ``xhr_send`` and ``jsonp_send``."""

from __future__ import annotations

from typing import Final

from tornado.escape import parse_qs_bytes

from .exchange import Exchange
from .packets import BrokenJSON, NotMessages, read_messages

__all__ = ["JsonpSend", "XhrSend"]

MAX_MESSAGES: Final = 10_000
"""How many messages one body may hold: what a client gathers while its last request was under way is far less."""

PAYLOAD_EXPECTED: Final = b"Payload expected."
BROKEN_JSON: Final = b"Broken JSON encoding."
"""Texts of sockjs-protocol (``test_invalid_json``), with status 500; the session lives on."""


class XhrSend(Exchange):
    """``xhr_send``: the body is a list of texts."""

    methods = ("POST",)
    keeps_body = True

    def respond(self) -> None:
        """Hands the messages on; answered once the application takes more."""
        session = self.router.http_sessions.get(self.session_id)
        if session is None or not session.belongs_to(self.request.remote_ip or ""):
            self.answer(404, b"No such session.\n")
            return
        if session.paused:
            self.answer(429, b"Too much at once.\n", extra={"Retry-After": "1"})
            return
        messages = self._read()
        if messages is None:
            return
        if session.accept(messages):
            self.answer_taken()
        else:
            self._answered = True
            session.on_resume(self.answer_taken)

    def answer_taken(self) -> None:
        """Says that the messages have been taken.

        A Content-Type beside an empty body, since Firefox took it for broken XML (``XhrPolling.test_transport``).
        """
        self.answer(204)

    def payload(self) -> bytes:
        """The JSON text in the body."""
        return bytes(self.body)

    def _read(self) -> list[str] | None:
        """The messages; None if they cannot be taken and the client has been told."""
        payload = self.payload()
        if not payload:
            self.answer(500, PAYLOAD_EXPECTED)
            return None
        try:
            messages = read_messages(payload)
        except BrokenJSON:
            self.answer(500, BROKEN_JSON)
            return None
        except NotMessages:
            messages = ""
        if isinstance(messages, str):
            self.answer(500, PAYLOAD_EXPECTED)
            return None
        limit = self.router.max_message_size
        if len(messages) > MAX_MESSAGES:
            self.answer(413, b"Too many messages.\n")
            return None
        if len(payload) > limit and any(len(message.encode()) > limit for message in messages):
            self.router.room.counts["messages_over_size"] += 1
            self.answer(413, b"A message is too large.\n")
            return None
        return messages


class JsonpSend(XhrSend):
    """``jsonp_send``: a form with the list in its field ``d``, or the list itself as plain text."""

    def answer_taken(self) -> None:
        """Says that the messages have been taken, in words, since Konqueror did not know what to do with a 204."""
        self.answer(200, b"ok")

    def payload(self) -> bytes:
        """The JSON text in the body."""
        if not self.request.headers.get("Content-Type", "").lower().startswith("application/x-www-form-urlencoded"):
            return super().payload()
        values = parse_qs_bytes(bytes(self.body), keep_blank_values=True).get("d")
        return values[-1] if values else b""
