"""Writes a plugin's distribution from templates."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Final

from packaging.version import Version

from .._version import __version__
from ..builtins import with_builtins
from ..errors import SettingsError, UsageError
from ..plugins.names import FIRST_PARTY, normal
from ..plugins.registry import PluginRegistry
from ..settings.tables import NAME

__all__ = ["KINDS", "NewPlugin", "written"]

KINDS: Final = MappingProxyType(
    {
        "backend": "A backend for Seth-Pusher",
        "auth": "An authenticator for Seth-Pusher",
        "persist": "A persister for Seth-Pusher",
        "dispatch": "A message type for clients of Seth-Pusher",
        "transform": "A transform for Seth-Pusher",
    }
)
"""The kinds of plugins that can be written, and what such a one is."""
SUFFIX: Final = ".tmpl"
PREFIX: Final = "sethpusher_"


@dataclass(frozen=True, slots=True)
class NewPlugin:
    """A plugin that is to be written.

    Attributes:
        name: Its name, with underscores.
        kind: One of :data:`KINDS`.
    """

    name: str
    kind: str

    @classmethod
    def of(cls, name: str, kind: str) -> NewPlugin:
        """Checks a name and a kind.

        Raises:
            UsageError: The name is no name for a plugin, or taken, or there is no such kind.
        """
        if kind not in KINDS:
            raise UsageError(f"there is no kind {kind!r}; there is {', '.join(KINDS)}")
        plugin = normal(name).removeprefix(PREFIX)
        if not NAME.fullmatch(plugin) or keyword.iskeyword(plugin):
            raise UsageError(f"{name!r} is no name for a plugin: lower case words joined by - or _")
        taken = {registered.name for registered in with_builtins(PluginRegistry()).plugins} | FIRST_PARTY.keys()
        if plugin in taken:
            raise UsageError(f"{plugin} is the name of a plugin that exists")
        return cls(plugin, kind)

    @property
    def distribution(self) -> str:
        """The distribution's name, and that of its folder."""
        return self.module.replace("_", "-")

    @property
    def module(self) -> str:
        """The import package."""
        return f"{PREFIX}{self.name}"

    def words(self) -> dict[str, str]:
        """What stands in the templates' places."""
        core = Version(__version__)
        camel = "".join(word.capitalize() for word in self.name.split("_"))
        return {
            "class_name": camel,
            "distribution": self.distribution,
            "flag": f"--{self.name.replace('_', '-')}",
            "kind": self.kind,
            "module": self.module,
            "plugin": self.name,
            "range": f">={core.major}.{core.minor},<{core.major + 1}",
            "summary": KINDS[self.kind],
            "target": f"{self.module}.plugin" if self.kind == "backend" else f"{self.module}.plugin:{camel}",
            "variable": f"SETHPUSHER_{self.name.upper()}__",
        }


def written(plugin: NewPlugin, into: Path) -> list[Path]:
    """Writes the distribution into a new folder of its name.

    Args:
        plugin: What to write.
        into: Where the folder is made.

    Returns:
        The files.

    Raises:
        SettingsError: The folder is there already, or cannot be written.
    """
    root = into / plugin.distribution
    words = plugin.words()
    paths = []
    try:
        root.mkdir(parents=True)
        for name, text in _templates(plugin.kind):
            path = root / name.replace("MODULE", plugin.module).replace("PLUGIN", plugin.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(Template(text).substitute(words), encoding="utf-8")
            paths.append(path)
    except FileExistsError:
        raise SettingsError(f"{root} is there already") from None
    except OSError as error:
        raise SettingsError(f"{error.filename}: {error.strerror}") from error
    return sorted(paths)


def _templates(kind: str) -> Iterator[tuple[str, str]]:
    """Names, with MODULE and PLUGIN in them, and texts."""
    templates = files(__package__) / "templates"
    for folder in ("common", kind):
        yield from _under(templates / folder, "")


def _under(folder: Traversable, above: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        name = f"{above}{entry.name}"
        if entry.is_dir():
            yield from _under(entry, f"{name}/")
        elif name.endswith(SUFFIX):
            yield name.removesuffix(SUFFIX), entry.read_text(encoding="utf-8")
