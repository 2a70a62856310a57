"""A key is never repeated, wherever in a request it stands: not in a log line of the process, not in an answer."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from seth_processes import Program
from support.http import Http
from support.places import PLACES, answer_to

GOOD, WRONG = "sp_good_key_0123456789", "sp_wrong_key_0123456789"

APP = """
import os
from tornado.web import RequestHandler
from sethpusher_auth_apikey import ApiKeyAuth
from sethpusher_auth_apikey.settings import ApiKeySettings
from sethpusher_core import PushServer, hookimpl
from sethpusher_core.settings import Secret

class Page(RequestHandler):
    def get(self):
        self.get_argument("wanted")

    def post(self):
        raise KeyError("oops")

class Pages:
    @hookimpl
    def routes(self, server):
        return [("/page", Page)]

class App:
    @staticmethod
    def for_server(settings):
        keys = ApiKeyAuth(ApiKeySettings(key=Secret(os.environ["KEY"]), failure_delay=0.0))
        return PushServer(settings, plugins=[keys, Pages()])
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_log_line_and_no_answer_repeats_a_key(tmp_path: Path, form: str) -> None:
    (tmp_path / "silent.py").write_text(APP)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = (sys.executable, "-m", "sethpusher_core", "--no-plugins", "--app=silent.App", "--port=0", "--debug")
    more = ("--logging=debug", f"--log-format={form}")
    with Program(*command, *more, environment={**os.environ, "PYTHONPATH": path, "KEY": GOOD}) as server:
        port = int(server.address.rpartition(":")[2])
        told = []
        for number, place in enumerate(PLACES):
            for key in (GOOD, WRONG):
                answer = answer_to(port, place, key, 2 * number + (key == GOOD))
                if key.encode() in answer:
                    told.append(f"answered, {place}: {answer!r}")
        assert Http(port).get(f"/debug/?api_key={GOOD}").status == 200, "it is still there"
        assert server.stop() == 0
    told += [line for line in server.lines if GOOD in line or WRONG in line]
    assert told == []
    log = "\n".join(server.lines)
    for shown in ("Malformed HTTP message", "Missing argument wanted", "Uncaught exception", "/debug/?api_key=***"):
        assert shown in log, f"it was not quiet, but discreet: {log}"
