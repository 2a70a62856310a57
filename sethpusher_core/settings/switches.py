"""The first reading of the command line: what must be known before plugins are loaded.

Plugins declare flags of their own, so the command line cannot be understood before they are loaded; which ones to load
stands on the same command line. So it is read twice: here only for the core's switches, then whole, by ``resolve``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ..errors import SettingsError
from .commandline import read_flags, split
from .component import Component, Registry, Unloaded
from .environment import read_environment
from .file import SettingsFile, load_file, read_file
from .found import Found
from .problems import Invalid, Problem, line, raise_first
from .resolve import Sources, convert
from .tables import Key

__all__ = ["Switches", "read_switches"]


@dataclass(frozen=True, slots=True, eq=False)
class Switches:
    """What says which plugins to load, and what the command is to do.

    The fields up to ``strict_plugins`` are those of ``CoreSettings``.

    Attributes:
        actions: The actions asked for ("version").
        command: What looks like the sub-command. A plugin's flag in the form ``--redis-db 3`` is not understood yet
            and may be mistaken here; ``Resolved.command`` is certain.
        rest: The words behind it.
        sources: For ``resolve``; holds the file, already read.
        given: Where those of the fields above are set that are set somewhere.
        warnings: Troubles that were passed over, because only help or the version is wanted.
    """

    app: str | None
    config: str | None
    backend: str | None
    plugin_order: tuple[str, ...]
    load_plugins: tuple[str, ...] | None
    no_plugin: tuple[str, ...]
    no_plugins: bool
    strict_plugins: bool
    actions: frozenset[str]
    command: str | None
    rest: tuple[str, ...]
    sources: Sources
    given: Mapping[str, str]
    warnings: tuple[str, ...]


_PASSED_ON = {"actions", "command", "rest", "sources", "given", "warnings"}
SWITCHES = tuple(field.name for field in fields(Switches) if field.name not in _PASSED_ON)
ANSWERED_ANYWAY = frozenset({"help", "version"})
"""Actions that are answered whatever else is wrong."""


def read_switches(core: Component, argv: Sequence[str], environ: Mapping[str, str]) -> Switches:
    """Read the core's switches, without choking on flags that are not known yet.

    Args:
        core: The core's component, from ``core_component``.
        argv: The command line without the program's name.
        environ: The environment.

    Raises:
        UsageError: a switch on the command line is wrong.
        SettingsError: a switch elsewhere is wrong, or the settings file cannot be read.
    """
    registry, nothing = Registry([core]), Unloaded()
    words = split(argv, registry)
    above = Found()
    read_environment(environ, registry, nothing, above)
    above.problems.clear()  # those of the environment, like its warnings, are reported once: by the second reading
    actions = read_flags(replace(words, unknown=()), registry, nothing, above)
    problems = above.problems
    sources = Sources(tuple(argv), environ)

    keys = {key.name: key for key in core.keys}
    path = _value(core, keys["config"], above, sources, problems)
    try:
        sources = replace(sources, file=_load(path, core, above))
    except SettingsError as error:
        problems.append(Problem(str(error)))
    found = Found()
    if sources.file is not None:
        read_file(sources.file, registry, nothing, found)
    found.values |= above.values
    values = {name: _value(core, keys[name], found, sources, problems) for name in SWITCHES if name != "config"}
    if not actions & ANSWERED_ANYWAY:
        raise_first(problems)
    return Switches(
        **values,
        config=path,
        actions=actions,
        command=words.command,
        rest=words.rest,
        sources=sources,
        given={key: raw.source for (component, key), raw in found.values.items() if component == core.name},
        warnings=tuple(problem.text for problem in problems),
    )


def _value(core: Component, key: Key, found: Found, sources: Sources, problems: list[Problem]) -> Any:
    """Give a switch its value; where it is wrong its default, and the problem goes to the list."""
    raw = found.values.get((core.name, key.name))
    if raw is None:
        return key.default
    try:
        return convert(core, key, raw, sources).value
    except Invalid as error:
        problems.append(Problem(line(error.path, raw.source, error.why), raw.usage))
        return key.default


def _load(path: str | None, core: Component, found: Found) -> SettingsFile | None:
    if path is None:
        return None
    raw = found.values[core.name, "config"]
    return load_file(path, core.flag("config") if raw.usage else raw.source)
