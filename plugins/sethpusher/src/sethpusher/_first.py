"""Requests that come before the server has been started: the first one starts it.

An application of release 0.2.2 was served by any HTTPServer on any loop; nothing had to be started.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine

from sethpusher_core.errors import SettingsError

if TYPE_CHECKING:
    from ._server import ClassServer

__all__ = ["FirstRequest"]


class FirstRequest(HTTPMessageDelegate):
    """A request that waits until the server runs. If it cannot, it is answered as by one that does not run."""

    def __init__(self, push: ClassServer, find: Callable[[], HTTPMessageDelegate]) -> None:
        """Makes one.

        Args:
            push: The server.
            find: Gives what serves the request.
        """
        self._push = push
        self._find = find
        self._delegate: HTTPMessageDelegate | None = None
        self._gone = False

    async def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        """See Tornado: the body is not read before this returns."""
        try:
            await self._push.ensure_started()
        except SettingsError:
            pass  # logged where it was started
        if self._gone:
            return
        self._delegate = self._find()
        answer = self._delegate.headers_received(start_line, headers)
        if answer is not None:
            await answer

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """See Tornado."""
        return None if self._delegate is None else self._delegate.data_received(chunk)

    def finish(self) -> None:
        """See Tornado."""
        if self._delegate is not None:
            self._delegate.finish()

    def on_connection_close(self) -> None:
        """See Tornado."""
        self._gone = True
        if self._delegate is not None:
            self._delegate.on_connection_close()
