"""What is known of each plugin, for the list, the log and the server."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CORE", "PluginRecord", "Status"]

CORE: Final = "sethpusher-core"
"""The distribution that built-in plugins are from."""


class Status(enum.StrEnum):
    """What a plugin is at the moment."""

    ACTIVE = "active"
    """Its hooks are called."""
    AVAILABLE = "available"
    """Installed and sound; does nothing, because none of the settings that it requires is given."""
    DISABLED = "disabled"
    """Switched off; not even imported."""
    BROKEN = "broken"
    """It cannot be used; ``error`` says why."""
    INCOMPATIBLE = "incompatible"
    """It was made for another version of the core; not imported."""


@dataclass(frozen=True, slots=True)
class PluginRecord:
    """One plugin.

    Attributes:
        name: Its name, with underscores.
        distribution: The distribution that it is from.
        version: Of the distribution; empty when unknown.
        status: What it is at the moment.
        hooks: The hooks that it implements, sorted; empty where it was not imported.
        backends: The backends that it offers.
        order: Its place among the active plugins, from 1; None for others. ``tryfirst`` and ``trylast`` move single
            hooks, see :meth:`Hooks.order`.
        path: Where it is, as far as known.
        error: What is wrong with it, one line; None when nothing is.
        remedy: What to do about it, one line; None when nothing is wrong.
        builtin: Whether it belongs to the core.
        settings: The declaration of its settings, or None.
        cause: The exception behind ``error``.
    """

    name: str
    distribution: str
    version: str
    status: Status
    hooks: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    order: int | None = None
    path: str = ""
    error: str | None = None
    remedy: str | None = None
    builtin: bool = False
    settings: type | None = None
    cause: BaseException | None = field(default=None, compare=False, repr=False)

    @property
    def provides(self) -> tuple[str, ...]:
        """What it brings, for a person: its backends, then its hooks."""
        hooks = (hook for hook in self.hooks if hook != "register_backends" or not self.backends)
        return (*(f"backend {name}" for name in self.backends), *hooks)

    @property
    def owner(self) -> str:
        """The distribution with its version."""
        return f"{self.distribution} {self.version}".strip()

    @property
    def is_problem(self) -> bool:
        """Whether it is broken or incompatible."""
        return self.status in (Status.BROKEN, Status.INCOMPATIBLE)
