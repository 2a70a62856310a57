"""permessage-deflate (RFC 7692): what a websocket agrees on. The ``websockets`` library reads; frames are ours.

Neither side keeps a window between messages (``no_context_takeover``): that is what lets one compressed form serve all
clients, and what keeps a connection as small as without.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from tornado.httputil import HTTPHeaders
from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.headers import build_extension, parse_extension
from websockets.typing import ExtensionParameter

from ..frames import WINDOW_BITS

__all__ = ["Agreement", "agree"]


class Agreement(NamedTuple):
    """What both sides have agreed on."""

    header: str
    """Value of ``Sec-WebSocket-Extensions`` in the answer."""
    extension: Extension
    """Reads what the client sends."""


_FACTORY: Final = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)


def agree(headers: HTTPHeaders) -> Agreement | None:
    """Takes the first of the client's offers that suits; None if none does, and nothing is compressed.

    A client that wants a smaller window from us (``server_max_window_bits``) gets none, since the shared form has the
    full one.
    """
    offered = headers.get("Sec-WebSocket-Extensions")
    if offered is None:
        return None
    try:
        offers = parse_extension(offered)
    except InvalidHeader:
        return None
    for name, parameters in offers:
        if name == _FACTORY.name and (agreement := _answer(parameters)) is not None:
            return agreement
    return None


def _answer(parameters: Sequence[ExtensionParameter]) -> Agreement | None:
    try:
        answer, extension = _FACTORY.process_request_params(parameters, ())
    except NegotiationError:
        return None
    if extension.local_max_window_bits < WINDOW_BITS:
        return None
    return Agreement(build_extension([(_FACTORY.name, answer)]), extension)
