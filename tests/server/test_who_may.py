"""What the log of a process says at its start about callers without credentials."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from seth_processes import Program
from support.logs import LogWatch

from sethpusher_core.server import PushServer
from sethpusher_core.serving import _reachable, _say_who_may

GUARDED = """
from sethpusher_core import Identity, PushServer, hookimpl

class Door:
    @hookimpl
    def authenticate(self, credentials):
        return None

class App:
    @staticmethod
    def for_server(settings):
        return PushServer(settings, plugins=[Door()])
"""
OPEN = "everybody who reaches this address may connect and publish: no authenticator is active"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), f"INFO    sethpusher.server: {OPEN}$"),
        (("--app=guarded.App",), "INFO    sethpusher.server: callers without credentials: anonymous = none$"),
        (("--app=guarded.App", "--anonymous=connect"), "callers without credentials: anonymous = connect$"),
    ],
)
def test_the_log_says_who_may_do_without_credentials(tmp_path: Path, words: tuple[str, ...], line: str) -> None:
    (tmp_path / "guarded.py").write_text(GUARDED)
    command = (sys.executable, "-m", "sethpusher_core", "--no-plugins", "--port=0", *words)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    with Program(*command, environment={**os.environ, "PYTHONPATH": path}) as server:
        server.wait_for(line)
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("host", "reachable"),
    [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("192.0.2.1", True), ("here", True)],
)
def test_it_warns_where_others_than_this_machine_can_reach_it(logs: LogWatch, host: str, reachable: bool) -> None:
    _say_who_may(PushServer(), in_reach=_reachable(host))
    if reachable:
        logs.expect(rf"{OPEN} \(listen on 127.0.0.1, or install one: pip install sethpusher-auth-apikey\)")
