"""How the backend is chosen, where it connects to, and what refuses a start."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis_servers import Server, free_port
from seth_processes import Program
from sethpusher_redis import RedisSettings
from sethpusher_redis import plugin as offer
from sethpusher_redis.settings import DEFAULT_URL
from support.server import RunningServer

from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import SettingsError
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.server import PushServer
from sethpusher_core.settings import Secret
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.start import discovered

Nodes = Callable[..., RunningServer]
Settings = Callable[..., Any]

COMMAND = str(Path(sys.executable).with_name("seth-pusher"))


RIGHTS = "resetchannels +@all -@admin -@dangerous +info +client|setname ~{prefix}:* &{prefix}:*"
"""What docs/redis.md says that a user must be allowed."""


def run(*arguments: str, **variables: str) -> Program:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SETHPUSHER_")}
    command = (COMMAND, "--port=0", "--load-plugins=redis,persist_redis", *arguments)
    return Program(*command, environment={**environment, **variables})


def refused(url: str, **settings: Any) -> str:
    """The one line in which a start is refused."""
    plugin = RedisSettings(url=url, **settings)
    push = PushServer(CoreSettings(backend="redis"), plugins=[offer], component_settings={"redis": plugin})
    with pytest.raises(SettingsError) as refusal:
        RunningServer(push).start()
    line = str(refusal.value)
    assert "\n" not in line
    return line


def test_a_url_is_enough(shared_server: Server) -> None:
    with run("--debug", SETHPUSHER_REDIS__URL=shared_server.url) as program:
        assert program.address
        assert program.wait_for("backend: redis; plugins: .*redis")


def test_without_a_word_about_it_everything_stays_in_memory() -> None:
    with run("--list-plugins") as program:
        assert program.end() == 0
    [row] = [line for line in program.lines if line.startswith("redis ")]
    assert "available" in row, row


def test_chosen_by_name_it_is_at_the_seeds_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETHPUSHER_BACKEND", "redis")
    start = discovered(())
    assert start.component_settings()["redis"].url == DEFAULT_URL == "redis://localhost:6379/0"  # type: ignore[attr-defined]
    assert start.server().backend_name == "redis"


def test_two_candidates_are_refused_with_both_names() -> None:
    class Other:
        name = "other"

        @hookimpl
        def register_backends(self, register: Any) -> None:
            register("other", lambda settings: MemoryBackend(), None)

    with pytest.raises(SettingsError, match="other and redis are active; choose one with --backend"):
        PushServer(CoreSettings(), plugins=[offer, Other()])
    server = PushServer(
        CoreSettings(backend="redis"),
        plugins=[offer, Other()],
        component_settings={"redis": RedisSettings(url=DEFAULT_URL)},
    )
    assert server.backend_name == "redis"


def test_no_server_refuses_the_start_in_one_line() -> None:
    port = free_port()
    with run(SETHPUSHER_REDIS__URL=f"redis://127.0.0.1:{port}/0") as program:
        assert program.end() == 3
    [line] = program.lines
    assert f"backend redis: cannot connect to 127.0.0.1:{port}: " in line


def test_a_server_that_says_nothing_refuses_the_start_within_the_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        line = refused(f"redis://127.0.0.1:{port}/0", connect_timeout=0.2)
    assert f"backend redis: 127.0.0.1:{port} does not answer within 0.2 s" in line


def test_a_start_may_wait_for_the_server(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.stop()
    with run("--redis-start-wait=30s", SETHPUSHER_REDIS__URL=server.url) as program:
        assert program.wait_for("waiting for up to 30 s: cannot connect to")
        server.start()
        assert program.address


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://localhost", "must begin with redis://, rediss:// (TLS) or unix://"),
        ("redis://localhost:99999", "is no URL"),
        ("redis://localhost/zero", "number of a database"),
        ("redis://:s3cret@localhost?socket_timeout=3", "has the option socket_timeout"),
        ("unix://", "names no socket"),
    ],
)
def test_a_wrong_url_is_refused_without_repeating_a_password(
    monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    monkeypatch.setenv("SETHPUSHER_REDIS__URL", url)
    with pytest.raises(SettingsError) as refusal:
        discovered(())
    assert reason in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


def test_a_password_in_the_url_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETHPUSHER_REDIS__URL", "redis://bob:s3cret@localhost/3")
    shown = discovered(()).config_text()
    assert "redis://bob:***@localhost/3" in shown
    assert "s3cret" not in shown


def serves(nodes: Nodes, settings: Any) -> RunningServer:
    """A node that publishes and hears itself."""
    node = nodes(settings)
    client = node.bare()
    client.subscribe("news")
    node.publish("news", 1)
    while client.next()["message"] != 1:
        pass
    return node


def test_a_password_from_url_or_setting(start_server: Callable[..., Server], nodes: Nodes) -> None:
    server = start_server("--requirepass", "p@ss/w:rd")
    serves(nodes, RedisSettings(url=f"redis://:p%40ss%2Fw%3Ard@127.0.0.1:{server.port}/0"))
    serves(nodes, RedisSettings(url=server.url, password=Secret("p@ss/w:rd")))
    for url in (server.url, f"redis://:wrong@127.0.0.1:{server.port}"):
        line = refused(url)
        assert f"backend redis: 127.0.0.1:{server.port} refuses the credentials" in line
        assert "wrong@" not in line


def test_a_user_and_a_database(start_server: Callable[..., Server], nodes: Nodes) -> None:
    server = start_server()
    server.ask("ACL", "SETUSER", "bob", "on", ">s3cret", *RIGHTS.format(prefix="pusher").split())
    settings = RedisSettings(url=f"redis://bob:s3cret@127.0.0.1:{server.port}/3", prefix="pusher")
    serves(nodes, settings).http.post("/api/channels/news/", 1, headers={"Idempotency-Key": "k"})
    assert server.ask("INFO", "keyspace").keys() == {"db3"}
    [client] = [row for row in server.client(db=3).client_list() if row["name"] == "sethpusher-hear"]
    assert (client["user"], client.get("resp", "3")) == ("bob", "3")  # 6.2 does not tell


def test_a_unix_socket(start_server: Callable[..., Server], nodes: Nodes, tmp_path: Path) -> None:
    path = tmp_path / "s"
    start_server("--unixsocket", str(path))
    serves(nodes, RedisSettings(url=f"unix://{path}?db=2"))


def test_a_replica_is_refused(start_server: Callable[..., Server]) -> None:
    master = start_server()
    replica = start_server("--replicaof", "127.0.0.1", str(master.port))
    assert "is a replica" in refused(replica.url)


def test_a_cluster_is_refused(start_server: Callable[..., Server]) -> None:
    node = start_server("--cluster-enabled", "yes")
    assert "is a node of a cluster, which is not supported" in refused(node.url)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1, and its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl: it is not on PATH")
    files = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    command = (program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject)
    subprocess.run([*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


def test_tls(start_server: Callable[..., Server], certificate: tuple[str, str], nodes: Nodes) -> None:
    cert, key = certificate
    port = free_port()
    options = ("--tls-port", str(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
    try:
        start_server(*options)
    except AssertionError:
        pytest.skip("TLS: this server was built without it")
    url = f"rediss://127.0.0.1:{port}/0"
    serves(nodes, RedisSettings(url=url, tls_ca=cert))
    assert "certificate verify failed" in refused(url)
