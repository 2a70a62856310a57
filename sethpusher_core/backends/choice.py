"""Which backend a server runs on; how it is started and ended whatever it does."""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ..addresses import CONTROL
from ..errors import BackendError, SettingsError
from .base import Backend, Sink
from .capabilities import HISTORY, PRESENCE

if TYPE_CHECKING:
    from ..plugins.hooks import Hooks
    from ..settings.rules import ChannelRule

__all__ = ["choose_backend", "closed", "started"]

log = logging.getLogger("sethpusher.backend")

DEFAULT_BACKEND: Final = "memory"
CLOSE_TIMEOUT: Final = 5.0
"""Seconds that a backend which could not be started has to close."""


def choose_backend(
    hooks: Hooks, name: str | None, component_settings: Mapping[str, object]
) -> tuple[str, Callable[[], Backend]]:
    """Finds the backend to run on.

    Args:
        hooks: What plugins offer.
        name: The setting ``backend``; None chooses what an active plugin offers, else memory.
        component_settings: Settings of the plugins' components, by the plugin's name.

    Returns:
        Its name, and what makes it.

    Raises:
        SettingsError: It is not on offer, or several are and none is named.
    """
    offers = {_normal(offer.name): offer for offer in hooks.register_backends().accepted}
    if name is None:
        candidates = sorted(offers.keys() - {DEFAULT_BACKEND})
        if len(candidates) > 1:
            raise SettingsError(f"{' and '.join(candidates)} are active; choose one with --backend", key="backend")
        name = candidates[0] if candidates else DEFAULT_BACKEND
    offer = offers.get(_normal(name))
    if offer is None:
        near = difflib.get_close_matches(_normal(name), offers, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there is: {', '.join(sorted(offers))}"
        raise SettingsError(f"no active plugin offers {name!r}; {hint}", key="backend")
    settings = component_settings.get(offer.plugin)
    return offer.name, lambda: offer.factory(settings)


def _normal(name: str) -> str:
    return name.lower().replace("-", "_")


async def started(
    make: Callable[[], Backend], name: str, rules: Sequence[ChannelRule], sink: Sink, node_id: str
) -> Backend:
    """Makes, checks and starts a backend, and hears the orders of other nodes through it.

    Args:
        make: Makes it.
        name: Its name, for errors.
        rules: The channel rules; it must be capable of what they need.
        sink: Where payloads go.
        node_id: Name of this node.

    Raises:
        SettingsError: It cannot be started; names it. Nothing of it is left.
    """
    backend = made(make, name, rules)
    try:
        await backend.start(sink, node_id)
        await backend.subscribe(CONTROL)
    except (asyncio.CancelledError, SettingsError):
        await closed(backend, CLOSE_TIMEOUT)
        raise
    except Exception as error:
        await closed(backend, CLOSE_TIMEOUT)
        raise _refused(name, error) from error
    return backend


def made(make: Callable[[], Backend], name: str, rules: Sequence[ChannelRule]) -> Backend:
    """Makes a backend and checks that it is capable of what the channel rules need. Nothing is started.

    Raises:
        SettingsError: It cannot be made, or is not capable; names it.
    """
    backend: Any = None
    try:
        backend = make()
        if not isinstance(backend, Backend):
            raise BackendError(f"its factory gave a {type(backend).__name__}, which is no Backend")
    except SettingsError:
        raise
    except Exception as error:
        raise _refused(name, error) from error
    _check_capabilities(backend, name, rules)
    return backend


def _refused(name: str, error: Exception) -> SettingsError:
    text = str(error) if isinstance(error, BackendError) else f"{type(error).__name__}: {error}"
    return SettingsError(f"backend {name}: {text}")


async def closed(backend: Backend, timeout: float) -> None:
    """Closes a backend, within ``timeout`` seconds; what it raises is logged."""
    try:
        async with asyncio.timeout(timeout):
            await backend.close()
    except TimeoutError:
        log.error("the backend did not close within %g s", timeout)
    except Exception:
        log.exception("the backend failed to close")


def _check_capabilities(backend: Backend, name: str, rules: Sequence[ChannelRule]) -> None:
    for index, rule in enumerate(rules):
        for wanted, key, capability in ((rule.history, "history", HISTORY), (rule.presence, "presence", PRESENCE)):
            if wanted and capability not in backend.capabilities:
                raise SettingsError(f"the backend {name} does not offer {capability}", key=f"channels[{index}].{key}")
