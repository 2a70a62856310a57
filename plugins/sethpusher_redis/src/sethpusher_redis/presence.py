"""Who is in a channel, over all nodes; see ``people.lua`` for how it is kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sethpusher_core import Address
from sethpusher_core.backends.capabilities import Person, Roster

from .keys import Keys
from .line import Command, Line
from .nodes import Nodes
from .scripts import Scripts

__all__ = ["Presence"]

AT_ONCE: Final = 200
"""Commands in one round trip where there are many to send."""


class Presence:
    """This node's members, and those of all nodes as the store has them."""

    def __init__(self, line: Line, keys: Keys, scripts: Scripts, nodes: Nodes) -> None:
        """Nobody is in."""
        self._line = line
        self._keys = keys
        self._scripts = scripts
        self._nodes = nodes
        self._own: dict[Address, dict[str, tuple[bytes, bytes]]] = {}
        self._unsure: set[tuple[Address, str]] = set()

    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes) -> bool:
        """See :meth:`SupportsPresence.enter`."""
        person = b"n" if subscriber_id is None else b"s" + subscriber_id.encode("utf-8", "surrogatepass")
        self._own.setdefault(address, {})[connection_id] = (person, info)
        _, first = await self._change(address, connection_id)
        return bool(first)

    async def leave(self, address: Address, connection_id: str) -> bool:
        """See :meth:`SupportsPresence.leave`."""
        own = self._own.get(address, {})
        own.pop(connection_id, None)
        if not own:
            self._own.pop(address, None)
        [left, *_] = await self._change(address, connection_id)
        return bool(left)

    async def roster(self, address: Address) -> Roster:
        """See :meth:`SupportsPresence.roster`."""
        members, _ = self._keys.members(address)
        dead, found = await self._line.ask_all(
            [
                (self._scripts.dead, (self._keys.nodes,), (10_000,)),
                (b"HGETALL", members),
            ]
        )
        gone = {tag.decode() for tag in dead}
        present = sorted(
            (parsed for parsed in map(_parsed, _values(found)) if parsed[1] not in gone), key=lambda parsed: parsed[0]
        )
        connections: dict[str, int] = {}
        infos: dict[str, bytes] = {}
        anonymous = 0
        for _, _, info, person in present:
            if person[:1] == b"n":
                anonymous += 1
            else:
                subscriber_id = person[1:].decode("utf-8", "surrogatepass")
                connections[subscriber_id] = connections.get(subscriber_id, 0) + 1
                infos.setdefault(subscriber_id, info)
        people = [Person(name, connections[name], infos[name]) for name in sorted(connections)]
        return Roster(tuple(people), anonymous)

    async def enter_anew(self) -> None:
        """Enters this node's members again, under its new tag.

        Raises:
            BackendError: Not all are entered.
        """
        commands = [
            command
            for address, own in self._own.items()
            for connection_id, (person, info) in own.items()
            for command in self._entering(address, connection_id, person, info)
        ]
        for start in range(0, len(commands), AT_ONCE):
            await self._line.ask_all(commands[start : start + AT_ONCE])

    async def make_sure(self) -> None:
        """Enters and takes out again what the server could not be told, or has not confirmed.

        Raises:
            BackendError: It still is not confirmed.
        """
        for address, connection_id in list(self._unsure):
            await self._change(address, connection_id)

    async def clear_away(self, tag: bytes) -> None:
        """Takes the members of a dead node out of everything.

        Raises:
            BackendError: Something is left; it can be tried again.
        """
        key = self._addresses(tag.decode())
        while some := await self._line.ask_one(b"SRANDMEMBER", key, AT_ONCE):
            addresses = map(_unpacked, some)
            await self._line.ask_all((self._scripts.reap, self._keys.members(address), (tag,)) for address in addresses)
            await self._line.ask_all([(b"SREM", key, *some)])

    async def close(self) -> None:
        """Takes this node's members out, so that nobody has to wait for the end of the lease."""
        if self._own:
            await self.clear_away(self._nodes.tag.encode())

    # ------------------------------------------------------------------------------------------------------ inside

    async def _change(self, address: Address, connection_id: str) -> list[Any]:
        """Has the store know of one connection what this node knows of it."""
        own = self._own.get(address)
        if own is not None and connection_id in own:
            commands = self._entering(address, connection_id, *own[connection_id])
        else:
            commands = self._leaving(address, connection_id)
        self._unsure.add((address, connection_id))
        answers = await self._line.ask_all(commands)
        self._unsure.discard((address, connection_id))
        return answers

    def _entering(self, address: Address, connection_id: str, person: bytes, info: bytes) -> list[Command]:
        arguments = (_bytes(connection_id), 1, self._nodes.tag, person, info, *self._nodes.dead)
        return [
            (b"SADD", self._addresses(self._nodes.tag), _packed(address)),
            (self._scripts.enter, self._keys.members(address), arguments),
        ]

    def _leaving(self, address: Address, connection_id: str) -> list[Command]:
        arguments = (_bytes(connection_id), 0, self._nodes.tag, b"n", b"", *self._nodes.dead)
        commands: list[Command] = [(self._scripts.enter, self._keys.members(address), arguments)]
        if address not in self._own:
            commands.append((b"SREM", self._addresses(self._nodes.tag), _packed(address)))
        return commands

    def _addresses(self, tag: str) -> bytes:
        return self._keys.of_node(tag, "addresses")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _packed(address: Address) -> bytes:
    return _bytes(f"{address.kind}:{address.name}")


def _unpacked(text: bytes) -> Address:
    kind, _, name = text.decode("utf-8", "surrogatepass").partition(":")
    return Address(kind, name)


def _values(found: object) -> Iterable[bytes]:
    """The values of a hash, as RESP3 has them (a map) or RESP2 (a list)."""
    return found.values() if isinstance(found, dict) else found[1::2]  # type: ignore[index]


def _parsed(value: bytes) -> tuple[int, str, bytes, bytes]:
    """Order, tag, info and person; see ``people.lua``."""
    tag, order, length, rest = value.split(b"\n", 3)
    cut = int(length)
    return int(order), tag.decode(), rest[:cut], rest[cut:]
