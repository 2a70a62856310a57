"""Chapter 1 of the seed documentation works as printed, but for ports: they are free ones here."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from plugins_ux.sites import Site
from seth_document import TEXT, commands, json_messages, program
from seth_fakes import BACKEND
from seth_processes import PATIENCE, Program
from support.clients import SockJS

NAMES = {"<unique_user_id>": "alice", "<channel_name>": "news", "<subscriber_id>": "alice", "<author_id>": "shop"}


def named(text: str) -> str:
    for placeholder, name in NAMES.items():
        text = text.replace(placeholder, name)
    return text


def served(command: str, *more: str) -> Program:
    """Runs a printed ``seth-pusher`` line."""
    _, *words = shlex.split(command)
    words = [word for word in words if not word.startswith("--port=")]
    return Program(sys.executable, "-m", "sethpusher_core", *words, "--port=0", *more)


def run(line: str, address: str) -> Any:
    """Runs a printed curl line against a server."""
    for printed in ("http://localhost:8080", "http://localhost:6666"):
        line = line.replace(printed, f"http://{address}")
    line = line.replace("curl curl", "curl")  # a slip of the document
    done = subprocess.run(
        ["sh", "-c", line.replace("curl", "curl -s", 1)], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    return json.loads(done.stdout)


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def heard(client: SockJS) -> list[Any]:
    """What is published, without the notices."""
    return [message for message in client.take() if "sender_id" in message]


@pytest.mark.parametrize("more", [(), ("--app=sethpusher.applications.SethPusherInMemoryApplication",)])
def test_basic_usage(more: tuple[str, ...]) -> None:
    """Sections 1.2, 1.5 to 1.8; by the plain server, and by the application class."""
    in_channel, to_user, to_user_from = (named(line) for line in commands("curl -X POST"))
    overall, of_channel = (named(line) for line in commands("curl")[:2])
    connect, subscribe, unsubscribe = ({name: named(text) for name, text in m.items()} for m in json_messages())
    with served(commands("seth-pusher")[0], *more) as server:
        address = server.address
        client = SockJS(port_of(address))
        try:
            client.send(connect, subscribe)
            assert client.next()["message"]["body"] == "User: alice subscribed to news"
            counted = {"subscriber_count": 2, "subscribers": {"all": ["alice"], "news": ["alice"]}}
            assert run(overall, address) == counted
            assert run(of_channel, address) == {"subscriber_count": 1, "subscribers": {"news": ["alice"]}}
            for line in (in_channel, to_user, to_user_from):
                assert run(line, address)["status"] == 200
            assert heard(client) == [
                {"message": {"my": "data"}, "sender_id": None, "channel": "news"},
                {"message": {"my": "data"}, "sender_id": None, "target_id": "alice"},
                {"message": {"my": "data", "sender_id": "shop"}, "sender_id": "shop", "target_id": "alice"},
            ]
            client.send(unsubscribe)
            assert client.take() == []
            assert run(of_channel, address) == {"subscriber_count": 0, "subscribers": {"news": []}}
        finally:
            client.drop()
        assert server.stop() == 0, server.lines


def test_host_and_port() -> None:
    """Section 1.4."""
    [line] = [line for line in commands("seth-pusher") if "--host" in line]
    assert "--port=8003" in line
    with served(line) as server:
        assert server.address.startswith("127.0.0.1:")


def test_redis_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 1.3: the printed line, with one line of pip more."""
    [line] = [line for line in commands("seth-pusher") if "Redis" in line]
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    Site(tmp_path).add("sethpusher-redis", "1.0", points="redis = seth_redis_fake", seth_redis_fake=BACKEND)
    with served(line) as server:
        address = server.address
        assert server.wait_for("backend: (.*); plugins") == "redis"
        assert run(commands("curl")[0], address) == {"subscriber_count": 0, "subscribers": {}}


def test_redis_is_not_installed() -> None:
    [line] = [line for line in commands("seth-pusher") if "Redis" in line]
    absent = "import sethpusher._plugins as p; p.find_candidates = lambda: []; from sethpusher_core.cli import main; "
    with Program(sys.executable, "-c", f"{absent}raise SystemExit(main())", *shlex.split(line)[1:]) as refused:
        assert refused.end() == 3
    assert refused.lines[-1] == (
        "seth-pusher: SethPusherOnRedisApplication joins its nodes by Redis, which needs the distribution "
        "sethpusher-redis; run: pip install sethpusher-redis"
    )


def test_creating_your_own_app(tmp_path: Path) -> None:
    """Section 1.9: ``my_app.py``, started with ``--logging=debug``, and its curl with the key."""
    assert "$ python my_app.py --logging=debug" in TEXT
    text = program()
    assert "AppRunner(port=6666, debug=True)" in text
    (tmp_path / "my_app.py").write_text(text.replace("port=6666", "port=0"))
    [with_key] = [line for line in commands("curl") if "batman" in line]
    publish = named(commands("curl -X POST")[0])
    with Program(sys.executable, "my_app.py", "--logging=debug", cwd=str(tmp_path)) as app:
        app.wait_for("MyAuth is asked about HTTP calls; connections need no credentials")
        address = app.address
        assert run(with_key, address) == {"subscriber_count": 0, "subscribers": {}}
        assert run(with_key.partition("\\?")[0], address)["status"] == 401
        assert run(publish, address)["message"] == "Invalid Auth credentials provided"
        client = SockJS(port_of(address))
        try:
            client.connect("alice")
            client.subscribe("news")
            assert run(f"{publish}?batman=bruce_wayne", address)["status"] == 200
            assert heard(client)[0]["message"] == {"my": "data"}
        finally:
            client.drop()
        assert app.stop() == 0
    printed = app.lines.index("{'my': 'data'}")
    assert app.lines[printed + 1 : printed + 3] == ["{'channel': 'news'}", "KABOOM !"]
    assert not any("bruce_wayne" in line for line in app.lines), "the key is in the log"
