"""The settings file: read as TOML, its keys assigned to components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..errors import SettingsError
from .component import PLUGIN_TABLE, Component, Registry, Unloaded
from .found import Found, Raw
from .problems import Invalid, line, quote, readable, suggestion
from .tables import normal, spelled
from .values import format_size

__all__ = ["SettingsFile", "load_file", "read_file"]

LARGEST: Final = 1 << 24
"""Bytes of a settings file that are read: a device does not fill the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class SettingsFile:
    """A settings file as it was read.

    Attributes:
        path: As it was named.
        table: What TOML made of it; may hold secrets, so it has no repr.
    """

    path: str
    table: Mapping[str, object] = field(repr=False)

    @property
    def source(self) -> str:
        """The file in the words of a refusal."""
        return f"file {readable(self.path)}"

    @property
    def folder(self) -> str:
        """Where relative paths in it start."""
        from pathlib import Path  # here, because most starts read no file

        return str(Path(self.path).absolute().parent)


def load_file(path: str, named_by: str) -> SettingsFile:
    """Read a settings file.

    Args:
        path: The file; UTF-8, a byte order mark is skipped.
        named_by: What named it, for the refusal ("--config", "environment SETHPUSHER_CONFIG").

    Raises:
        SettingsError: it cannot be read, or is not TOML; with line and column where there are any. Nothing of its
            content is in the message, because the wrong line may hold a secret.
    """
    where = f"file {readable(path)} (named by {named_by})"
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise SettingsError(f"{where} is larger than {format_size(LARGEST)}, which no settings file is")
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{where}, line {line}: is not UTF-8 text; save the file as UTF-8") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a valid path"
        raise SettingsError(f"{where} cannot be read: {reason}; correct the path, or leave it out") from None
    return SettingsFile(path, _parse(text, where))


def _parse(text: str, where: str) -> dict[str, object]:
    import tomllib  # here, because most starts read no file

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of more digits than Python converts
        if isinstance(error, tomllib.TOMLDecodeError):
            # "At end of document" leaves one looking: name the line, as for everything else.
            end = f"at line {len(text.splitlines())}, the end of the file"
            reason = " ".join(str(error).split()).replace("at end of document", end)
        else:
            reason = "nested too deeply" if isinstance(error, RecursionError) else "a number in it is too large"
    raise SettingsError(f"{where} is not TOML: {reason}")


def read_file(file: SettingsFile, registry: Registry, unloaded: Unloaded, found: Found) -> None:
    """Add what the file sets to ``found``, and what is wrong with its keys."""
    try:
        top = spelled(file.table, "")
        plugins = spelled(_plugin_tables(top.pop(PLUGIN_TABLE, None)), f"{PLUGIN_TABLE}.")
    except Invalid as error:
        found.refuse(line(error.path, file.source, error.why))
        return
    core = registry.get("")
    if core is not None:
        _read_table(top, core, file, registry, unloaded, found)
    for name, (written, table) in plugins.items():
        _read_plugin(name, written, table, file, registry, unloaded, found)


def _plugin_tables(given: tuple[str, object] | None) -> Mapping[str, object]:
    if given is None:
        return {}
    if not isinstance(given[1], dict):
        raise Invalid(f"holds the plugins' tables, such as [{PLUGIN_TABLE}.redis], not {quote(given[1])}", PLUGIN_TABLE)
    return given[1]


def _read_plugin(
    name: str,
    written: str,
    table: object,
    file: SettingsFile,
    registry: Registry,
    unloaded: Unloaded,
    found: Found,
) -> None:
    where = f"[{PLUGIN_TABLE}.{readable(written)}] ({file.source})"
    component = registry.get(name) if name else None
    if component is None:
        if not unloaded.ignores(name):
            known = {c.name for c in registry.components if c.name} | set(unloaded.names())
            found.refuse(f"{where}: {unloaded.remedy(name) or 'no such plugin is installed' + suggestion(name, known)}")
    elif not isinstance(table, dict):
        found.refuse(f"{where} must be a table, not a single value")
    else:
        try:
            _read_table(spelled(table, f"{name}."), component, file, registry, unloaded, found)
        except Invalid as error:
            found.refuse(line(error.path, file.source, error.why))


def _read_table(
    table: Mapping[str, tuple[str, object]],
    component: Component,
    file: SettingsFile,
    registry: Registry,
    unloaded: Unloaded,
    found: Found,
) -> None:
    keys = {key.name: key for key in component.keys}
    for name, (written, value) in table.items():
        key = keys.get(name)
        where = f"{component.dotted(readable(written))} ({file.source})"
        if key is None:
            found.refuse(f"{where} is unknown{_hint(name, component, registry, unloaded)}")
        elif not key.in_file:
            found.refuse(f"{where} cannot stand in the file; use {component.flag(name)} or {component.variable(name)}")
        else:
            found.add(component, key, Raw(value, file.source, in_file=True))


def _hint(name: str, component: Component, registry: Registry, unloaded: Unloaded) -> str:
    """Point to the right place of a misplaced plugin table, or to the nearest key."""
    if not component.name and (registry.get(name) is not None or name in map(normal, unloaded.names())):
        return f"; the settings of a plugin stand in [{PLUGIN_TABLE}.{name}]"
    return (
        suggestion(name, (key.name for key in component.keys if key.in_file)) or f"; {component.origin} has no settings"
    )
