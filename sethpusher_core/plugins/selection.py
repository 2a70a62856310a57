"""The switches: which plugins are loaded at all. They apply before anything is imported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import SettingsError
from .discovery import Candidate
from .names import install_line, known_as, listed, nearest, normal
from .records import CORE

if TYPE_CHECKING:
    from ..settings.switches import Switches

__all__ = ["Selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """What the operator says about plugins. A name is that of a plugin or of its distribution, in any spelling.

    Attributes:
        allow: The only plugins to load; None for no such list, empty for none.
        block: Plugins to leave out; their settings are accepted and ignored.
        none: Leave out all.
        order: Plugins whose hooks run first, in this order.
        strict: Whether the problem of any installed plugin refuses the start.
    """

    allow: tuple[str, ...] | None = None
    block: tuple[str, ...] = ()
    none: bool = False
    order: tuple[str, ...] = ()
    strict: bool = False

    @classmethod
    def of(cls, switches: Switches) -> Selection:
        """The part of the core's switches that is about plugins."""
        return cls(
            switches.load_plugins,
            switches.no_plugin,
            switches.no_plugins,
            switches.plugin_order,
            switches.strict_plugins,
        )

    def switched_off(self, candidate: Candidate) -> str:
        """The switch that keeps a plugin from being loaded; empty when none does."""
        if self.none:
            return "--no-plugins"
        for name in self.block:
            if _means(name, candidate):
                return f"--no-plugin={name}"
        if self.allow is not None and not any(_means(name, candidate) for name in self.allow):
            return "load_plugins, which does not list it"
        return ""

    def names(self, candidate: Candidate) -> bool:
        """Whether the operator asks for this plugin by name."""
        return any(_means(name, candidate) for name in (*(self.allow or ()), *self.order))

    def check(self, candidates: Iterable[Candidate], builtins: Iterable[str]) -> None:
        """Looks for names that mean nothing.

        Raises:
            SettingsError: A name means no plugin, or switches off what is built in; says what may have been meant.
        """
        builtins = tuple(builtins)
        own = {normal(name) for name in builtins}
        installed = {spelling for candidate in candidates for spelling in (candidate.name, candidate.distribution)}
        known = {normal(name) for name in installed}
        for switch, names in (
            ("no_plugin", self.block),
            ("load_plugins", self.allow or ()),
            ("plugin_order", self.order),
        ):
            for name in names:
                if normal(name) in own:
                    if switch == "no_plugin":
                        raise SettingsError(f"{name} is built in and cannot be switched off", key=switch)
                # What is released with the core may be switched off on a machine that does not have it.
                elif normal(name) not in known and not (switch == "no_plugin" and known_as(name)):
                    raise SettingsError(_absent(name, installed, builtins), key=switch)


def _means(name: str, candidate: Candidate) -> bool:
    return normal(name) in (normal(candidate.name), normal(candidate.distribution))


def _absent(name: str, installed: Iterable[str], builtins: Iterable[str]) -> str:
    text = f"no plugin {name} is installed"
    line = install_line(name)
    if line:
        return f"{text}; run: {line}"
    near = nearest(name, {*installed, *builtins} - {CORE})
    return f"{text}; did you mean {near}?" if near else f"{text}; installed: {listed(installed)}"
