"""A plugin under test: in a server with nothing else, asked as the server asks it."""

from __future__ import annotations

import contextlib
import inspect
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from ..settings.core import CoreSettings
from .guard import Bench
from .loops import bounded, longest_hold, run, within
from .timing import patience

if TYPE_CHECKING:
    from ..server import PushServer

__all__ = ["FAILING", "HookBench"]

FAILING: Final = "make_failing"
TRIES: Final = 3


class HookBench(Bench):
    """The fixture ``kit`` of the cases for one hook.

    Args:
        make: The author's ``make_plugin``.
        make_failing: The author's ``make_failing``, if there is one.
    """

    hook: ClassVar[str]
    """The hook that the cases are about."""

    def __init__(self, make: Callable[[], object], make_failing: Callable[[], object] | None = None) -> None:
        self._make = make
        self._make_failing = make_failing

    def require(self, need: str) -> None:
        """See :meth:`Bench.require`: FAILING, or an attribute by which a plugin says what it can do."""
        if need == FAILING:
            if self._make_failing is None:
                pytest.skip(f"{need}: there is no such fixture")
        elif not self.declares(need):
            pytest.skip(f"{need}: the plugin does not declare it")

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """See :meth:`Bench.run`."""
        __tracebackhide__ = True
        run(bounded(coroutine))

    @abstractmethod
    async def use(self, server: PushServer) -> None:
        """Has the plugin do its ordinary work, once."""

    def declares(self, attribute: str) -> bool:
        """Whether the plugin says of itself that it can do something."""
        return bool(getattr(self.made(), attribute, False))

    def made(self, *, failing: bool = False) -> object:
        """A new plugin object."""
        make = self._make_failing if failing else self._make
        assert make is not None
        plugin = make()
        if inspect.iscoroutine(plugin):
            plugin.close()
            raise AssertionError("make_plugin() gave a coroutine; plugins are made by plain functions")
        return plugin

    @contextlib.asynccontextmanager
    async def server(
        self, *, failing: bool = False, beside: Sequence[object] = (), **settings: Any
    ) -> AsyncIterator[PushServer]:
        """A server with a new plugin, started and stopped again.

        Args:
            failing: Whether the plugin is one of ``make_failing``.
            beside: Other plugins, that come after it.
            settings: Of the core.
        """
        from ..plugins.registry import name_of  # late: importing the kit need not import the server
        from ..server import PushServer

        plugin = self.made(failing=failing)
        server = PushServer(CoreSettings(**{"hook_timeout": patience(), **settings}), plugins=[plugin, *beside])
        chain = getattr(server.hooks, self.hook)
        assert chain is not None, _unmarked(self.hook)
        assert name_of(plugin) in chain.plugins, _unmarked(self.hook)
        await within(server.start(), "the start of the server")
        try:
            yield server
        finally:
            await within(server.stop(), "the stop of the server")

    async def hold(self, work: Callable[[], Awaitable[object]]) -> float:
        """For how many seconds some work holds the loop at once. The least of a few tries: a machine may be busy."""
        return min([await longest_hold(work()) for _ in range(TRIES)])


def _unmarked(hook: str) -> str:
    return f"the plugin has no hook {hook}: mark a method of that name with sethpusher_core.hookimpl"
