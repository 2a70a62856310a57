"""The published sockjs-client against our transports, in Node and in Chromium: whole texts both ways, and the close."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pytest
from browser.echo import EchoServer, goodbye
from browser.programs import PATIENCE, Chromium, ask_node

from sethpusher_core.transports.http_session import QUIET_BEATS

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("logs")]

IN_NODE: Final = ["websocket", "xhr-streaming", "xhr-polling", "eventsource"]
IN_CHROMIUM: Final = [*IN_NODE, "iframe-eventsource", "iframe-htmlfile", "iframe-xhr-polling", "jsonp-polling"]

PAGES: Final[dict[str, Callable[[EchoServer], str]]] = {
    "same origin": lambda echo: f"http://127.0.0.1:{echo.port}/page.html",
    "other port": lambda echo: f"http://127.0.0.1:{echo.other_port}/page.html",
    "other host": lambda echo: f"http://localhost:{echo.other_port}/page.html",
}
"""Where a page comes from. Clients always connect to 127.0.0.1 and the first port."""

ONCE: Final = [
    *(("Node", transport) for transport in IN_NODE),
    *(("same origin", transport) for transport in IN_CHROMIUM),
    ("same origin", "htmlfile"),  # the client leaves it out elsewhere
]
EVERYWHERE: Final = [
    *ONCE,
    *(("other port", transport) for transport in IN_CHROMIUM),
    *(("other host", transport) for transport in IN_CHROMIUM),
]

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

Converse = Callable[..., Any]


@pytest.fixture
def converse(place: str, transport: str, echo: EchoServer, request: pytest.FixtureRequest) -> Iterator[Converse]:
    """Has a conversation with an endpoint of the echo server (see conversation.js) and gives what the client saw."""

    def about(endpoint: str, texts: Sequence[str] = (), heartbeats: int = 0, goodbye: str | None = None) -> Any:
        seen = ask(
            {
                "url": f"http://127.0.0.1:{echo.port}/{endpoint}",
                "transport": transport,
                "texts": texts,
                "heartbeats": heartbeats,
                "goodbye": goodbye,
                "seconds": PATIENCE,
            }
        )
        assert seen["transport"] == transport
        return seen

    if place == "Node":
        ask = ask_node
        yield about
    else:
        chromium: Chromium = request.getfixturevalue("chromium")
        chromium.open(PAGES[place](echo))
        ask = chromium.converse
        yield about
        assert chromium.complaints() == []


@pytest.mark.parametrize(("place", "transport"), EVERYWHERE)
def test_texts_and_the_close(converse: Converse) -> None:
    seen = converse("echo", TEXTS, goodbye=goodbye(*CLOSE))
    for sent, came in zip(TEXTS, seen["texts"], strict=False):
        assert came == sent
    assert len(seen["texts"]) == len(TEXTS)
    assert (seen["code"], seen["reason"]) == CLOSE


@pytest.mark.parametrize(("place", "transport"), ONCE)
def test_texts_of_a_fan_out(converse: Converse) -> None:
    """Which leave by another way than replies."""
    seen = converse("fanned", TEXTS, goodbye=goodbye(*CLOSE))
    assert seen["texts"] == TEXTS
    assert (seen["code"], seen["reason"]) == CLOSE


@pytest.mark.parametrize(("place", "transport"), EVERYWHERE)
def test_a_close_before_anything_was_said(converse: Converse) -> None:
    seen = converse("closed")
    assert (seen["code"], seen["reason"]) == (3000, "Go away!")


@pytest.mark.parametrize(("place", "transport"), ONCE)
def test_more_heartbeats_than_one_streaming_response_brings(converse: Converse) -> None:
    seen = converse("beating", ["here I am"], heartbeats=QUIET_BEATS + 2, goodbye=goodbye(*CLOSE))
    assert seen["heartbeats"] >= QUIET_BEATS + 2
    assert seen["texts"] == ["here I am"]
    assert (seen["code"], seen["reason"]) == CLOSE
