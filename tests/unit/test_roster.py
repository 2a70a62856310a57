from __future__ import annotations

import json

import pytest
from support.outlets import FakeOutlet

from sethpusher_core.frames import Form, Frame
from sethpusher_core.roster import Member, Roster


def frame(n: int) -> Frame:
    return Frame([json.dumps(n).encode()])


def joined(roster: Roster, *outlets: FakeOutlet) -> list[Member]:
    members = [Member(outlet, f"c{number}") for number, outlet in enumerate(outlets)]
    for member in members:
        member.enter(roster)
    return members


def send(roster: Roster, n: int, skip: str = "") -> int:
    return roster.send(slice(0, len(roster.members)), frame(n), "c", "disconnect", skip)


def test_a_full_client_is_queued_for_in_every_channel_until_it_reads_again() -> None:
    one, other = Roster(Form.BARE), Roster(Form.BARE)
    slow, quick = FakeOutlet(room=1), FakeOutlet()
    joined(one, slow, quick)
    joined(other, quick, slow)
    send(one, 1)
    assert slow.blocked
    send(other, 2)
    send(one, 3)
    assert not {frame(2).form(Form.BARE), frame(3).form(Form.BARE)} & {*slow.handed}, "they wait behind the first"
    slow.drain()
    send(other, 4)
    assert slow.messages == quick.messages == [1, 2, 3, 4]
    assert slow.handed[-1] == frame(4).form(Form.BARE), "directly again"


def test_who_has_left_is_not_told_of_its_outlet_and_its_place_takes_nothing() -> None:
    roster = Roster(Form.BARE)
    gone, stays = FakeOutlet(), FakeOutlet()
    [member, _] = joined(roster, gone, stays)
    member.quit()
    gone.blocked = True
    gone.blocked = False
    send(roster, 1)
    assert (gone.messages, stays.messages) == ([], [1])
    assert (member.place, roster.holes) == (-1, 1)


def test_packing_keeps_what_is_known_of_each_client() -> None:
    roster = Roster(Form.BARE)
    outlets = [FakeOutlet(room=0 if number == 4 else None) for number in range(5)]
    members = joined(roster, *outlets)
    send(roster, 1)
    for member in members[:3]:
        member.quit()
    roster.close_holes()
    assert [member.place for member in members[3:]] == [0, 1]
    outlets[4].handed.clear()
    send(roster, 2)
    outlets[4].drain()
    send(roster, 3)
    assert outlets[3].messages == outlets[4].messages == [1, 2, 3]


@pytest.mark.parametrize("error", [BlockingIOError(), ConnectionResetError(), ValueError("a fault")])
def test_those_behind_one_that_fails_get_theirs_once(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    roster = Roster(Form.BARE)
    outlets = [FakeOutlet() for _ in range(5)]
    outlets[0].broken = outlets[2].broken = error
    joined(roster, *outlets)
    if isinstance(error, ValueError):
        with caplog.at_level("CRITICAL", "sethpusher.hub"):
            send(roster, 1)
        assert [len(outlet.cuts) for outlet in outlets] == [1, 0, 1, 0, 0]
    else:
        send(roster, 1)
    assert [outlet.messages for outlet in outlets] == [[], [1], [], [1], [1]]


def test_a_skipped_member_is_not_counted() -> None:
    roster = Roster(Form.BARE)
    outlets = [FakeOutlet() for _ in range(3)]
    joined(roster, *outlets)[2].quit()
    assert send(roster, 1, skip="c1") == 1
    assert [outlet.messages for outlet in outlets] == [[1], [], []]


def test_a_session_gets_its_frames_through_the_queue() -> None:
    roster = Roster(Form.SESSION)
    outlet = FakeOutlet(Form.SESSION)
    outlet.room = 0
    joined(roster, outlet)
    send(roster, 1)
    assert outlet.waiting == 0, "its own pump has it in hand"
    send(roster, 2)
    assert outlet.waiting == 1
