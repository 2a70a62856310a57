"""What SockJS says on the wire: packets for the client, and the messages in what a client sent. No I/O.

The packets are those of sockjs-protocol, "Framing accepted by the client"; each transport wraps them in its own way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from ..frames import quoted

__all__ = ["HEARTBEAT", "OPEN", "BrokenJSON", "NotMessages", "array", "close_packet", "read_messages", "script_string"]

OPEN: Final = b"o"
HEARTBEAT: Final = b"h"

_decoder: msgspec.json.Decoder[str | list[str]] = msgspec.json.Decoder(str | list[str])
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class BrokenJSON(ValueError):
    """What the client sent is not JSON."""


class NotMessages(ValueError):
    """What the client sent is JSON, but neither a text nor a list of texts."""


def array(items: Iterable[bytes]) -> bytes:
    """The packet that carries messages, each as :func:`~sethpusher_core.frames.quoted` gave it."""
    return b"a[%b]" % b",".join(items)


def close_packet(code: int, reason: str) -> bytes:
    """The packet that says why a session is over."""
    return b"c[%d,%b]" % (code, quoted(reason))


def script_string(packet: bytes) -> bytes:
    """A packet as a string literal of JavaScript.

    ``<`` is escaped, too: within an HTML page, as htmlfile sends it, ``</script>`` in a message would end the script
    element, and what follows would be markup of the sender's choice.
    """
    return quoted(packet.decode()).replace(b"<", b"\\u003c")


def read_messages(data: bytes | str) -> str | list[str]:
    """The messages in a body or frame: a list of texts, or a single text where the transport allows it.

    A lone surrogate, which JavaScript knows and UTF-8 does not, becomes U+FFFD, as browsers themselves make it on a
    bare websocket; sockjs-client escapes it, so only here it can be mended.

    Raises:
        BrokenJSON: It is not JSON.
        NotMessages: It is something else.
    """
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as error:
        raise NotMessages(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        messages = _read_with_surrogates(data)
        if messages is None:
            raise BrokenJSON(str(error)) from None
        return messages


def _read_with_surrogates(data: bytes | str) -> list[str] | None:
    try:
        text = data if isinstance(data, str) else data.decode()
        messages = json.loads(text) if _SURROGATE_ESCAPE.search(text) else None
    except (ValueError, RecursionError):
        return None
    if messages is None:
        return None
    if isinstance(messages, str):
        messages = [messages]
    if not isinstance(messages, list) or not all(isinstance(message, str) for message in messages):
        raise NotMessages("not a list of texts")
    return [_LONE_SURROGATE.sub("\ufffd", message) for message in messages]
