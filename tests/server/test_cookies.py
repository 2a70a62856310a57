"""Where an authenticator reads cookies, pages of other sites may not connect, unless they are named."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import pytest
from support.server import RunningServer

from sethpusher_core import Identity
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.identity import Credentials
from sethpusher_core.server import PushServer
from sethpusher_core.serving import _say_hello
from sethpusher_core.settings.core import CoreSettings

Serve = Callable[..., RunningServer]

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
LISTED = "https://app.example"


class Cookies:
    """Lets everyone in."""

    def __init__(self, reads_cookies: bool) -> None:
        self.reads_cookies = reads_cookies

    @hookimpl
    def authenticate(self, credentials: Credentials) -> Identity:
        return Identity("somebody")


def push(reads_cookies: bool, *origins: str) -> PushServer:
    return PushServer(CoreSettings(origins=origins), plugins=[Cookies(reads_cookies)])


def statuses(server: RunningServer, origin: str) -> list[int]:
    """What a page of an origin is answered: about the server, at a first poll, at both kinds of websocket."""
    fields = {"Origin": origin}
    handshake = {**UPGRADE, **fields}
    return [
        server.http.get("/connect/info", fields).status,
        server.http.post(f"/connect/0/{os.urandom(6).hex()}/xhr", headers=fields).status,
        server.http.get("/connect/0/s/websocket", handshake).status,
        server.http.get("/connect/websocket", handshake).status,
    ]


def test_pages_of_other_sites_may_connect_while_nobody_reads_cookies(serve: Serve) -> None:
    assert statuses(serve(push(False, "*")), "https://evil.example") == [200, 200, 101, 101]


@pytest.mark.parametrize("origins", [("*",), ("*", LISTED)])
def test_else_only_the_own_and_listed_ones(serve: Serve, origins: tuple[str, ...]) -> None:
    server = serve(push(True, *origins))
    for origin in ("https://evil.example", "null", f"{LISTED}.evil.example"):
        assert statuses(server, origin) == [403] * 4
    assert statuses(server, f"http://127.0.0.1:{server.port}") == [200, 200, 101, 101]
    if LISTED in origins:
        assert statuses(server, LISTED) == [200, 200, 101, 101]


@pytest.mark.parametrize(
    ("reads_cookies", "origins", "said"), [(True, "*", True), (True, LISTED, False), (False, "*", False)]
)
def test_the_log_names_the_setting(
    caplog: pytest.LogCaptureFixture, reads_cookies: bool, origins: str, said: bool
) -> None:
    with caplog.at_level(logging.INFO, "sethpusher"):
        _say_hello(push(reads_cookies, origins), [])
    assert any("reads cookies" in line and "origins" in line for line in caplog.messages) is said
