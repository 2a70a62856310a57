"""A client that checks what it is told against the ledger of the server, whatever happened in whatever order.

It knows of each channel where it stands, and of each hole whether the server has said the plain word for it.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import InvalidState

from sethpusher_core.backends.base import Position
from sethpusher_core.connection import Connection
from sethpusher_core.settings.rules import ChannelRule, ChannelRules
from support.clients import Client, ClosedByServer, strict_json
from support.ledger import Clock, Entry, Ledger

__all__ = ["Follower", "Memory"]

Memory = dict[str, Position]
"""What a person remembers of each channel from one connection to the next: up to where it has seen everything."""

_ids = itertools.count(1)


@dataclass
class _Request:
    """A message that has not been answered yet, and what was known when it was sent."""

    type: str
    channel: str
    since: Position | None
    handed: int
    """How much of the channel's ledger the node had been handed."""
    now: float


@dataclass
class _Seat:
    """A subscription."""

    at: Position | None
    """The last publication that has come, or is accounted for; None where no history is kept."""
    index: int
    """Where no history is kept: all before this place in the ledger is accounted for."""
    sure: int
    """All from this place on is due to it; what lies between may have been taken before it began."""


@dataclass
class Follower:
    """One connection.

    Attributes:
        client: Its end of the line.
        connection: The server's end.
        memory: What its person knows.
        limit: The setting ``outbound_limit``.
        ended: How the server closed it.
        sent: How many messages it has sent.
        recovered: How often it has asked to recover since it was last settled.
        settled_at: What the ledger held then, in bytes.
    """

    client: Client
    connection: Connection
    rules: ChannelRules
    ledger: Ledger
    clock: Clock
    memory: Memory
    limit: int
    ended: int | None = None
    sent: int = 0
    recovered: int = 0
    settled_at: int = 0
    _requests: dict[str, _Request] = field(default_factory=dict)
    _seats: dict[str, _Seat] = field(default_factory=dict)
    _silent: list[Any] = field(default_factory=list)
    _missing: Counter[str] = field(default_factory=Counter)
    _dropped: Counter[str] = field(default_factory=Counter)
    _told_to_return: bool = False

    # ------------------------------------------------------------------------------------------------------- sending

    def prepare(self, type: str, channel: str = "", since: Position | None = None, **fields: Any) -> str:
        """The text of a message; its answer is expected from now on."""
        id = f"f{next(_ids)}"
        self.sent += 1
        if since is not None:
            fields["recover"] = {"epoch": since.epoch, "offset": since.offset}
            self.recovered += 1
        if fields.get("echo") is False:
            self._silent.append(fields["message"])
        self._requests[id] = _Request(type, channel, since, self.ledger.handed(channel), self.clock.now)
        return json.dumps({"type": type, "channel": channel, "id": id, **fields})

    def send(self, type: str, channel: str = "", since: Position | None = None, **fields: Any) -> None:
        text = self.prepare(type, channel, since, **fields)
        try:
            self.client.send_texts(text)
        except (AssertionError, InvalidState):
            if not self.connection.closed:  # which is read later
                raise

    # ----------------------------------------------------------------------------------------------------- receiving

    def catch_up(self) -> None:
        """Reads all that the server has sent so far, the word of what it dropped included."""
        for _ in range(2):  # that word comes behind what waited
            if self.ended is not None:
                return
            self.send("ping")
            while self._requests and self.ended is None:
                try:
                    self._take(self.client.next_text())
                except ClosedByServer:
                    self._end()

    def settle(self) -> None:
        """The same, while nothing is on its way in the server: then everything must be accounted for."""
        self.catch_up()
        if self.ended is not None:
            return
        for channel, seat in self._seats.items():
            rest = self._rest(channel, seat)
            self._account(channel, rest, "at rest")
            if seat.at is not None:
                epochs = {entry.position.epoch for entry in self.ledger.of(channel)[seat.sure :] if entry.position}
                assert epochs <= {seat.at.epoch}, f"{channel}: another epoch, and nobody said so"
                seat.at = rest[-1].position if rest else seat.at
            seat.index = seat.sure = len(self.ledger.of(channel))
        for channel, missing in self._missing.items():
            assert missing <= self._dropped[channel], f"{channel}: {missing} missing, {self._dropped[channel]} told"
        self.settled_at, self.recovered = self.ledger.bytes, 0

    def _take(self, text: str) -> None:
        said = strict_json(text)
        match said.get("type"):
            case "ack":
                first = next(iter(self._requests))
                assert said["id"] == first, f"{said['id']} is answered before {first}"
                self._answered(self._requests.pop(first), said)
            case "dropped":
                rule = self.rules.rule_for(said["channel"])
                assert rule.on_slow != "disconnect", f"{said}: its rule says disconnect"
                self._dropped[said["channel"]] += said["count"]
            case "reconnect":
                self._told_to_return = True
            case None:
                self._published(said)
            case _:
                raise AssertionError(f"unexpected: {said}")

    # --------------------------------------------------------------------------------------------------- publications

    def _published(self, envelope: dict[str, Any]) -> None:
        channel = envelope["channel"]
        seat = self._seats.get(channel)
        assert seat is not None, f"not subscribed, and yet: {envelope}"
        if seat.at is None:
            self._came_without_position(channel, seat, envelope)
            return
        here, position = seat.at, Position(envelope["epoch"], envelope["offset"])
        assert position.epoch == here.epoch, f"{channel}: the epoch changes at {position}, and nobody said so"
        assert position.offset > here.offset, f"{channel}: {position} comes after {here}"
        *skipped, entry = self.ledger.between(channel, here, position)
        _check(envelope, entry)
        assert entry.message not in self._silent, f"{channel}: {envelope} was not to come back"
        whole = self._account(channel, skipped, f"before {position}")
        if whole and self.memory.get(channel) == here:
            self.memory[channel] = position
        seat.at = position

    def _came_without_position(self, channel: str, seat: _Seat, envelope: dict[str, Any]) -> None:
        entries = self.ledger.of(channel)
        for place in range(seat.index, len(entries)):
            if entries[place].message == envelope["message"]:
                break
        else:
            raise AssertionError(f"{channel}: {str(envelope)[:100]} is a repeat, too early or out of order")
        _check(envelope, entries[place])
        self._account(channel, entries[max(seat.index, seat.sure) : place], f"before place {place}")
        seat.index = seat.sure = place + 1

    def _account(self, channel: str, missing: list[Entry], where: str) -> bool:
        """Notes what has not come; says whether nothing is missing."""
        lost = [entry for entry in missing if entry.message not in self._silent]
        if lost and self.rules.rule_for(channel).on_slow == "disconnect":
            raise AssertionError(f"{channel}: {len(lost)} missing {where}, from {lost[0].position or lost[0].message}")
        self._missing[channel] += len(lost)
        return not lost

    def _rest(self, channel: str, seat: _Seat, handed: int | None = None) -> list[Entry]:
        """What has not come of all that the ledger holds, or of so much of it."""
        entries = self.ledger.of(channel)[:handed]
        if seat.at is None:
            return entries[max(seat.index, seat.sure) :]
        here = seat.at
        return [
            entry
            for entry in entries
            if entry.position and entry.position.epoch == here.epoch and entry.position.offset > here.offset
        ]

    # ------------------------------------------------------------------------------------------------------- answers

    def _answered(self, request: _Request, ack: dict[str, Any]) -> None:
        channel, seat = request.channel, self._seats.get(request.channel)
        if request.type == "unsubscribe" and seat is not None:
            self._account(channel, self._rest(channel, seat, request.handed), "before leaving")
            del self._seats[channel]
        elif request.type == "publish":
            assert ack["publication_id"]
        elif request.type == "subscribe":
            if request.since is not None:
                self._recovered(request, ack)
            elif seat is not None:
                self._still_there(request, seat, ack)
            elif "epoch" in ack:
                self._begin(channel, Position(ack["epoch"], ack["offset"]))
            else:
                self._seats[channel] = _Seat(None, request.handed, len(self.ledger.of(channel)))

    def _begin(self, channel: str, position: Position) -> None:
        self._seats[channel] = _Seat(position, 0, len(self.ledger.of(channel)))
        self.memory[channel] = position

    def _still_there(self, request: _Request, seat: _Seat, ack: dict[str, Any]) -> None:
        """It was subscribed already: everything up to the position that it is told has come before."""
        if seat.at is None:
            return
        position = Position(ack["epoch"], ack["offset"])
        assert position.epoch == seat.at.epoch
        assert position.offset >= seat.at.offset
        self._account(request.channel, self.ledger.between(request.channel, seat.at, position), "before the ack")
        seat.at = position

    def _recovered(self, request: _Request, ack: dict[str, Any]) -> None:
        channel, since = request.channel, request.since
        assert since is not None
        rule = self.rules.rule_for(channel)
        if not rule.history:
            assert (ack["recovered"], ack["publications"]) == (False, [])
            seat = self._seats.get(channel)
            if seat is None:
                self._seats[channel] = _Seat(None, request.handed, len(self.ledger.of(channel)))
            return
        position = Position(ack["epoch"], ack["offset"])
        if not ack["recovered"]:
            assert ack["publications"] == []
            was_there = self._was_there(channel, rule, request, position)
            assert not was_there or self._too_much(channel, since), f"{channel}: all after {since} was there"
            self._begin(channel, position)
            return
        assert since.epoch == position.epoch, f"{channel}: there is no way from {since} to {position}"
        assert since.offset <= position.offset, f"{channel}: there is no way from {since} to {position}"
        missed = self.ledger.between(channel, since, position)
        assert len(missed) == len(ack["publications"]), f"{channel}: {since} to {position}: {ack['publications']}"
        for envelope, entry in zip(ack["publications"], missed, strict=True):
            assert Position(envelope["epoch"], envelope["offset"]) == entry.position
            _check(envelope, entry)
        self._begin(channel, position)

    def _was_there(self, channel: str, rule: ChannelRule, request: _Request, position: Position) -> bool:
        """Whether all that was missed was kept, from the moment at which it was asked for until now."""
        assert request.since is not None
        top = self.ledger.top(channel, position)
        return self.ledger.whole(channel, request.since, top, rule.history_age, self.clock.now)

    def _too_much(self, channel: str, since: Position) -> bool:
        """Whether it may have been more than could wait for the client, beside what waited already."""
        missed = sum(entry.size for entry in self.ledger.between(channel, since, self.ledger.top(channel, since)))
        return missed + self.ledger.bytes - self.settled_at > self.limit // (1 + self.recovered)

    # ------------------------------------------------------------------------------------------------------- the end

    def _end(self) -> None:
        """The server has closed: that is the plain word, if there was reason for it."""
        code = self.ended = self.connection.close_code
        self._requests.clear()
        if code == 3002:
            assert self.recovered or self.ledger.bytes > self.settled_at, "it was not slow"
        else:
            assert code == 3001, f"closed with {code}"
            assert self._told_to_return


def _check(envelope: dict[str, Any], entry: Entry) -> None:
    assert envelope["message"] == entry.message
    assert envelope["sender_id"] is None
