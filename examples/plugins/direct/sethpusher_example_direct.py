"""An authorizer: the channel ``dm:ada,bob`` is for ada and bob, and for nobody else.

It has no opinion about other channels, so their rules hold. Who somebody is must be proven by an authenticator: an id
that a client merely claims opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from sethpusher_core import ALLOW, Address, Denied, Identity, hookimpl
from sethpusher_core.answers import Allowed
from sethpusher_core.settings import setting

ACTIONS = ("subscribe", "publish", "presence", "history")


class Direct:
    @dataclass(frozen=True, slots=True)
    class Settings:
        prefix: str = setting("dm:", help="What the names of such channels begin with.")
        trust_claims: bool = setting(False, help="Believe a subscriber_id that nobody has proven; for trials only.")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @hookimpl
    def authorize(self, identity: Identity, action: str, target: Address) -> Allowed | Denied | None:
        if target.kind != "channel" or not target.name.startswith(self._settings.prefix):
            return None
        if not identity.proven and not self._settings.trust_claims:
            return Denied("nobody has proven who this is")
        if action not in ACTIONS:
            return Denied("nobody may do this there")
        if identity.subscriber_id not in target.name.removeprefix(self._settings.prefix).split(","):
            return Denied("the channel does not name them")
        return ALLOW
