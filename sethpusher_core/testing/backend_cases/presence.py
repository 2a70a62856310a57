"""Capability PRESENCE: who is in an address, over all nodes."""

from __future__ import annotations

import asyncio

from ...addresses import Address
from ...backends.capabilities import PRESENCE, Person, Roster
from ..guard import Compliance, case
from ..loops import within
from ..nodes import LEASE, TWO_NODES, BackendBench
from ..samples import AWKWARD_NAMES, NEWS, SPORT
from ..timing import moment

__all__ = ["PresenceCases"]


class PresenceCases(Compliance):
    """First in, last out, and who is there."""

    @case(PRESENCE)
    async def test_first_in_and_last_out(self, kit: BackendBench) -> None:
        """Enter says whether it is the first connection of that person, leave whether it was the last.

        If this fails: count the connections of each person in each address, and answer from the count.
        """
        node = await kit.node()
        assert await node.enter(NEWS, "c1", "ada") is True
        assert await node.enter(NEWS, "c2", "bob") is True
        assert await node.leave(NEWS, "c1") is True
        assert await node.enter(NEWS, "c3", "ada") is True, "first again, after the last has gone"
        assert await node.people(NEWS) == {"ada": 1, "bob": 1}

    @case(PRESENCE)
    async def test_several_connections_of_one_person(self, kit: BackendBench) -> None:
        """One person may have many connections: only the first comes in, only the last goes out.

        If this fails: count the connections of each person; a second tab is not a second person.
        """
        node = await kit.node()
        assert [await node.enter(NEWS, f"c{number}", "ada") for number in range(3)] == [True, False, False]
        assert await node.people(NEWS) == {"ada": 3}
        assert await node.leave(NEWS, "c0") is False
        assert await node.people(NEWS) == {"ada": 2}
        assert await node.leave(NEWS, "c2") is False
        assert await node.leave(NEWS, "c1") is True
        assert await node.roster(NEWS) == Roster((), 0)

    @case(PRESENCE)
    async def test_anonymous_connections_are_counted(self, kit: BackendBench) -> None:
        """Connections without a subscriber_id are counted, not listed; each is first and last.

        If this fails: None is no name: such connections have nothing to do with each other, nor with an empty name.
        """
        node = await kit.node()
        assert [await node.enter(NEWS, f"c{number}", None) for number in range(3)] == [True] * 3
        await node.enter(NEWS, "c3", "None")
        roster = await node.roster(NEWS)
        assert (roster.anonymous, [person.subscriber_id for person in roster.people]) == (3, ["None"])
        assert [await node.leave(NEWS, f"c{number}") for number in range(3)] == [True] * 3
        assert (await node.roster(NEWS)).anonymous == 0

    @case(PRESENCE)
    async def test_entering_again_replaces(self, kit: BackendBench) -> None:
        """Entering again replaces: the connection counts once, for who it says it is now.

        If this fails: take out what the connection was before, in the same step.
        """
        node = await kit.node()
        await node.enter(NEWS, "c1", None)
        assert await node.enter(NEWS, "c1", "ada", b'"old"') is True, "the first of ada"
        assert await node.roster(NEWS) == Roster((Person("ada", 1, b'"old"'),), 0)
        await node.enter(NEWS, "c1", "ada", b'"new"')
        assert await node.roster(NEWS) == Roster((Person("ada", 1, b'"new"'),), 0)
        assert await node.enter(NEWS, "c1", "bob") is True, "the first of bob"
        assert await node.people(NEWS) == {"bob": 1}
        assert await node.leave(NEWS, "c1") is True
        assert await node.roster(NEWS) == Roster((), 0)

    @case(PRESENCE)
    async def test_leaving_without_being_in(self, kit: BackendBench) -> None:
        """Leave returns False if the connection was not in.

        If this fails: do not count down for a connection that is not there, or not any more.
        """
        node = await kit.node()
        assert await node.leave(NEWS, "c1") is False
        await node.enter(NEWS, "c1", "ada")
        assert await node.leave(NEWS, "c2") is False
        assert await node.leave(SPORT, "c1") is False
        assert await node.people(NEWS) == {"ada": 1}
        assert await node.leave(NEWS, "c1") is True
        assert await node.leave(NEWS, "c1") is False

    @case(PRESENCE)
    async def test_the_roster_is_sorted_and_complete(self, kit: BackendBench) -> None:
        """Roster: people by subscriber_id, sorted, each with the info that came with the first connection.

        If this fails: sort by the name as it is (code points); keep the info of the first connection, byte for byte.
        """
        node = await kit.node()
        for number, name in enumerate(["bob", "Ada", "émile", "ada", "10", "9"]):
            await node.enter(NEWS, f"c{number}", name, b'{"of": "%d"}' % number)
        await node.enter(NEWS, "c9", "bob", b"second")
        await node.enter(NEWS, "d1", "Zoe")
        assert await node.roster(NEWS) == Roster(
            (
                Person("10", 1, b'{"of": "4"}'),
                Person("9", 1, b'{"of": "5"}'),
                Person("Ada", 1, b'{"of": "1"}'),
                Person("Zoe", 1, b""),
                Person("ada", 1, b'{"of": "3"}'),
                Person("bob", 2, b'{"of": "0"}'),
                Person("émile", 1, b'{"of": "2"}'),
            ),
            0,
        )

    @case(PRESENCE)
    async def test_members_belong_to_their_address(self, kit: BackendBench) -> None:
        """Presence: who is in *an address*; a connection may be in many, and leaves each by itself.

        If this fails: keep the members of each address (kind and name) apart.
        """
        node = await kit.node()
        addresses = [NEWS, SPORT, Address.user("news"), Address.channel("user:news")]
        for number, address in enumerate(addresses):
            assert await node.enter(address, "c1", "ada") is True
            assert await node.enter(address, f"of {number}", f"guest {number}") is True
        assert await node.leave(NEWS, "c1") is True
        assert await node.people(NEWS) == {"guest 0": 1}
        for number, address in enumerate(addresses[1:], 1):
            assert await node.people(address) == {"ada": 1, f"guest {number}": 1}

    @case(PRESENCE)
    async def test_awkward_members(self, kit: BackendBench) -> None:
        """Ids are text of up to 255 characters, any characters; info is bytes.

        If this fails: encode ids so that each comes back as it was, and join them to nothing that they may contain.
        """
        node = await kit.node()
        for number, name in enumerate(AWKWARD_NAMES):
            await node.enter(NEWS, f"c:{number}", name, name.encode())
        people = (await node.roster(NEWS)).people
        assert list(people) == [Person(name, 1, name.encode()) for name in sorted(AWKWARD_NAMES)]
        for number in range(len(AWKWARD_NAMES)):
            assert await node.leave(NEWS, f"c:{number}") is True

    @case(PRESENCE)
    async def test_connections_that_race(self, kit: BackendBench) -> None:
        """First in and last out per person: exactly one, also when connections come and go at once.

        If this fails: count and answer in one step, such as one script or transaction.
        """
        node = await kit.node()
        entering = [asyncio.ensure_future(node.enter(NEWS, f"c{number}", "ada")) for number in range(20)]
        assert (await within(asyncio.gather(*entering), "enter")).count(True) == 1
        leaving = [asyncio.ensure_future(node.leave(NEWS, f"c{number}")) for number in range(20)]
        assert (await within(asyncio.gather(*leaving), "leave")).count(True) == 1
        assert await node.roster(NEWS) == Roster((), 0)

    @case(PRESENCE, TWO_NODES)
    async def test_members_of_all_nodes(self, kit: BackendBench) -> None:
        """Who is in an address *over all nodes*: first in and last out of a person, wherever the connections are.

        If this fails: keep members in the store that the nodes share.
        """
        here, there = await kit.pair()
        assert await here.enter(NEWS, "h1", "ada", b"first") is True
        assert await there.enter(NEWS, "t1", "ada", b"second") is False
        assert await there.enter(NEWS, "t2", "bob") is True
        await there.enter(NEWS, "t3", None)
        everybody = Roster((Person("ada", 2, b"first"), Person("bob", 1)), 1)
        assert await here.roster(NEWS) == everybody == await there.roster(NEWS)
        assert await here.leave(NEWS, "h1") is False
        assert await there.leave(NEWS, "t1") is True
        assert await here.people(NEWS) == {"bob": 1}

    # ------------------------------------------------------------------------------------------------------- leases

    @case(PRESENCE, LEASE)
    async def test_renewing_keeps_members(self, kit: BackendBench) -> None:
        """Renew keeps this node's memberships alive for another lease.

        If this fails: have ``renew`` move the end of every membership of this node.
        """
        node = await kit.node()
        lease = _lease(kit)
        await node.enter(NEWS, "c1", "ada")
        await node.enter(SPORT, "c1", "ada")
        for _ in range(6):
            await kit.pass_time(lease / 3)
            await node.renew()
        assert await node.people(NEWS) == await node.people(SPORT) == {"ada": 1}

    @case(PRESENCE, LEASE)
    async def test_members_end_with_their_lease(self, kit: BackendBench) -> None:
        """When a node dies without leaving, its memberships are gone within ``lease`` seconds.

        If this fails: give memberships an end in the store, and leave out those past it when the roster is read.
        """
        node = await kit.node()
        await node.enter(NEWS, "c1", "ada")
        await kit.pass_time(_lease(kit) + moment())
        assert await node.roster(NEWS) == Roster((), 0)

    @case(PRESENCE, LEASE, TWO_NODES)
    async def test_only_the_members_of_a_dead_node_end(self, kit: BackendBench) -> None:
        """Memberships belong to the node that entered them: one that dies takes its own along, and no others.

        If this fails: let the lease be one for each node, not one for each address or person.
        """
        alive, dead = await kit.pair()
        await dead.enter(NEWS, "d1", "ada", b"dead")
        await alive.enter(NEWS, "a1", "ada", b"alive")
        await dead.enter(NEWS, "d2", "bob")
        for _ in range(4):
            await kit.pass_time(_lease(kit) / 3)
            await alive.renew()
        assert await alive.people(NEWS) == {"ada": 1}
        assert await alive.leave(NEWS, "a1") is True, "the last, since the other is gone"
        assert await alive.enter(NEWS, "a2", "bob") is True, "the first, since the other is gone"


def _lease(kit: BackendBench) -> float:
    return float(getattr(kit.outside, "lease", 0.0))
