"""The chat among the examples: two pages talk to each other, and go on over a restart of the server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from browser.pages import ROOT, Page, Pages, Proxy, files
from browser.programs import SethPusher

pytestmark = pytest.mark.browser

SETTINGS: Final = f"--config={ROOT / 'examples/chat/chat.toml'}"

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """A browser."""
    with Pages() as pages:
        yield pages


@pytest.fixture
def visit(pages: Pages) -> Iterator[Visit]:
    """Opens the chat; at the end nothing but lost connections may have been complained of."""
    opened: list[Page] = []
    with files() as address:

        def visit(port: int, name: str, room: str = "lobby") -> Page:
            opened.append(Page(pages, f"{address}/examples/chat/?server=localhost:{port}&name={name}&room={room}"))
            return opened[-1]

        yield visit
        for page in opened:
            assert page.complaints() == []
            page.close()


def say(page: Page, text: str) -> None:
    page.fill("#text", text)
    page.press("#text", "Enter")


def test_two_talk(visit: Visit) -> None:
    with SethPusher(SETTINGS) as server:
        ada = visit(server.port, "ada")
        ada.see("#members", "ada (you)")
        say(ada, "is <b>anybody</b> here?")
        ada.see("#messages .message", "ada: is <b>anybody</b> here?")
        bob = visit(server.port, "bob")
        bob.see("#messages .message", "ada: is <b>anybody</b> here?")  # what was said before
        ada.see("#members", "bob")
        say(bob, "I am \U0001f600")
        ada.see("#messages .message", "bob: I am \U0001f600")
        bob.see("#messages .message", "bob: I am \U0001f600")
        for page in (ada, bob):
            assert page.texts("#messages li") == ["ada: is <b>anybody</b> here?", "bob: I am \U0001f600"]
            assert page.texts("#outbox li") == []
        bob.close()
        ada.see_no("#members li", "bob")
        server.stop()


def test_rooms(visit: Visit) -> None:
    with SethPusher(SETTINGS) as server:
        ada, bob = visit(server.port, "ada"), visit(server.port, "bob")
        bob.see("#members", "ada")
        say(ada, "in the lobby")
        bob.see("#messages", "in the lobby")
        bob.fill("#new-room", "tea")
        bob.press("#new-room", "Enter")
        bob.see("#room", "tea")
        bob.see("#members", "bob (you)")
        ada.see_no("#members li", "bob")
        say(bob, "tea?")
        bob.see("#messages .message", "tea?")
        bob.click("#rooms button:text('lobby')")
        bob.see("#messages .message", "in the lobby")
        assert ada.texts("#messages li") == bob.texts("#messages li") == ["ada: in the lobby"]
        server.stop()


def test_the_name_is_asked_for(visit: Visit) -> None:
    with SethPusher(SETTINGS) as server:
        ada = visit(server.port, "")
        ada.fill("#name", "ada")
        ada.press("#name", "Enter")
        ada.see("#members", "ada (you)")
        server.stop()


def test_over_a_restart(visit: Visit) -> None:
    with contextlib.ExitStack() as leaving, SethPusher(SETTINGS) as server:
        proxy = leaving.enter_context(Proxy(server.port))
        ada, bob = visit(proxy.port, "ada"), visit(server.port, "bob")
        ada.see("#members", "bob")
        say(ada, "before")
        bob.see("#messages .message", "ada: before")
        proxy.open = False  # she comes back when he is there: what he missed is not kept over a restart
        server.stop()
        for page in (ada, bob):
            page.see("#banner", "Not connected: ")
        say(ada, "between")
        ada.see("#outbox .pending", "ada: between")
        again = leaving.enter_context(SethPusher(SETTINGS, port=server.port))
        bob.click_even_hidden("#retry")
        bob.see("#messages", "Some messages are missing here.")
        proxy.open = True
        ada.click_even_hidden("#retry")
        for page in (bob, ada):
            page.see_no("#banner", "Not connected")
        bob.see("#messages .message", "ada: between")
        say(bob, "after")
        ada.see("#messages .message", "bob: after")
        bob.see("#members", "ada")
        assert bob.texts("#messages li") == [
            "ada: before",
            "Some messages are missing here.",
            "ada: between",
            "bob: after",
        ]
        assert ada.texts("#outbox li") == []
        again.stop()


def test_over_a_cut_line_nothing_is_missing(visit: Visit) -> None:
    with SethPusher(SETTINGS) as server, Proxy(server.port) as proxy:
        ada, bob = visit(server.port, "ada"), visit(proxy.port, "bob")
        ada.see("#members", "bob")
        say(ada, "before")
        bob.see("#messages .message", "ada: before")
        proxy.open = False
        proxy.cut()
        bob.see("#banner", "Not connected")
        ada.see_no("#members li", "bob")
        say(ada, "between")
        ada.see("#messages .message", "ada: between")
        proxy.open = True
        bob.click_even_hidden("#retry")
        bob.see("#messages .message", "ada: between")
        assert bob.texts("#messages li") == ["ada: before", "ada: between"]
        server.stop()
