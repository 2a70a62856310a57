"""Callers, what they present, and an authenticator that is asked about them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import urlencode

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest

from ..answers import Rejected
from ..identity import Credentials, Identity
from .hooks import HookBench
from .loops import within

if TYPE_CHECKING:
    from ..server import PushServer

__all__ = ["EXPIRED", "NOTHING", "AuthenticateBench", "Presented"]

EXPIRED: Final = "expired"
SHORTEST_SECRET: Final = 6
"""Characters from which on what is presented counts as a secret; shorter texts stand everywhere."""


@dataclass(frozen=True, slots=True)
class Presented:
    """What a caller presents: all that is needed to know it, and nothing else.

    Attributes:
        headers: Of the request; cookies stand in ``Cookie``.
        query: Arguments of the URL.
        token: Of a ``connect`` message.
        subscriber_id: Who it is; None for one who has no id.
        public: The headers and arguments that hold no secret.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    subscriber_id: str | None = None
    public: frozenset[str] = frozenset()

    def credentials(self, purpose: str = "connection") -> Credentials:
        """As the server hands them to ``authenticate``.

        Args:
            purpose: ``connection`` or ``http``; with a token it is ``token``.
        """
        path = "/connect/websocket" if purpose == "connection" else "/api/channels/news/"
        query = urlencode(self.query, errors="surrogatepass")
        uri = f"{path}?{query}" if query else path
        method = "GET" if purpose == "connection" else "POST"
        headers = HTTPHeaders(self.headers)
        credentials = Credentials(
            purpose=purpose,
            transport="rawwebsocket" if purpose == "connection" else "http",
            remote_ip="192.0.2.1",
            method=method,
            uri=uri,
            headers=headers,
            make_request=lambda: HTTPServerRequest(method, uri, headers=headers, host="localhost"),
        )
        return credentials if self.token is None else credentials.with_token(self.token)

    def secrets(self) -> list[str]:
        """What must not be shown, without the scheme before it."""
        shown = [
            (name, value) for name, value in (*self.headers.items(), *self.query.items()) if name not in self.public
        ]
        shown += [("token", self.token)] if self.token is not None else []
        parts = [
            value.rpartition("=" if name.lower() == "cookie" else " ")[2] if name in self.headers else value
            for name, value in shown
        ]
        return [part for part in parts if len(part) >= SHORTEST_SECRET]

    def changed(self, change: Callable[[str], str]) -> Iterator[Presented]:
        """The same with one of its values changed, for each in turn; a scheme before a value stays."""
        for name, value in self.headers.items():
            scheme, space, rest = value.rpartition(" ")
            yield replace(self, headers={**self.headers, name: f"{scheme}{space}{change(rest)}"})
        for name, value in self.query.items():
            yield replace(self, query={**self.query, name: change(value)})
        if self.token is not None:
            yield replace(self, token=change(self.token))


NOTHING: Final = Presented()


class AuthenticateBench(HookBench):
    """The fixture ``kit`` of the cases for authenticators.

    Attributes:
        accepted: The author's callers who are known.
        refused: The author's callers whose credentials are bad.
        expired: The author's callers whose credentials were good.
    """

    hook: ClassVar[str] = "authenticate"

    def __init__(
        self,
        make: Callable[[], object],
        accepted: Sequence[Presented],
        refused: Sequence[Presented],
        expired: Sequence[Presented] = (),
        make_failing: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(make, make_failing)
        self.accepted = list(accepted)
        self.refused = list(refused)
        self.expired = list(expired)

    def require(self, need: str) -> None:
        """See :meth:`Bench.require`: FAILING, EXPIRED, or an attribute of the plugin."""
        if need != EXPIRED:
            super().require(need)
        elif not self.expired:
            pytest.skip(f"{need}: there is no such fixture")

    async def use(self, server: PushServer) -> None:
        """Asks about one who is known."""
        await self.known(server, self.accepted[0])

    async def answer(
        self, server: PushServer, presented: Presented, purpose: str = "connection"
    ) -> Identity | Rejected | None:
        """What the plugin says of a caller.

        Raises:
            HookError: It raised.
        """
        chain = server.hooks.authenticate
        assert chain is not None
        return await within(chain(presented.credentials(purpose)), "authenticate")

    async def known(self, server: PushServer, presented: Presented, purpose: str = "connection") -> Identity:
        """Who a caller is that must be known."""
        answer = await self.answer(server, presented, purpose)
        assert isinstance(answer, Identity), f"one of `accepted` is not: {answer!r} to {_shown(presented)}"
        return answer

    async def outside(self, server: PushServer, presented: Presented, purpose: str = "connection") -> None:
        """Checks that a caller does not get in, and that nothing is raised."""
        answer = await self.answer(server, presented, purpose)
        assert not isinstance(answer, Identity), f"{answer!r} to {_shown(presented)}"


def _shown(presented: Presented) -> str:
    parts = [f"header {name}: {value:.80}" for name, value in presented.headers.items()]
    parts += [f"argument {name}={value:.80}" for name, value in presented.query.items()]
    parts += [f"token {presented.token:.80}"] if presented.token is not None else []
    return ", ".join(parts) or "nothing at all"


@contextlib.contextmanager
def everything_logged() -> Iterator[list[str]]:
    """All that is logged meanwhile, at whatever level."""
    lines: list[str] = []
    formatter = logging.Formatter()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(formatter.format(record))

    handler, root = Handler(logging.NOTSET), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
