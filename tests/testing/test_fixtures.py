"""What application developers test with: a server on a free port, clients, cut lines, restarts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from support.logs import LogWatch

from sethpusher_core import PushServer, Rejected, hookimpl
from sethpusher_core.settings import ChannelRule
from sethpusher_core.testing.fixtures import make_push_server, push_server
from sethpusher_core.testing.running import TRANSPORTS, RunningServer

__all__ = ["make_push_server", "push_server"]  # pytest finds them here

Make = Callable[..., RunningServer]
KEEPING = (ChannelRule(match="news", history=10),)


@pytest.fixture(autouse=True)
def _watched(logs: LogWatch) -> None:
    """Nothing unexpected in the log."""


@pytest.fixture(params=list(TRANSPORTS))
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# ------------------------------------------------------------------------------------------------------ expectations


def test_a_client_gets_what_is_published(push_server: RunningServer, transport: str) -> None:
    ada = push_server.connect("ada", transport=transport)
    assert ada.subscribe("news")["type"] == "ack"
    push_server.publish("news", {"n": 1}, sender_id="shop")
    push_server.publish_to_user("ada", "psst")
    assert ada.expect({"n": 1}, channel="news")["sender_id"] == "shop"
    assert ada.expect()["target_id"] == "ada"
    ada.expect_nothing()
    ada.unsubscribe("news")
    push_server.publish("news", {"n": 2})
    ada.expect_nothing()


def test_notices_are_expected_apart(push_server: RunningServer) -> None:
    ada = push_server.connect("ada")
    ada.subscribe("news")
    bob = push_server.connect("bob")
    bob.subscribe("news")
    assert ada.expect_notice("subscribe", "bob")["body"] == "User: bob subscribed to news"
    push_server.publish("news", 1)
    bob.drop()
    ada.expect_notice("disconnect")


def test_order_is_kept_beside_requests(push_server: RunningServer) -> None:
    ada = push_server.connect("ada")
    ada.subscribe("news")
    for number in range(3):
        push_server.publish("news", number)
        ada.request({"type": "ping"})
    for number in range(3):
        ada.expect(number)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda ada: ada.expect({"n": 2}), "expected {'n': 2}, got {'message': {'n': 1}"),
        (lambda ada: ada.expect(channel="sport"), "expected one in sport, got {'message': {'n': 1}"),
        (lambda ada: ada.expect_nothing(), "expected nothing, got [{'message': {'n': 1}"),
        (lambda ada: ada.expect() and ada.expect("more"), "no publication like 'more' came within"),
        (lambda ada: ada.expect_notice("connect", "bob"), "no notice that says connect came within"),
        (lambda ada: ada.expect_closed(), "the connection has not ended within"),
    ],
)
def test_what_is_not_as_expected_is_said(
    push_server: RunningServer, monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., object], text: str
) -> None:
    ada = push_server.connect("ada")
    ada.subscribe("news")
    push_server.publish("news", {"n": 1})
    ada.line.socket.settimeout(0.2)  # type: ignore[attr-defined] # for those that wait
    with pytest.raises(AssertionError) as caught:
        wrong(ada)
    assert text in str(caught.value)


def test_the_end_in_the_place_of_a_publication_is_said(push_server: RunningServer) -> None:
    ada = push_server.connect("ada", transport="raw")
    push_server.cut_off()
    with pytest.raises(AssertionError, match="came before the end of the connection"):
        ada.expect()


def test_subscribers_are_waited_for(push_server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ada", "bob"):
        push_server.connect(name, transport="raw").send({"type": "subscribe", "channel": "news"})
    push_server.wait_for_subscribers("news", "bob")
    push_server.wait_for_subscribers("news", count=2)
    monkeypatch.setenv("SETHPUSHER_TEST_TIME_SCALE", "0.02")
    with pytest.raises(AssertionError, match="waited in vain for this: eve in news"):
        push_server.wait_for_subscribers("news", "eve")


# ------------------------------------------------------------------------------------------------ faults and restarts


def test_a_client_is_cut_off(push_server: RunningServer, transport: str) -> None:
    ada, bob = (push_server.connect(name, transport=transport) for name in ("ada", "bob"))
    bob.subscribe("news")
    assert push_server.cut_off("ada") == 1
    if transport == "xhr":
        with pytest.raises(AssertionError, match="404"):
            ada.request({"type": "ping"})
    else:
        assert ada.expect_closed() == (None, ""), "no word of farewell"
    push_server.publish("news", 1)
    bob.expect(1)
    assert push_server.connect("ada", transport=transport).request({"type": "ping"})["type"] == "ack"
    assert push_server.cut_off("eve") == 0


def test_a_client_recovers_what_it_missed_while_it_was_cut_off(make_push_server: Make) -> None:
    server = make_push_server(channels=KEEPING)
    at = server.connect("ada").subscribe("news")
    server.cut_off("ada")
    server.publish("news", "missed")
    back = server.connect("ada").subscribe("news", recover={"epoch": at["epoch"], "offset": at["offset"]})
    assert back["recovered"] is True
    assert [envelope["message"] for envelope in back["publications"]] == ["missed"]


@pytest.mark.parametrize("abrupt", [False, True])
def test_a_restart_keeps_the_port_and_loses_the_memory(make_push_server: Make, transport: str, abrupt: bool) -> None:
    server = make_push_server(channels=KEEPING)
    ada = server.connect("ada", transport=transport)
    at = ada.subscribe("news")
    server.publish("news", 1)
    ada.expect(1)
    url = server.url
    server.restart(abrupt=abrupt)
    if transport != "xhr":
        assert ada.expect_closed()[0] == (None if abrupt else 3001)
    assert server.url == url
    again = server.connect("ada", transport=transport)
    back = again.subscribe("news", recover={"epoch": at["epoch"], "offset": at["offset"]})
    assert (back["recovered"], back["publications"]) == (False, [])
    server.publish("news", 2)
    again.expect(2)


def test_a_client_is_told_to_come_back_at_once(push_server: RunningServer) -> None:
    ada = push_server.connect("ada", transport="raw")
    push_server.restart()
    assert ada.next() == {"type": "reconnect", "after": 0.0}


def test_while_it_is_down_nobody_answers(push_server: RunningServer) -> None:
    with push_server.down(), pytest.raises(ConnectionRefusedError):
        push_server.connect("ada")
    push_server.connect("ada")


# -------------------------------------------------------------------------------------------------- other servers


class NobodyPlease:
    @hookimpl
    def authenticate(self) -> Rejected:
        return Rejected("nobody, please")


def test_with_plugins_and_settings(make_push_server: Make) -> None:
    server = make_push_server(plugins=[NobodyPlease()], debug=True)
    assert server.connect(transport="raw").expect_closed()[0] == 3500
    assert server.http.post("/api/channels/news/", 1).status == 401
    assert server.publish("news", 1).id, "a test may publish, whoever else may"


def test_with_a_server_of_ones_own(make_push_server: Make) -> None:
    push = PushServer()
    server = make_push_server(push, push.application())
    assert server.push is push
    assert server.http.get("/health").status == 200


# ----------------------------------------------------------------------------------------------------- as a plugin


def pytest_with(folder: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text('pytest_plugins = ["sethpusher_core.testing.fixtures"]\n')
    (folder / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(folder), *words, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=60)


def test_one_line_in_a_conftest_is_enough(tmp_path: Path) -> None:
    done = pytest_with(tmp_path, "def test_it(push_server): push_server.connect('ada').subscribe('news')")
    assert done.returncode == 0, done.stdout


def test_it_is_light_while_it_is_not_used(tmp_path: Path) -> None:
    text = "import sys\ndef test_it(): assert not {'tornado', 'msgspec', 'websockets'} & set(sys.modules)\n"
    done = pytest_with(tmp_path, text)
    assert done.returncode == 0, done.stdout


def test_nobody_has_it_unasked() -> None:
    assert not [point for point in entry_points(group="pytest11") if point.value.startswith("sethpusher")]
