"""The typed face of all hooks: what the core calls.

An attribute is None where nobody implements its hook::

    if hooks.authorize is not None:
        verdict = await hooks.authorize(identity, "subscribe", address)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from ..answers import Handled, Rejected
from ..errors import HookError, RequestError
from ..identity import Credentials, Identity
from .chain import AskAll, Cold, FirstAnswer, HookChain, Observers, Pipeline, RunAll, RunReverse, Survey
from .offers import (
    BackendOffer,
    CommandOffer,
    Offers,
    RouteOffer,
    offered_commands,
    offered_routes,
    unclashed,
)
from .registry import PluginRegistry
from .steps import Count, FailureLog, Step

if TYPE_CHECKING:
    from ..addresses import Address
    from ..connection import Connection
    from ..protocol import ClientMessage
    from ..publication import Publication
    from ..server import PushServer

__all__ = ["Hooks"]

T = TypeVar("T")

_COLD: Final = frozenset({"register_backends", "routes", "commands"})

_PASSING: Final = MappingProxyType({"dispatch": (RequestError, HookError)})
"""What is an answer, not a failure. A client's message may cause other hooks to run (a publish: transform, persist); a
HookError of theirs already says whose it is."""


class Hooks:
    """All hooks of one server, compiled. What is registered later is not in it: compile anew.

    Attributes:
        authenticate: Who is it? The first answer.
        persist: All must store; the first failure stops.
        dispatch: Whose message is it? The first answer. RequestError, and a HookError of a hook that the
            implementation caused to run, pass unchanged.
        transform: Publication in, publication or Refused out.
        authorize: May they? All are asked.
        connected: Observers.
        disconnected: Observers.
        subscribed: Observers.
        unsubscribed: Observers.
        health: All are asked; answers by plugin.
        startup: All in order; the first failure stops.
        shutdown: All in reverse order; failures come together.
    """

    __slots__ = (
        "_chains",
        "_registry",
        "authenticate",
        "authorize",
        "connected",
        "disconnected",
        "dispatch",
        "health",
        "persist",
        "shutdown",
        "startup",
        "subscribed",
        "transform",
        "unsubscribed",
    )

    authenticate: FirstAnswer[Identity | Rejected, Credentials] | None
    persist: RunAll[Sequence[Publication]] | None
    dispatch: FirstAnswer[Handled, Connection, ClientMessage] | None
    transform: Pipeline[Publication] | None
    authorize: AskAll[Identity, str, Address] | None
    connected: Observers[Connection] | None
    disconnected: Observers[Connection, int] | None
    subscribed: Observers[Connection, str] | None
    unsubscribed: Observers[Connection, str] | None
    health: Survey[PushServer] | None
    startup: RunAll[PushServer] | None
    shutdown: RunReverse[PushServer] | None

    def __init__(
        self,
        registry: PluginRegistry,
        timeout: float | None,
        order: Sequence[str],
        log: FailureLog,
        *,
        trace: bool = False,
    ) -> None:
        kinds = _kinds(timeout, log)
        self._registry = registry
        self._chains: dict[str, HookChain] = {}
        for hook in registry.specs:
            steps = registry.steps(hook, order, _PASSING.get(hook, ()), trace=trace)
            if steps:
                self._chains[hook] = kinds[hook](steps)
            if hook not in _COLD:
                setattr(self, hook, self._chains.get(hook))

    @classmethod
    def compile(
        cls,
        plugins: PluginRegistry | Iterable[object] = (),
        *,
        timeout: float | None = None,
        order: Sequence[str] = (),
        clock: Callable[[], float] = monotonic,
        trace: bool = False,
    ) -> Hooks:
        """Compiles all hooks.

        Args:
            plugins: A registry, or the plugin objects themselves.
            timeout: Seconds that an awaitable answer may take (setting ``hook_timeout``); None: as long as it likes.
            order: Names of plugins, first to last; see :meth:`PluginRegistry.steps`. Without it, plugin objects run in
                the order in which they are given, those of a registry alphabetically.
            clock: Seconds that only grow, for the throttle of the log.
            trace: Whether each call leaves a line in the log (setting ``trace_plugins``).

        Raises:
            PluginError: A plugin object is refused.
        """
        if isinstance(plugins, PluginRegistry):
            return cls(plugins, timeout, order, FailureLog(clock), trace=trace)
        registry = PluginRegistry.of(plugins)
        order = order or [plugin.name for plugin in registry.plugins]
        return cls(registry, timeout, order, FailureLog(clock), trace=trace)

    def register_backends(self) -> Offers[BackendOffer]:
        """The backends on offer. A plugin is asked once in its life, mostly while it is loaded."""
        offers, errors = self._gathered("register_backends", self._registry.backends)
        return unclashed("register_backends", offers, errors)

    def routes(self, server: PushServer) -> Offers[RouteOffer]:
        """The URL rules of all plugins."""
        offers, errors = self._gathered("routes", lambda step: offered_routes(step, server))
        return Offers(tuple(offers), tuple(errors))

    def commands(self, reserved: Collection[str] = ()) -> Offers[CommandOffer]:
        """The sub-commands of all plugins.

        Args:
            reserved: Names that the core has taken.
        """
        offers, errors = self._gathered("commands", offered_commands)
        return unclashed("commands", offers, errors, reserved)

    def order(self) -> dict[str, tuple[str, ...]]:
        """For each hook that somebody implements, the plugins in the order in which they run."""
        return {hook: chain.plugins for hook, chain in self._chains.items()}

    def counts(self) -> dict[tuple[str, str], Count]:
        """For metrics: by plugin and hook, calls and failures so far."""
        counts: dict[tuple[str, str], Count] = {}
        for chain in self._chains.values():
            for step in chain.steps:
                key = step.plugin, step.hook
                calls, failures = counts.get(key, (0, 0))
                counts[key] = Count(calls + step.calls, failures + step.failures)
        return counts

    def _gathered(self, hook: str, ask: Callable[[Step], Iterable[T]]) -> tuple[list[T], list[HookError]]:
        chain = self._chains.get(hook)
        return chain.gather(ask) if isinstance(chain, Cold) else ([], [])


def _kinds(timeout: float | None, log: FailureLog) -> dict[str, Callable[[tuple[Step, ...]], HookChain]]:
    """How each hook is asked. A hook that is missing here cannot be compiled."""

    def observers(steps: tuple[Step, ...]) -> HookChain:
        return Observers(steps, timeout, log)

    return {
        "authenticate": lambda steps: FirstAnswer(steps, timeout, (Identity, Rejected)),
        "persist": lambda steps: RunAll(steps, timeout, strict=True),
        "register_backends": Cold,
        "dispatch": lambda steps: FirstAnswer(steps, timeout, (Handled,)),
        "transform": Pipeline,
        "authorize": lambda steps: AskAll(steps, timeout, log),
        "connected": observers,
        "disconnected": observers,
        "subscribed": observers,
        "unsubscribed": observers,
        "health": lambda steps: Survey(steps, timeout, log),
        "routes": Cold,
        "commands": Cold,
        "startup": lambda steps: RunAll(steps, timeout),
        "shutdown": lambda steps: RunReverse(steps, timeout),
    }
