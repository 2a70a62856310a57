"""What plugins hand over in their cold hooks: backends, routes, sub-commands, each with the name of its plugin."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from ..errors import HookError
from .names import normal
from .steps import Step

if TYPE_CHECKING:
    from ..backends.base import BackendFactory

__all__ = [
    "BackendOffer",
    "CommandOffer",
    "Offers",
    "RouteOffer",
    "offered_backends",
    "offered_commands",
    "offered_routes",
    "unclashed",
]

_NAME: Final = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class BackendOffer:
    """A backend that the setting ``backend`` can choose.

    Attributes:
        plugin: Who offers it.
        name: By which it is chosen.
        factory: Makes it from its settings.
        settings: The declaration of its settings, or None.
    """

    plugin: str
    name: str
    factory: BackendFactory
    settings: type | None


@dataclass(frozen=True, slots=True)
class CommandOffer:
    """A sub-command of ``seth-pusher``.

    Attributes:
        plugin: Who offers it.
        name: The word on the command line.
        run: ``run(arguments, settings)`` returns the exit code.
        help: Its line in ``--help``.
    """

    plugin: str
    name: str
    run: Callable[..., Any]
    help: str


@dataclass(frozen=True, slots=True)
class RouteOffer:
    """The URL rules of one plugin.

    Attributes:
        plugin: Who adds them.
        rules: Tornado's rules.
    """

    plugin: str
    rules: tuple[Any, ...]


Offer = TypeVar("Offer", BackendOffer, CommandOffer, RouteOffer)
Named = TypeVar("Named", BackendOffer, CommandOffer)


@dataclass(frozen=True, slots=True)
class Offers(Generic[Offer]):
    """What came of asking all plugins.

    Attributes:
        accepted: The usable offers, in the order of the plugins.
        errors: One for each plugin that failed and for each offer that cannot be used.
    """

    accepted: tuple[Offer, ...]
    errors: tuple[HookError, ...]


def offered_backends(step: Step) -> tuple[BackendOffer, ...]:
    """Asks one implementation of ``register_backends``.

    Raises:
        HookError: It failed; none of its offers holds.
    """
    offers: dict[str, BackendOffer] = {}

    def register(name: str, factory: BackendFactory, settings: type | None = None) -> None:
        _check("backend", name, offers, factory)
        if settings is not None and not isinstance(settings, type):
            raise TypeError(f"the settings of backend {name} are not a class")
        offers[name] = BackendOffer(step.plugin, name, factory, settings)

    step.call_plain((register,))
    return tuple(offers.values())


def offered_commands(step: Step) -> tuple[CommandOffer, ...]:
    """Asks one implementation of ``commands``.

    Raises:
        HookError: It failed; none of its offers holds.
    """
    offers: dict[str, CommandOffer] = {}

    def register(name: str, run: Callable[..., Any], help: str = "") -> None:
        _check("sub-command", name, offers, run)
        offers[name] = CommandOffer(step.plugin, name, run, str(help))

    step.call_plain((register,))
    return tuple(offers.values())


def offered_routes(step: Step, server: object) -> tuple[RouteOffer, ...]:
    """Asks one implementation of ``routes``.

    Raises:
        HookError: It failed, or did not answer with a list.
    """
    rules = step.call((server,))
    if not isinstance(rules, list | tuple):
        raise step.wrong(rules, "a list of URL rules")
    return (RouteOffer(step.plugin, tuple(rules)),)


def _check(what: str, name: object, offers: Collection[str], made_by: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a {what}: lower case words joined by - or _")
    if normal(name) in map(normal, offers):
        raise ValueError(f"{what} {name} is registered twice")
    if inspect.iscoroutinefunction(made_by):
        raise TypeError(f"what makes or runs {what} {name} must be a plain function, not async")
    if not callable(made_by):
        raise TypeError(f"what makes or runs {what} {name} cannot be called")


def unclashed(
    hook: str, offers: Iterable[Named], errors: Iterable[HookError], reserved: Collection[str] = ()
) -> Offers[Named]:
    """Sorts out offers whose name another plugin offers, too, or the core has taken; each clash is an error.

    Neither of two owners wins: which of them an operator means cannot be guessed.
    """
    offers = tuple(offers)
    owners: dict[str, set[str]] = {normal(name): {"sethpusher-core"} for name in reserved}
    for offer in offers:
        owners.setdefault(normal(offer.name), set()).add(offer.plugin)
    accepted: list[Named] = []
    clashes: list[HookError] = []
    for offer in offers:
        others = " and ".join(sorted(owners[normal(offer.name)] - {offer.plugin}))
        if others:
            clashes.append(HookError(offer.plugin, hook, f"offers {offer.name!r}, which {others} offers, too"))
        else:
            accepted.append(offer)
    return Offers(tuple(accepted), (*errors, *clashes))
