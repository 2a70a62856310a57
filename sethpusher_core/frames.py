"""What goes out to many clients at once: envelopes, and their wire forms, each built at most once.

A :class:`Frame` holds what was published to one channel within one turn of the loop. Every transport that carries it
takes one of its forms; a form is built when the first client needs it and shared by all.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

__all__ = ["WINDOW_BITS", "Form", "Frame", "deflated_frame", "quoted", "websocket_frame"]

DEFLATE_FROM: Final = 256
"""Bytes of the smallest message that is compressed: below that little is won, and it costs more than sending."""
DEFLATE_UP_TO: Final = 2**19
"""Bytes of the largest frame that is compressed: it holds the loop, for 5 ms here, and 20 ms at the worst."""
DEFLATE_LEVEL: Final = 1
"""A fifth larger than zlib's usual 6, in a quarter of the time."""
WINDOW_BITS: Final = 15
"""The window that whoever reads a compressed frame must have."""

_quote: Final = json.encoder.encode_basestring

# What a SockJS server must escape beyond JSON's own rules, since browsers mangle it (sockjs-protocol, "Encoding");
# lone surrogates have no UTF-8 at all.
_FRAGILE: Final = re.compile("[\u200c-\u200f\u2028-\u202f\u2060-\u206f\ud800-\udfff\ufff0-\uffff]")

_RSV1: Final = 0x40
"""The bit that says that a message is compressed (RFC 7692, section 6)."""


class Form(IntEnum):
    """The shape in which a connection takes frames."""

    FRAMED = 0
    """SockJS text ``a[...]`` in a websocket frame."""
    BARE = 1
    """One websocket frame per message, without SockJS."""
    SESSION = 2
    """Quoted messages, for a SockJS session that keeps them until a request fetches them."""
    FRAMED_DEFLATED = 3
    """``FRAMED`` for a client that reads compressed messages, too; small ones are as in ``FRAMED``."""
    BARE_DEFLATED = 4
    """``BARE`` for such a client."""


def quoted(text: str) -> bytes:
    """A message as it stands inside a SockJS array: JSON text of the string, fragile characters escaped."""
    literal: str = _quote(text)
    if not literal.isascii():
        literal = _FRAGILE.sub(_escape, literal)
    return literal.encode()


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def websocket_frame(payload: bytes, opcode: int = 1) -> bytes:
    """A whole unmasked frame as a server sends it (RFC 6455, section 5.2). Opcode 1 is text."""
    size = len(payload)
    first = 0x80 | opcode
    if size < 126:
        return b"%c%c%b" % (first, size, payload)
    if size < 65536:
        return b"%c\x7e%b%b" % (first, size.to_bytes(2, "big"), payload)
    return b"%c\x7f%b%b" % (first, size.to_bytes(8, "big"), payload)


def deflated_frame(payload: bytes) -> bytes:
    """A text in a compressed frame that needs nothing of those before it (RFC 7692), or plain if nothing is won."""
    if len(payload) < DEFLATE_FROM:
        return websocket_frame(payload)
    deflate = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -WINDOW_BITS)
    data = deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH)
    data = data[:-4]  # the empty block, which the reader adds (section 7.2.1)
    return websocket_frame(data, _RSV1 | 1) if len(data) < len(payload) else websocket_frame(payload)


class Frame:
    """Envelopes that leave together, oldest first, and their forms.

    Attributes:
        envelopes: JSON texts, at least one.
    """

    __slots__ = ("_bare", "_deflated", "_framed", "_items", "envelopes")

    def __init__(self, envelopes: Sequence[bytes]) -> None:
        self.envelopes = envelopes
        self._items: bytes | None = None
        self._framed: bytes | None = None
        self._bare: bytes | None = None
        self._deflated: dict[Form, bytes] | None = None

    @property
    def items(self) -> bytes:
        """The messages as they stand in a SockJS array, joined by commas, without the brackets."""
        if self._items is None:
            self._items = b",".join([quoted(envelope.decode()) for envelope in self.envelopes])
        return self._items

    @property
    def framed(self) -> bytes:
        """The SockJS array in one websocket frame."""
        if self._framed is None:
            self._framed = websocket_frame(b"a[%b]" % self.items)
        return self._framed

    @property
    def bare(self) -> bytes:
        """Each message in a websocket frame of its own."""
        if self._bare is None:
            self._bare = b"".join([websocket_frame(envelope) for envelope in self.envelopes])
        return self._bare

    def form(self, form: Form) -> bytes:
        """The bytes for one form."""
        if form is Form.SESSION:  # asked for once per session, the others mostly once per fan-out
            return self.items
        if form is Form.FRAMED:
            return self.framed
        return self.bare if form is Form.BARE else self._compressed(form)

    def _compressed(self, form: Form) -> bytes:
        if self._deflated is None:
            self._deflated = {}
        data = self._deflated.get(form)
        if data is None:
            data = self._deflated[form] = self._compress(form)
        return data

    def _compress(self, form: Form) -> bytes:
        plain = self.framed if form is Form.FRAMED_DEFLATED else self.bare
        if not DEFLATE_FROM <= len(plain) <= DEFLATE_UP_TO:
            return plain
        if form is Form.FRAMED_DEFLATED:
            return deflated_frame(b"a[%b]" % self.items)
        return b"".join([deflated_frame(envelope) for envelope in self.envelopes])
