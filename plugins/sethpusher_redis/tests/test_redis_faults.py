"""Faults, with real processes: the server dies, stalls, or is cut off, under publishing and subscribing."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
from redis_proxy import Proxy
from redis_servers import Server
from redis_traffic import CHANNEL, Listener, Scene, until
from support.logs import LogWatch
from support.server import RunningServer

StartServer = Callable[..., Server]
NodeAt = Callable[..., RunningServer]
Play = Callable[..., Scene]


@pytest.mark.usefixtures("faults")
def test_killed_and_restarted_with_its_data(start_server: StartServer, node_at: NodeAt, play: Play) -> None:
    server = start_server("--appendonly", "yes")
    scene = play(node_at(server.port), node_at(server.port))
    before = scene.here.bare().request({"type": "subscribe", "channel": CHANNEL})
    server.kill()
    until(lambda: scene.here.http.get("/ready").status == 503, "not ready")
    server.start()
    scene.end()
    for listener in scene.listeners:
        assert listener.numbers == scene.speaker.accepted == list(range(len(listener.numbers)))
        assert "position" not in listener.heard, "nothing was lost"
    assert scene.speaker.slowest < 3.0
    since = {"epoch": before["epoch"], "offset": before["offset"]}
    for node in (scene.here, scene.there):
        ack = node.bare().request({"type": "subscribe", "channel": CHANNEL, "recover": since})
        assert (ack["recovered"], ack["epoch"] != before["epoch"]) == (True, True)
        assert [one["message"] for one in ack["publications"]] == scene.speaker.accepted[before["offset"] :]


@pytest.mark.usefixtures("faults")
def test_killed_and_restarted_without_its_data(start_server: StartServer, node_at: NodeAt, play: Play) -> None:
    server = start_server()
    scene = play(node_at(server.port), node_at(server.port), insists=False)
    server.kill()
    server.forget()
    server.start()
    scene.end()
    for listener in scene.listeners:
        assert listener.heard.count("position") == 1
    assert scene.speaker.slowest < 3.0


@pytest.mark.usefixtures("faults")
def test_its_pubsub_connections_are_killed(start_server: StartServer, node_at: NodeAt, play: Play) -> None:
    server = start_server()
    scene = play(node_at(server.port), node_at(server.port))
    for _ in range(5):
        assert server.ask("CLIENT", "KILL", "TYPE", "pubsub") >= 1
        scene.speaker.more(20)
        scene.ready()
    scene.end()
    for listener in scene.listeners:
        assert listener.numbers == list(range(len(listener.numbers)))
        assert "position" not in listener.heard
    assert scene.speaker.errors == 0, "who publishes does not notice"


@pytest.mark.usefixtures("faults")
def test_the_subscription_of_one_node_is_killed(start_server: StartServer, node_at: NodeAt, play: Play) -> None:
    server = start_server()
    here, there = node_at(server.port, prefix="p"), node_at(server.port, prefix="p")
    scene = play(here, there)
    [victim, _] = [row["id"] for row in server.client().client_list() if row["name"] == "sethpusher-hear"]
    server.ask("CLIENT", "KILL", "ID", victim)
    scene.end()
    for listener in scene.listeners:
        assert listener.numbers == list(range(len(listener.numbers)))


@pytest.mark.usefixtures("faults")
def test_a_deaf_node_says_so_and_listens_anew(start_server: StartServer, node_at: NodeAt, play: Play) -> None:
    """Only the subscription is dead, and nobody has closed it: such a node looks healthy, but for its canary."""
    server = start_server()
    with Proxy(server.port) as proxy:
        here, there = node_at(proxy.port), node_at(server.port)
        scene = play(here, there)
        proxy.swallow(lambda said: b"SUBSCRIBE" in said)
        until(lambda: here.http.get("/ready").status == 503, "the node knows that it is deaf")
        assert there.http.get("/ready").status == 200
        scene.end()
        scene.leave()
        here.stop()
    for listener in scene.listeners:
        assert listener.numbers == list(range(len(listener.numbers)))
        assert "position" not in listener.heard


@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize("seconds", [0.3, pytest.param(5.0, marks=pytest.mark.slow)])
def test_cut_off_from_the_server(start_server: StartServer, node_at: NodeAt, play: Play, seconds: float) -> None:
    server = start_server()
    with Proxy(server.port) as proxy:
        here, there = node_at(proxy.port), node_at(server.port)
        scene = play(here, there)
        proxy.cut()
        until(lambda: here.http.get("/ready").status == 503, "not ready")
        scene.speaker.more(5)  # at the other node
        time.sleep(seconds)  # as long as the network is away
        proxy.mend()
        scene.end()
        assert scene.speaker.slowest < 3.0
        scene.leave()
        here.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("faults")
def test_a_stall(start_server: StartServer, node_at: NodeAt, play: Play) -> None:
    server = start_server()
    scene = play(node_at(server.port), node_at(server.port))
    server.send(signal.SIGSTOP)
    until(lambda: scene.here.http.get("/ready").status == 503, "not ready")
    time.sleep(10)  # which is the fault
    server.send(signal.SIGCONT)
    scene.end()
    for listener in scene.listeners:
        assert listener.numbers == list(range(len(listener.numbers)))
    assert scene.speaker.slowest < 3.0


@pytest.mark.usefixtures("faults")
def test_where_there_is_no_history_a_gap_is_told(start_server: StartServer, node_at: NodeAt) -> None:
    server = start_server()
    node = node_at(server.port)
    listener = Listener(node, "plain")
    node.publish("plain", 1)
    listener.until(1)
    server.ask("CLIENT", "KILL", "TYPE", "pubsub")
    listener.until("gap")
    node.publish("plain", 2)
    listener.until(2)
    listener.stop()
    assert listener.heard == [1, "gap", 2]


def test_what_somebody_else_publishes_harms_nobody(start_server: StartServer, node_at: NodeAt, logs: LogWatch) -> None:
    server = start_server()
    node = node_at(server.port, prefix="p")
    listener = Listener(node)
    for data in (b"", b"\n", b"\nno payload", b"epoch\nP\0{}", b"\xff \xff\nP\0{}", b"e 99999\nP\0{}", b"\0" * 1000):
        server.ask("PUBLISH", f"p:c:{CHANNEL}", data)
    node.publish(CHANNEL, 1)
    listener.until(1)
    listener.stop()
    assert listener.numbers == [1]
    logs.drop("what somebody else has published|what the backend delivered")


@pytest.mark.usefixtures("faults")
def test_presence_is_right_after_the_server_was_away(start_server: StartServer, node_at: NodeAt) -> None:
    """Who came or went meanwhile is entered, or taken out, once the server is back: with its data, or without."""
    server = start_server("--appendonly", "yes")
    node = node_at(server.port, lease=1.0)
    clients = {name: node.bare() for name in ("stays", "goes", "comes")}
    for name in ("stays", "goes"):
        clients[name].connect(name)
        clients[name].subscribe("kept.room")
    clients["comes"].connect("comes")
    server.send(signal.SIGSTOP)
    clients["goes"].drop()
    clients["comes"].send({"type": "subscribe", "channel": "kept.room"})
    until(lambda: node.http.get("/ready").status == 503, "not ready")

    def people() -> list[str]:
        answer = node.http.get("/api/presence/kept.room/")
        return [one["subscriber_id"] for one in answer.json["people"]] if answer.status == 200 else []

    server.send(signal.SIGCONT)
    until(lambda: people() == ["comes", "stays"], "those are in who are there")
    server.kill()
    server.forget()
    server.start()
    until(lambda: people() == ["comes", "stays"], "they are entered anew")
