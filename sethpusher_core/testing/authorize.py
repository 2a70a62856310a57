"""The compliance class for authorizers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest

from .hook_cases.authorize import AuthorizeCases
from .hook_cases.life import HookLifeCases
from .hook_compliance import HookCompliance, missing
from .opinions import AuthorizeBench, Opinion

__all__ = ["AuthorizeCompliance"]


class AuthorizeCompliance(AuthorizeCases, HookLifeCases, HookCompliance):
    """What every plugin with the hook ``authorize`` must hold, case by case.

    An author gives two fixtures: ``make_plugin`` returns a function that makes a new plugin object with each call,
    ``opinions`` what it should say to which questions::

        class TestMyAuthorizer(AuthorizeCompliance):
            @pytest.fixture
            def make_plugin(self):
                return lambda: MyAuthorizer(Settings(prefix="room-"))

            @pytest.fixture
            def opinions(self):
                ada, room, news = Identity("ada", proven=True), Address.channel("room-ada"), Address.channel("news")
                return [
                    Opinion(ada, "subscribe", room, True),
                    Opinion(Identity("bob", proven=True), "subscribe", room, False),
                    Opinion(ada, "subscribe", news, None),
                ]

    Optional fixture: ``make_failing`` returns a function that makes a plugin which cannot tell, since what it asks is
    not there; without it the case about failures is skipped.

    Optional attribute of the class:

    Attributes:
        trusts_claims: For a plugin to which a ``subscriber_id`` that nobody has proven is good enough: why.
    """

    OPEN = frozenset({"opinions", "trusts_claims"})

    trusts_claims: ClassVar[str] = ""

    @pytest.fixture
    def opinions(self) -> Sequence[Opinion]:
        """Gives what the plugin should say; authors override it."""
        missing(
            type(self),
            "opinions",
            "a list of sethpusher_core.testing.Opinion: what the plugin should say to which questions",
        )

    @pytest.fixture
    def kit(
        self,
        make_plugin: Callable[[], object],
        opinions: Sequence[Opinion],
        make_failing: Callable[[], object] | None,
    ) -> AuthorizeBench:
        """What the cases work with; not to be overridden."""
        return AuthorizeBench(make_plugin, opinions, make_failing, trusts_claims=self.trusts_claims)
