"""The compliance class for what every plugin is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from .guard import Compliance
from .hook_cases.plugin import PluginCases
from .hook_compliance import missing
from .installed import PluginBench

__all__ = ["PluginCompliance"]


class PluginCompliance(PluginCases, Compliance):
    """What every plugin is, whatever its hooks: found by its entry point, made for this core, explained, light.

    An author gives one fixture, ``plugin_name``: the name of the entry point::

        class TestPlugin(PluginCompliance):
            @pytest.fixture
            def plugin_name(self):
                return "my_store"

    Optional fixtures:

    * ``settings``: what the plugin needs to be active, as its table in the settings file: ``{"url": "..."}``. A plugin
      that requires settings needs it.
    * ``path``: folders in which the distribution is looked for; ``sys.path``, if left out.

    Optional attribute of the class:

    Attributes:
        imports_early: For modules of its requirements that a plugin imports with itself: why, by module.
    """

    OPEN = frozenset({"imports_early", "path", "plugin_name", "settings"})

    imports_early: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def plugin_name(self) -> str:
        """Gives the name of the entry point; authors override it."""
        missing(type(self), "plugin_name", "the name of the plugin's entry point")

    @pytest.fixture
    def settings(self) -> Mapping[str, Any] | None:
        """Gives settings with which the plugin is active; authors may override it."""
        return None

    @pytest.fixture
    def path(self) -> Sequence[str] | None:
        """Gives the folders in which the distribution is looked for; authors may override it."""
        return None

    @pytest.fixture
    def kit(self, plugin_name: str, settings: Mapping[str, Any] | None, path: Sequence[str] | None) -> PluginBench:
        """What the cases work with; not to be overridden."""
        return PluginBench(plugin_name, settings, path, self.imports_early)
