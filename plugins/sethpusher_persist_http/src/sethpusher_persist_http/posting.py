"""One post: what is sent, and what its answer means."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import Resolver
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.tcpclient import TCPClient

from .bundles import Bundle
from .retrying import retry_after
from .signing import ID, SIGNATURE, TIMESTAMP, sign

__all__ = ["Delivered", "Failed", "Outcome", "Post", "Poster", "Refused"]

PASSING: Final = frozenset({408, 425, 429})
"""Answers of the family 4xx that say nothing against what was posted (RFC 9110, RFC 8470, RFC 6585)."""
EXCERPT: Final = 300
"""Bytes of an answer that are kept as the reason."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The API has taken it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The API does not want it, now or later.

    Attributes:
        why: Its status, and the beginning of its answer.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It may be taken later.

    Attributes:
        why: What went wrong.
        pause: Seconds for which the API wants to be left alone; None when it says nothing.
    """

    why: str
    pause: float | None = None


Outcome = Delivered | Refused | Failed


class Post(Protocol):
    """Posts letters to a URL."""

    async def __call__(self, url: str, batch: Sequence[Bundle]) -> Outcome:
        """Posts all letters of some bundles at once."""


class Poster:
    """Posts letters with Tornado's AsyncHTTPClient, the implementation in Python."""

    def __init__(
        self,
        *,
        parallel: int,
        timeout: float,
        connect_timeout: float,
        headers: Mapping[str, str],
        keys: Sequence[bytes] = (),
        ca_file: str | None = None,
        batches: bool = True,
    ) -> None:
        """Makes a client of its own, on the running loop.

        Args:
            parallel: Posts under way at once, at the most.
            timeout: Seconds that a post may take in all.
            connect_timeout: Seconds that its connection may take to be made.
            headers: Headers of every post.
            keys: What posts are signed with.
            ca_file: Certificates to trust, in the place of the system's.
            batches: Whether a body is ``{"publications": [...]}``, or the body of its only letter.
        """
        # Tornado counts the time in its queue; with room for all posts there is none.
        self._client = _Client(force_instance=True, max_clients=parallel)
        self._timeout = timeout
        self._connect_timeout = min(connect_timeout, timeout)
        self._headers = {"User-Agent": "seth-pusher", **headers, "Content-Type": "application/json"}
        self._keys = tuple(keys)
        self._ca_file = ca_file
        self._batches = batches

    def close(self) -> None:
        """Ends the client, and all connections that posts which were given up have left."""
        self._client.close()

    async def __call__(self, url: str, batch: Sequence[Bundle]) -> Outcome:
        """See :class:`Post`."""
        body = b",".join([body for bundle in batch for body in bundle.bodies])
        if self._batches:
            body = b'{"publications":[%b]}' % body
        excerpt = bytearray()

        def keep(chunk: bytes) -> None:
            excerpt.extend(chunk[: EXCERPT - len(excerpt)])

        request = HTTPRequest(
            url,
            method="POST",
            headers={**self._headers, **self._signature(batch, body)},
            body=body,
            connect_timeout=self._connect_timeout,
            request_timeout=self._timeout,
            follow_redirects=False,  # a redirected POST may become a GET, and go where nobody has allowed it to
            decompress_response=False,
            streaming_callback=keep,
            ca_certs=self._ca_file,
        )
        # Shielded, because Tornado complains of the end of a fetch that was cancelled; nobody waits for that end then.
        fetch = self._client.fetch(request, raise_error=False)
        fetch.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            response = await asyncio.shield(fetch)
        except Exception as error:  # noqa: BLE001 - of any kind: names, sockets, TLS, what is no HTTP; all may pass
            return Failed(f"{type(error).__name__}: {error}")
        return _outcome(response, bytes(excerpt))

    def _signature(self, batch: Sequence[Bundle], body: bytes) -> dict[str, str]:
        id, now = _id_of([id for bundle in batch for id in bundle.ids]), int(time.time())
        headers = {ID: id, TIMESTAMP: str(now)}
        if self._keys:
            headers[SIGNATURE] = sign(self._keys, id, now, body)
        return headers


class _Lines(TCPClient):
    """Remembers the connections that it makes."""

    def __init__(self, resolver: Resolver) -> None:
        super().__init__(resolver=resolver)
        self._open: set[IOStream] = set()
        self._closed = False

    async def connect(self, *args: Any, **options: Any) -> IOStream:
        stream = await super().connect(*args, **options)
        if self._closed:
            stream.close()
            raise StreamClosedError
        self._open = {one for one in self._open if not one.closed()} | {stream}
        return stream

    def close(self) -> None:
        self._closed = True
        for stream in self._open:
            stream.close()
        super().close()


class _Client(SimpleAsyncHTTPClient):
    """Ends all when it is closed; Tornado's own goes on with a fetch that was cancelled, until its time is up."""

    def initialize(self, **options: Any) -> None:  # type: ignore[override]  # the options are passed on as they are
        super().initialize(**options)
        self.tcp_client = _Lines(self.resolver)


def _id_of(ids: Sequence[str]) -> str:
    """The same for the same letters: of one, its id."""
    if len(ids) == 1:
        return ids[0]
    return hashlib.sha256(" ".join(ids).encode()).hexdigest()[:32]


def _outcome(response: HTTPResponse, excerpt: bytes) -> Outcome:
    code = response.code
    if 200 <= code < 300:
        return Delivered()
    text = " ".join(excerpt.decode(errors="replace").split())
    why = f"HTTP {code}" + (f": {text}" if text else "")
    if code == 599:  # Tornado's own, for what never came to an answer
        return Failed(f"{type(response.error).__name__}: {response.error}" if response.error else why)
    if 400 <= code < 500 and code not in PASSING:
        return Refused(why)
    return Failed(why, retry_after(response.headers))
