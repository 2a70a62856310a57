"""Reading channels back, and joining one where one left off: what was missed, whole and in order, or not at all.

Everything up to the position at which a member joins comes from the history, everything after it from the fan-out. The
two meet without a gap or an overlap because nothing runs between the last look at the position and the joining.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from . import errors
from .addresses import Address
from .backends.base import Backend, Position
from .backends.capabilities import Stored, SupportsHistory, as_history
from .errors import BackendError, RequestError
from .hub import Local
from .publication import read_payload, with_position
from .roster import Member

if TYPE_CHECKING:
    from .interest import Interest
    from .settings.rules import ChannelRules

__all__ = ["History", "Recovered"]

log = logging.getLogger("sethpusher.history")

MAX_PAGE: Final = 1000
"""Publications that one answer holds at the most."""
TRIES: Final = 5
"""How often the history is read again because something was published meanwhile."""
PAUSES: Final = (0.0, 0.002, 0.01, 0.05, 0.2, 0.8)
"""Seconds between looks at whether this node has heard what others have, or what the store has come to since."""


class Recovered(NamedTuple):
    """What was read back.

    Attributes:
        position: Where the channel stands; for a new member: where it joined.
        whole: Whether nothing is missing after the position that was asked for. A new member that cannot have all
            gets nothing.
        envelopes: As clients read them, in the order asked for.
    """

    position: Position | None
    whole: bool
    envelopes: tuple[bytes, ...]


class History:
    """The histories of all channels, as clients and callers may read them."""

    def __init__(self, rules: ChannelRules, interest: Interest) -> None:
        """Makes one without a backend; :meth:`bind` names it.

        Args:
            rules: What holds in which channel.
            interest: Where members come in.
        """
        self._rules = rules
        self._interest = interest
        self._backend: SupportsHistory | None = None

    def bind(self, backend: Backend | None) -> None:
        """Names the backend; None: nothing can be read (any more)."""
        self._backend = as_history(backend)

    async def read(
        self, channel: str, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> Recovered:
        """Reads publications back.

        Args:
            channel: The channel.
            since: Only what is newer than this position (with ``reverse``: older).
            limit: How many at the most (never more than MAX_PAGE); 0 asks for the position alone.
            reverse: Newest first.

        Raises:
            RequestError: The channel keeps no history, or it cannot be read now.
        """
        backend = self._of(channel)
        address = Address.channel(channel)
        try:
            page = await backend.read(address, since=since, limit=min(limit, MAX_PAGE), reverse=reverse)
        except BackendError as error:
            log.warning("the history of %s cannot be read: %s", channel, error)
            raise RequestError(errors.UNAVAILABLE) from error
        return Recovered(page.top, page.whole, tuple(_envelope(stored) for stored in page.stored))

    async def recover_into(self, channel: str, member: Member, since: Position, admit: Callable[[], bool]) -> Recovered:
        """Lets a member in and gives it what it missed; see :meth:`Interest.enter` for what the return promises.

        Args:
            channel: The channel.
            member: The member.
            since: The last position that the client knows.
            admit: Asked at the last moment; the member stays out if it says no.

        Raises:
            RequestError: The channel keeps no history.
            BackendError: The backend does not hear the channel, or cannot read its history now.
        """
        backend = self._of(channel)
        limit = self._rules.rule_for(channel).history
        local = await self._interest.hold(Address.channel(channel))
        try:
            missed = await _read_up_to_now(backend, local, since, limit)
            # No await from here on.
            position = local.position
            if admit():
                self._interest.join(local.address, member)
            if missed is None or position is None:
                return Recovered(position, False, ())
            envelopes = tuple(_envelope(stored) for stored in missed if stored.position.offset <= position.offset)
            if sum(map(len, envelopes)) > member.outlet.free:
                # It would be cut off by whatever comes next, and come back to ask for the same again.
                log.info("%s cannot recover %s: it is too much to wait for one client", member.id, channel)
                return Recovered(position, False, ())
            return Recovered(position, True, envelopes)
        finally:
            self._interest.release(local.address)

    def _of(self, channel: str) -> SupportsHistory:
        if not self._rules.rule_for(channel).history:
            raise RequestError(errors.UNSUPPORTED, "This channel keeps no history.")
        if self._backend is None:
            raise RequestError(errors.UNAVAILABLE)
        return self._backend


async def _read_up_to_now(backend: SupportsHistory, local: Local, since: Position, limit: int) -> list[Stored] | None:
    """All that was published after ``since`` up to where the node stands at the return; None if it cannot be had."""
    missed: list[Stored] = []
    for _ in range(TRIES):
        last = missed[-1].position if missed else since
        page = await backend.read(local.address, since=last, limit=limit + 1 - len(missed))
        missed += page.stored
        here = local.position
        if not page.whole or len(missed) > limit or here is None:
            return None
        if here.epoch != page.top.epoch:
            if not await _heard_up_to(local, Position(page.top.epoch, 0)):
                return None
        elif here.epoch == since.epoch and here.offset < since.offset:
            if not await _heard_up_to(local, since):
                return None
        elif page.top.offset >= here.offset:
            return missed
    return None


async def _heard_up_to(local: Local, position: Position) -> bool:
    """Waits, though not for long, until this node has been handed what a client has seen at another one.

    A member that joined before that would be sent again what it has.
    """
    for pause in PAUSES:
        await asyncio.sleep(pause)
        here = local.position
        if here is None:
            return False
        if here.epoch == position.epoch and here.offset >= position.offset:
            return True
    return False


def _envelope(stored: Stored) -> bytes:
    return with_position(read_payload(stored.payload).envelope, stored.position)
