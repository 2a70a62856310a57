"""The JavaScript client, in Node and in Chromium, against the real server, which is killed, restarted and cut off under
load: nothing comes twice or out of order within a channel, and every loss is told.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from browser.load import Load, faults
from browser.pages import ROOT, NodeClient, Page, Pages, Proxy, files
from browser.programs import PATIENCE, Program, SethPusher, node
from support.http import Http
from support.timing import SCALE

pytestmark = pytest.mark.browser

CLIENT: Final = ROOT / "clients/js"
CHANNELS: Final = ["one", "two", "three"]
ROUNDS: Final = 2
LOAD: Final = 50
"""Publications of each channel that must have come between two disturbances."""
QUICK: Final = {"minDelay": 10, "maxDelay": 100, "pingInterval": 400 * SCALE, "timeout": 2000 * SCALE}
"""SockJS in Node does not notice that a streaming response was cut off: an unanswered ping tells."""

IN_NODE: Final = ["WebSocket", "faye", "SockJS websocket", "SockJS xhr-streaming", "SockJS xhr-polling"]
IN_CHROMIUM: Final = ["WebSocket", "SockJS websocket", "SockJS xhr-streaming"]
EVERYWHERE: Final = [*(("Node", transport) for transport in IN_NODE), *(("Chromium", each) for each in IN_CHROMIUM)]

Ask = Callable[..., Any]
Log = list[list[Any]]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the project's files are served."""
    with files() as address:
        yield address


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """A browser."""
    with Pages() as pages:
        yield pages


@pytest.fixture
def ask(place: str, request: pytest.FixtureRequest) -> Iterator[Ask]:
    """A client that does what it is asked to; see js_client/watch.mjs. At the end nothing of it may be left."""
    if place == "Node":
        with NodeClient() as client:
            yield client.ask
            client.ask("stop")
            client.finish()
    else:
        address = request.getfixturevalue("address")
        page = Page(request.getfixturevalue("pages"), f"{address}/tests/browser/js_client/page.html")
        yield page.ask
        page.ask("stop")
        assert page.complaints() == []
        page.close()


SETTINGS: Final = """
[[channels]]
match = "*"
history = 20000
history_bytes = "16MiB"
presence = true
publish = "anyone"
"""


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    """Of a server that keeps history."""
    settings = tmp_path / "settings.toml"
    settings.write_text(SETTINGS)
    return [f"--config={settings}", "--return-window=100ms"]


def start(ask: Ask, port: int, transport: str, **options: Any) -> None:
    url = f"http://127.0.0.1:{port}"
    ask("start", url=url, transport=transport, channels=CHANNELS, options={"subscriberId": "ada", **QUICK, **options})


def wait_for_load(ask: Ask, load: Load) -> None:
    """Waits until what is published now, and some more, has come."""
    for channel, numbers in load.accepted.items():
        ask("seen", channel=channel, number=(numbers[-1] if numbers else 0) + LOAD, seconds=PATIENCE)


def count(ask: Ask, event: str, times: int, channel: str | None = None) -> None:
    ask("counted", event=event, channel=channel, times=times, seconds=PATIENCE)


def settle(ask: Ask, load: Load) -> Log:
    """Ends the load, and gives what the client was told once it has the last publication of each channel."""
    for channel, number in load.finish().items():
        ask("seen", channel=channel, number=number, seconds=PATIENCE)
    log: Log = ask("log")
    assert [faults(log, channel, load.accepted[channel]) for channel in CHANNELS] == [[], [], []]
    assert of(log, "error") == []
    return log


def of(log: Log, event: str) -> list[Any]:
    """The last part of each entry of a kind."""
    return [entry[-1] for entry in log if entry[0] == event]


def publish(server: SethPusher, numbers: Iterable[int]) -> None:
    """Publishes in the channel ``one``."""
    for number in numbers:
        assert Http(server.port).post("/api/channels/one/", number).status == 200


def kill(server: SethPusher) -> None:
    server.process.kill()
    server.process.wait(PATIENCE)


def disturb(ask: Ask, transport: str, flags: list[str], end: Callable[[SethPusher], None]) -> Log:
    """Ends the server again and again under load, each time starts another, and gives what the client was told."""
    with ExitStack() as servers:
        server = servers.enter_context(SethPusher(*flags))
        start(ask, server.port, transport)
        with Load(server.port, CHANNELS) as load:
            for turn in range(ROUNDS):
                wait_for_load(ask, load)
                end(server)
                server = servers.enter_context(SethPusher(*flags, port=server.port))
                for channel in CHANNELS:
                    count(ask, "subscribed", turn + 2, channel)
            wait_for_load(ask, load)
            log = settle(ask, load)
        server.stop()
    for channel in CHANNELS:  # what the memory backend kept has gone with the server
        gaps = [gap for event, name, gap in (entry for entry in log if entry[0] == "gap") if name == channel]
        assert [gap["from"]["epoch"] == gap["to"]["epoch"] for gap in gaps] == [False] * ROUNDS
    return log


@pytest.mark.parametrize(("place", "transport"), EVERYWHERE)
def test_a_server_that_is_killed(ask: Ask, transport: str, flags: list[str]) -> None:
    log = disturb(ask, transport, flags, kill)
    assert all(ending["reconnect"] for ending in of(log, "disconnected"))


@pytest.mark.parametrize(("place", "transport"), EVERYWHERE)
def test_a_server_that_is_restarted(ask: Ask, transport: str, flags: list[str]) -> None:
    """Each client is told before when to come back."""
    log = disturb(ask, transport, flags, SethPusher.stop)
    told = [ending for ending in of(log, "disconnected") if ending["code"] == 3001]
    assert len(told) >= ROUNDS
    assert all(ending["reconnect"] and 0 <= ending["delay"] <= 200 for ending in told)


@pytest.mark.parametrize(("place", "transport"), EVERYWHERE)
def test_a_line_that_is_cut(ask: Ask, transport: str, flags: list[str]) -> None:
    """The server still has all that was missed, so nothing is lost."""
    with SethPusher(*flags) as server, Proxy(server.port) as proxy:
        start(ask, proxy.port, transport)
        with Load(server.port, CHANNELS) as load:
            for turn in range(2 * ROUNDS):
                wait_for_load(ask, load)
                proxy.cut()
                count(ask, "connected", turn + 2)
            wait_for_load(ask, load)
            log = settle(ask, load)
        assert of(log, "gap") == []
        server.stop()


@pytest.mark.parametrize(("place", "transport"), [("Node", "WebSocket"), ("Node", "SockJS websocket")])
def test_a_line_that_loses(ask: Ask, transport: str, flags: list[str]) -> None:
    """The client notices, and closes each hole while it stays connected."""
    dice = random.Random(1)

    def lose(payload: bytes) -> bool:
        return b"offset" in payload and b"ack" not in payload and dice.random() < 0.02

    with SethPusher(*flags) as server, Proxy(server.port, lose) as proxy:
        start(ask, proxy.port, transport)
        with Load(server.port, CHANNELS) as load:
            for _ in range(10):
                wait_for_load(ask, load)
            proxy.lossless()
            log = settle(ask, load)
        assert proxy.lost > 0
        assert len(of(log, "subscribed")) > len(CHANNELS)
        assert of(log, "gap") == of(log, "disconnected") == []
        server.stop()


@pytest.mark.parametrize(("place", "transport"), [("Node", "WebSocket"), ("Chromium", "WebSocket")])
def test_more_is_missed_than_the_server_keeps(ask: Ask, transport: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('[[channels]]\nmatch = "*"\nhistory = 20\n')
    with SethPusher(f"--config={settings}") as server, Proxy(server.port) as proxy:
        start(ask, proxy.port, transport)
        publish(server, range(1, 6))
        ask("seen", channel="one", number=5, seconds=PATIENCE)
        proxy.open = False
        proxy.cut()
        publish(server, range(6, 31))
        proxy.open = True
        count(ask, "gap", 1, "one")
        publish(server, range(31, 33))
        ask("seen", channel="one", number=32, seconds=PATIENCE)
        told = [entry for entry in ask("log") if entry[0] in ("message", "gap") and entry[1] == "one"]
        assert [entry[2] for entry in told if entry[0] == "message"] == [1, 2, 3, 4, 5, 31, 32]
        gap, epoch = told[5][2], told[0][3]
        assert gap == {
            "reason": "unrecovered",
            "from": {"epoch": epoch, "offset": 5},
            "to": {"epoch": epoch, "offset": 30},
        }
        server.stop()


@pytest.mark.parametrize(("place", "transport"), [("Node", "faye"), ("Chromium", "SockJS xhr-polling")])
def test_what_a_client_may_ask(ask: Ask, transport: str, flags: list[str]) -> None:
    with SethPusher(*flags) as server:
        start(ask, server.port, transport)
        call = partial(ask, "call")
        published = call(method="publish", args=["one", {"n": 1}])
        epoch = published["position"]["epoch"]
        assert published["position"] == {"epoch": epoch, "offset": 1}
        call(method="publish", args=["one", "silent", {"echo": False}])
        call(method="publish", args=["one", 3])
        count(ask, "message", 2, "one")
        assert of(ask("log"), "message") == [1, 3]  # offsets: no hole was seen where its own was left out
        assert call(method="position", args=["one"]) == {"epoch": epoch, "offset": 3}
        history = call(method="history", args=["one", {"limit": 2, "reverse": True}])
        assert [publication["message"] for publication in history["publications"]] == [3, "silent"]
        assert (history["position"], history["recovered"]) == ({"epoch": epoch, "offset": 3}, True)
        present = {"people": [{"subscriber_id": "ada", "connections": 1}], "anonymous": 0}
        assert call(method="presence", args=["one"]) == present
        assert call(method="ping", args=[]) >= 0
        assert Http(server.port).post("/api/users/ada/", "psst").status == 200
        count(ask, "personal", 1)
        with pytest.raises(AssertionError, match="Wrong type: dance"):
            call(method="request", args=[{"type": "dance"}])
        server.stop()


@pytest.mark.parametrize(("place", "transport"), [("Node", "WebSocket")])
def test_more_channels_than_the_server_lets_a_client_join_at_once(ask: Ask, transport: str, flags: list[str]) -> None:
    with SethPusher(*flags, "--message-rate=50") as server, Proxy(server.port) as proxy:
        channels = [f"channel {number}" for number in range(120)]
        for channel in channels:
            assert Http(server.port).post(f"/api/channels/{quote(channel)}/", 1).status == 200
        url = f"http://127.0.0.1:{proxy.port}"
        ask("start", url=url, transport=transport, channels=channels, options=QUICK)
        proxy.cut()
        count(ask, "subscribed", 2 * len(channels))
        assert of(ask("log"), "gap") == []
        server.stop()


@pytest.mark.parametrize(
    ("came", "fault"),
    [
        ([1, 2, 3, 5], []),
        ([1, None, 5], []),
        ([None, 5], []),
        ([1, 2, 4, 5], ["[3] did not come before 4, and nothing was said"]),
        ([None, 2, 3, 3, 5], ["3 came after 3"]),
        ([1, 2, 3, None, 2, 5], ["2 came after 3"]),
        ([2, 3, 5], ["[1] did not come before 2, and nothing was said"]),
        ([1, 2, 3], ["5 did not come at the end"]),
    ],
)
def test_the_check_of_these_tests_sees(came: list[int | None], fault: list[str]) -> None:
    """4 was not accepted, and may come or not; None is a gap."""
    log = [["gap", "c", {}] if number is None else ["message", "c", number, "e", number] for number in came]
    assert [text for text in faults(log, "c", [1, 2, 3, 5]) if not text.startswith("e ")] == fault


def examples() -> list[str]:
    """The programs that the client's documentation shows."""
    return re.findall(r"```js\n(.*?)```", (CLIENT / "README.md").read_text(), re.DOTALL)


def test_what_the_documentation_shows(flags: list[str]) -> None:
    first, since = examples()
    beginning, _, subscribing = first.partition("\n\nclient.subscribe")
    show = "const show = (message) => console.log(message);"
    with SethPusher(*flags) as server:
        for program in (f"{beginning}\nclient.subscribe{subscribing}", f"{beginning}\n{show}\n{since}"):
            program = program.replace('"./sethpusher.js"', json.dumps((CLIENT / "sethpusher.js").as_uri()))
            program = program.replace("localhost:8080", f"127.0.0.1:{server.port}")
            program += '\nclient.on("notice", ({ type }) => console.log(type));'
            with Program(node(), "--experimental-websocket", "--input-type=module", "--eval", program) as run:
                line = run.line()
                while line != "subscribe\n":
                    assert line in ("first\n", "connect\n")
                    line = run.line()
                assert Http(server.port).post("/api/channels/news/", "first").status == 200
                assert run.line() == "first\n"
        server.stop()


def test_the_scripted_tests() -> None:
    """clients/js/test needs no server."""
    tests = sorted((CLIENT / "test").glob("*.test.mjs"))
    assert tests
    done = subprocess.run(
        [node(), "--test", "--test-reporter=dot", *tests], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
