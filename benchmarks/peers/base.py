"""What the harness asks of a server that it measures, and what it tells the load generator about it.

A peer says how it is started and what its clients say; it does not measure. A peer that cannot do something (no HTTP
publishing, no history) leaves that part of its :class:`Dialect` None, and the scenario that needs it passes it over by
name.

In every text that a client sends, the load generator puts in: ``%d`` the connection's number, ``%6`` the same in six
digits, ``%r`` a number that no other run has (a session of SockJS outlives its client by seconds), ``%c`` the number of
its channel; and in what a publisher sends ``%p`` the payload, ``%l`` its length in bytes, ``%n`` the publication's
number.
All else is sent as it stands: what the load generator's command line wants escaped, the harness escapes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Churn", "Dial", "Dialect", "Peer", "Publish", "Running"]


@dataclass(frozen=True, slots=True)
class Dial:
    """How one subscriber connects.

    Attributes:
        mode: ``websocket``; ``stream``: one HTTP response that does not end (SSE, xhr-streaming); ``poll``: one request
            after another; ``raw``: bare TCP, ``opening`` is sent as it is.
        path: Request target.
        method: ``GET`` or, for ``stream`` and ``poll``, ``POST``.
        headers: Header lines beyond those of the handshake.
        opening: Texts sent once connected, the last of which subscribes; for ``stream`` and ``poll`` each is sent as
            the body of a POST to ``opening_path`` on a connection of its own.
        opening_path: See ``opening``.
        greeting: Whether the server speaks first (``o`` of SockJS), before ``opening`` may be sent.
        lockstep: Whether each opening but the last is answered, and must be, before the next.
        binary: Whether the texts travel in binary websocket frames.
    """

    path: str = "/"
    mode: Literal["websocket", "stream", "poll", "raw"] = "websocket"
    method: Literal["GET", "POST"] = "GET"
    headers: tuple[str, ...] = ()
    opening: tuple[str, ...] = ()
    opening_path: str = ""
    greeting: bool = False
    lockstep: bool = False
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Publish:
    """How one publisher publishes.

    Attributes:
        mode: ``http``: a POST to ``path`` with ``body``, answered 2xx each; ``websocket``: ``body`` as a frame on a
            connection that was dialled with ``dial``; ``raw``: ``body`` as it is on bare TCP, after ``dial.opening``.
        path: Target of the POST.
        body: What is sent, with ``%p``.
        headers: Header lines of the POST.
        dial: How a ``websocket`` or ``raw`` publisher connects.
        head: For batches: what stands before the bodies, which are joined by commas.
        tail: And what behind them.
    """

    mode: Literal["http", "websocket", "raw"] = "http"
    path: str = "/"
    body: str = '{"t":"%p"}'
    headers: tuple[str, ...] = ()
    dial: Dial | None = None
    head: str = ""
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Churn:
    """How a connected client joins and leaves a channel, and by what it sees that it has.

    Attributes:
        join: Text that subscribes.
        leave: Text that unsubscribes.
        joined: What the answer to ``join`` contains.
        left: What the answer to ``leave`` contains.
    """

    join: str
    leave: str
    joined: str
    left: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the clients of a peer say, by scenario; None: the peer has no such thing.

    Attributes:
        subscriber: A websocket subscriber of channel ``bench%c``.
        publish: Publishing one message to ``bench%c`` from a back end.
        batch: Publishing many in one request.
        client_publish: Publishing from a client, over its websocket.
        streaming: A subscriber on one HTTP response that does not end: xhr-streaming of SockJS, or EventSource.
        polling: A subscriber over SockJS xhr-polling.
        churn: Joining and leaving.
        replay: A websocket subscriber that asks for everything kept in channel ``kept`` (``kept_publish`` fills it).
        kept_publish: Publishing one message to the channel ``kept``, which keeps the last 1,000.
        kept_batch: Publishing many to it in one request.
        probe: Publishing to a channel in which nobody is, on the subscribers' port; answered with a Content-Length.
    """

    subscriber: Dial
    publish: Publish
    batch: Publish | None = None
    client_publish: Publish | None = None
    streaming: Dial | None = None
    polling: Dial | None = None
    churn: Churn | None = None
    replay: Dial | None = None
    kept_publish: Publish | None = None
    kept_batch: Publish | None = None
    probe: Publish | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A server that has been started and answers.

    Attributes:
        port: Where its clients connect, on 127.0.0.1: subscribers, and who publishes over a websocket.
        publish_port: Where all other publishers do.
        pids: Its processes; the load generator counts their children as well.
    """

    port: int
    publish_port: int
    pids: tuple[int, ...]


class Peer(ABC):
    """A server that is measured.

    Attributes:
        name: Word by which the command line and the results name it.
        title: What it is, for the page of results.
        install: The line that installs what it needs.
        dialect: What its clients say.
        clusters: Whether it can run as two nodes over Redis (``cluster``).
        share: It gets one in so many of the messages of scenarios with many subscribers; more than 1 where a delivery
            costs many times the floor's, so that a round comes to its end.
    """

    name: str
    title: str
    install: str
    dialect: Dialect
    clusters: bool = False
    share: int = 1

    @abstractmethod
    def missing(self) -> str | None:
        """What is not installed here, for the line that says why the peer is passed over; None if all is there."""

    @abstractmethod
    def version(self) -> str:
        """The version that runs, as the server or its package tells it."""

    @abstractmethod
    def settings(self) -> str:
        """What it runs with, as text for the results: the configuration file or the options."""

    @contextmanager
    @abstractmethod
    def running(self, folder: Path) -> Iterator[Running]:
        """Starts it on free ports of 127.0.0.1, and ends exactly what it started.

        Args:
            folder: An empty folder for its files; the server's output goes to ``server.log`` in it.

        Raises:
            RuntimeError: It ended, or did not answer within 20 seconds; with the end of its log.
        """
        yield  # type: ignore[misc]

    def cluster(self, folder: Path, redis_port: int) -> AbstractContextManager[tuple[Running, Running]]:
        """Starts two nodes over the Redis server at that port; asked only where ``clusters`` is true."""
        raise NotImplementedError(self.name)
