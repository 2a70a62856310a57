"""The compliance class for backends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

import pytest

from ..backends.base import Backend
from .backend_cases.bounds import BoundsCases
from .backend_cases.census import CensusCases
from .backend_cases.delivery import DeliveryCases
from .backend_cases.fixture import FixtureCases
from .backend_cases.history import HistoryCases
from .backend_cases.idempotency import IdempotencyCases
from .backend_cases.life import LifeCases
from .backend_cases.line import BrokenLineCases
from .backend_cases.payloads import PayloadCases
from .backend_cases.presence import PresenceCases
from .backend_cases.several import SeveralNodesCases
from .nodes import BackendBench

__all__ = ["BackendCompliance"]


class BackendCompliance(
    FixtureCases,
    LifeCases,
    DeliveryCases,
    PayloadCases,
    SeveralNodesCases,
    BrokenLineCases,
    HistoryCases,
    BoundsCases,
    IdempotencyCases,
    PresenceCases,
    CensusCases,
):
    """What every backend must hold: the contract of :mod:`sethpusher_core.backends`, case by case.

    An author gives one fixture, ``make_backend``. It returns a function that makes a new, unstarted backend with each
    call; all backends of one test are nodes that hear each other, and begin with nothing::

        class TestMyBackend(BackendCompliance):
            @pytest.fixture
            def make_backend(self):
                prefix = uuid4().hex
                return lambda: MyBackend(Settings(url=URL, prefix=prefix))

    Optional fixtures:

    * ``break_connection``: a function that breaks the connection of the backend that it is given, as a fault of the
      network would. Without it the cases about broken lines are skipped.
    * ``advance``: a function that lets so many seconds pass for the backends of this test and their store; both may be
      ``async``. Without it the cases really wait: for ages of half a second, and for one ``lease``, so let
      ``make_backend`` give a short one.
    * ``make_unreachable``: a function that makes a backend which cannot be started, since what it connects to is not
      there. Without it the case about that is skipped.

    Optional attributes of the class:

    Attributes:
        one_node: For a backend that joins no nodes: why. The cases for two nodes are then skipped.
        forgets_idle_after: How many seconds after its ``history_age`` has passed an idle stream is surely forgotten;
            None for a backend that never forgets one, or does not say when.
        virtual_time: For a backend that does no input and output: time is not waited for, but skipped. Its clock must
            be ``sethpusher_core.testing.kit_time``.
    """

    OPEN = frozenset(
        {
            "advance",
            "break_connection",
            "forgets_idle_after",
            "make_backend",
            "make_unreachable",
            "one_node",
            "virtual_time",
        }
    )

    one_node: ClassVar[str] = ""
    forgets_idle_after: ClassVar[float | None] = None
    virtual_time: ClassVar[bool] = False

    @pytest.fixture
    def make_backend(self) -> Callable[[], Backend]:
        """Gives a function that makes a new, unstarted backend; authors override it."""
        pytest.fail(
            f"{type(self).__name__} needs a fixture `make_backend` that returns a function: each of its calls makes a "
            "new, unstarted backend",
            pytrace=False,
        )

    @pytest.fixture
    def break_connection(self) -> Callable[[Backend], Awaitable[None] | None] | None:
        """Gives a function that breaks a backend's connection; authors may override it."""
        return None

    @pytest.fixture
    def advance(self) -> Callable[[float], Awaitable[None] | None] | None:
        """Gives a function that lets time pass; authors may override it."""
        return None

    @pytest.fixture
    def make_unreachable(self) -> Callable[[], Backend] | None:
        """Gives a function that makes a backend which cannot be started; authors may override it."""
        return None

    @pytest.fixture
    def kit(
        self,
        make_backend: Callable[[], Backend],
        break_connection: Callable[[Backend], Awaitable[None] | None] | None,
        advance: Callable[[float], Awaitable[None] | None] | None,
        make_unreachable: Callable[[], Backend] | None,
    ) -> BackendBench:
        """What the cases work with; not to be overridden."""
        return BackendBench(
            make_backend,
            one_node=self.one_node,
            virtual=self.virtual_time,
            forgets_idle_after=self.forgets_idle_after,
            advance=advance,
            break_connection=break_connection,
            make_unreachable=make_unreachable,
        )
