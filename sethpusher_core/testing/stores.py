"""A persister under test: asked as the server asks it, and compared with what its store has."""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..publication import Publication
from .hooks import HookBench
from .loops import within
from .samples import published

if TYPE_CHECKING:
    from ..server import PushServer

__all__ = ["Kept", "PersistBench"]


@dataclass(frozen=True, slots=True)
class Kept:
    """One publication, as it was read back from a store.

    Attributes:
        id: Its id.
        message: Its value.
        channel: The channel it was for; None if it was for a user.
        user: The subscriber_id it was for; None if it was for a channel.
        sender_id: Who published it; None when unknown.
    """

    id: str
    message: Any
    channel: str | None = None
    user: str | None = None
    sender_id: Any = None

    @classmethod
    def of(cls, publication: Publication) -> Kept:
        """What should be read back of a publication."""
        one = publication
        return cls(one.id, one.message, one.channel, one.user, one.sender_id)

    def text(self) -> str:
        """All of it. Texts tell values apart that Python calls equal, such as 0 and false."""
        fields = (self.id, self.channel, self.user, self.sender_id, self.message)
        return json.dumps(fields, sort_keys=True)


ReadBack = Callable[[], Sequence[Kept] | Awaitable[Sequence[Kept]]]


class PersistBench(HookBench):
    """The fixture ``kit`` of the cases for persisters.

    Args:
        make: The author's ``make_plugin``.
        read_back: The author's ``read_back``.
        make_failing: The author's ``make_failing``, if there is one.
    """

    hook: ClassVar[str] = "persist"

    def __init__(
        self, make: Callable[[], object], read_back: ReadBack, make_failing: Callable[[], object] | None
    ) -> None:
        super().__init__(make, make_failing)
        self._read_back = read_back

    async def use(self, server: PushServer) -> None:
        """Has a publication stored."""
        persist = server.hooks.persist
        assert persist is not None
        await within(persist((published(),)), "persist")

    @contextlib.asynccontextmanager
    async def persister(self) -> AsyncIterator[Callable[..., Awaitable[None]]]:
        """A function that has its arguments persisted in one batch, by a new plugin."""
        async with self.server() as server:
            persist = server.hooks.persist
            assert persist is not None

            async def one_batch(*publications: Publication) -> None:
                await within(persist(publications), "persist")

            yield one_batch

    async def stored(self) -> list[Kept]:
        """What the store has, oldest first."""
        answer = self._read_back()
        kept = await within(answer, "read_back") if inspect.isawaitable(answer) else answer
        wrong = [one for one in kept if not isinstance(one, Kept)]
        assert not wrong, f"read_back gave {wrong[:3]}, not Kept"
        return list(kept)

    async def has(self, *publications: Publication) -> None:
        """Checks that the store has these publications and nothing else, in this order."""
        stored = [one.text() for one in await self.stored()]
        expected = [Kept.of(one).text() for one in publications]
        if stored == expected:
            return
        missing = [_short(one) for one in expected if one not in stored]
        unasked = [_short(one) for one in stored if one not in expected]
        assert not missing, f"{len(missing)} are missing, such as {missing[0]}; not asked for: {unasked[:3]}"
        assert not unasked, f"there is what nobody has published: {unasked[:3]}"
        assert len(stored) == len(expected), f"stored {len(stored)} times, published {len(expected)} times"
        raise AssertionError(f"the order is not that of publishing: {[_short(one, 40) for one in stored]}")


def _short(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."
