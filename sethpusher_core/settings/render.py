"""Settings on the screen: ``--help`` and ``--show-config``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import MISSING

from .component import Component, Registry
from .problems import readable
from .resolve import Provenance, Resolved
from .tables import Key, alternatives

__all__ = ["help_text", "show_config"]

_NARROWEST = 60
_WIDEST = 110
"""Longer lines are hard to read, however wide the terminal is."""
_COLUMN = 30
_USAGE = "Usage: seth-pusher [flags]\n       seth-pusher [flags] <command> ..."
_ABOUT = (
    "Every setting may also be an environment variable (--port is SETHPUSHER_PORT, --redis-db is SETHPUSHER_REDIS__DB) "
    "or a key of the settings file that --config names; flags win over variables, variables over the file."
)


def help_text(components: Registry | Iterable[Component], width: int | None = None) -> str:
    """Write ``--help``: a group for each component, a row for each setting with its type, meaning and default.

    Args:
        components: The core first, then the plugins.
        width: Columns to fill; by default those of the terminal. Never fewer than 60.
    """
    width = max(_NARROWEST, min(_WIDEST, width if width is not None else _terminal_width()))
    lines = [*_USAGE.splitlines(), "", *_wrap(_ABOUT, width)]
    for component in Registry.of(components).components:
        rows = [(component.flag(action.name), action.help) for action in component.actions]
        rows += [(_form(component, key), _meaning(key, component)) for key in component.keys]
        if rows:
            lines += ["", f"{component.name} ({component.origin}):" if component.name else "Server:"]
            for form, meaning in rows:
                lines += _row(form, meaning, width)
    return "\n".join(lines) + "\n"


def _terminal_width() -> int:
    import shutil  # here, because only help needs it

    return shutil.get_terminal_size().columns


def _wrap(text: str, width: int, indent: str = "") -> list[str]:
    import textwrap  # here, because only help needs it

    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )


def _row(form: str, meaning: str, width: int) -> list[str]:
    """Lay out one row; a form that is too long for its column has a line of its own."""
    left = f"  {form}"
    right = _wrap(meaning, width, " " * _COLUMN)
    if len(left) + 2 > _COLUMN or not right:
        return [*_wrap(form, width, "  "), *right]
    return [left.ljust(_COLUMN) + right[0][_COLUMN:], *right[1:]]


def _form(component: Component, key: Key) -> str:
    """Write the way in which a setting is most easily given."""
    if key.in_flag:
        return component.flag(key.name) + (f"={key.kind.metavar}" if key.kind.metavar else "")
    if key.in_variable:
        return component.variable(key.name)
    return f"{component.table or 'the file'}: {key.name}"


def _meaning(key: Key, component: Component) -> str:
    notes = []
    if key.required:
        notes.append("required")
    elif key.group:
        notes.append(f"{alternatives(key, component.keys)} is required")
    elif key.default is not False and key.default not in (None, "", (), {}):
        notes.append(f"default: {key.kind.to_text(key.default)}")
    if key.kind.secret and key.in_variable:
        notes.append("secret: no flag")
    elif not key.in_variable:
        notes.append("settings file only")
    return " ".join([key.help, f"[{'; '.join(notes)}]" if notes else ""]).strip()


def show_config(resolved: Resolved) -> list[str]:
    """Write every setting with its source, secrets masked; the lines together are valid TOML."""
    lines: list[str] = []
    for component in resolved.registry.components:
        if component.name and component.keys:
            lines += ["", component.table]
        missing = resolved.missing(component.name)
        if missing:
            lines.append(f"# not active; needs {', '.join(missing)}")
        lines += _settings(component, resolved)
    return lines


def _settings(component: Component, resolved: Resolved) -> Iterator[str]:
    for key in component.keys:
        at = resolved.provenance.get((component.name, key.name))
        if at is not None:
            yield f"{_assignment(key, at)}   # {readable(at.source)}"


def _assignment(key: Key, at: Provenance) -> str:
    if at.value is MISSING or at.value is None:
        return f"# {key.name} ="
    line = f"{key.name} = {key.kind.to_toml(at.value, at.hidden)}"
    return line if key.in_file else f"# {line}"
