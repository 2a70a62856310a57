"""A page: ``/whoison/`` shows who is subscribed to what on this node, and keeps itself up to date.

It asks as the server's own pages do: who is it (``ApiHandler``), and may they ``inspect`` the server?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tornado.template import Template

from sethpusher_core import PushServer, hookimpl
from sethpusher_core.addresses import CHANNEL, SERVER
from sethpusher_core.api.base import ApiHandler
from sethpusher_core.settings import Duration, setting

PAGE = Template(  # Tornado's templates escape what they show
    "<!doctype html><title>Who is on</title><h1>Who is on</h1><dl>"
    "{% for channel, ids in channels %}<dt>{{ channel }}</dt><dd>{{ ', '.join(ids) }}</dd>{% end %}</dl>"
)


class WhoIsOn:
    @dataclass(frozen=True, slots=True)
    class Settings:
        refresh: Duration = setting("5s", minimum="1s", help="How often the page loads itself anew.")

    def __init__(self, settings: Settings) -> None:
        self._refresh = settings.refresh

    @hookimpl
    def routes(self, server: PushServer) -> list[Any]:
        return [(r"/whoison/?", WhoIsOnHandler, {"server": server, "refresh": self._refresh})]


class WhoIsOnHandler(ApiHandler):
    def initialize(self, server: PushServer, refresh: float = 0) -> None:
        super().initialize(server)
        self.refresh = refresh

    async def get(self) -> None:
        await self.authorize("inspect", SERVER)
        members = self.server.members().items()
        channels = sorted((at.name, sorted(str(id) for id in ids)) for at, ids in members if at.kind == CHANNEL)
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Refresh", f"{self.refresh:.0f}")
        self.write(PAGE.generate(channels=channels))
