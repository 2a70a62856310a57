"""Who is calling behind a proxy: only named proxies are believed, over TCP and over a unix socket."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.programs import Program
from support.server import RunningServer
from support.timing import UNIT
from tornado.netutil import bind_sockets

from sethpusher_core.proxies import TrustedProxies
from sethpusher_core.server import PushServer
from sethpusher_core.serving import http_server


class Proxied(RunningServer):
    """A server that believes some proxies."""

    def __init__(self, *trusted: str) -> None:
        super().__init__(PushServer())
        self._trusted = TrustedProxies(trusted)

    async def _listen(self) -> None:
        await self.push.start()
        self._listener = http_server(self.push, self._trusted)
        [listener] = bind_sockets(0, "127.0.0.1")
        self._listener.add_socket(listener)
        self.port = listener.getsockname()[1]


def caller(server: RunningServer, forwarded: str, transport: str) -> str:
    """Whom the server takes a client for."""
    server.client(transport, headers={"X-Forwarded-For": forwarded})
    return server.call(lambda: list(server.push.connections.values())[-1].remote_ip)


@pytest.mark.parametrize("transport", ["raw", "sockjs", "xhr"])
@pytest.mark.parametrize(
    ("trusted", "forwarded", "expected"),
    [
        ((), "203.0.113.7", "127.0.0.1"),  # anybody can write this
        (("10.0.0.0/8",), "203.0.113.7", "127.0.0.1"),
        (("127.0.0.1",), "203.0.113.7", "203.0.113.7"),
        (("127.0.0.0/8",), "198.51.100.1, 203.0.113.7", "203.0.113.7"),  # what the caller wrote stands in front
        (("127.0.0.1", "10.0.0.0/8"), "203.0.113.7, 10.1.2.3", "203.0.113.7"),
        (("127.0.0.1",), "2001:db8::1", "2001:db8::1"),
        (("127.0.0.1",), "203.0.113.7, nonsense", "127.0.0.1"),
        (("127.0.0.1",), "", "127.0.0.1"),
        (("unix",), "203.0.113.7", "127.0.0.1"),
    ],
)
def test_the_caller(logs: Any, transport: str, trusted: tuple[str, ...], forwarded: str, expected: str) -> None:
    with Proxied(*trusted) as server:
        assert caller(server, forwarded, transport) == expected


def test_each_request_of_a_connection_has_its_own_caller(logs: Any) -> None:
    """A proxy sends requests of many callers over one connection: a session is its caller's, not the proxy's."""
    with Proxied("127.0.0.1") as server:
        mine = server.xhr(headers={"X-Forwarded-For": "203.0.113.7"})
        for headers in ({"X-Forwarded-For": "203.0.113.8"}, {}):
            assert mine._up.post(f"{mine._base}/xhr_send", ["x"], headers).status == 404
            assert "2010" in mine._up.post(f"{mine._base}/xhr", None, headers).text
        mine.subscribe("news")
        assert mine._up.post(f"{mine._base}/xhr_send", [], {"X-Forwarded-For": "203.0.113.7"}).status == 204
        assert mine._up.post(f"{mine._base}/xhr_send", [], {}).status == 404, "whoever asked before"


@pytest.fixture
def unix_server(tmp_path: Path) -> Iterator[tuple[str, Program]]:
    """The command, on a unix socket."""
    path = str(tmp_path / "push.sock")
    command = [
        sys.executable,
        "-m",
        "sethpusher_core",
        "--no-plugins",
        f"--unix-socket={path}",
        "--trusted-proxies=unix",
    ]
    with Program("sh", "-c", 'exec "$@" 2>&1', "sh", *command) as program:  # the access log goes to stdout
        while f"listens on unix:{path}" not in (line := program.line()):
            assert line, "it has ended"
        yield path, program


def test_a_unix_socket(unix_server: tuple[str, Program]) -> None:
    path, program = unix_server
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as line:
        line.settimeout(UNIT)
        line.connect(path)
        body = json.dumps({"my": "data"})
        head = "POST /api/channels/news/ HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.7"
        line.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        assert line.recv(4096).startswith(b"HTTP/1.1 200 ")
    while "sethpusher.access" not in (said := program.line()):
        assert said, "it has ended"
    assert "(203.0.113.7)" in said
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(UNIT) == 0
    assert not os.path.exists(path)
