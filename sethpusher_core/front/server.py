"""The HTTPServer at the front door: who comes is a visitor first, and Tornado's as soon as something is not plain."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tornado.httputil import HTTPServerConnectionDelegate
from tornado.iostream import IOStream

from ..proxies import ProxiedServer, TrustedProxies
from .head import Head
from .visitor import Visitor

if TYPE_CHECKING:
    from ..server import PushServer

__all__ = ["FrontServer", "Lane", "http_server"]

BODY_TIMEOUT: Final = 30.0
"""Seconds that a request has to bring its body."""
IDLE_TIMEOUT: Final = 120.0
"""Seconds that an HTTP connection may wait for its next request, or take to send the headers of one."""

MAX_HEADERS: Final = 65536
"""Bytes that the headers of a request may have together."""
SWEEP_SECONDS: Final = 1.0
"""Between two looks for connections that wait too long."""

_STAYS_OR_GOES: Final = ("", "keep-alive", "close")
"""What the header Connection of a plain request may say that is no handshake."""


class Lane(NamedTuple):
    """Requests that may be served at the front door.

    Attributes:
        method: ``GET`` or ``POST``.
        path: What the path, without the query, must match as a whole.
        endpoint: Serves them. Its connection is a :class:`~.visitor.Visitor`. It answers after the request has come as
            a whole, at once or later, and with all of the answer; or it takes the stream.
        upgrades: Whether they are handshakes, which ask for another protocol. Others must not.
    """

    method: str
    path: re.Pattern[str]
    endpoint: HTTPServerConnectionDelegate
    upgrades: bool = False


class FrontServer(ProxiedServer):
    """An HTTPServer with a front door.

    Attributes:
        visitors: Connections that have shown nothing but plain requests so far.
    """

    visitors: set[Visitor]

    def initialize(  # type: ignore[override]  # it passes on what Tornado's takes
        self,
        *arguments: Any,
        lanes: Sequence[Lane] = (),
        body_timeout: float,
        idle_connection_timeout: float,
        max_body_size: int,
        **options: Any,
    ) -> None:
        """Tornado's way to construct a server.

        Args:
            *arguments: As for HTTPServer.
            lanes: What is served at the front door.
            body_timeout: Seconds that a body may take.
            idle_connection_timeout: Seconds between two requests.
            max_body_size: Bytes of a body.
            **options: As for HTTPServer, and ProxiedServer.
        """
        super().initialize(
            *arguments,
            body_timeout=body_timeout,
            idle_connection_timeout=idle_connection_timeout,
            max_body_size=max_body_size,
            **options,
        )
        self.visitors = set()
        self._lanes: dict[tuple[str, bool], list[Lane]] = {}
        for lane in lanes:
            self._lanes.setdefault((lane.method, lane.upgrades), []).append(lane)
        self._body_timeout = body_timeout
        self._idle_timeout = idle_connection_timeout
        self._max_body_size = max_body_size
        self._sweeper: asyncio.TimerHandle | None = None

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """See Tornado's TCPServer."""
        if not self._lanes or type(stream) is not IOStream:  # TLS reads on its own
            self.receive(stream, address)
            return
        self.visitors.add(Visitor(self, stream, address))
        if self._sweeper is None:
            self._sweep()

    def receive(self, stream: IOStream, address: Any) -> None:
        """Hands a connection to Tornado."""
        super().handle_stream(stream, address)

    def find(self, head: Head) -> tuple[HTTPServerConnectionDelegate, re.Match[str]] | None:
        """Who serves a request here, and what its path was matched by; None if nobody does."""
        connection = head.headers.get("Connection", "").lower()
        upgrades = head.method == "GET" and "upgrade" in connection
        if not upgrades and (
            connection not in _STAYS_OR_GOES or "Upgrade" in head.headers or head.length > self._max_body_size
        ):
            return None
        path = head.target.partition("?")[0]
        for lane in self._lanes.get((head.method, upgrades), ()):
            if found := lane.path.fullmatch(path):
                return lane.endpoint, found
        return None

    async def close_all_connections(self) -> None:
        """See Tornado's HTTPServer."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for visitor in list(self.visitors):
            visitor.close()
        await super().close_all_connections()

    def _sweep(self) -> None:
        """Ends the connections that have waited too long; one timer for all of them."""
        self._sweeper = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for visitor in list(self.visitors):
            limit = self._body_timeout if visitor.wants_body else self._idle_timeout
            if visitor.since and now - visitor.since > limit:
                visitor.close()
        if self.visitors:
            self._sweeper = loop.call_later(min(SWEEP_SECONDS, self._body_timeout), self._sweep)


def http_server(
    server: PushServer,
    trusted: TrustedProxies,
    *,
    body_timeout: float = BODY_TIMEOUT,
    idle_timeout: float = IDLE_TIMEOUT,
) -> FrontServer:
    """What listens: with every bound that a slow or greedy caller meets."""
    return FrontServer(
        server.application(),
        lanes=server.lanes(),
        trusted=trusted,
        body_timeout=body_timeout,
        idle_connection_timeout=idle_timeout,
        max_body_size=server.settings.max_body_size,
        max_header_size=MAX_HEADERS,
    )
