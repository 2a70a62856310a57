"""The members of an address that take one wire form, and the hot loop: one frame to all of them.

A roster is a list in which a leaver leaves a hole and newcomers come last. Beside it stands the *ways*: for each place
the function that takes a frame to the client of that place, mostly the ``send`` of its socket itself. So the loop over
them runs inside ``map``, and per recipient nothing is looked up, tested, allocated or logged: the one ``send`` is all.
Only the way of a SockJS session over HTTP looks whether a response is open to which it may send.
Where a way took less than the whole frame, the place is looked at afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import call
from typing import Final, TypeAlias

from . import errors
from .frames import Form, Frame
from .transports.outlet import Outlet

__all__ = ["Member", "Roster"]

log = logging.getLogger("sethpusher.hub")

_Way: TypeAlias = Callable[[bytes], int | None]
_Outcome: TypeAlias = int | Exception | None
"""How many bytes a way took; what it raised; or None: it is none, the frame must be queued."""

NOBODY: Final[_Way] = len
"""The way of a place in which nobody is: it takes the whole frame, and does nothing."""


class Member:
    """One connection's membership of one address.

    Attributes:
        outlet: Where its frames go.
        id: The connection's id, by which a frame can skip it.
        place: Where it stands in its roster; -1 while it is in none.
    """

    __slots__ = ("_roster", "id", "outlet", "place")

    def __init__(self, outlet: Outlet, id: str) -> None:
        self.outlet = outlet
        self.id = id
        self.place = -1
        self._roster: Roster | None = None

    def enter(self, roster: Roster) -> None:
        """Takes the next place of a roster."""
        self._roster = roster
        self.place = len(roster.ways)
        roster.ways.append(self.outlet.way)
        roster.members.append(self)
        self.outlet.watch(self)

    def quit(self) -> None:
        """Leaves a hole in its place."""
        self.outlet.unwatch(self)
        roster, self._roster = self._roster, None
        if roster is not None:
            roster.ways[self.place] = NOBODY
            roster.members[self.place] = None
            roster.holes += 1
            self.place = -1

    def way_changed(self) -> None:
        """Called by the outlet when it no longer takes frames directly, or does so again."""
        if self._roster is not None:
            self._roster.ways[self.place] = self.outlet.way


class Roster:
    """The members of an address that take the same wire form.

    Attributes:
        form: The form.
        members: By place; None is a hole.
        ways: By place, how a frame gets to that member.
        holes: How many places are empty.
    """

    __slots__ = ("form", "holes", "members", "ways")

    def __init__(self, form: Form) -> None:
        self.form = form
        self.members: list[Member | None] = []
        self.ways: list[_Way] = []
        self.holes = 0

    def close_holes(self) -> None:
        """Packs the lists; only while no fan-out of this address is under way."""
        if self.holes <= len(self.members) // 2:
            return
        members = [member for member in self.members if member is not None]
        self.members = [*members]
        self.ways = [member.outlet.way for member in members]
        for place, member in enumerate(members):
            member.place = place
        self.holes = 0

    def send(self, places: slice, frame: Frame, channel: str, on_slow: str, skip: str = "") -> int:
        """Sends a frame to the members in some places.

        Args:
            places: Which.
            frame: What.
            channel: The name of the address, for the ``dropped`` message and the log.
            on_slow: What happens to a client for which it does not fit; see :meth:`Outlet.enqueue`.
            skip: Id of the member that does not get it.

        Returns:
            How many members there were, if ``skip`` names one, else 0: then nobody looks.
        """
        members = self.members[places]
        ways = self.ways[places]
        count = 0
        if skip:
            members = [None if member is None or member.id == skip else member for member in members]
            ways = [NOBODY if member is None else way for member, way in zip(members, ways, strict=True)]
            count = len(members) - members.count(None)
        data = frame.form(self.form)
        taken = _try(ways, data)
        if taken.count(len(data)) != len(taken):
            _settle(members, taken, data, frame, channel, on_slow)
        return count


def _try(ways: Sequence[_Way], data: bytes) -> list[_Outcome]:
    """What each way took, or raised: the hot loop."""
    taken: list[_Outcome] = []
    rest = iter(ways)
    again = repeat(data)
    while True:
        try:
            taken += map(call, rest, again)
        except Exception as error:  # noqa: BLE001 - it is dealt with where it can be told whose it is
            taken.append(error)
        else:
            return taken


def _settle(
    members: Sequence[Member | None],
    taken: Sequence[_Outcome],
    data: bytes,
    frame: Frame,
    channel: str,
    on_slow: str,
) -> None:
    """Sees to those who did not take all of it. Nothing has come between, for the loop has not turned."""
    size = len(data)
    for member, outcome in zip(members, taken, strict=True):
        if outcome == size or member is None:
            continue
        outlet = member.outlet
        try:
            if outcome is None:
                outlet.enqueue(frame, channel, on_slow)
            elif isinstance(outcome, int):
                outlet.partial(data, outcome)
            elif isinstance(outcome, OSError):
                outlet.failed(data, outcome)
            else:
                raise outcome
        except Exception:  # a fault in a transport costs one client, not those behind it
            log.exception("a client in channel %s failed; it is cut off", channel)
            _cut_off(outlet)


def _cut_off(outlet: Outlet) -> None:
    try:
        outlet.cut(errors.FAILED)
    except Exception:  # noqa: BLE001 - the fault is logged already, and it must not reach the others
        outlet.closed = outlet.blocked = True
