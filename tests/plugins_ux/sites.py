"""Throw-away distributions: folders as pip leaves them, on a path that only one test sees."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.plugins.loader import PluginLoader
from sethpusher_core.plugins.records import PluginRecord
from sethpusher_core.plugins.registry import PluginRegistry
from sethpusher_core.plugins.selection import Selection
from sethpusher_core.settings.core import core_component
from sethpusher_core.settings.resolve import Resolved, Sources, resolve

SOUND = """
from sethpusher_core.hookspecs import hookimpl

@hookimpl
def subscribed(connection, channel):
    pass
"""


class Site:
    """A folder for distributions, and the way from it to running plugins."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.registry = PluginRegistry()
        self.loader = PluginLoader(self.registry, path=[str(root)])
        self.resolved: Resolved | None = None

    def add(
        self,
        distribution: str = "sethpusher-one",
        version: str = "1.2",
        *,
        points: str = "one = one_plugin",
        requires: Sequence[str] = ("sethpusher-core>=1,<2",),
        fields: str = "",
        root: Path | None = None,
        **modules: str,
    ) -> None:
        """Installs a distribution; with no modules, the one that its entry point names, sound and simple."""
        root = self.root if root is None else root
        info = root / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        required = "".join(f"Requires-Dist: {line}\n" for line in requires)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{required}{fields}"
        )
        (info / "entry_points.txt").write_text(f"[sethpusher]\n{points}\n")
        for name, text in (modules or {points.partition("=")[2].strip().partition(":")[0]: SOUND}).items():
            self.module(name, text, root)

    def module(self, name: str, text: str, root: Path | None = None) -> None:
        """Writes a module."""
        path = (self.root if root is None else root) / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def discover(self, *, import_seconds: float = 10.0, core_version: str = "1.0.0", **selection: Any) -> PluginLoader:
        """Pass 1."""
        self.registry = PluginRegistry()
        self.registry.register(Memory(), builtin=True)
        self.loader = PluginLoader(
            self.registry,
            Selection(**selection),
            import_seconds=import_seconds,
            core_version=core_version,
            path=[str(self.root)],
        )
        self.loader.discover()
        return self.loader

    def start(
        self,
        *argv: str,
        environ: Mapping[str, str] | None = None,
        backend: str | None = None,
        activate: bool = True,
        strict_settings: bool = True,
        **selection: Any,
    ) -> PluginLoader:
        """Both passes; without ``activate`` as ``--list-plugins`` does it."""
        loader = self.discover(**selection)
        components = loader.components(core_component())
        self.resolved = resolve(
            components,
            Sources(argv, environ or {}),
            chosen=loader.chosen(backend),
            unloaded=loader.unloaded(),
            strict=strict_settings,
        )
        if activate:
            loader.activate(self.resolved)
        else:
            loader.settle(self.resolved)
        return loader

    def record(self, name: str = "one") -> PluginRecord:
        """The one row of a name."""
        [record] = [record for record in self.loader.records if record.name == name]
        return record


class Memory:
    """Stands for what the core brings itself."""

    name = "memory"

    @hookimpl
    def register_backends(self, register: Callable[..., None]) -> None:
        """Offers a backend."""
        register("memory", lambda settings: None)
