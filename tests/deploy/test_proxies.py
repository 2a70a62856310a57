"""The samples under examples/deploy: SockJS through nginx and HAProxy as they are configured there, to two nodes.

Only addresses and ports are replaced, by free ones.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from support.clients import Bare, Client, SockJS, Xhr
from support.http import Http
from support.server import RunningServer
from support.timing import UNIT

pytestmark = pytest.mark.deploy

SAMPLES = Path(__file__).parents[2] / "examples" / "deploy"
SESSIONS = 12
"""So many sessions that without stickiness the test would pass once in 4,000 times."""

Serve = Callable[..., RunningServer]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def needed(program: str) -> str:
    path = shutil.which(program, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    assert path is not None, f"there is no {program} here; on Debian: apt-get install {program}"
    return path


def nginx(folder: Path, port: int, nodes: list[int]) -> list[str]:
    sample = (SAMPLES / "nginx.conf").read_text()
    sample = replaced(sample, r"listen 80;", f"listen 127.0.0.1:{port};")
    for name, node in zip(("8080", "8081"), nodes, strict=True):
        sample = replaced(sample, rf"127\.0\.0\.1:{name};", f"127.0.0.1:{node};")
    (folder / "push.conf").write_text(sample)
    paths = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\nevents {{ }}\n"
        f"http {{ access_log off; {paths} include {folder}/push.conf; }}\n"
    )
    return [needed("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]


def haproxy(folder: Path, port: int, nodes: list[int]) -> list[str]:
    sample = (SAMPLES / "haproxy.cfg").read_text()
    sample = replaced(sample, r"bind :80(?= )", f"bind 127.0.0.1:{port}")
    for name, node in zip(("8080", "8081"), nodes, strict=True):
        sample = replaced(sample, rf"127\.0\.0\.1:{name}\b", f"127.0.0.1:{node}")
    (folder / "haproxy.cfg").write_text(sample)
    return [needed("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]


def replaced(text: str, pattern: str, by: str) -> str:
    text, count = re.subn(pattern, by, text)
    assert count == 1, pattern
    return text


@pytest.fixture
def nodes(serve: Serve) -> list[RunningServer]:
    return [serve(trusted_proxies=("127.0.0.1",)) for _ in range(2)]


@pytest.fixture(params=[nginx, haproxy])
def proxy(request: pytest.FixtureRequest, nodes: list[RunningServer], tmp_path: Path) -> Iterator[int]:
    """The port of a proxy in front of the nodes."""
    port = free_port()
    command = request.param(tmp_path, port, [node.port for node in nodes])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = monotonic() + 2 * UNIT
        while Http(port).get("/connect/info").status != 200 if listens(port) else True:
            assert process.poll() is None, process.communicate()[0]
            assert monotonic() < deadline, "the proxy does not pass anything on"
        yield port
    finally:
        process.terminate()
        try:
            process.wait(UNIT)
        finally:
            process.kill()
            process.communicate()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), UNIT).close()
    except OSError:
        return False
    return True


def publish(nodes: list[RunningServer], message: Any) -> None:
    """To whoever listens on either node; nothing joins the two here."""
    for node in nodes:
        assert Http(node.port).post("/api/channels/news/", message).status == 200


@pytest.mark.parametrize("transport", [Bare, SockJS, Xhr])
def test_a_conversation(proxy: int, nodes: list[RunningServer], transport: type[Client]) -> None:
    clients = [transport(proxy) for _ in range(SESSIONS)]  # type: ignore[call-arg]
    try:
        for number, client in enumerate(clients):
            assert client.request({"type": "connect", "subscriber_id": str(number)})["type"] == "ack"
            assert client.request({"type": "subscribe", "channel": "news"})["type"] == "ack"
            client.take()
        counts = [len(node.push.connections) for node in nodes]
        assert sum(counts) == SESSIONS
        assert all(counts), "both nodes take part"
        for node in nodes:
            assert {connection.remote_ip for connection in node.push.connections.values()} == {"127.0.0.1"}
        for text in ("a\u0000b\u2028\U0001f600", "x" * 20_000):
            publish(nodes, text)
            for client in clients:
                client.expect(text, channel="news")
    finally:
        for client in clients:
            client.drop()


def test_streaming_is_not_held_back(proxy: int, nodes: list[RunningServer]) -> None:
    """What is sent arrives while the response is still open."""
    for number in range(SESSIONS):
        base = f"/connect/000/stream{number}"
        line = http.client.HTTPConnection("127.0.0.1", proxy, timeout=2 * UNIT)
        try:
            line.request("POST", f"{base}/xhr_streaming")
            answer = line.getresponse()
            assert (answer.readline(), answer.readline()) == (b"h" * 2048 + b"\n", b"o\n")
            subscribe = json.dumps([json.dumps({"type": "subscribe", "channel": "news", "id": 1})])
            assert Http(proxy).post(f"{base}/xhr_send", subscribe.encode()).status == 204
            assert unpacked(answer.readline())[0]["type"] == "ack"
            publish(nodes, number)
            assert any(message["message"] == number for _ in range(2) for message in unpacked(answer.readline()))
        finally:
            line.close()


def unpacked(frame: bytes) -> list[Any]:
    """The messages in a line of a stream."""
    assert frame[:1] == b"a", frame
    return [json.loads(text) for text in json.loads(frame[1:])]


def test_publishing_through_the_proxy_is_for_its_own_machine(proxy: int) -> None:
    assert Http(proxy).post("/api/channels/news/", 1).status == 200


def test_forwarded_addresses_cannot_be_made_up(proxy: int, nodes: list[RunningServer]) -> None:
    client = SockJS(proxy, headers={"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})
    client.request({"type": "subscribe", "channel": "news"})
    addresses = [connection.remote_ip for node in nodes for connection in node.push.connections.values()]
    client.drop()
    assert addresses == ["127.0.0.1"]


def test_the_systemd_unit(tmp_path: Path) -> None:
    """systemd finds no fault with it but that the command is not installed here."""
    unit = tmp_path / "seth-pusher.service"
    shutil.copy(SAMPLES / "seth-pusher.service", unit)
    done = subprocess.run(
        [needed("systemd-analyze"), "verify", "--man=no", unit], capture_output=True, text=True, timeout=4 * UNIT
    )
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "seth-pusher" in line]
    assert [line for line in complaints if "not executable" not in line] == []
