"""The servers that are measured: those that are here start, deliver and end."""

from __future__ import annotations

import os
import socket
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

import pytest

from benchmarks import programs
from benchmarks.loading import Load, run
from benchmarks.peers.base import Dial, Dialect, Peer, Running
from benchmarks.peers.centrifugo import Centrifugo
from benchmarks.peers.floor import Floor
from benchmarks.peers.registry import all_peers
from benchmarks.processes import free_port, redis_server, started
from benchmarks.programs import built


def test_names_are_words_of_which_each_means_one_peer() -> None:
    names = [peer.name for peer in all_peers()]
    assert names[0] == "floor"
    assert len(set(names)) == len(names)
    assert all(name == name.strip().lower() and " " not in name for name in names)


@pytest.mark.parametrize("peer", all_peers(), ids=lambda peer: peer.name)
def test_each_says_what_it_is_and_how_to_install_it(peer: Peer) -> None:
    assert peer.title
    assert peer.install
    if peer.missing() is None:
        assert peer.version()
        assert peer.settings()


def test_what_was_built_is_used_where_its_compiler_is_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, "HERE", tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    cc = programs.compiler()
    if cc is None:
        pytest.skip("there is no C compiler")
    (tmp_path / "build").mkdir()
    program = built("floor")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Floor().missing() is None
    assert "not here" in Floor().version()
    assert built("floor") == program
    program.unlink()
    assert Floor().missing() == "a C compiler"
    assert Centrifugo().missing() == "centrifugo, and Go, which builds it"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/centrifugo").touch()
    assert Centrifugo().missing() is None
    assert "Go is not here" in Centrifugo().version()


def present(peer: Peer) -> Peer:
    if missing := peer.missing():
        pytest.skip(f"{missing} is not here: {peer.install}")
    return peer


def delivered(peer: Peer, running: Running, part: str) -> float:
    """How many deliveries there were in a small run with a part of the dialect; the generator counts each."""
    return run([str(built("load"))], small(peer.dialect, part), running)["delivered"]


def small(dialect: Dialect, part: str) -> Load:
    load = Load(dialect.subscriber, conns=3, publish=dialect.publish, messages=4, settle_ms=100, timeout_s=10)
    match part:
        case "batch":
            return replace(load, publish=dialect.batch, batch=2)
        case "kept_batch":
            return replace(load, publish=dialect.kept_batch, batch=2, conns=0)
        case "kept_publish":
            return replace(load, publish=dialect.kept_publish, conns=0)
        case "replay":
            return replace(load, dial=dialect.replay or Dial(), publish=None, replay=4)
        case "churn":
            return replace(load, publish=None, churn=dialect.churn, cycles=4, churners=2)
        case "client_publish":
            return replace(load, publish=dialect.client_publish)
        case "streaming" | "polling":
            return replace(load, dial=getattr(dialect, part))
    return load


ALWAYS_HERE: Final = ("floor", "seth-pusher")
"""Tried each time; the others once in .ci/run, where they are installed."""
ALL: Final = [
    pytest.param(peer, id=peer.name, marks=() if peer.name in ALWAYS_HERE else pytest.mark.alone)
    for peer in all_peers()
]


@pytest.mark.parametrize("peer", ALL)
def test_three_subscribers_get_four_messages_and_nothing_is_left_behind(peer: Peer, tmp_path: Path) -> None:
    with present(peer).running(tmp_path) as running:
        assert delivered(peer, running, "publish") == 12
    for pid in running.pids:
        with pytest.raises(ProcessLookupError):
            os.killpg(pid, 0)
    for port in {running.port, running.publish_port}:
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))
            again.listen()


PARTS: Final = [
    (peer, field.name)
    for peer in all_peers()
    for field in fields(Dialect)
    if field.name not in ("subscriber", "publish", "probe") and getattr(peer.dialect, field.name)
]


@pytest.mark.alone
@pytest.mark.parametrize(("peer", "part"), PARTS, ids=lambda value: getattr(value, "name", value))
def test_its_clients_say_what_it_understands(peer: Peer, part: str, tmp_path: Path) -> None:
    with present(peer).running(tmp_path) as running:
        if part == "replay":
            delivered(peer, running, "kept_publish")
        wanted = 0 if part in ("churn", "kept_publish", "kept_batch") else 12
        assert delivered(peer, running, part) == wanted


@pytest.mark.alone
@pytest.mark.parametrize("peer", [pytest.param(peer, id=peer.name) for peer in all_peers() if peer.clusters])
def test_two_nodes_over_redis(peer: Peer, tmp_path: Path) -> None:
    redis, nodes = tmp_path / "redis", tmp_path / "nodes"
    redis.mkdir()
    nodes.mkdir()
    with redis_server(redis) as (port, _), present(peer).cluster(nodes, port) as (one, other):
        assert not set(one.pids) & set(other.pids)
        between = Running(other.port, one.publish_port, (*one.pids, *other.pids))
        assert delivered(peer, between, "publish") == 12


def test_a_program_that_ends_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"(?s)ended with 3; its log ends: so it goes"),
        started(["sh", "-c", "echo so it goes; exit 3"], tmp_path, free_port()),
    ):
        pass
