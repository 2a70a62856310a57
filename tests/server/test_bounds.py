"""What 200 MB cost a server, one of whose clients never reads, and what a stopped or vanished client leaves behind.

Against the real command in a process of its own, whose memory and log are looked at.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest
from browser.programs import SethPusher
from support.clients import Bare, Client, SockJS, Xhr
from support.http import Http
from support.timing import SCALE, UNIT

from sethpusher_core import errors

pytestmark = pytest.mark.slow

MEBI: Final = 2**20
SIZE: Final = 100_000
"""Bytes of one publication."""
COUNT: Final = 2_000
AT_ONCE: Final = 5
"""Publications between two moments in which the good clients read; what waits for them must stay below their bound."""


class Stream:
    """An ``xhr_streaming`` or ``eventsource`` response that nobody reads; messages go out by ``xhr_send``."""

    def __init__(self, port: int, transport: str) -> None:
        path = f"/connect/000/{os.urandom(6).hex()}"
        method = "GET" if transport == "eventsource" else "POST"
        self._line = socket.create_connection(("127.0.0.1", port), UNIT)
        self._line.sendall(f"{method} {path}/{transport} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        seen = b""
        while b"o\n" not in seen and b"data: o" not in seen:
            seen += self._line.recv(4096)
        subscribe = json.dumps([json.dumps({"type": "subscribe", "channel": "news"})])
        assert Http(port).post(f"{path}/xhr_send", subscribe.encode()).status == 204
        while b"subscribe" not in seen:  # its own notice
            seen += self._line.recv(4096)
        self._path, self._port = path, port

    def closed(self) -> tuple[int, str]:
        """What the next receiver is told."""
        answer = Http(self._port).post(f"{self._path}/xhr")
        code, reason = json.loads(answer.text[1:])
        return code, reason

    def drop(self) -> None:
        self._line.close()


def memory(server: SethPusher) -> int:
    """Bytes of a server's memory that are resident."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def never_reads(port: int, transport: str) -> Any:
    if transport in ("xhr_streaming", "eventsource"):
        return Stream(port, transport)
    client: Client = {"raw": Bare, "sockjs": SockJS, "xhr": Xhr}[transport](port)
    client.subscribe("news")
    return client


def numbers(client: Client, count: int) -> list[int]:
    """The next numbers that a client is given; notices are left out."""
    found: list[int] = []
    while len(found) < count:
        message = client.next()["message"]
        if isinstance(message, list):
            found.append(message[0])
    return found


def ending(client: Any) -> int | None:
    """The close code of a client that has not read so far; None where its line just ends."""
    with contextlib.suppress(ConnectionError):
        return client.closed()[0]  # type: ignore[no-any-return]
    return None


@pytest.mark.parametrize("transport", ["raw", "sockjs", "xhr", "xhr_streaming", "eventsource"])
def test_200_mb_to_one_that_never_reads(transport: str) -> None:
    """Its queue is bounded, it is cut with 3002, hardly anything is logged, and all others have everything in order."""
    with SethPusher() as server, contextlib.ExitStack() as leaving:
        good: list[Client] = [Bare(server.port), SockJS(server.port), Xhr(server.port)]
        for client in good:
            leaving.callback(client.drop)
            client.subscribe("news")
        bad = never_reads(server.port, transport)
        leaving.callback(bad.drop)
        http = Http(server.port, keep=True)
        leaving.callback(http.close)
        before = most = 0
        for first in range(0, COUNT, AT_ONCE):
            batch = range(first, first + AT_ONCE)
            for number in batch:
                assert http.post("/api/channels/news/", [number, "x" * SIZE]).status == 200
            for client in good:
                assert numbers(client, AT_ONCE) == list(batch)
            before = before or memory(server)  # buffers of the good ones are in it
            most = max(most, memory(server))
            if first == COUNT // 10 and not isinstance(bad, Bare | SockJS):  # before its session is forgotten
                assert ending(bad) == errors.SLOW.code
        assert most - before < 20 * MEBI, f"{(most - before) / MEBI:.1f} MiB"
        print(f"{transport}: memory grew by {(most - before) / MEBI:.1f} MiB from {before / MEBI:.1f}")
        if isinstance(bad, Bare | SockJS):
            assert ending(bad) in (errors.SLOW.code, None), "told, if its socket took that"
        server.stop()
        said = [line for line in server.log if "sethpusher.access" not in line]
        assert len(said) < 10, said


LISTENER: Final = """
import json, sys
from websockets.sync.client import connect

kind, port = sys.argv[1:]
framed = kind == "sockjs"
with connect(f"ws://127.0.0.1:{port}/connect/{'000/stopped/' if framed else ''}websocket") as line:
    for message in ({"type": "connect", "subscriber_id": "stopped"}, {"type": "subscribe", "channel": "news"}):
        text = json.dumps(message)
        line.send(json.dumps([text]) if framed else text)
    for text in line:
        if "subscribed" in text:
            print("in", flush=True)
"""


@pytest.mark.alone  # how long it takes is what is tested
@pytest.mark.parametrize("kind", ["raw", "sockjs"])
def test_a_client_that_is_stopped_is_gone_in_time(kind: str) -> None:
    """Its kernel still takes what it is sent: only the unanswered ping tells."""
    interval, timeout = 0.5 * SCALE, 0.5 * SCALE
    flags = [f"--ping-interval={interval}s", f"--ping-timeout={timeout}s"]
    with SethPusher(*flags) as server, contextlib.ExitStack() as leaving:
        watcher = Xhr(server.port)
        leaving.callback(watcher.drop)
        watcher.connect("watcher")  # by polling, since pings would keep it waiting for ever
        command = [sys.executable, "-c", LISTENER, kind, str(server.port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stopped:
            try:
                assert stopped.stdout is not None
                assert stopped.stdout.readline() == "in\n"
                watcher.take()
                stopped.send_signal(signal.SIGSTOP)
                began = time.monotonic()
                notice = watcher.next()["message"]
                took = time.monotonic() - began
            finally:
                stopped.kill()
        assert notice == {
            "body": "User: stopped disconnected.",
            "subscriber_id": "stopped",
            "type": "disconnect",
        }
        assert took < interval + timeout + 1.0 * SCALE
        print(f"{kind}: gone after {took:.2f} s")
        server.stop()
