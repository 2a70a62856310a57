"""The plugins behind an application: none, all that are installed, or one that a class of it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sethpusher_core._version import __version__
from sethpusher_core.builtins import with_builtins
from sethpusher_core.errors import SettingsError
from sethpusher_core.plugins.discovery import find_candidates
from sethpusher_core.plugins.loader import PluginLoader
from sethpusher_core.plugins.names import install_line, normal
from sethpusher_core.plugins.registry import PluginRegistry
from sethpusher_core.plugins.selection import Selection
from sethpusher_core.settings.core import core_component
from sethpusher_core.settings.resolve import Sources, resolve

if TYPE_CHECKING:
    from sethpusher_core.start import Start

__all__ = ["Plugins", "require"]


class Plugins:
    """What a server is put together from.

    Attributes:
        registry: The plugins, the core's own included.
        component_settings: Their settings, by name.
    """

    def __init__(self, start: Start | None = None, *, everything: bool = False) -> None:
        """Begins with the core's own plugins.

        Args:
            start: What has been loaded already.
            everything: Begins with all of that.
        """
        self._start = start
        self.registry = start.registry if start is not None and everything else with_builtins(PluginRegistry())
        self.component_settings = start.component_settings() if start is not None and everything else {}

    def refuse_ignored(self, who: str) -> None:
        """Refuses settings of plugins that are not used: an operator who gives them relies on them.

        Args:
            who: The application, for the operator.

        Raises:
            SettingsError: There are such; names them.
        """
        if self._start is None:
            return
        resolved = self._start.resolved
        names = [component.name for component in resolved.registry.components if component.name]
        ignored = sorted(name for name in names if resolved.given(name) and name not in self.component_settings)
        if ignored:
            raise SettingsError(
                f"app: {who} does not use the plugin {', '.join(ignored)}, whose settings are given; "
                "set discover = True in the class, or remove them"
            )

    def add_installed(self, name: str, settings: Mapping[str, str], why: str) -> object:
        """Loads one installed plugin. If it is active already, it is taken as it is, with the settings that it has.

        Args:
            name: The plugin's name.
            settings: Its settings by key, as texts.
            why: Who needs it, for the operator.

        Returns:
            The plugin.

        Raises:
            SettingsError: It is not installed, or cannot be used; says what to do.
        """
        known = self.registry.get(name)
        if known is not None:
            return known.plugin
        active = self._start.registry.get(name) if self._start is not None else None
        if self._start is not None and active is not None:
            self.component_settings[normal(name)] = self._start.component_settings().get(normal(name))
            return self.registry.register(active.plugin, name=name).plugin
        require(name, why)
        loader = PluginLoader(self.registry, Selection(allow=(name,), strict=True))
        loader.discover()
        components = loader.components(core_component(__version__))
        variables = {f"SETHPUSHER_{name.upper()}__{key.upper()}": value for key, value in settings.items()}
        resolved = resolve(components, Sources(environ=variables), chosen=(name,), unloaded=loader.unloaded())
        loader.activate(resolved)
        self.component_settings[normal(name)] = resolved.of(name)
        loaded = self.registry.get(name)
        assert loaded is not None, "a strict loader activates what it may, or raises"
        return loaded.plugin


def require(name: str, why: str) -> None:
    """Looks for a plugin that is released with the core.

    Args:
        name: The plugin's name.
        why: Who needs it, for the operator.

    Raises:
        SettingsError: It is not installed; says what to install.
    """
    if not any(candidate.name == normal(name) for candidate in find_candidates()):
        line = install_line(name)
        raise SettingsError(f"{why}, which needs the distribution {line.rpartition(' ')[2]}; run: {line}")
