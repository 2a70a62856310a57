"""The compliance class for authenticators."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from .callers import AuthenticateBench, Presented
from .hook_cases.authenticate import AuthenticateCases
from .hook_cases.life import HookLifeCases
from .hook_compliance import HookCompliance, missing

__all__ = ["AuthenticateCompliance"]


class AuthenticateCompliance(AuthenticateCases, HookLifeCases, HookCompliance):
    """What every plugin with the hook ``authenticate`` must hold, case by case.

    The plugin is asked as the server asks it. An author gives three fixtures: ``make_plugin`` returns a function that
    makes a new plugin object with each call, ``accepted`` and ``refused`` return callers: those whom it knows, and
    those whose credentials are bad::

        class TestMyAuthenticator(AuthenticateCompliance):
            @pytest.fixture
            def make_plugin(self):
                return lambda: MyAuthenticator(Settings(secret=Secret("s3cret-of-the-test")))

            @pytest.fixture
            def accepted(self):
                return [Presented(headers={"X-Token": sign("ada")}, subscriber_id="ada")]

            @pytest.fixture
            def refused(self):
                return [Presented(headers={"X-Token": "forged"})]

    Optional fixtures:

    * ``expired``: callers whose credentials were good once. Without it the case about expiry is skipped.
    * ``make_failing``: a function that makes a plugin which cannot look credentials up (its database is not there, its
      keys cannot be read). Without it the case about failures is skipped.

    Cases go by what the plugin declares: ``proves_ids``, ``takes_tokens``, ``reads_cookies``.
    """

    OPEN = frozenset({"accepted", "expired", "refused"})

    @pytest.fixture
    def accepted(self) -> Sequence[Presented]:
        """Gives the callers whom the plugin knows; authors override it."""
        missing(type(self), "accepted", "a list of sethpusher_core.testing.Presented: callers whom the plugin knows")

    @pytest.fixture
    def refused(self) -> Sequence[Presented]:
        """Gives callers whose credentials are bad; authors override it."""
        missing(type(self), "refused", "a list of sethpusher_core.testing.Presented: callers whose credentials are bad")

    @pytest.fixture
    def expired(self) -> Sequence[Presented]:
        """Gives callers whose credentials were good once; authors may override it."""
        return ()

    @pytest.fixture
    def kit(
        self,
        make_plugin: Callable[[], object],
        accepted: Sequence[Presented],
        refused: Sequence[Presented],
        expired: Sequence[Presented],
        make_failing: Callable[[], object] | None,
    ) -> AuthenticateBench:
        """What the cases work with; not to be overridden."""
        return AuthenticateBench(make_plugin, accepted, refused, expired, make_failing)
