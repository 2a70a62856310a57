"""Faults of several processes: a node that is killed, a server whose replica takes its place."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from redis_crowd import Crowd
from redis_servers import Server, free_port
from redis_traffic import Scene, Speaker, until
from seth_processes import Program
from sethpusher_redis import RedisSettings
from support.server import RunningServer
from support.timing import UNIT
from websockets.sync.client import connect

Nodes = Callable[..., RunningServer]

CONFIG = """
[plugins.redis]
url = "{url}"
prefix = "p"
lease = "2s"

[[channels]]
match = "kept.*"
history = 1000
history_age = "10m"
presence = true
"""


CLIENTS = int(os.environ.get("SETHPUSHER_TEST_CLIENTS") or 5000)
"""Fewer on a small machine."""
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SETHPUSHER_")}


class Process:
    """A node in a process of its own, on a port that it keeps."""

    def __init__(self, config: Path) -> None:
        self.port = free_port()
        self._command = (str(Path(sys.executable).with_name("seth-pusher")), f"--config={config}")
        self._program: Program | None = None

    def start(self) -> None:
        self._program = Program(*self._command, f"--port={self.port}", environment=ENVIRONMENT)
        assert self._program.address

    def stop(self) -> None:
        program, self._program = self._program, None
        if program is not None:
            with program:
                assert program.stop() == 0, program.lines

    @property
    def running(self) -> bool:
        return self._program is not None


def wait_for(crowd: Crowd, holds: Callable[[], bool]) -> None:
    """Waits until something holds of a crowd."""
    deadline = time.monotonic() + 20 * UNIT
    while not holds():
        assert time.monotonic() < deadline, crowd
        time.sleep(0.05)


@pytest.mark.alone
def test_five_thousand_clients_through_a_rolling_restart(start_server: Callable[..., Server], tmp_path: Path) -> None:
    """None loses a message of a channel with history, and none gets one twice."""
    config = tmp_path / "node.toml"
    config.write_text(CONFIG.format(url=start_server().url))
    processes = [Process(config), Process(config)]
    for process in processes:
        process.start()
    speaker = Speaker(processes, pause=0.2)
    try:
        with Crowd("kept.news", CLIENTS, lambda: [process.port for process in processes if process.running]) as crowd:
            wait_for(crowd, lambda: crowd.seated() == CLIENTS)
            speaker.start()
            for process in processes:
                speaker.more(5)
                process.stop()
                process.start()
                wait_for(crowd, lambda: crowd.seated() == CLIENTS)
            speaker.more(5)
            speaker.stop()
            wait_for(crowd, lambda: crowd.last() == {speaker.accepted[-1]: CLIENTS})
            assert not crowd.wrong
            assert crowd.recovered >= CLIENTS
    finally:
        speaker.stop()
        for process in processes:
            process.stop()


def test_presence_of_a_dead_nodes_clients_ends_within_its_lease(
    start_server: Callable[..., Server], nodes: Nodes, rules: Any, tmp_path: Path
) -> None:
    server = start_server()
    node = nodes(RedisSettings(url=server.url, prefix="p", lease=2.0, canary=0.2), channels=rules)
    config = tmp_path / "node.toml"
    config.write_text(CONFIG.format(url=server.url))
    command = (str(Path(sys.executable).with_name("seth-pusher")), "--port=0", f"--config={config}")

    def people() -> list[str]:
        answer = node.http.get("/api/presence/kept.room/").json
        return [one["subscriber_id"] for one in answer["people"]]

    with Program(*command, environment=ENVIRONMENT) as other, connect(f"ws://{other.address}/connect/websocket") as ws:
        ws.send(json.dumps({"type": "connect", "subscriber_id": "alice"}))
        ws.send(json.dumps({"type": "subscribe", "channel": "kept.room", "id": 1}))
        until(lambda: people() == ["alice"], "alice is there")
        time.sleep(2.5)  # longer than the lease, which is renewed
        assert people() == ["alice"]
        other.stop(signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: people() == [], "alice is gone")
        assert time.monotonic() - killed < 2.0 + 0.5
    until(lambda: not [key for key in server.client().keys("p:*") if b"members" in key], "nothing of it is left")


def is_master(server: Server) -> bool:
    """Whether it is one; while it becomes one, it may end whoever asks."""
    try:
        return bool(server.ask("INFO", "replication")["role"] == "master")
    except redis.ConnectionError:
        return False


def offset(server: Server, role: str) -> int:
    """How far a master has written, or its replica has read."""
    position: int = server.ask("INFO", "replication")[f"{role}_repl_offset"]
    return position


@pytest.mark.slow
@pytest.mark.usefixtures("faults")
def test_a_replica_takes_the_place_of_the_master(
    start_server: Callable[..., Server], nodes: Nodes, rules: Any, play: Callable[..., Scene], tmp_path: Path
) -> None:
    master = start_server()
    replica = start_server("--replicaof", "127.0.0.1", str(master.port), "--repl-diskless-sync-delay", "0")
    until(lambda: replica.ask("INFO", "replication")["master_link_status"] == "up", "the replica is in step")
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds mymaster 1000\n"
        "sentinel failover-timeout mymaster 5000\n"
    )
    sentinel = start_server(sentinel=config)
    settings = RedisSettings(
        url="redis://unused", sentinels=(f"127.0.0.1:{sentinel.port}",), timeout=1.0, connect_timeout=1.0, canary=0.2
    )
    until(lambda: sentinel.ask("SENTINEL", "REPLICAS", "mymaster"), "the sentinel knows the replica")
    scene = play(nodes(settings, channels=rules), nodes(settings, channels=rules))
    # Replication is asynchronous: what the master takes in its last moment dies with it. So it takes nothing any more
    # before it is killed, while the publisher goes on.
    master.ask("CLIENT", "PAUSE", 60_000, "WRITE")
    until(lambda: offset(master, "master") == offset(replica, "slave"), "all that was taken is replicated")
    master.kill()
    until(lambda: is_master(replica), "the replica is master", 6 * UNIT)
    scene.end()
    for listener in scene.listeners:
        assert listener.numbers == list(range(len(listener.numbers)))
    assert scene.speaker.slowest < 3.0
