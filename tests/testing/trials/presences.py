"""Backends whose presence or census is wrong."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from testing.trials.marks import fails

from sethpusher_core.addresses import Address
from sethpusher_core.backends.capabilities import CENSUS, PRESENCE, Occupancy, Roster
from sethpusher_core.backends.memory import MemoryBackend


class Watching(MemoryBackend):
    capabilities = frozenset({PRESENCE})

    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes = b"") -> bool:
        return await super().enter(address, connection_id, subscriber_id, info)


@fails("several_connections_of_one_person", "connections_that_race")
class CountsTabs(Watching):
    async def enter(self, *arguments: Any) -> bool:
        return await super().enter(*arguments) or True


@fails("several_connections_of_one_person", "connections_that_race")
class CountsTabsOut(Watching):
    async def leave(self, address: Address, connection_id: str) -> bool:
        inside = connection_id in self._presence._connections.get(address, {})
        await super().leave(address, connection_id)
        return inside


@fails("first_in_and_last_out")
class RemembersPeople(Watching):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.seen: set[tuple[Address, str | None]] = set()

    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes = b"") -> bool:
        first = await super().enter(address, connection_id, subscriber_id, info)
        known = subscriber_id is not None and (address, subscriber_id) in self.seen
        self.seen.add((address, subscriber_id))
        return first and not known


@fails("several_connections_of_one_person", "the_roster_is_sorted_and_complete")
class CountsPeople(Watching):
    async def roster(self, address: Address) -> Roster:
        roster = await super().roster(address)
        return replace(roster, people=tuple(replace(person, connections=1) for person in roster.people))


@fails("anonymous_connections_are_counted")
class NamesTheAnonymous(Watching):
    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes = b"") -> bool:
        return await super().enter(address, connection_id, str(subscriber_id), info)


@fails("entering_again_replaces")
class EntersTwice(Watching):
    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes = b"") -> bool:
        inside = self._presence._connections.get(address, {})
        if connection_id in inside:
            inside[f"{connection_id} again"] = inside.pop(connection_id)
        return await super().enter(address, connection_id, subscriber_id, info)


@fails("leaving_without_being_in")
class LeavesAnyway(Watching):
    async def leave(self, address: Address, connection_id: str) -> bool:
        inside = connection_id in self._presence._connections.get(address, {})
        return await super().leave(address, connection_id) or not inside


@fails("the_roster_is_sorted_and_complete", "awkward_members")
class Unsorted(Watching):
    async def roster(self, address: Address) -> Roster:
        roster = await super().roster(address)
        return replace(roster, people=tuple(sorted(roster.people, key=lambda person: person.subscriber_id.lower())))


@fails("the_roster_is_sorted_and_complete")
class KeepsTheLastInfo(Watching):
    async def roster(self, address: Address) -> Roster:
        inside = self._presence._connections.get(address, {}).values()
        last = dict(inside)
        people = [replace(person, info=last[person.subscriber_id]) for person in (await super().roster(address)).people]
        return replace(await super().roster(address), people=tuple(people))


@fails("members_belong_to_their_address")
class MembersByName(Watching):
    async def enter(self, address: Address, *arguments: Any) -> bool:
        return await super().enter(Address("", address.name), *arguments)

    async def leave(self, address: Address, connection_id: str) -> bool:
        return await super().leave(Address("", address.name), connection_id)

    async def roster(self, address: Address) -> Roster:
        return await super().roster(Address("", address.name))


@fails("awkward_members")
class ShortensNames(Watching):
    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes = b"") -> bool:
        return await super().enter(address, connection_id, subscriber_id and subscriber_id[:100], info)


@fails("connections_that_race")
class LooksBeforeItCounts(Watching):
    async def enter(self, address: Address, connection_id: str, subscriber_id: str | None, info: bytes = b"") -> bool:
        first = subscriber_id not in {person.subscriber_id for person in (await self.roster(address)).people}
        inside = connection_id in self._presence._connections.get(address, {})
        await asyncio.sleep(0)
        return await super().enter(address, connection_id, subscriber_id, info) or (first and not inside)


# ------------------------------------------------------------------------------------------------------------- census


class Counting(MemoryBackend):
    capabilities = frozenset({CENSUS})


@fails("what_is_reported_is_counted")
class CountsAddresses(Counting):
    async def count(self, address: Address) -> int:
        return await super().count(address) or (1 if address.name == "nobody" else 0)


@fails("what_is_reported_is_counted", "a_prefix_chooses")
class MixesKinds(Counting):
    async def occupied(self, kind: str, *asked: Any) -> Sequence[Occupancy]:
        return [*await super().occupied("channel", *asked), *await super().occupied("user", *asked)]


@fails("a_report_replaces")
class AddsReports(Counting):
    async def report(self, counts: Mapping[Address, int]) -> None:
        before = {address: await self.count(address) for address in counts}
        await super().report({address: count and count + before[address] for address, count in counts.items()})


@fails("a_report_replaces", "zero_removes")
class KeepsTheLastReportOnly(Counting):
    async def report(self, counts: Mapping[Address, int]) -> None:
        await super().report(dict.fromkeys(self._counts._counts, 0))
        await super().report(counts)


@fails("zero_removes")
class NeverForgets(Counting):
    async def report(self, counts: Mapping[Address, int]) -> None:
        self.known: set[Address] = {*getattr(self, "known", ()), *counts}
        await super().report(counts)

    async def occupied(self, kind: str, *asked: Any) -> Sequence[Occupancy]:
        shown = await super().occupied(kind, *asked)
        gone = getattr(self, "known", set()) - self._counts._counts.keys()
        return [*shown, *(Occupancy(address, 0) for address in gone if address.name == "news")]


@fails("a_prefix_chooses")
class TakesPrefixesForPatterns(Counting):
    async def occupied(self, kind: str, prefix: str = "", after: str = "", limit: int = 100) -> Sequence[Occupancy]:
        everything = await super().occupied(kind, "", after, 10**6)
        return [one for one in everything if fnmatch.fnmatchcase(one.address.name, f"{prefix}*")][:limit]


@fails("page_by_page")
class RepeatsTheLast(Counting):
    async def occupied(self, kind: str, prefix: str = "", after: str = "", limit: int = 100) -> Sequence[Occupancy]:
        everything = await super().occupied(kind, prefix, "", 10**6)
        return [one for one in everything if one.address.name >= after][:limit]


@fails("page_by_page")
class NeedsTheLast(Counting):
    async def occupied(self, kind: str, prefix: str = "", after: str = "", limit: int = 100) -> Sequence[Occupancy]:
        if after and not await self.count(Address(kind, after)):
            return []
        return await super().occupied(kind, prefix, after, limit)


@fails("page_by_page")
class LimitsBeforeItChooses(Counting):
    async def occupied(self, kind: str, prefix: str = "", after: str = "", limit: int = 100) -> Sequence[Occupancy]:
        everything = await super().occupied(kind, "", after, limit)
        return [one for one in everything if one.address.name.startswith(prefix)]


@fails("awkward_names_are_counted", "a_prefix_chooses")
class SortsByLetter(Counting):
    async def occupied(self, kind: str, prefix: str = "", after: str = "", limit: int = 100) -> Sequence[Occupancy]:
        page = await super().occupied(kind, prefix, after, limit)
        return sorted(page, key=lambda one: one.address.name.lower())


@fails("awkward_names_are_counted")
class LosesLongNames(Counting):
    async def report(self, counts: Mapping[Address, int]) -> None:
        await super().report({address: count for address, count in counts.items() if len(address.name) < 100})
