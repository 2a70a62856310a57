"""The URLs of a SockJS endpoint (sockjs-protocol, "Static URLs" and "Session URLs")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any, Final

from tornado.routing import PathMatches

from ..frames import Form
from ..front.server import Lane
from .exchange import Endpoint, Exchange
from .handshake import WebSocketEndpoint
from .pages import Greeting, IframePage, Info
from .polling import JsonpPoll, XhrPoll
from .sending import JsonpSend, XhrSend
from .streaming import EventSourceStream, HtmlFileStream, XhrStream

if TYPE_CHECKING:
    from .router import PushRouter

__all__ = ["TRANSPORTS", "endpoint_rules", "polling_lanes", "transports_without", "websocket_lanes"]

TRANSPORTS: Final = ("websocket", "rawwebsocket", "xhr_streaming", "eventsource", "htmlfile", "xhr", "jsonp")
"""The transports by their SockJS names; ``rawwebsocket`` is the bare endpoint."""

_RECEIVERS: Final[Mapping[str, type[Exchange]]] = {
    "xhr": XhrPoll,
    "xhr_streaming": XhrStream,
    "eventsource": EventSourceStream,
    "htmlfile": HtmlFileStream,
    "jsonp": JsonpPoll,
}
_WHOLE: Final = ("xhr", "xhr_send", "jsonp", "jsonp_send")
"""Those whose answers have a length, and leave the connection to the next request."""
_ALIASES: Final = {"xhr_polling": "xhr", "jsonp_polling": "jsonp"}


def transports_without(disabled: Iterable[str]) -> tuple[str, ...]:
    """The transports that are offered.

    Raises:
        ValueError: A name that is no transport's.
    """
    names = {name.replace("-", "_") for name in disabled}
    names = {_ALIASES.get(name, name) for name in names}
    unknown = sorted(names.difference(TRANSPORTS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is none of {', '.join(TRANSPORTS)}")
    return tuple(name for name in TRANSPORTS if name not in names)


def endpoint_rules(router: PushRouter, prefix: str, transports: Iterable[str]) -> list[Any]:
    """Rules for a Tornado Application.

    The part before the session's id is for load balancers and ignored; neither part may be empty or hold a dot
    (``SessionURLs``). What no rule matches is left to the application, which answers 404.
    """
    base, session = _bases(prefix)
    offered = set(transports)
    rules: list[Any] = [(PathMatches(lane.path), lane.endpoint) for lane in websocket_lanes(router, prefix, offered)]
    exchanges = {f"{session}/{name}$": exchange for name, exchange in _session_exchanges(offered).items()}
    exchanges[f"{base}/info$"] = Info
    exchanges[rf"{base}/iframe[0-9-.a-z_]*\.html$"] = IframePage
    exchanges[f"{base}/?$"] = Greeting
    return [*rules, *((PathMatches(path), Endpoint(router, exchange)) for path, exchange in exchanges.items())]


def websocket_lanes(router: PushRouter, prefix: str, transports: Iterable[str]) -> list[Lane]:
    """Where websockets begin."""
    base, session = _bases(prefix)
    lanes = {"websocket": (f"{session}/websocket$", Form.FRAMED), "rawwebsocket": (f"{base}/websocket$", Form.BARE)}
    offered = [lanes[name] for name in lanes if name in transports]
    return [Lane("GET", re.compile(path), WebSocketEndpoint(router, form), True) for path, form in offered]


def polling_lanes(router: PushRouter, prefix: str, transports: Iterable[str]) -> list[Lane]:
    """Where polls come, and what their clients send."""
    _, session = _bases(prefix)
    return [
        Lane(exchange.methods[0], re.compile(f"{session}/{name}"), Endpoint(router, exchange))
        for name, exchange in _session_exchanges(set(transports)).items()
        if name in _WHOLE
    ]


def _session_exchanges(offered: Set[str]) -> dict[str, type[Exchange]]:
    """What serves the URLs of a session, by their last part; websockets aside."""
    exchanges = {name: exchange for name, exchange in _RECEIVERS.items() if name in offered}
    if offered & {"xhr", "xhr_streaming", "eventsource", "htmlfile"}:
        exchanges["xhr_send"] = XhrSend
    if "jsonp" in offered:
        exchanges["jsonp_send"] = JsonpSend
    return exchanges


def _bases(prefix: str) -> tuple[str, str]:
    """What the paths of an endpoint begin with, and those of a session."""
    base = re.escape(prefix)
    return base, base + r"/[^/.]+/(?P<session_id>[^/.]{1,128})"
