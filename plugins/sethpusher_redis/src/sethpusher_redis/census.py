"""Which channels and users have members, over all nodes.

Each node keeps its own counts under its tag: a hash of counts, and for each kind a sorted set of names in order. Both
end with its lease. Whoever asks adds up over the nodes that live.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import Final

from sethpusher_core import Address
from sethpusher_core.backends.capabilities import Occupancy

from .keys import Keys
from .line import Command, Line
from .nodes import Nodes

__all__ = ["Census"]

KINDS: Final = ("channel", "user")


class Census:
    """This node's counts, and the sums over all nodes."""

    def __init__(self, line: Line, keys: Keys, nodes: Nodes, lease: float) -> None:
        """Nothing is counted.

        Args:
            line: Asks the server.
            keys: Names.
            nodes: Which nodes live.
            lease: Seconds for which counts outlive the last :meth:`renew`.
        """
        self._line = line
        self._keys = keys
        self._nodes = nodes
        self._lease = round(lease * 1000)
        self._own: dict[Address, int] = {}

    async def report(self, counts: Mapping[Address, int]) -> None:
        """See :meth:`SupportsCensus.report`."""
        for address, count in counts.items():
            if count:
                self._own[address] = count
            else:
                self._own.pop(address, None)
        await self._write(counts)

    async def report_anew(self) -> None:
        """Tells all counts again, under this node's new tag.

        Raises:
            BackendError: They are not noted.
        """
        await self._write(self._own)

    async def renew(self) -> None:
        """Keeps this node's counts for another lease.

        Raises:
            BackendError: The server does not note it.
        """
        await self._line.ask_all(self._expiries())

    async def count(self, address: Address) -> int:
        """See :meth:`SupportsCensus.count`."""
        living = await self._nodes.living()
        counts = await self._line.ask_all((b"HGET", self._counts(tag), _field(address)) for tag in living)
        return sum(int(count) for count in counts if count is not None)

    async def occupied(self, kind: str, prefix: str, after: str, limit: int) -> Sequence[Occupancy]:
        """See :meth:`SupportsCensus.occupied`."""
        living = await self._nodes.living()
        low = b"(" + _bytes(after) if after and after >= prefix else b"[" + _bytes(prefix)
        high = b"(" + _bytes(prefix) + b"\xff"  # which no text in UTF-8 has
        commands = [(b"ZRANGEBYLEX", self._names(tag, kind), low, high, b"LIMIT", 0, max(limit, 0)) for tag in living]
        names = list(islice(_distinct(merge(*await self._line.ask_all(commands))), max(limit, 0)))
        if not names:
            return []
        addresses = [Address(kind, name.decode("utf-8", "surrogatepass")) for name in names]
        fields = [_field(address) for address in addresses]
        rows = await self._line.ask_all((b"HMGET", self._counts(tag), *fields) for tag in living)
        sums = [sum(int(count) for count in column if count is not None) for column in zip(*rows, strict=True)]
        return [Occupancy(address, count) for address, count in zip(addresses, sums, strict=True) if count]

    async def clear_away(self, tag: str) -> None:
        """Drops the counts of a node that is dead or ends.

        Raises:
            BackendError: They are still there; they end with its lease.
        """
        await self._line.ask_all([(b"DEL", self._counts(tag), *(self._names(tag, kind) for kind in KINDS))])

    # ------------------------------------------------------------------------------------------------------ inside

    async def _write(self, counts: Mapping[Address, int]) -> None:
        if not counts:
            return
        tag = self._nodes.tag
        commands: list[Command] = []
        for address, count in counts.items():
            names, name = self._names(tag, address.kind), _bytes(address.name)
            if count:
                commands.append((b"HSET", self._counts(tag), _field(address), count))
                commands.append((b"ZADD", names, 0, name))
            else:
                commands.append((b"HDEL", self._counts(tag), _field(address)))
                commands.append((b"ZREM", names, name))
        await self._line.ask_all([*commands, *self._expiries()])

    def _expiries(self) -> list[Command]:
        tag = self._nodes.tag
        keys = [self._counts(tag), *(self._names(tag, kind) for kind in KINDS)]
        return [(b"PEXPIRE", key, self._lease) for key in keys]

    def _counts(self, tag: str) -> bytes:
        return self._keys.of_node(tag, "counts")

    def _names(self, tag: str, kind: str) -> bytes:
        return self._keys.of_node(tag, kind)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _field(address: Address) -> bytes:
    return _bytes(f"{address.kind}:{address.name}")


def _distinct(names: Iterable[bytes]) -> Iterable[bytes]:
    """Sorted names, each once."""
    last = None
    for name in names:
        if name != last:
            yield name
        last = name
