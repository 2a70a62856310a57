"""Whether the author's fixture gives what the other cases rely on, and whether the backend says truly what it can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ...backends.capabilities import CENSUS, HISTORY, PRESENCE, Roster
from ...errors import BackendError
from ..guard import Compliance, case
from ..nodes import ONE_NODE, BackendBench
from ..samples import NEWS, keep, say

__all__ = ["FixtureCases"]

KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    HISTORY: ("read", "result_of"),
    PRESENCE: ("enter", "leave", "roster", "renew"),
    CENSUS: ("report", "occupied", "count"),
}
"""The capabilities, and the methods of each."""


class FixtureCases(Compliance):
    """``make_backend``, and what the backend declares."""

    @case()
    async def test_fixture_gives_a_new_unstarted_backend(self, kit: BackendBench) -> None:
        """Each call of make_backend() gives a backend of its own, which nobody has started.

        If this fails: make the backend within the function that the fixture returns, not once for all calls, and leave
        ``start`` to the kit.
        """
        first, second = kit.unstarted(), kit.unstarted()
        assert first.backend is not second.backend, "two calls gave one and the same backend"
        results = await first.publish(say(NEWS, b"1"))
        assert all(isinstance(result, BackendError) for result in results), f"it has been started: {results}"

    @case()
    async def test_fixture_gives_a_clean_backend(self, kit: BackendBench) -> None:
        """In each test the backends begin with nothing: no history, no members, no counts. Leaves some behind.

        If this fails: have the fixture ``make_backend`` empty the store that the backends share, or give them a
        prefix of their own in each test.
        """
        await _is_clean(kit)

    @case()
    async def test_fixture_gives_a_clean_backend_again(self, kit: BackendBench) -> None:
        """In each test the backends begin with nothing, also after a test that has left something behind.

        If this fails: have the fixture ``make_backend`` empty the store that the backends share, or give them a
        prefix of their own in each test. What the test before left in a store must not be there in this one.
        """
        await _is_clean(kit)

    @case()
    async def test_capabilities_are_known_and_true(self, kit: BackendBench) -> None:
        """A backend declares by name what it can do beyond the required methods, and has the methods of each.

        If this fails: set ``capabilities`` on the class to a frozenset of the names in
        ``sethpusher_core.backends.capabilities``, and write the methods of each name that is in it.
        """
        backend = kit.outside
        assert isinstance(backend.capabilities, frozenset), f"capabilities is {backend.capabilities!r}"
        unknown = backend.capabilities - KNOWN.keys()
        assert not unknown, f"there are no capabilities {sorted(unknown)}; known are {sorted(KNOWN)}"
        for capability in sorted(backend.capabilities):
            missing = [name for name in KNOWN[capability] if not callable(getattr(backend, name, None))]
            assert not missing, f"declares {capability}, but has no {' and no '.join(missing)}"
        if PRESENCE in backend.capabilities:
            lease: object = getattr(backend, "lease", None)
            assert isinstance(lease, int | float), f"declares {PRESENCE}, but its lease is {lease!r}"
            assert lease >= 0, f"the lease is {lease} s"

    @case(ONE_NODE)
    async def test_one_node_is_true(self, kit: BackendBench) -> None:
        """A backend for which the class says ``one_node`` really joins no nodes.

        If this fails: take ``one_node`` away, so that the cases for two nodes run.
        """
        here, there = await kit.pair(NEWS)
        await here.accepted(say(NEWS, b"1"))
        await here.sink.until(NEWS, 1)
        await kit.quiet()
        assert there.sink.deliveries == [], "the other one has heard it"


async def _is_clean(kit: BackendBench) -> None:
    capabilities = kit.outside.capabilities
    node = await kit.node()
    if HISTORY in capabilities:
        page = await node.read(NEWS)
        assert (page.top.offset, page.stored) == (0, ()), f"there is a history: {page}"
        assert await node.result_of(NEWS, "key") is None, "there is the result of an idempotency key"
        await node.accepted(keep(NEWS, b"1", key="key"))
    if PRESENCE in capabilities:
        roster = await node.roster(NEWS)
        assert roster == Roster((), 0), f"there are members: {roster}"
        await node.enter(NEWS, f"{node.name}-1", "ada")
    if CENSUS in capabilities:
        occupied = await node.occupied("channel")
        assert occupied == {}, f"there are counts: {occupied}"
        await node.report({NEWS: 1})
