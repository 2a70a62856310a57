"""Applications say no more than the core does: neither keys in their logs, nor what serves them in their answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from seth_processes import Program
from sethpusher.applications import SethPusherInMemoryApplication
from support.http import Http
from support.places import PLACES, answer_to
from support.server import RunningServer
from tornado.web import RequestHandler

Serve = Callable[..., RunningServer]

GOOD, WRONG = "good_key_0123456789", "wrong_key_0123456789"
APP = f"""
import tornado.log
from tornado.options import parse_command_line
from tornado.web import RequestHandler
from sethpusher.applications import SethPusherInMemoryApplication
from sethpusher.authenticators import ApiKeyAuthenticationPolicy, HeaderAuthenticationPolicy
from sethpusher.default_server import AppRunner

class Page(RequestHandler):
    def get(self):
        self.get_argument("wanted")

    def post(self):
        raise KeyError("oops")

class Either(ApiKeyAuthenticationPolicy):
    key_secret_value = "{GOOD}"

    def authenticate(self, request, **kwargs):
        header = HeaderAuthenticationPolicy()
        header.secret_header_value = self.key_secret_value
        return super().authenticate(request) or header.authenticate(request)

class App(SethPusherInMemoryApplication):
    authentication_policy = Either()
    authenticate_connections = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.add_handlers(".*", [("/page", Page)])

if __name__ == "__main__":
    parse_command_line()
    AppRunner(port=0, debug=True).start(app=App)
"""
BY_COMMAND = ("-m", "sethpusher_core", "--no-plugins", "--app=discreet.App", "--port=0", "--debug")
BY_ITSELF = ("discreet.py",)


@pytest.mark.parametrize("words", [BY_COMMAND, BY_ITSELF], ids=["command", "runner"])
def test_no_log_line_and_no_answer_repeats_a_key(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "discreet.py").write_text(APP)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    with Program(sys.executable, *words, "--logging=debug", cwd=str(tmp_path), environment=environment) as server:
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


def test_handlers_of_ones_own_do_not_say_what_serves_them(serve: Serve) -> None:
    class Page(RequestHandler):
        def get(self) -> None:
            self.write("hello")

    class App(SethPusherInMemoryApplication):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.add_handlers(r".*", [("/page", Page)])

    http = serve(App(compress_response=True)).http
    for path, status in (("/page", 200), ("/nothing", 404), ("/connect/info", 200), ("/health", 200)):
        answer = http.get(path)
        assert answer.status == status
        assert "server" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"
