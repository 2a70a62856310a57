"""The page of the documentation that lists every setting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import MISSING

from .component import PLUGIN_TABLE, Component, Registry
from .kinds import Kind
from .shapes import ListKind, MapKind, OptionalKind
from .tables import Key, TableKind, alternatives

__all__ = ["settings_page"]

_INTRODUCTION = """\
# Settings

<!-- Written by `sethpusher_core.settings.settings_page`; change the declarations instead. -->

A setting comes from the command line, else from the environment, else from the settings file, else it has its default.
A settings file is read only where `--config` or `SETHPUSHER_CONFIG` names it; it is TOML. `-` and `_` read alike.

- Durations are numbers with a unit: `500ms`, `5s`, `10m`, `1h`, `2d`. Sizes too: `512B`, `64KiB`, `1MiB`, `1GiB` (or
  `kB`, `MB`, `GB`). In the file they stand in quotes.
- Lists are arrays in the file, and separated by commas elsewhere; a flag that takes a list may be repeated. Tables
  stand in the file only.
- Secrets have no flag. In the file, they and any other text may be `{ env = "NAME" }` or
  `{ file = "/run/secrets/name" }`. Such a path, where it is relative, starts beside the settings file; a path in
  any other setting starts where the command was started, so write it whole. Line ends at the end of a secret's file
  are no part of it.
- A flag without a value means true: `--debug`. With one, and in a variable, `true`, `yes`, `on`, `1` and `false`, `no`,
  `off`, `0` will do.

`seth-pusher --show-config` shows every setting with its value and source, those of plugins too; `--help` lists them.
"""


def settings_page(components: Registry | Iterable[Component]) -> str:
    """Write the settings of all components as Markdown; the same declarations give the same page."""
    parts = [_INTRODUCTION]
    for component in Registry.of(components).components:
        parts.append(f"\n## {component.name or 'Server'}\n")
        if not component.keys:
            parts.append("No settings.\n")
            continue
        if component.name:
            parts.append(f"In the settings file: `{component.table}`.\n")
        rows = (_row(component, key) for key in component.keys)
        parts.append(_table(("Key", "Type", "Default", "Flag and variable", "Meaning"), rows))
        for path, table in _tables(component):
            parts.append(f"\n### `{path}`\n")
            parts.append(
                _table(("Key", "Type", "Default", "Meaning"), (_table_row(key, table.keys) for key in table.keys))
            )
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(component: Component, key: Key) -> tuple[str, ...]:
    ways = [component.flag(key.name)] if key.in_flag else []
    ways += [component.variable(key.name)] if key.in_variable else []
    where = "<br>".join(f"`{way}`" for way in ways) or "file only"
    name = f"`{key.name}`" + ("" if key.in_file else " (not in the file)")
    return (name, _type(key), _default(key, component.keys), where, _escaped(key.help))


def _table_row(key: Key, keys: Iterable[Key]) -> tuple[str, ...]:
    return (f"`{key.name}`", _type(key), _default(key, keys), _escaped(key.help))


def _type(key: Key) -> str:
    bounds = [
        f"{word} {key.kind.to_text(bound)}"
        for word, bound in (("at least", key.minimum), ("at most", key.maximum))
        if bound is not None
    ]
    return _escaped(", ".join([key.kind.noun, *bounds]))


def _default(key: Key, keys: Iterable[Key]) -> str:
    if key.group:
        return f"{alternatives(key, keys)} is required"
    if key.default is MISSING:
        if key.chosen_default is None:
            return "required"
        # As declared, also that of a secret: a default is in the source for everybody to read.
        return f"required; if chosen by name `{_escaped(key.chosen_default)}`"
    return "none" if key.default is None else f"`{_escaped(key.kind.to_toml(key.default))}`"


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _tables(component: Component) -> Iterator[tuple[str, TableKind]]:
    start = f"{PLUGIN_TABLE}.{component.name}." if component.name else ""
    return _tables_in(start, component.keys)


def _tables_in(start: str, keys: Iterable[Key]) -> Iterator[tuple[str, TableKind]]:
    """Find the tables within settings, each under the TOML header that opens one."""
    for key in keys:
        kind, path, several = key.kind, f"{start}{key.name}", False
        while isinstance(kind, OptionalKind | ListKind | MapKind):
            several, kind, path = several or isinstance(kind, ListKind), *_into(kind, path)
        if isinstance(kind, TableKind):
            yield (f"[[{path}]]" if several else f"[{path}]"), kind
            yield from _tables_in(f"{path}.", kind.keys)


def _into(kind: OptionalKind | ListKind | MapKind, path: str) -> tuple[Kind, str]:
    if isinstance(kind, OptionalKind):
        return kind.inner, path
    return kind.item, f"{path}.NAME" if isinstance(kind, MapKind) else path
