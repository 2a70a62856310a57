"""What load balancers and supervisors ask. Never authenticated, and says nothing that is not theirs to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .. import jsontext
from ..addresses import SERVER
from ..identity import Credentials
from .base import PublicHandler

__all__ = ["HealthHandler", "ReadyHandler"]


class HealthHandler(PublicHandler):
    """``/health``: the process lives and its loop turns."""

    async def get(self) -> None:
        """Always 200. With the argument ``details`` it says more, to callers who may ``inspect``.

        Raises:
            RequestError: Details were asked for by one who may not have them.
        """
        if self.get_query_argument("details", None) is None:
            self.answer({"status": 200, "message": "alive"})
            return
        access = self.server.access
        credentials = Credentials.of_request(self.request, purpose="http", transport="http")
        await access.authorize(await access.authenticate(credentials), "inspect", SERVER)
        self.answer({"status": 200, "message": "alive", **await self._details()})

    async def head(self) -> None:
        """The same without its body, as many load balancers ask."""
        await self.get()

    async def _details(self) -> dict[str, Any]:
        server = self.server
        budget = server.router.budget
        counts = server.hooks.counts().items()
        return {
            "node": server.node_id,
            "backend": server.backend_name,
            "trouble": server.trouble,
            "plugins": server.plugin_names,
            "connections": len(server.connections),
            "limits": {**server.counts, "clients_too_slow": budget.cut, "messages_dropped": budget.dropped},
            "hooks": [
                {"plugin": plugin, "hook": hook, "calls": count.calls, "failures": count.failures}
                for (plugin, hook), count in sorted(counts)
            ],
            "details": {} if server.hooks.health is None else _told(await server.hooks.health(server)),
        }


def _told(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, msgspec.Raw]:
    """What plugins say, as JSON text; one that says what JSON has no form for spoils only its own."""
    told: dict[str, msgspec.Raw] = {}
    for plugin, answer in answers.items():
        try:
            text = jsontext.encode(dict(answer))
        except (TypeError, ValueError) as error:
            text = jsontext.encode({"failed": f"plugin {plugin}, hook health: {error}"})
        told[plugin] = msgspec.Raw(text)
    return told


class ReadyHandler(PublicHandler):
    """``/ready``: send clients here, or do not."""

    def get(self) -> None:
        """200, or 503 while starting, stopping or without the backend."""
        trouble = self.server.trouble
        if trouble is None:
            self.answer({"status": 200, "message": "ready"})
        else:
            self.set_header("Retry-After", "1")
            self.answer({"status": 503, "message": trouble}, 503)

    def head(self) -> None:
        """The same without its body."""
        self.get()
