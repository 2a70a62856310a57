"""The plugin: an authenticator and authorizer that goes by API keys."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final

from sethpusher_core import ALLOW, Address, Allowed, Credentials, Denied, Identity, Rejected, hookimpl
from sethpusher_core.access import covers
from sethpusher_core.farewell import revoke
from sethpusher_core.watching import WatchedFile

from .delays import Delays
from .keyfile import keys_in
from .keys import ApiKey, KeyRing, key_of, unlimited_key
from .presented import Places
from .settings import ApiKeySettings, KeyTable

if TYPE_CHECKING:
    from sethpusher_core import PushServer

__all__ = ["ApiKeyAuth"]

log = logging.getLogger("sethpusher.auth_apikey")

_SCOPE_OF: Final = {
    "subscribe": "subscribe",
    "publish": "publish",
    "presence": "read",
    "history": "read",
    "inspect": "read",
    "administer": "administer",
}


class ApiKeyAuth:
    """Knows callers by their keys, and what each key is for."""

    name = "auth_apikey"
    challenge = 'Bearer realm="seth-pusher"'
    Settings = ApiKeySettings

    def __init__(self, settings: ApiKeySettings) -> None:
        """Reads all keys.

        Raises:
            ValueError: One of them, or the file, is wrong.
        """
        fixed = [unlimited_key("key", settings.key)] if settings.key is not None else []
        for table in settings.keys:
            fields = {name: getattr(table, name) for name in KeyTable.__slots__}
            fixed.append(key_of({name: value for name, value in fields.items() if value is not None}))
        self._fixed = KeyRing(fixed)
        self._file: WatchedFile[KeyRing] | None = None
        if settings.keys_file is not None:
            self._file = WatchedFile(
                settings.keys_file, lambda data: KeyRing([*fixed, *keys_in(data)]), what="the keys", log=log
            )
        self._places = Places(settings.header, settings.bearer, settings.argument)
        self._delays = Delays(settings.failure_delay)
        self._interval = settings.check_every
        self._server: PushServer | None = None

    @property
    def _keys(self) -> KeyRing:
        return self._fixed if self._file is None else self._file.value

    # ----------------------------------------------------------------------------------------------------------- hooks

    @hookimpl
    def authenticate(self, credentials: Credentials) -> Identity | Rejected | Awaitable[Rejected] | None:
        """See :func:`sethpusher_core.hookspecs.authenticate`."""
        presented = self._places.find(credentials)
        if presented is None:
            return None
        key = self._keys.find(presented)
        if key is None:
            return self._refuse(credentials, "a wrong key")
        if key.expires_at is not None and key.expires_at <= time.time():
            return self._refuse(credentials, f"the key {key.name!r} has expired")
        info = {"key": key.name, "scopes": sorted(key.scopes), "channels": list(key.channels)}
        return Identity(info=info, expires_at=key.expires_at)

    @hookimpl
    def authorize(self, identity: Identity, action: str, target: Address) -> Allowed | Denied | None:
        """See :func:`sethpusher_core.hookspecs.authorize`; about callers with other credentials it has no opinion."""
        if identity.plugin != self.name:
            return None
        key = self._keys.get(identity.info.get("key"))
        if key is None:
            return Denied("its key is no longer among the keys")
        scope = _SCOPE_OF.get(action)
        if scope not in key.scopes:
            return Denied(f"the key {key.name!r} has not the scope {scope or action}")
        return ALLOW if covers(key.channels, target) else Denied(f"the key {key.name!r} is for other channels only")

    @hookimpl
    def startup(self, server: PushServer) -> None:
        """See :func:`sethpusher_core.hookspecs.startup`."""
        self._server = server
        # A delay that the server would take for a hang would turn a refusal into an error.
        self._delays.longest = min(self._delays.longest, server.settings.hook_timeout / 2)
        for key in self._keys:
            if key.short:
                log.warning(
                    "the key %r is so short that it might be guessed; seth-pusher apikey new makes one", key.name
                )
        if self._file is not None:
            self._file.start(self._interval, self._changed)

    @hookimpl
    def shutdown(self) -> None:
        """See :func:`sethpusher_core.hookspecs.shutdown`."""
        if self._file is not None:
            self._file.stop()
        self._server = None

    # ---------------------------------------------------------------------------------------------------------- inside

    async def _refuse(self, credentials: Credentials, reason: str) -> Rejected:
        await asyncio.sleep(self._delays.failed(credentials.remote_ip))
        return Rejected(reason)

    def _changed(self, old: KeyRing, new: KeyRing) -> None:
        """Ends the connections that are there by a key which does not hold any more."""
        gone = {key.name for key in old if not _same(key, new.get(key.name))}
        log.info("%d keys are read anew; changed or gone: %s", len(new), ", ".join(sorted(gone)) or "none")
        if self._server is not None:
            revoke(
                self._server.connections.values(),
                lambda identity: identity.plugin == self.name and identity.info.get("key") in gone,
            )


def _same(old: ApiKey, new: ApiKey | None) -> bool:
    """Whether connections made with the old key may stay: the same key, which ends no earlier."""
    if new is None or new.digest != old.digest:
        return False
    return new.expires_at is None or (old.expires_at is not None and old.expires_at <= new.expires_at)
