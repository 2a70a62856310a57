"""How many members channels and users have, over all nodes: this node's counts, told to the backend as they change."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import errors
from .addresses import Address
from .backends.capabilities import Occupancy, SupportsCensus, as_census
from .errors import BackendError, RequestError
from .repeating import Repeating

if TYPE_CHECKING:
    from .backends.base import Backend
    from .hub import Hub
    from .interest import Interest

__all__ = ["Census"]

log = logging.getLogger("sethpusher.census")

REPORT_SECONDS: Final = 1.0
"""Between two reports."""


class Census:
    """Reports counts at most once a second, and answers from the backend."""

    def __init__(self, hub: Hub, interest: Interest) -> None:
        """Makes one without a backend; :meth:`bind` names it.

        Args:
            hub: Where members stand.
            interest: What knows which counts have changed.
        """
        self._hub = hub
        self._interest = interest
        self._backend: SupportsCensus | None = None
        self._timer = Repeating(self._report_again)

    def bind(self, backend: Backend | None) -> None:
        """Names the backend and begins to report to it; None: ends that."""
        self._timer.stop()
        self._backend = as_census(backend)
        if self._backend is not None:
            self._timer.start(REPORT_SECONDS)

    async def occupied(self, kind: str, prefix: str, after: str, limit: int) -> Sequence[Occupancy]:
        """See :meth:`SupportsCensus.occupied`; this node's own counts are told first.

        Raises:
            RequestError: The backend keeps no census, or cannot be asked now.
        """
        try:
            return await (await self._up_to_date()).occupied(kind, prefix, after, limit)
        except BackendError as error:
            log.warning("the census cannot be read: %s", error)
            raise RequestError(errors.UNAVAILABLE) from error

    async def count(self, address: Address) -> int:
        """See :meth:`SupportsCensus.count`; this node's own counts are told first.

        Raises:
            RequestError: The backend keeps no census, or cannot be asked now.
        """
        try:
            return await (await self._up_to_date()).count(address)
        except BackendError as error:
            log.warning("the census cannot be read: %s", error)
            raise RequestError(errors.UNAVAILABLE) from error

    async def _up_to_date(self) -> SupportsCensus:
        if self._backend is None:
            raise RequestError(errors.UNSUPPORTED, "This server's backend keeps no census.")
        await self._report(self._backend)
        return self._backend

    async def _report(self, backend: SupportsCensus) -> None:
        changed, self._interest.changed = self._interest.changed, set()
        if not changed:
            return
        locals_ = ((address, self._hub.get(address)) for address in changed)
        try:
            await backend.report({address: local.count if local is not None else 0 for address, local in locals_})
        except BackendError:
            self._interest.changed |= changed
            raise

    async def _report_again(self) -> None:
        if self._backend is not None:
            try:
                await self._report(self._backend)
            except BackendError as error:
                log.warning("counts could not be told to the backend: %s", error)
