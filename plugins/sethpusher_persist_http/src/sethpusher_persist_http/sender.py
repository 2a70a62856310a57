"""The sender for programs that say themselves what is posted, and where: one post for each message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from zlib import crc32

from sethpusher_core import Address

from .groups import Bounds
from .letters import NewLetter, address_of, stripe_of, target_of
from .office import Office, Plan
from .posting import Poster

__all__ = ["Sender"]

PARALLEL = 4


class Sender:
    """Keeps messages until an API has taken them: at least once each, in order per address."""

    def __init__(
        self,
        url_of: Callable[[Address], str | Awaitable[str]],
        *,
        timeout: float = 30.0,
        max_rows: int = 100_000,
        folder: Path | None = None,
        durability: str = "memory",
    ) -> None:
        """Opens nothing yet.

        Args:
            url_of: Gives the URL for an address when something is posted to it; an empty one: it need not be posted.
            timeout: Seconds that a post may take.
            max_rows: How many messages may wait.
            folder: Where they are kept; None: in memory.
            durability: ``power``, ``process`` or ``memory``; see the plugin's setting.
        """
        self._url_of = url_of
        self._timeout = timeout
        self._office = Office(Plan(folder=folder, durability=durability, bounds=Bounds(rows=max_rows), batches=False))

    def start(self) -> None:
        """Opens what it keeps messages in and begins to post, on the running loop.

        Raises:
            OutboxError: It cannot be opened.
        """
        self._poster = Poster(
            parallel=PARALLEL, timeout=self._timeout, connect_timeout=self._timeout, headers={}, batches=False
        )
        try:
            self._office.open(
                self._poster,
                lambda target: self._url_of(address_of(target)),
                lane_of=_lane_of,
                layout="by address",
            )
        except BaseException:
            self._poster.close()
            raise

    async def post(self, address: Address, body: bytes, id: str, *, keyed: bool = False) -> None:
        """Returns when a message is kept; it is posted afterwards.

        Args:
            address: What it is for.
            body: JSON text: all of what is posted.
            id: What the API knows repeats by (header ``webhook-id``).
            keyed: Whether it may be given again under the same id; then it is kept once.

        Raises:
            OutboxError: It is not kept.
        """
        target = target_of(address)
        await self._office.put((NewLetter(id, _lane_of(target), target, body, keyed),))

    async def stop(self, grace: float) -> None:
        """Ends it; posts under way have some seconds, and so have all that wait where they are only in memory."""
        try:
            await self._office.close(grace)
        finally:
            self._poster.close()

    async def health(self) -> dict[str, Any] | None:
        """Counters; see :meth:`Office.health`."""
        return await self._office.health()


def _lane_of(target: str) -> int:
    return stripe_of(str(crc32(target.encode()) % PARALLEL))
