"""The published sockjs-client against our transports, in Node and in Chromium: whole texts both ways, and the close."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from browser.echo import EchoServer, goodbye
from browser.programs import PATIENCE, Chromium, ask_node

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("logs")]

IN_NODE: Final = ("websocket", "xhr-streaming", "xhr-polling", "eventsource")
IN_CHROMIUM: Final = (*IN_NODE, "iframe-eventsource", "iframe-htmlfile", "iframe-xhr-polling", "jsonp-polling")
SAME_ORIGIN_ONLY: Final = ("htmlfile",)
"""What the client itself leaves out elsewhere."""

ORIGINS: Final[dict[str, Callable[[EchoServer], str]]] = {
    "same origin": lambda echo: f"http://127.0.0.1:{echo.port}",
    "other port": lambda echo: f"http://127.0.0.1:{echo.other_port}",
    "other host": lambda echo: f"http://localhost:{echo.other_port}",
}
"""Where the page comes from. Clients always connect to 127.0.0.1 and the first port."""

AWKWARD: Final = [
    "a \0 null",
    "\u2028 and \u2029 end lines in old JavaScript",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 emoji",
    "0123456789abcde\n" * 1250,  # 20 kB
    "\u20ac" * 20_000,
    "",
    "</script><script>parent.alert(1)</script><!--",
    "%41 %25 %zz 100% a+b&c=d;e",
    "\"quoted\" 'quoted' \\ \\u0041 \r\n\t\x7f\x85\ufeff",
]
EVERY_CHARACTER: Final = [
    "".join(chr(code) for code in range(start, start + 0x1000) if not 0xD800 <= code < 0xE000)
    for start in range(0, 0x10000, 0x1000)
]
"""Of the basic plane. With the rest more than a streaming response may bring (``response_limit``)."""
TEXTS: Final = [*AWKWARD, *EVERY_CHARACTER]
CLOSE: Final = (4321, 'so "long", \u010dau \U0001f44b')

Ask = Callable[[dict[str, Any]], Any]


def check_texts_and_close(ask: Ask, echo: EchoServer, transport: str) -> None:
    seen = ask(about(echo, "echo", transport, texts=TEXTS, goodbye=goodbye(*CLOSE)))
    assert seen["transport"] == transport
    for sent, came in zip(TEXTS, seen["texts"], strict=False):
        assert came == sent
    assert len(seen["texts"]) == len(TEXTS)
    assert (seen["code"], seen["reason"]) == CLOSE


def check_heartbeats(ask: Ask, echo: EchoServer, transport: str) -> None:
    """More of them than a streaming response brings before it ends and the client has to come back."""
    seen = ask(about(echo, "beating", transport, texts=["here I am"], heartbeats=6, goodbye=goodbye(*CLOSE)))
    assert seen["texts"] == ["here I am"]
    assert seen["heartbeats"] >= 6
    assert (seen["code"], seen["reason"]) == CLOSE


def check_close_at_once(ask: Ask, echo: EchoServer, transport: str) -> None:
    seen = ask(about(echo, "closed", transport))
    assert (seen["transport"], seen["code"], seen["reason"]) == (transport, 3000, "Go away!")


CHECKS: Final = [check_texts_and_close, check_heartbeats, check_close_at_once]
each_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))


def about(echo: EchoServer, endpoint: str, transport: str, **rest: Any) -> dict[str, Any]:
    """What a conversation is about; see conversation.js."""
    url = f"http://127.0.0.1:{echo.port}/{endpoint}"
    plain = {"texts": [], "heartbeats": 0, "goodbye": None, "seconds": PATIENCE}
    return {"url": url, "transport": transport, **plain, **rest}


@each_check
@pytest.mark.parametrize("transport", IN_NODE)
def test_in_node(echo: EchoServer, transport: str, check: Callable[[Ask, EchoServer, str], None]) -> None:
    check(ask_node, echo, transport)


@each_check
@pytest.mark.parametrize(
    ("transport", "origin"),
    [
        *((transport, origin) for transport in IN_CHROMIUM for origin in ORIGINS),
        *((transport, "same origin") for transport in SAME_ORIGIN_ONLY),
    ],
)
def test_in_chromium(
    echo: EchoServer,
    chromium: Chromium,
    transport: str,
    origin: str,
    check: Callable[[Ask, EchoServer, str], None],
) -> None:
    chromium.open(f"{ORIGINS[origin](echo)}/page.html")
    check(chromium.converse, echo, transport)
    assert chromium.complaints() == []
