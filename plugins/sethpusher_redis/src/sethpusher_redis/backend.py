"""The backend: puts the parts together, and speaks the core's language."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sethpusher_core import Address
from sethpusher_core.backends.base import Accepted, Backend, Outgoing, Position, Sink
from sethpusher_core.backends.capabilities import CENSUS, HISTORY, PRESENCE, HistoryPage, Occupancy, Roster
from sethpusher_core.backends.supervision import Canary
from sethpusher_core.errors import BackendError, BackendUnavailable
from sethpusher_core.repeating import Repeating

from .census import Census
from .connector import Connector
from .ear import Ear
from .heard import Hearing
from .keys import Keys
from .line import Command, Line
from .nodes import Nodes
from .pages import Page, page_of, position_of
from .presence import Presence
from .scripts import Scripts
from .settings import RedisSettings

__all__ = ["RedisBackend"]

log = logging.getLogger("sethpusher.backend")

TEND_SECONDS: Final = 1.0
"""Between two rounds of what a node does for the others and for its streams."""
ROUNDS: Final = 200
"""Rounds in which every stream that this node hears is looked at once: well within the GRACE of ``stream.lua``."""

_ACCEPTED: Final = Accepted()
_REPEATED: Final = Accepted(repeated=True)


class RedisBackend(Backend):
    """Joins nodes by Redis or Valkey: pub/sub carries, scripts keep.

    One connection speaks (see :mod:`.line`), another hears (:mod:`.ear`); both are begun again when they break, and a
    canary goes from the one to the other.
    """

    capabilities = frozenset({HISTORY, PRESENCE, CENSUS})

    def __init__(self, settings: RedisSettings) -> None:
        """Connects nowhere."""
        self.lease = settings.lease
        self._settings = settings
        self._keys = Keys(settings.prefix)
        self._scripts = Scripts()
        connector = Connector(settings)
        self._line = Line(connector, self._scripts, settings.timeout)
        self._ear = Ear(connector, self._hear, self._confirm, self._lose)
        self._nodes = Nodes(self._line, self._keys, self._scripts, settings.lease)
        self._presence = Presence(self._line, self._keys, self._scripts, self._nodes)
        self._census = Census(self._line, self._keys, self._nodes, settings.lease)
        self._canary = Canary(settings.canary, self._sing, self._deaf)
        self._tending = Repeating(self._tend)
        self._round = 0
        self._hearing: Hearing | None = None
        self._own_bus = b""
        self._canary_key = b""

    # ----------------------------------------------------------------------------------------------- the contract

    async def start(self, sink: Sink, node_id: str) -> None:
        """See :meth:`Backend.start`."""
        self._hearing = Hearing(sink, self._read_since)
        self._own_bus, self._canary_key = self._keys.bus_of_node(node_id), self._keys.canary(node_id)
        await self._line.start(self._settings.start_wait)
        await self._ear.start(self._settings.connect_timeout)
        self._ear.listen(self._own_bus)
        await self._nodes.join()
        self._canary.start()
        self._tending.start(TEND_SECONDS)

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        """See :meth:`Backend.publish`."""
        size = sum([len(outgoing.payload) for outgoing in batch])
        answers = await self._line.ask([self._publishing(outgoing) for outgoing in batch], size)
        return [_result(answer) for answer in answers]

    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        """See :meth:`Backend.subscribe`."""
        hearing = self._hearing
        if hearing is None:
            raise BackendUnavailable("the backend is not started, or closed")
        name = self._keys.bus(address)
        heard = hearing.add(name, address, positioned)
        self._ear.listen(name)
        try:
            async with asyncio.timeout(self._settings.timeout):
                await heard.confirmed
                if not positioned:
                    return None
                position = (await self._read(address, None, 0, False)).top
        except TimeoutError:
            self._drop(name)
            raise BackendUnavailable(self.trouble or "the server does not confirm the subscription") from None
        except BaseException:
            self._drop(name)
            raise
        hearing.settle(name, heard, position)
        return position

    async def unsubscribe(self, address: Address) -> None:
        """See :meth:`Backend.unsubscribe`."""
        self._drop(self._keys.bus(address))

    async def close(self) -> None:
        """See :meth:`Backend.close`."""
        self._canary.stop()
        self._tending.stop()
        hearing, self._hearing = self._hearing, None
        if hearing is not None:
            await hearing.close()
        await self._ear.close()
        await self._resign()
        await self._line.close()

    @property
    def trouble(self) -> str | None:
        """See :attr:`Backend.trouble`."""
        return self._line.supervised.trouble or self._ear.supervised.trouble or self._canary.trouble

    # ---------------------------------------------------------------------------------------------------- history

    async def read(
        self, address: Address, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> HistoryPage:
        """See :meth:`SupportsHistory.read`."""
        page = await self._read(address, since, limit, reverse)
        return HistoryPage(page.top, page.stored, since is None or page.whole)

    async def result_of(self, address: Address, idempotency_key: str) -> Accepted | None:
        """See :meth:`SupportsHistory.result_of`."""
        result = await self._line.ask_one(b"GET", self._keys.result(address, idempotency_key))
        return None if result is None else _repeated(result)

    # --------------------------------------------------------------------------------------------------- presence

    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes = b"") -> bool:
        """See :meth:`SupportsPresence.enter`."""
        return await self._presence.enter(address, connection_id, subscriber_id, info)

    async def leave(self, address: Address, connection_id: str) -> bool:
        """See :meth:`SupportsPresence.leave`."""
        return await self._presence.leave(address, connection_id)

    async def roster(self, address: Address) -> Roster:
        """See :meth:`SupportsPresence.roster`."""
        return await self._presence.roster(address)

    async def renew(self) -> None:
        """See :meth:`SupportsPresence.renew`."""
        await self._nodes.renew(self._enter_anew)
        await self._presence.make_sure()
        await self._census.renew()
        await self._nodes.look()

    # ----------------------------------------------------------------------------------------------------- census

    async def report(self, counts: Mapping[Address, int]) -> None:
        """See :meth:`SupportsCensus.report`."""
        await self._census.report(counts)

    async def occupied(self, kind: str, prefix: str = "", after: str = "", limit: int = 100) -> Sequence[Occupancy]:
        """See :meth:`SupportsCensus.occupied`."""
        return await self._census.occupied(kind, prefix, after, limit)

    async def count(self, address: Address) -> int:
        """See :meth:`SupportsCensus.count`."""
        return await self._census.count(address)

    # ------------------------------------------------------------------------------------------------------ inside

    def _publishing(self, outgoing: Outgoing) -> Command:
        address, payload, key = outgoing.address, outgoing.payload, outgoing.idempotency_key
        bus = self._keys.bus(address)
        window = max(1, round(outgoing.idempotency_window * 1000))
        if outgoing.history:
            keys: tuple[bytes, ...] = self._keys.stream(address)
            if key is not None:
                keys = (*keys, self._keys.result(address, key))
            age = round(outgoing.history_age * 1000)
            return self._scripts.publish, keys, (bus, payload, outgoing.history, age, outgoing.history_bytes, window)
        if key is not None:
            return self._scripts.publish_once, (self._keys.result(address, key),), (bus, payload, window)
        return b"PUBLISH", bus, b"\n" + payload

    async def _read(self, address: Address, since: Position | None, limit: int, reverse: bool) -> Page:
        answer = await self._line.ask_one(*self._reading(address, since, limit, reverse))
        return page_of(answer, reverse)

    def _reading(self, address: Address, since: Position | None, limit: int, reverse: bool = False) -> Command:
        epoch, offset = (since.epoch, since.offset) if since is not None else ("", 0)
        return self._scripts.read, self._keys.stream(address), (epoch, offset, max(limit, 0), int(reverse))

    async def _read_since(
        self, places: Sequence[tuple[Address, Position]], limit: int
    ) -> Sequence[Page | BackendError]:
        answers = await self._line.ask([self._reading(address, since, limit) for address, since in places])
        return [answer if isinstance(answer, BackendError) else page_of(answer) for answer in answers]

    def _hear(self, name: bytes, data: bytes) -> None:
        if name == self._own_bus:
            self._canary.heard(data[1:])
        elif self._hearing is not None:
            self._hearing.take(name, data)

    def _confirm(self, name: bytes) -> None:
        if self._hearing is not None:
            self._hearing.confirm(name)

    def _lose(self) -> None:
        if self._hearing is not None:
            self._hearing.lose()

    def _drop(self, name: bytes) -> None:
        if self._hearing is not None:
            self._hearing.remove(name)
        self._ear.ignore(name)

    async def _sing(self, token: bytes) -> None:
        await self._line.ask_one(self._scripts.sing, (self._canary_key,), (self._own_bus, token))

    def _deaf(self, reason: str) -> None:
        if self._ear.supervised.trouble is None:  # else it is being set up anew already
            self._ear.supervised.restart(reason)

    async def _enter_anew(self) -> None:
        await self._presence.enter_anew()
        await self._census.report_anew()

    async def _tend(self) -> None:
        """Clears away what dead nodes have left, and looks whether streams have more than has come."""
        try:
            await self._nodes.look()
            for tag in self._nodes.dead:
                await self._presence.clear_away(tag)
                await self._nodes.forget(tag)
            await self._look_at_streams()
        except BackendError as error:
            log.debug("not tended: %s", error)  # the line says what is wrong, and this comes again

    async def _look_at_streams(self) -> None:
        hearing, self._round = self._hearing, (self._round + 1) % ROUNDS
        if hearing is None:
            return
        some = hearing.positions()[self._round :: ROUNDS]
        answers = await self._line.ask([self._reading(address, None, 0) for _, address, _ in some])
        for (name, _, last), answer in zip(some, answers, strict=True):
            if not isinstance(answer, BackendError) and page_of(answer).top != last:
                hearing.fall_behind(name)

    async def _resign(self) -> None:
        """Leaves nothing of this node for others to clear away, if the server can be asked."""
        tag = self._nodes.tag
        if not tag or self._line.supervised.trouble is not None:
            return
        try:
            async with asyncio.timeout(1.0):
                await self._presence.close()
                await self._census.clear_away(tag)
                await self._nodes.forget(tag.encode())
        except (BackendError, TimeoutError):
            log.debug("what this node leaves behind ends with its lease")


def _result(answer: Any) -> Accepted | BackendError:
    if isinstance(answer, BackendError):
        return answer
    if not isinstance(answer, bytes):  # PUBLISH: how many connections heard it
        return _ACCEPTED
    if answer.startswith(b"again "):
        return _repeated(answer[6:])
    return Accepted(position_of(answer)) if answer else _ACCEPTED


def _repeated(result: bytes) -> Accepted:
    return Accepted(position_of(result), repeated=True) if result else _REPEATED
