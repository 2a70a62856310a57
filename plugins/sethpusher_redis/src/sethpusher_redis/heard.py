"""What a node hears of its addresses: in order, each once, and what was missed read again.

A publication with history carries its position, so a hole is seen when the next one comes; and whenever the connection
was lost every address is behind, until the store has said what was published meanwhile. While an address is behind,
what comes for it is held. It catches up by reading from the last position it knows: all that was missed is handed over,
in order, before what was held, or the sink is told that something is missing. Addresses without history cannot catch
up; the sink is told that there may be a gap.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sethpusher_core import Address
from sethpusher_core.backends.base import Position, Sink
from sethpusher_core.errors import BackendError

from .pages import Page, position_of

__all__ = ["Heard", "Hearing"]

log = logging.getLogger("sethpusher.backend")

AT_ONCE: Final = 200
"""Addresses that catch up in one round trip."""
PAGE: Final = 500
"""Publications of one address that are read at once."""
MOST_HELD: Final = 1000
"""Messages held of an address that is behind. Beyond that they are read from the store, as what was missed is."""
PAUSE: Final = 0.2
"""Seconds between two attempts to catch up while the store cannot be read."""

ReadSince = Callable[[Sequence[tuple[Address, Position]], int], Awaitable[Sequence["Page | BackendError"]]]


class Heard:
    """One address that this node hears.

    Attributes:
        address: The address.
        positioned: Whether it keeps history.
        confirmed: Resolved once it is heard for the first time.
        last: Position of the last publication that was handed over; None while it is not known.
        behind: Whether something may have been missed that is still to be read.
        lapsed: Whether it is not heard, since the connection is lost.
        held: What came while it was behind.
        overflown: Whether that was too much to hold.
    """

    __slots__ = ("address", "behind", "confirmed", "held", "lapsed", "last", "overflown", "positioned")

    def __init__(self, address: Address, positioned: bool, confirmed: asyncio.Future[None]) -> None:
        self.address = address
        self.positioned = positioned
        self.confirmed = confirmed
        self.last: Position | None = None
        self.behind = False
        self.lapsed = False
        self.overflown = False
        self.held: list[tuple[bytes, Position | None]] = []


class Hearing:
    """All addresses that this node hears."""

    def __init__(self, sink: Sink, read: ReadSince) -> None:
        """Hears nothing yet.

        Args:
            sink: Where things go.
            read: Reads what some addresses have had since a position.
        """
        self._sink = sink
        self._read = read
        self._heard: dict[bytes, Heard] = {}
        self._behind: dict[bytes, Heard] = {}
        self._losses = 0
        self._worker: asyncio.Task[None] | None = None

    def add(self, name: bytes, address: Address, positioned: bool) -> Heard:
        """Begins with an address; its messages count once :meth:`confirmed` was called."""
        heard = Heard(address, positioned, asyncio.get_running_loop().create_future())
        self._heard[name] = heard
        return heard

    def remove(self, name: bytes) -> bool:
        """Drops an address; False if it was not there."""
        self._behind.pop(name, None)
        return self._heard.pop(name, None) is not None

    def positions(self) -> list[tuple[bytes, Address, Position]]:
        """Where the addresses with history stand that are not behind."""
        return [
            (name, heard.address, heard.last)
            for name, heard in self._heard.items()
            if heard.last is not None and not heard.behind
        ]

    def settle(self, name: bytes, heard: Heard, position: Position) -> None:
        """Sets where a new address stands, unless something has already been handed over."""
        if heard.last is None:
            heard.last = position
        if heard.behind and self._heard.get(name) is heard:
            self._fall_behind(name, heard)

    # ------------------------------------------------------------------------------------------- what the ear tells

    def take(self, name: bytes, data: bytes) -> None:
        """A message has come: ``<epoch> <offset>``, empty where there is none, a line end, and the payload."""
        heard = self._heard.get(name)
        if heard is None or not heard.confirmed.done():
            return
        head, _, payload = data.partition(b"\n")
        try:
            position = position_of(head) if head else None
        except ValueError:
            log.error("ignored what somebody else has published for %s", heard.address)
            return
        if not heard.behind:
            self._hand_over(name, heard, payload, position)
        elif len(heard.held) < MOST_HELD:
            heard.held.append((payload, position))
        else:
            heard.held.clear()
            heard.overflown = True

    def confirm(self, name: bytes) -> None:
        """What is published from now on is heard."""
        heard = self._heard.get(name)
        if heard is None:
            return
        if not heard.confirmed.done():
            heard.confirmed.set_result(None)
        if heard.lapsed:
            heard.lapsed = False
            if heard.positioned:
                self._fall_behind(name, heard)
            else:
                self._sink.resumed(heard.address, None, False)

    def lose(self) -> None:
        """The connection is lost: everything may have missed something."""
        self._behind.clear()
        self._losses += 1
        for heard in self._heard.values():
            if heard.confirmed.done():
                heard.lapsed = True
                heard.behind = heard.positioned
                heard.held.clear()

    def fall_behind(self, name: bytes) -> None:
        """The store has more of an address than has come."""
        heard = self._heard.get(name)
        if heard is not None and not heard.behind:
            self._fall_behind(name, heard)

    async def close(self) -> None:
        """Hears nothing any more."""
        self._heard.clear()
        self._behind.clear()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancel()
            await asyncio.wait([worker])

    # ------------------------------------------------------------------------------------------------------ inside

    def _hand_over(self, name: bytes, heard: Heard, payload: bytes, position: Position | None) -> None:
        if position is not None and heard.positioned:
            last = heard.last
            if last is not None:
                if position.epoch != last.epoch or position.offset > last.offset + 1:
                    self._fall_behind(name, heard)
                    heard.held.append((payload, position))
                    return
                if position.offset <= last.offset:
                    return
            heard.last = position
        self._sink.deliver(heard.address, payload, position)

    def _fall_behind(self, name: bytes, heard: Heard) -> None:
        heard.behind = True
        if heard.last is None:
            return  # whoever subscribes just now will say where it stands
        self._behind[name] = heard
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._catch_up())

    async def _catch_up(self) -> None:
        try:
            while self._behind:
                some = [(name, heard) for name, heard in list(self._behind.items())[:AT_ONCE]]
                since = [(heard.address, heard.last) for _, heard in some if heard.last is not None]
                losses = self._losses
                pages = await self._read(since, PAGE)
                if losses != self._losses:
                    continue  # more may have been missed since it was read
                for (name, heard), page in zip(some, pages, strict=True):
                    if self._behind.get(name) is not heard:
                        continue
                    if isinstance(page, BackendError):
                        self._behind[name] = self._behind.pop(name)  # to the end
                    else:
                        self._take_page(name, heard, page)
                if any(isinstance(page, BackendError) for page in pages):
                    await asyncio.sleep(PAUSE)
        except Exception:
            log.exception("what was missed cannot be read")
        finally:
            self._worker = None

    def _take_page(self, name: bytes, heard: Heard, page: Page) -> None:
        last = heard.last
        assert last is not None
        start = page.start
        if last != start:
            self._sink.resumed(heard.address, start, page.whole)
            heard.last = start
        for stored in page.stored:
            self._sink.deliver(heard.address, stored.payload, stored.position)
            heard.last = stored.position
        if heard.last is not None and heard.last.offset < page.top.offset:
            return  # there is more to read
        if heard.overflown:
            heard.overflown = False
            return  # likewise
        del self._behind[name]
        heard.behind = False
        held, heard.held = heard.held, []
        for place, (payload, position) in enumerate(held):
            self._hand_over(name, heard, payload, position)
            if heard.behind:
                heard.held += held[place + 1 :]
                return
