"""Capability CENSUS: which addresses have members, and how many, over all nodes."""

from __future__ import annotations

from collections.abc import Mapping

from ...addresses import CHANNEL, USER, Address
from ...backends.capabilities import CENSUS, PRESENCE
from ..guard import Compliance, case
from ..nodes import LEASE, TWO_NODES, BackendBench, Node
from ..samples import ADA, AWKWARD_NAMES, NEWS, SPORT
from ..timing import moment

__all__ = ["CensusCases"]

LAG = 1.0
"""Seconds by which counts may lag behind."""


class CensusCases(Compliance):
    """Counts, told by each node and added up. They may lag behind by a second, so each case waits for them."""

    @case(CENSUS)
    async def test_what_is_reported_is_counted(self, kit: BackendBench) -> None:
        """Report tells how many members addresses have on this node; count and occupied give them.

        If this fails: note the counts of a report under this node, and add up over the nodes.
        """
        node = await kit.node()
        await node.report({NEWS: 3, SPORT: 1, ADA: 2})
        await _counts(kit, node, {NEWS: 3, SPORT: 1, ADA: 2, Address.channel("nobody"): 0, Address.user("news"): 0})
        assert await node.occupied(CHANNEL) == {"news": 3, "sport": 1}
        assert await node.occupied(USER) == {"ada": 2}

    @case(CENSUS)
    async def test_a_report_replaces(self, kit: BackendBench) -> None:
        """Report tells how many members addresses *have*; what it does not name stays as it was.

        If this fails: set the count, do not add to it; and leave alone what the report does not name.
        """
        node = await kit.node()
        await node.report({NEWS: 3, SPORT: 1})
        await node.report({NEWS: 5})
        await node.report({NEWS: 4})
        await _counts(kit, node, {NEWS: 4, SPORT: 1})

    @case(CENSUS)
    async def test_zero_removes(self, kit: BackendBench) -> None:
        """Report: 0 for none any more. The address is then not occupied, until members come again.

        If this fails: take the address out when its count over all nodes is 0; 0 for an unknown one is no error.
        """
        node = await kit.node()
        await node.report({NEWS: 3, SPORT: 1, Address.channel("nobody"): 0})
        await node.report({NEWS: 0})
        await node.report({NEWS: 0})
        await _counts(kit, node, {NEWS: 0, SPORT: 1})
        assert await node.occupied(CHANNEL) == {"sport": 1}
        await node.report({NEWS: 2})
        await _counts(kit, node, {NEWS: 2})
        assert await node.occupied(CHANNEL) == {"news": 2, "sport": 1}

    @case(CENSUS)
    async def test_a_prefix_chooses(self, kit: BackendBench) -> None:
        """``occupied(prefix)``: only names that begin so, letter by letter.

        If this fails: a prefix is text, no pattern; compare it with the beginning of each name.
        """
        node = await kit.node()
        names = ["chat", "chat.*", "chat.1", "chat.2", "chat/1", "chats", "Chat.1", "news"]
        await node.report({Address.channel(name): 1 for name in names} | {Address.user("chat.3"): 1})
        await _counts(kit, node, {Address.channel(name): 1 for name in names})
        for prefix in ("", "chat", "chat.", "chat.*", "c", "news", "newss", "*", "ch?t"):
            expected = sorted(name for name in names if name.startswith(prefix))
            assert list(await node.occupied(CHANNEL, prefix=prefix)) == expected, f"prefix {prefix!r}"
        assert list(await node.occupied(USER, prefix="chat")) == ["chat.3"]

    @case(CENSUS)
    async def test_page_by_page(self, kit: BackendBench) -> None:
        """``occupied(after, limit)``: by name, only those that sort after the last of the page before.

        If this fails: sort by name (code points) before the limit cuts; ``after`` itself is left out, and need not be
        there any more.
        """
        node = await kit.node()
        names = sorted(f"{kind} {number}" for kind in ("chat", "news") for number in range(25))
        await node.report({Address.channel(name): 1 for name in reversed(names)})
        await _counts(kit, node, {Address.channel(name): 1 for name in names})
        for prefix in ("", "chat", "news"):
            expected = [name for name in names if name.startswith(prefix)]
            read: list[str] = []
            while len(read) < len(expected):
                page = await node.occupied(CHANNEL, prefix=prefix, after=read[-1] if read else "", limit=7)
                assert 0 < len(page) <= 7, f"after {read[-1:]} {len(page)} were given"
                read += page
            assert read == expected, f"prefix {prefix!r}"
            assert await node.occupied(CHANNEL, prefix=prefix, after=read[-1]) == {}, f"prefix {prefix!r}"
        assert list(await node.occupied(CHANNEL, after="chat 3a", limit=2)) == ["chat 4", "chat 5"]

    @case(CENSUS)
    async def test_awkward_names_are_counted(self, kit: BackendBench) -> None:
        """A name is any text of up to 255 characters, and names sort by their code points.

        If this fails: encode names so that each comes back as it was, in the same order.
        """
        node = await kit.node()
        await node.report({Address.channel(name): number for number, name in enumerate(AWKWARD_NAMES, 1)})
        await _counts(kit, node, {Address.channel(name): number for number, name in enumerate(AWKWARD_NAMES, 1)})
        assert list(await node.occupied(CHANNEL)) == sorted(AWKWARD_NAMES)

    @case(CENSUS, TWO_NODES)
    async def test_nodes_add_up(self, kit: BackendBench) -> None:
        """Counts are those over all nodes; what one node reports changes nothing of what another has.

        If this fails: keep one count for each node and address, and add up.
        """
        here, there = await kit.pair()
        await here.report({NEWS: 3, SPORT: 1})
        await there.report({NEWS: 2, ADA: 1})
        for node in (here, there):
            await _counts(kit, node, {NEWS: 5, SPORT: 1, ADA: 1})
            assert await node.occupied(CHANNEL) == {"news": 5, "sport": 1}
        await here.report({NEWS: 0, SPORT: 0})
        for node in (here, there):
            await _counts(kit, node, {NEWS: 2, SPORT: 0})
            assert await node.occupied(CHANNEL) == {"news": 2}

    @case(CENSUS, PRESENCE, LEASE, TWO_NODES)
    async def test_counts_end_with_their_lease(self, kit: BackendBench) -> None:
        """Counts are leased per node as presence is: those of a node that dies are gone within ``lease`` seconds.

        If this fails: give a node's counts the same end as its memberships, and have ``renew`` move both.
        """
        alive, dead = await kit.pair()
        await alive.report({NEWS: 3})
        await dead.report({NEWS: 2, SPORT: 1})
        for _ in range(4):
            await kit.pass_time(float(getattr(kit.outside, "lease", 0.0)) / 3 + moment())
            await alive.renew()
        await _counts(kit, alive, {NEWS: 3, SPORT: 0})
        assert await alive.occupied(CHANNEL) == {"news": 3}


async def _counts(kit: BackendBench, node: Node, expected: Mapping[Address, int]) -> None:
    """Waits until the counts of some addresses are what they should be."""

    async def holds() -> bool:
        return {address: await node.count(address) for address in expected} == expected

    await kit.eventually(holds, ", ".join(f"{address}: {count}" for address, count in expected.items()), LAG)
