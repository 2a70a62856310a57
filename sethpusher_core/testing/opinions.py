"""Questions of who may do what, and an authorizer that is asked them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import pytest

from ..addresses import SERVER, Address
from ..answers import Allowed, Denied
from ..identity import ANONYMOUS, Identity
from .hooks import HookBench
from .loops import within
from .samples import ADA, AWKWARD_NAMES, NEWS

if TYPE_CHECKING:
    from ..server import PushServer

__all__ = ["ANYBODY", "ANYTHING", "TRUSTS_CLAIMS", "AuthorizeBench", "Opinion"]

TRUSTS_CLAIMS: Final = "trusts_claims"

ANYBODY: Final = (
    ANONYMOUS,
    Identity("ada"),
    Identity("ada", proven=True, plugin="elsewhere", info={"roles": ["editor"]}),
    Identity("👋" * 255),
)
"""Identities that others have made: their ``info`` is theirs."""
ANYTHING: Final = (NEWS, ADA, SERVER, *(Address.channel(name) for name in AWKWARD_NAMES))


@dataclass(frozen=True, slots=True)
class Opinion:
    """A question, and what the plugin should say.

    Attributes:
        identity: Who asks.
        action: ``subscribe``, ``publish``, ``presence``, ``history``, ``inspect`` or ``administer``.
        target: The channel, the user or the server.
        allowed: True: ALLOW. False: Denied. None: no opinion.
    """

    identity: Identity
    action: str
    target: Address
    allowed: bool | None


class AuthorizeBench(HookBench):
    """The fixture ``kit`` of the cases for authorizers.

    Attributes:
        opinions: The author's.
    """

    hook: ClassVar[str] = "authorize"

    def __init__(
        self,
        make: Callable[[], object],
        opinions: Sequence[Opinion],
        make_failing: Callable[[], object] | None = None,
        *,
        trusts_claims: str = "",
    ) -> None:
        super().__init__(make, make_failing)
        self.opinions = list(opinions)
        self._trusts_claims = trusts_claims

    def require(self, need: str) -> None:
        """See :meth:`Bench.require`: FAILING, or that it trusts no claims."""
        if need != TRUSTS_CLAIMS:
            super().require(need)
        elif self._trusts_claims:
            pytest.skip(f"{need}: {self._trusts_claims}")

    async def use(self, server: PushServer) -> None:
        """Asks the first question."""
        one = self.opinions[0]
        await self.answer(server, one.identity, one.action, one.target)

    async def answer(self, server: PushServer, identity: Identity, action: str, target: Address) -> bool | None:
        """What the plugin says: True, False or None.

        Raises:
            AssertionError: It raised, or gives no reason.
        """
        chain = server.hooks.authorize
        assert chain is not None
        [step] = chain.steps
        failures = step.failures
        verdict = await within(chain(identity, action, target), "authorize")
        about = f"{action} of {target} to {identity}"
        assert step.failures == failures, f"it failed when it was asked about {about}: {verdict}"
        if verdict is None:
            return None
        if isinstance(verdict, Denied):
            reason: object = verdict.reason
            assert isinstance(reason, str), f"the reason is {reason!r}"
            assert reason.strip(), f"it gives no reason why it denies {about}"
        return isinstance(verdict, Allowed)
