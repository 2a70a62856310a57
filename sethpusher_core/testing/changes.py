"""What a transform makes of publications."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ..addresses import Address
from ..answers import Refused
from ..publication import Publication
from .hooks import HookBench
from .samples import NEWS, published

if TYPE_CHECKING:
    from ..server import PushServer

__all__ = ["REFUSED", "Change", "TransformBench"]

REFUSED: Final = Refused("")
"""Stands for any refusal."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is published, and what becomes of it.

    Attributes:
        before: The message.
        after: The message that goes out; REFUSED for one that must not.
        address: Where it is published.
    """

    before: Any
    after: Any
    address: Address = NEWS


class TransformBench(HookBench):
    """The fixture ``kit`` of the cases for transforms.

    Attributes:
        changes: The author's.
    """

    hook: ClassVar[str] = "transform"

    def __init__(
        self, make: Callable[[], object], changes: Sequence[Change], make_failing: Callable[[], object] | None = None
    ) -> None:
        super().__init__(make, make_failing)
        self.changes = list(changes)

    async def use(self, server: PushServer) -> None:
        """Has the first change made."""
        self.outcome(server, published(self.changes[0].before, self.changes[0].address))

    def outcome(self, server: PushServer, publication: Publication) -> Publication | Refused:
        """What comes out.

        Raises:
            HookError: It raised, or answered with something else.
            AssertionError: It refuses without a reason, or what comes out is for somebody else.
        """
        chain = server.hooks.transform
        assert chain is not None
        after = chain(publication)
        if isinstance(after, Refused):
            reason: object = after.reason
            assert isinstance(reason, str), f"the reason is {reason!r}"
            assert reason.strip(), "it refuses without a reason for the publisher"
            return after
        for name in ("address", "id", "idempotency_key", "skip"):
            was, now = getattr(publication, name), getattr(after, name)
            assert was == now, f"its {name} was {was!r} and is {now!r}"
        return after
