"""An authenticator: HTTP Basic (RFC 7617), with the users in the settings file.

A caller without the header is not ours: other authenticators are asked, and if none answers the caller is refused.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from sethpusher_core import Credentials, Identity, Rejected, hookimpl
from sethpusher_core.settings import Secret, setting


class BasicAuth:
    proves_ids = True

    @dataclass(frozen=True, slots=True)
    class Settings:
        users: Mapping[str, Secret] = setting(required=True, help="Passwords by name; a password may be a reference.")

    def __init__(self, settings: Settings) -> None:
        self._users = settings.users

    @hookimpl
    def authenticate(self, credentials: Credentials) -> Identity | Rejected | None:
        scheme, _, text = credentials.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
        except ValueError:
            return Rejected("the header Authorization is damaged")
        # An unknown name is compared, too: the time taken must not tell which names there are.
        right = Secret(password) == self._users.get(name, Secret(""))
        if name not in self._users or not right:
            return Rejected(f"wrong name or password for {name!r}")
        return Identity(name, proven=True)
