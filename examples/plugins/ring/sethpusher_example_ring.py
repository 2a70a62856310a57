"""A sub-command: ``seth-pusher ring ada lunch is ready`` sends ada a message through a running server.

It speaks to the server's HTTP API, as any other publisher, so it may run on another machine.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from sethpusher_core import hookimpl
from sethpusher_core.errors import UsageError
from sethpusher_core.hookspecs import RegisterCommand
from sethpusher_core.settings import Resolved, Secret, setting


class Ring:
    @dataclass(frozen=True, slots=True)
    class Settings:
        url: str = setting("http://127.0.0.1:8080", help="The server.")
        authorization: Secret | None = setting(None, help="The header Authorization, where the server asks for it.")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @hookimpl
    def commands(self, register: RegisterCommand) -> None:
        register("ring", self.ring, help="Ring a user: ring NAME [TEXT ...]")

    def ring(self, words: list[str], settings: Resolved) -> int:
        if not words:
            raise UsageError("ring whom? write seth-pusher ring NAME [TEXT ...]")
        url, secret = self._settings.url, self._settings.authorization
        headers = {"Authorization": secret.reveal()} if secret else {}
        body = json.dumps({"ring": " ".join(words[1:])}).encode()
        request = Request(f"{url.rstrip('/')}/api/users/{quote(words[0], safe='')}/", body, headers)  # noqa: S310 - the operator says which server
        try:
            urlopen(request, timeout=10).close()  # noqa: S310 - see above
        except OSError as error:  # HTTPError is one, and so is a refused connection
            reason = error.read().decode(errors="replace") if isinstance(error, HTTPError) else str(error)
            print(f"{words[0]} was not rung: {reason}".rstrip(), file=sys.stderr)
            return 1
        return 0
