"""Which nodes are alive: each has a tag in a sorted set, with the end of its lease as score.

What a node has entered (members, counts) stands under its tag. A node whose lease has ended is dead, whatever it does
later: if it lives after all (it was stopped, or cut off) it takes a new tag and enters everything anew, while the
others clear away what stands under the old one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import uuid4

from .keys import Keys
from .line import Line
from .scripts import Scripts

__all__ = ["Nodes"]

log = logging.getLogger("sethpusher.backend")

DEAD: Final = 1000
"""Dead nodes that are looked at in one go."""


class Nodes:
    """This node's own lease, and what it knows of the others.

    Attributes:
        tag: This node's.
        dead: Tags of nodes whose lease has ended, as far as this node knows.
    """

    def __init__(self, line: Line, keys: Keys, scripts: Scripts, lease: float) -> None:
        """Knows nobody.

        Args:
            line: Asks the server.
            keys: Names.
            scripts: What it asks.
            lease: Seconds.
        """
        self.tag = ""
        self.dead: tuple[bytes, ...] = ()
        self._line = line
        self._keys = keys
        self._scripts = scripts
        self._lease = round(lease * 1000)

    async def join(self) -> None:
        """Takes a new tag.

        Raises:
            BackendError: The server does not note it.
        """
        tag = uuid4().hex[:12]
        await self._renew(tag, new=True)
        self.tag = tag

    async def renew(self, enter_anew: Callable[[], Awaitable[None]]) -> None:
        """Extends this node's lease.

        Args:
            enter_anew: Called if it had ended, once there is a new tag.

        Raises:
            BackendError: The server does not note it.
        """
        if await self._renew(self.tag, new=False):
            return
        log.warning("the lease of this node had ended: its members are entered anew")
        await self.join()
        await enter_anew()

    async def look(self) -> None:
        """Finds out who is dead.

        Raises:
            BackendError: The server does not say.
        """
        self.dead = tuple(await self._line.ask_one(self._scripts.dead, (self._keys.nodes,), (DEAD,)))

    async def living(self) -> list[str]:
        """The tags of the nodes that live.

        Raises:
            BackendError: The server does not say.
        """
        tags = await self._line.ask_one(self._scripts.living, (self._keys.nodes,), ())
        return [tag.decode() for tag in tags]

    async def forget(self, tag: bytes) -> None:
        """Drops a dead node of which nothing is left.

        Raises:
            BackendError: The server does not do so.
        """
        await self._line.ask_one(b"ZREM", self._keys.nodes, tag)

    async def _renew(self, tag: str, *, new: bool) -> bool:
        keys = (self._keys.nodes,)
        return bool(await self._line.ask_one(self._scripts.renew, keys, (tag, self._lease, int(new))))
