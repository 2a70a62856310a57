"""The plugin: puts accepted publications into the outbox."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from sethpusher_core import Address, Publication, hookimpl
from sethpusher_core.errors import SettingsError
from sethpusher_core.settings.rules import matches

from .letters import Route, address_of, end_of, letter_of, stripe_of, target_of
from .settings import HttpPersistSettings
from .urls import UrlTemplate

if TYPE_CHECKING:
    from sethpusher_core import PushServer
    from sethpusher_core.settings import Secret

    from .office import Office, Plan

__all__ = ["HttpPersister"]

REMEMBERED: Final = 10_000
"""Addresses of which it is remembered where they go."""


class HttpPersister:
    """Keeps accepted publications in an outbox, and posts them from there."""

    name = "persist_http"
    Settings = HttpPersistSettings

    def __init__(self, settings: HttpPersistSettings) -> None:
        """Opens nothing yet.

        Raises:
            ValueError: A secret or a file among the settings cannot be used.
        """
        self._settings = settings
        self._keys = _keys_of(settings.secrets)
        if settings.ca_file is not None and not Path(settings.ca_file).is_file():
            raise ValueError(f"ca_file: there is no file {settings.ca_file}")
        self._channel_urls = UrlTemplate(settings.api_url)
        self._user_urls = UrlTemplate(settings.user_url) if settings.user_url else self._channel_urls
        self._route = lru_cache(maxsize=REMEMBERED)(self._find_route)
        self._office: Office | None = None

    # ----------------------------------------------------------------------------------------------------------- hooks

    @hookimpl
    def startup(self, server: PushServer) -> None:
        """See :func:`sethpusher_core.hookspecs.startup`.

        Not ``async``: before the first client nobody is kept waiting, and however long a large outbox takes to be
        checked, ``hook_timeout`` does not cut it off.
        """
        # Here, so that what is installed and has no settings costs the start nothing.
        from .office import Office
        from .posting import Poster

        settings = self._settings
        poster = Poster(
            parallel=settings.parallel,
            timeout=settings.timeout,
            connect_timeout=settings.connect_timeout,
            headers={name: value.reveal() for name, value in settings.headers.items()},
            keys=self._keys,
            ca_file=settings.ca_file,
            batches=settings.body == "batch",
        )
        office = Office(self._plan(server.settings.state_dir))
        try:
            office.open(
                poster,
                lambda target: self._url_of(address_of(target)),
                lane_of=lambda target: self._lane_of(address_of(target)),
                layout=f"{settings.api_url} {settings.user_url or ''} {settings.parallel}",
            )
        except BaseException:
            poster.close()
            raise
        self._office, self._poster = office, poster
        # Half of what the hook may take, so that what is under way is written down in the other half.
        self._grace = min(settings.timeout, server.settings.hook_timeout / 2)

    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        """See :func:`sethpusher_core.hookspecs.persist`."""
        if self._office is None:
            raise SettingsError("persist_http has not been started")
        end = end_of(time.time())
        letters = []
        for publication in publications:
            route = self._route(publication.address)
            if route is not None:
                letters.append(letter_of(publication, route, end))
        if letters:
            await self._office.put(letters)

    @hookimpl
    async def health(self) -> dict[str, Any] | None:
        """See :func:`sethpusher_core.hookspecs.health`."""
        return None if self._office is None else await self._office.health()

    @hookimpl
    async def shutdown(self) -> None:
        """See :func:`sethpusher_core.hookspecs.shutdown`."""
        office, self._office = self._office, None
        if office is not None:
            try:
                await office.close(self._grace)
            finally:
                self._poster.close()

    # ---------------------------------------------------------------------------------------------------------- inside

    def _plan(self, folder: str | None) -> Plan:
        from .groups import Bounds
        from .office import Plan
        from .pace import Pace

        settings = self._settings
        if settings.durability != "memory" and folder is None:
            raise SettingsError(
                "state_dir is required, because persist_http keeps publications on disk until they are posted; set "
                "state_dir (--state-dir=/var/lib/seth-pusher), or persist_http.durability = memory"
            )
        return Plan(
            folder=Path(folder) if folder is not None and settings.durability != "memory" else None,
            durability=settings.durability,
            set_aside=settings.on_corrupt == "set_aside",
            remember=settings.remember,
            bounds=Bounds(settings.max_rows, settings.max_size, settings.max_age, settings.on_full == "drop_oldest"),
            pace=Pace(
                batch_size=settings.batch_size,
                batch_bytes=settings.batch_bytes,
                batch_delay=settings.batch_delay,
                parallel=settings.parallel,
                retry_first=settings.retry_first,
                retry_max=settings.retry_max,
                circuit_failures=settings.circuit_failures,
            ),
            batches=settings.body == "batch",
        )

    def _find_route(self, address: Address) -> Route | None:
        """Where publications to an address go; None: nowhere."""
        settings = self._settings
        if address.kind == "channel":
            wanted = any(matches(pattern, address.name) for pattern in settings.channels)
            wanted = wanted and not any(matches(pattern, address.name) for pattern in settings.exclude)
        else:
            wanted = settings.users
        return Route.of(address, self._lane_of(address)) if wanted else None

    def _url_of(self, address: Address) -> str:
        urls = self._channel_urls if address.kind == "channel" else self._user_urls
        return urls.url_for(address)

    def _lane_of(self, address: Address) -> int:
        """Letters to one address share a lane, and a lane has one URL."""
        part = crc32(target_of(address).encode()) % self._settings.parallel
        return stripe_of(f"{part} {self._url_of(address)}")


def _keys_of(secrets: Sequence[Secret]) -> tuple[bytes, ...]:
    if not secrets:
        return ()
    from .signing import key_of

    return tuple(key_of(secret.reveal()) for secret in secrets)
