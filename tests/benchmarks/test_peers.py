"""The servers that are measured: those that are here start, answer and end."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from benchmarks.peers.base import Peer
from benchmarks.peers.registry import all_peers
from benchmarks.peers.sethpusher import SethPusher
from benchmarks.processes import free_port, redis_server, started


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


@pytest.mark.parametrize("peer", all_peers(), ids=lambda peer: peer.name)
def test_it_listens_and_is_gone_afterwards(peer: Peer, tmp_path: Path) -> None:
    if missing := peer.missing():
        pytest.skip(f"{missing} is not here: {peer.install}")
    with peer.running(tmp_path) as running:
        socket.create_connection(("127.0.0.1", running.port), 5).close()
        assert Path(f"/proc/{running.pids[0]}").exists()
    assert not Path(f"/proc/{running.pids[0]}").exists()


def test_two_nodes_over_redis(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as (port, _), SethPusher().cluster(tmp_path, port) as (one, other):
        assert one.port != other.port
        assert one.pids != other.pids


def test_a_program_that_ends_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"(?s)ended with 3; its log ends: so it goes"),
        started(["sh", "-c", "echo so it goes; exit 3"], tmp_path, free_port()),
    ):
        pass
