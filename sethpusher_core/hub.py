"""Addresses and their local members, and the fan-out: the one hot loop of the server.

Membership and fan-out of an address are one sequence:

* What arrives for an address within one turn of the loop leaves as one frame (coalescing). Joining or leaving closes
  the pending frame first, so that it goes to those who were members when it was published.
* A fan-out goes to the members at that moment, in slices: after ``SLICE_SECONDS`` it yields to the loop. Those who
  leave meanwhile get at once what they are owed and are skipped; the next frame of that address waits for it.

Members stand in a :class:`~.roster.Roster` per wire form, newcomers last. A fan-out remembers where each roster ended
when its frame was closed, so neither joining nor leaving copies anything.
"""

from __future__ import annotations

import logging
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Final

from .addresses import CHANNEL, Address
from .backends.base import Position
from .frames import Form, Frame
from .publication import CONTROL_KIND, NOTICE_KIND, Delivery, read_payload, resumed_envelope, with_position
from .roster import Member, Roster
from .tally import Tally

__all__ = ["Hub", "Local"]

log = logging.getLogger("sethpusher.hub")

SLICE: Final = 128
"""Recipients between two looks at the clock."""
SLICE_SECONDS: Final = 0.002
"""How long a fan-out may hold the loop before it yields."""


class _Job:
    """A closed frame on its way: to whom it goes, and how far it has come.

    Attributes:
        ends: For each roster, where it ended when the frame was closed.
        counts: And how many members it had.
    """

    __slots__ = ("counts", "ends", "frame", "place", "roster", "skip")

    def __init__(self, frame: Frame, ends: tuple[int, ...], counts: tuple[int, ...], skip: str) -> None:
        self.frame = frame
        self.ends = ends
        self.counts = counts
        self.skip = skip
        self.roster = 0
        self.place = 0


class Local:
    """What this node knows of one address: its members here, and what is on the way to them.

    Attributes:
        address: The address.
        on_slow: What the channel's rule says of clients that do not keep up.
        position: Position of the last publication that was handed to this node, where history is kept.
        count: Number of members on this node.
    """

    __slots__ = (
        "_jobs",
        "_occupancy",
        "_pending",
        "_rosters",
        "_skip",
        "_tally",
        "address",
        "count",
        "on_slow",
        "position",
        "queued",
    )

    def __init__(self, address: Address, on_slow: str, tally: Tally) -> None:
        self.address = address
        self._tally = tally
        self._occupancy = tally.channels if address.kind == CHANNEL else tally.users
        self.on_slow = on_slow
        self.position: Position | None = None
        self.count = 0
        self.queued = False
        self._rosters: list[Roster] = []
        self._pending: list[bytes] = []
        self._skip = ""
        self._jobs: deque[_Job] = deque()

    def members(self) -> Iterator[Member]:
        """The members on this node, in the order in which they joined, per wire form."""
        for roster in self._rosters:
            for member in roster.members:
                if member is not None:
                    yield member

    def join(self, member: Member) -> None:
        """Adds a member; it gets what is published from now on."""
        self.close_frame()
        form = member.outlet.form
        for roster in self._rosters:
            if roster.form is form:
                break
        else:
            roster = Roster(form)
            self._rosters.append(roster)
        member.enter(roster)
        self.count += 1
        self._occupancy.members += 1
        self._occupancy.addresses += self.count == 1

    def leave(self, member: Member, owed: bool = True) -> None:
        """Removes a member; it gets nothing any more.

        Args:
            member: The member.
            owed: Whether it gets first, at once, what was published while it was one and is still on its way.
        """
        self.close_frame()
        for index, roster in enumerate(self._rosters):
            if roster.form is member.outlet.form:
                if owed and self._jobs and not member.outlet.closed:
                    self._send_owed(member, index, roster)
                member.quit()
                self.count -= 1
                self._occupancy.members -= 1
                self._occupancy.addresses -= self.count == 0
                if not self._jobs:
                    roster.close_holes()
                return

    def hand_over(self, member: Member) -> None:
        """Gives a member at once what is on its way to it: then it has everything up to ``position``."""
        if self._pending or self._jobs:
            self.leave(member)
            self.join(member)

    def _send_owed(self, member: Member, index: int, roster: Roster) -> None:
        for job in self._jobs:
            reached = (index, member.place) < (job.roster, job.place)
            due = index < len(job.ends) and member.place < job.ends[index] and member.id != job.skip
            if due and not reached:
                if job.skip:
                    self._note(1, job.frame, roster.form)
                place = slice(member.place, member.place + 1)
                roster.send(place, job.frame, self.address.name, self.on_slow)

    def add(self, delivery: Delivery) -> None:
        """Adds an envelope to the frame of this turn."""
        if self._pending and delivery.skip != self._skip:
            self.close_frame()
        self._skip = delivery.skip
        self._pending.append(delivery.envelope)

    def close_frame(self) -> None:
        """Closes the pending frame: it will go to the members of this moment."""
        if self._pending:
            ends = tuple([len(roster.members) for roster in self._rosters])
            counts = tuple([len(roster.members) - roster.holes for roster in self._rosters])
            self._jobs.append(_Job(Frame(self._pending), ends, counts, self._skip))
            self._pending = []

    def fan_out(self, deadline: float) -> bool:
        """Sends what is closed and pending; says whether all of it is out before the deadline (perf_counter)."""
        self.close_frame()
        while self._jobs:
            if not self._run_safely(self._jobs[0], deadline):
                return False
            self._jobs.popleft()
            if self._jobs and perf_counter() >= deadline:
                return False
        for roster in self._rosters:
            roster.close_holes()
        return True

    def _run_safely(self, job: _Job, deadline: float) -> bool:
        try:
            return self._run(job, deadline)
        except Exception:  # its form cannot be built; a frame that fails must not hold up those behind it
            log.exception("a frame for %s is lost", self.address)
            return True

    def _run(self, job: _Job, deadline: float) -> bool:
        while job.roster < len(job.ends):
            roster = self._rosters[job.roster]
            end = job.ends[job.roster]
            if not job.place and not job.skip:
                self._note(job.counts[job.roster], job.frame, roster.form)
            while job.place < end:
                stop = min(job.place + SLICE, end)
                places, job.place = slice(job.place, stop), stop
                count = roster.send(places, job.frame, self.address.name, self.on_slow, job.skip)
                self._note(count, job.frame, roster.form)  # only the slices show whether the one is in there
                if perf_counter() >= deadline and (stop < end or job.roster + 1 < len(job.ends)):
                    return False
            job.roster += 1
            job.place = 0
        return True

    def _note(self, count: int, frame: Frame, form: Form) -> None:
        """Counts what is handed to so many members, together and not one by one."""
        if count:
            self._tally.delivered_bytes += count * len(frame.form(form))
            self._tally.deliveries += count * len(frame.envelopes)


class Hub:
    """The addresses that this node hears, and the sink of its backend.

    Attributes:
        delivered: Payloads that the backend has handed over so far.
        tally: What became of them here.
    """

    def __init__(self, on_control: Callable[[bytes], None]) -> None:
        """Makes an empty hub.

        Args:
            on_control: Called with each order from another node.
        """
        self.delivered = 0
        self.tally = Tally()
        self._on_control = on_control
        self._locals: dict[Address, Local] = {}
        self._dirty: deque[Local] = deque()
        self._scheduled = False
        self._loop: AbstractEventLoop | None = None

    def bind(self, loop: AbstractEventLoop) -> None:
        """Names the loop that the fan-out runs on; what an earlier one left undone goes on here."""
        self._loop = loop
        self._scheduled = False
        if self._dirty:
            self._schedule()

    def get(self, address: Address) -> Local | None:
        """What this node knows of an address; None if it has no member here."""
        return self._locals.get(address)

    def open(self, address: Address, on_slow: str) -> Local:
        """The local side of an address, made if it is not there."""
        local = self._locals.get(address)
        if local is None:
            local = self._locals[address] = Local(address, on_slow, self.tally)
        return local

    def forget(self, address: Address) -> None:
        """Drops an address that has no members here."""
        self._locals.pop(address, None)

    def __iter__(self) -> Iterator[Local]:
        return iter(list(self._locals.values()))

    def deliver(self, address: Address, payload: bytes, position: Position | None = None) -> None:
        """Takes a payload from the backend; see :class:`~sethpusher_core.backends.base.Sink`."""
        self.delivered += 1
        try:
            delivery = read_payload(payload)
        except ValueError as error:
            log.error("ignored what the backend delivered for %s: %s", address, error)
            return
        if delivery.kind == CONTROL_KIND:
            self._obey(delivery.envelope)
            return
        local = self._locals.get(address)
        if local is None:
            return
        if position is not None:
            local.position = position
            delivery = delivery._replace(envelope=with_position(delivery.envelope, position))
        self._add(local, delivery)

    def resumed(self, address: Address, position: Position | None, whole: bool) -> None:
        """Tells the members what became of what was missed; see :class:`~sethpusher_core.backends.base.Sink`."""
        local = self._locals.get(address)
        if local is None:
            return
        known, local.position = local.position, position
        if whole and (position is None or known is None or known.epoch == position.epoch):
            return
        self._add(local, Delivery(NOTICE_KIND, "", resumed_envelope(address, position, whole)))

    def _add(self, local: Local, delivery: Delivery) -> None:
        local.add(delivery)
        if not local.queued:
            local.queued = True
            self._dirty.append(local)
            self._schedule()

    def _obey(self, order: bytes) -> None:
        try:
            self._on_control(order)
        except Exception:
            log.exception("an order could not be carried out: %.200r", order)

    def _schedule(self) -> None:
        if not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon(self._fan_out)

    def _fan_out(self) -> None:
        """Sends what this turn brought, until it is all out or the slice is used up."""
        self._scheduled = False
        deadline = perf_counter() + SLICE_SECONDS
        dirty = self._dirty
        while dirty:
            local = dirty[0]
            done = local.fan_out(deadline)
            dirty.popleft()
            if done:
                local.queued = False
            else:
                dirty.append(local)
            if perf_counter() >= deadline:
                break
        if dirty and self._loop is not None:
            self._scheduled = True
            self._loop.call_later(0, self._fan_out)  # timers run behind what the next turn reads: that goes first
