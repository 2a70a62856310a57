"""Traffic through nodes while something breaks, and what must be true of it afterwards."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from support.http import Http
from support.server import RunningServer
from support.timing import SCALE, UNIT
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

__all__ = ["CHANNEL", "Listener", "Scene", "Speaker", "check", "until"]

CHANNEL = "kept.news"


class Node(Protocol):
    """What can be published at."""

    port: int


def until(holds: Any, what: str, seconds: float = 3 * UNIT) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + seconds * SCALE
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for this: {what}"
        time.sleep(0.01)


@dataclass
class Speaker:
    """Publishes numbers, one after the other, until it is told to stop.

    With ``insists`` each number is sent again, under one idempotency key, until it is taken; else it is given up after
    an error.

    Attributes:
        accepted: Numbers that were taken, in order.
        errors: How many calls were answered with an error.
        slowest: Seconds that the slowest call took.
    """

    nodes: Sequence[Node]
    insists: bool = True
    channel: str = CHANNEL
    pause: float = 0.002
    accepted: list[int] = field(default_factory=list)
    errors: int = 0
    slowest: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> Speaker:
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(4 * UNIT)
            assert not self._thread.is_alive(), "a publisher hangs"

    def more(self, count: int) -> None:
        """Waits until so many more are taken."""
        wanted = len(self.accepted) + count
        until(lambda: len(self.accepted) >= wanted, f"{count} more are taken ({self.errors} errors)")

    def _speak(self) -> None:
        for number in itertools.count():
            if not self._over.is_set():
                self._publish(number)
            time.sleep(self.pause)
            if self._over.is_set():
                return

    def _publish(self, number: int) -> None:
        for attempt in itertools.count():
            node = self.nodes[(number + attempt) % len(self.nodes)]
            headers = {"Idempotency-Key": f"number-{number}"} if self.insists else {}
            began = time.monotonic()
            try:
                status = Http(node.port).post(f"/api/channels/{self.channel}/", number, headers=headers).status
            except OSError:  # the node itself is gone
                status = 503
            self.slowest = max(self.slowest, time.monotonic() - began)
            if status == 200:
                self.accepted.append(number)
                return
            assert status == 503, status
            self.errors += 1
            if not self.insists or self._over.is_set():
                return
            time.sleep(0.02)


class Listener:
    """A client that stays, and remembers all that it is told in one channel.

    Attributes:
        heard: Numbers, and the words ``position`` and ``gap`` where the server says that something is missing.
        renamed: How often it was told that the stream goes on under a new epoch.
        closed: Whether the server has ended the connection.
    """

    def __init__(self, node: RunningServer, channel: str = CHANNEL) -> None:
        self.heard: list[int | str] = []
        self.renamed = 0
        self.closed = False
        self._channel = channel
        self._over = threading.Event()
        self._exit = contextlib.ExitStack()
        url = f"ws://127.0.0.1:{node.port}/connect/websocket"
        self._client = self._exit.enter_context(connect(url, open_timeout=UNIT))
        self._client.send(json.dumps({"type": "subscribe", "channel": channel, "id": 1}))
        while json.loads(self._client.recv(UNIT)).get("type") != "ack":
            pass
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def numbers(self) -> list[int]:
        return [one for one in self.heard if isinstance(one, int)]

    def until(self, what: int | str) -> None:
        """Waits until it has heard something."""
        until(lambda: what in self.heard, f"{what} comes; the last were {self.heard[-5:]}")

    def stop(self) -> None:
        """Goes away."""
        self._over.set()
        self._thread.join(UNIT)
        self._exit.close()

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                said = json.loads(self._client.recv(0.05))
            except TimeoutError:
                continue
            except ConnectionClosed:
                self.closed = True
                return
            if said.get("channel") == self._channel:
                self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        if said.get("type") in ("position", "gap"):
            if said.get("recovered"):
                self.renamed += 1
            else:
                self.heard.append(said["type"])
        elif isinstance(said.get("message"), int):
            self.heard.append(said["message"])


def check(listener: Listener, accepted: Sequence[int]) -> None:
    """All that was taken has come, in order, each once; or the word that something is missing stands in its place."""
    assert not listener.closed, "the client was cut off"
    last = -1
    told = False
    expected = sorted(accepted)
    place = 0
    for one in listener.heard:
        if isinstance(one, str):
            told = True
            continue
        assert one > last, f"{one} comes after {last}"
        while place < len(expected) and expected[place] < one:
            assert told, f"{expected[place]} is missing before {one}, and nobody said so"
            place += 1
        if place < len(expected) and expected[place] == one:
            place += 1
        last, told = one, False
    assert place == len(expected), f"{expected[place:]} are missing at the end"


class Scene:
    """Two nodes, a client at each, and a publisher, around a fault.

    Attributes:
        here: A node.
        there: The other.
        listeners: A client at each.
        speaker: The publisher.
    """

    def __init__(self, here: RunningServer, there: RunningServer, *, insists: bool = True) -> None:
        self.here, self.there = here, there
        self.listeners = [Listener(here), Listener(there)]
        self.speaker = Speaker([here, there], insists=insists).start()
        self.speaker.more(50)

    def ready(self) -> None:
        """Waits until both nodes are."""
        until(lambda: all(node.http.get("/ready").status == 200 for node in (self.here, self.there)), "ready again")

    def end(self) -> None:
        """Speaks on for a little, and checks what came of all."""
        self.ready()
        self.speaker.more(50)
        self.speaker.stop()
        for listener in self.listeners:
            listener.until(self.speaker.accepted[-1])
            check(listener, self.speaker.accepted)

    def leave(self) -> None:
        """Ends what is still there."""
        self.speaker.stop()
        for listener in self.listeners:
            listener.stop()
