"""The page among the examples shows what is published over HTTP, and comes back when the server does."""

from __future__ import annotations

import re
from typing import Final

import pytest
from browser.echo import CLIENT, PAGE, EchoServer
from browser.programs import Chromium, SethPusher
from support.http import Http

pytestmark = pytest.mark.browser

CLIENT_URL: Final = re.findall(r'<script src="(https://[^"]+)"', PAGE.read_text())[0]


def publish(server: SethPusher, message: object) -> None:
    assert Http(server.port).post("/api/channels/news/", message).status == 200


@pytest.mark.parametrize(
    ("served", "flags", "transport"),
    [
        (True, [], "websocket"),
        (True, ["--disabled-transports=websocket"], "xhr-streaming"),
        (False, [], "websocket"),
        (False, ["--disabled-transports=websocket"], "eventsource"),  # the client uses no XHR in a page without origin
    ],
)
def test_the_example_page(echo: EchoServer, chromium: Chromium, served: bool, flags: list[str], transport: str) -> None:
    page = f"http://127.0.0.1:{echo.port}/{PAGE.name}" if served else PAGE.as_uri()
    with SethPusher(*flags) as server:
        chromium.open(f"{page}?server=localhost:{server.port}", {CLIENT_URL: CLIENT / "sockjs.min.js"})
        chromium.see("#state", f"subscribed over {transport}")
        publish(server, {"first": "\u2028 <b>\U0001f600</b>"})
        chromium.see("#messages .message", '{"first":"\u2028 <b>\U0001f600</b>"}')
        assert chromium.complaints() == []
        server.stop()
        chromium.see("#state", "closed: 3001 server is going away, come back")
    with SethPusher(*flags, port=server.port) as again:
        chromium.see("#state", f"subscribed over {transport}")
        publish(again, "second")
        chromium.see("#messages .message", '"second"')
        chromium.close()
        again.stop()
