"""Which backend a server runs on."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from ..errors import SettingsError

if TYPE_CHECKING:
    from ..plugins.hooks import Hooks
    from .base import Backend

__all__ = ["choose_backend"]

DEFAULT_BACKEND: Final = "memory"


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
            raise SettingsError(f"backend: {' and '.join(candidates)} are all active; choose one with --backend")
        name = candidates[0] if candidates else DEFAULT_BACKEND
    offer = offers.get(_normal(name))
    if offer is None:
        near = difflib.get_close_matches(_normal(name), offers, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there is: {', '.join(sorted(offers))}"
        raise SettingsError(f"backend = {name!r}: no active plugin offers it; {hint}")
    settings = component_settings.get(offer.plugin)
    return offer.name, lambda: offer.factory(settings)


def _normal(name: str) -> str:
    return name.lower().replace("-", "_")
