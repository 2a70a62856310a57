"""Restarts without a stampede: all are told moments of their own, come back then, and are told what is missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from server.sockjs.kit import Answer, Http, Served, WebSocket
from support.server import RunningServer
from support.timing import SCALE, UNIT

from sethpusher_core import errors
from sethpusher_core.settings.rules import ChannelRule

Serve = Callable[..., RunningServer]

SETTINGS: Final = '[[channels]]\nmatch = "*"\nhistory = 100\nannounce = false\n'
CLIENTS: Final = 5000
DRAIN: Final = 2.0 * SCALE
WINDOW: Final = 3.0 * SCALE
AT_ONCE: Final = 100
"""Handshakes at the same time while the clients come for the first time."""
PATIENCE: Final = 20 * UNIT


class Client:
    """One that does what it is told.

    Attributes:
        position: Where it stands in the channel.
        after: When it was told to come back, in seconds.
        closed_at: When it was closed.
        answer: What it was told when it came back.
    """

    def __init__(self, port: int) -> None:
        self._at: Any = Served(None, port)  # type: ignore[arg-type]  # a real server's, which is in another process
        self._stack = contextlib.AsyncExitStack()
        self.position: dict[str, Any] = {}
        self.after = -1.0
        self.closed_at = 0.0
        self.answer: dict[str, Any] = {}

    async def come(self) -> dict[str, Any]:
        self._line = await self._stack.enter_async_context(WebSocket.connect(self._at, "/connect/websocket"))
        recover = {"recover": self.position} if self.position else {}
        self._line.text(json.dumps({"type": "subscribe", "channel": "news", "id": 1, **recover}))
        ack = await self.hear()
        assert (ack["type"], ack["id"]) == ("ack", 1), ack
        self.position = {"epoch": ack["epoch"], "offset": ack["offset"]}
        return ack

    async def hear(self) -> dict[str, Any]:
        text = await self._line.receive()
        assert text is not None, "closed without a word"
        return dict(json.loads(text))

    async def be_sent_away(self) -> None:
        told = await self.hear()
        assert told.keys() == {"type", "after"}
        self.after = told["after"]
        assert await self._line.closed() == (errors.SHUTDOWN.code, errors.SHUTDOWN.reason)
        self.closed_at = time.monotonic()
        await self.leave()

    async def come_back(self) -> None:
        await asyncio.sleep(self.after)
        while True:
            try:
                self.answer = await self.come()
            except OSError:  # it is not there yet
                await self.leave()
                await asyncio.sleep(random.uniform(0.1, 0.5))
            else:
                return

    async def leave(self) -> None:
        await self._stack.aclose()


@contextlib.asynccontextmanager
async def program(settings: Path, port: int) -> AsyncIterator[tuple[Callable[[], None], int]]:
    """The command, in a process of its own: what stops it, and its port. It must end in good order."""
    flags = [f"--config={settings}", f"--port={port}", f"--drain={DRAIN}s", f"--return-window={WINDOW}s"]
    flags.append("--ping-interval=1h")  # clients that wait for each other answer none
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sethpusher_core", "--no-plugins", *flags, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    lines: list[str] = []
    stops = 0

    def stop() -> None:
        nonlocal stops
        if not stops:  # a second signal would end it at once
            process.send_signal(signal.SIGTERM)
        stops += 1

    try:
        while "listens on" not in (lines or [""])[-1]:
            lines.append((await process.stderr.readline()).decode())
            assert lines[-1], lines
        yield stop, int(lines[-1].rstrip().rstrip("/").rpartition(":")[2])
        stop()
        rest = (await process.stderr.read()).decode()
        assert await process.wait() == 0, rest
        assert "WARNING" not in rest, rest
        assert "ERROR" not in rest, rest
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def publish(port: int, message: object) -> Answer:
    async with Http.connect(port) as http:
        answer: Answer = await http.call("POST", "/api/channels/news/", json.dumps(message).encode())
        assert answer.status == 200
        return answer


async def story(settings: Path) -> list[Client]:
    """All come, are sent away, come back and hear the next message."""
    async with program(settings, 0) as (stop, port):
        clients = [Client(port) for _ in range(CLIENTS)]
        for start in range(0, CLIENTS, AT_ONCE):
            await asyncio.gather(*(client.come() for client in clients[start : start + AT_ONCE]))
        old = (await publish(port, "before")).json
        for client in clients:
            assert (await client.hear())["message"] == "before"
            client.position = {"epoch": old["epoch"], "offset": old["offset"]}
        stop()
        await asyncio.gather(*(client.be_sent_away() for client in clients))
    async with program(settings, port):
        await asyncio.gather(*(client.come_back() for client in clients))
        await publish(port, "after")
        for client in clients:
            assert (await client.hear())["message"] == "after"
            assert client.answer["recovered"] is False
            assert client.answer["publications"] == []
            assert (client.answer["epoch"] != old["epoch"], client.answer["offset"]) == (True, 0)
        await asyncio.gather(*(client.leave() for client in clients))
    return clients


@pytest.mark.alone
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_five_thousand_clients_through_a_graceful_restart(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(SETTINGS)

    async def bounded() -> list[Client]:
        async with asyncio.timeout(PATIENCE):
            return await story(settings)

    clients = asyncio.run(bounded())
    closed = [client.closed_at for client in clients]
    assert max(closed) - min(closed) > 0.7 * DRAIN, "each at its own moment"
    fifths = [sum(fifth <= 5 * client.after / WINDOW < fifth + 1 for client in clients) for fifth in range(5)]
    assert all(CLIENTS / 10 < count < CLIENTS * 3 / 10 for count in fifths), fifths


def test_the_closing_is_spread_over_the_drain_window(serve: Serve) -> None:
    server = serve(channels=(ChannelRule("*", announce=False),), drain=0.4 * SCALE, return_window=2.0)
    clients = [server.bare() for _ in range(8)]
    began = time.monotonic()
    stopping = asyncio.run_coroutine_threadsafe(server.push.stop(), server._loop)
    moments, left = [], []
    for client in clients:
        told = client.next()
        moments.append(told["after"])
        assert told["type"] == "reconnect"
        assert client.closed()[0] == errors.SHUTDOWN.code
        left.append(time.monotonic() - began)
    stopping.result(UNIT)
    assert max(left) >= 0.3 * SCALE
    assert all(0 <= moment <= 2 for moment in moments)
    assert len(set(moments)) > 4
