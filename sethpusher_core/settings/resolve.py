"""From sources to typed settings: file < environment < command line."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any

from .commandline import read_flags, split
from .component import Component, Registry, Unloaded
from .environment import read_environment
from .file import SettingsFile, read_file
from .found import Found, Raw
from .problems import Invalid, Problem, line, raise_first
from .references import Reading
from .shapes import read_at
from .tables import Key, build, normal
from .values import Secret

__all__ = ["Provenance", "Resolved", "Sources", "convert", "resolve"]


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """Where settings come from. Nothing else is read: not ``os.environ``, not ``sys.argv``.

    Attributes:
        argv: The command line without the program's name.
        environ: The environment.
        file: The settings file, or None.
    """

    argv: tuple[str, ...] = field(default=(), repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    file: SettingsFile | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Provenance:
    """One setting's value and where it is from.

    Attributes:
        value: As the dataclass holds it; MISSING where a required one is not set.
        source: "default", "file /etc/x.toml", "environment SETHPUSHER_PORT", "command line"; with "via ..." behind a
            reference.
        hidden: Texts that came through references: masked wherever the value is shown.
    """

    value: object = field(repr=False)  # a text from a reference is secret, whatever its type
    source: str
    hidden: frozenset[Secret] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Resolved:
    """The settings of one start.

    Attributes:
        registry: The components that were read.
        provenance: Value and source of every key, by component name and key.
        warnings: What is odd, one line each; for the log.
        problems: What is wrong; empty unless ``resolve`` was told not to be strict.
        actions: The actions asked for on the command line ("version").
        command: The sub-command, or None.
        rest: The words left to the sub-command.
    """

    registry: Registry
    provenance: Mapping[tuple[str, str], Provenance]
    warnings: tuple[str, ...]
    problems: tuple[Problem, ...]
    actions: frozenset[str]
    command: str | None
    rest: tuple[str, ...]
    _built: Mapping[str, object] = field(repr=False)
    _given: Mapping[str, frozenset[str]] = field(repr=False)

    def of(self, component: str) -> Any:
        """Give a component's settings, an instance of its declaration.

        Returns:
            None where the component is only available: none of its settings is given, and it requires some. (Where
            ``resolve`` was not strict, also where its settings are wrong.)

        Raises:
            KeyError: no such component was resolved.
        """
        return self._built[normal(component)]

    def given(self, component: str) -> frozenset[str]:
        """Name the keys that some source sets, also those set to their default value."""
        return self._given[normal(component)]

    def missing(self, component: str) -> tuple[str, ...]:
        """Name the required keys that are not set ("redis.url", "auth.keys or auth.keys_file"); empty when active."""
        known = self.registry.get(component)
        if known is None:
            raise KeyError(component)
        return tuple(words for words, _ in _missing(known, self._values(known)))

    def _values(self, component: Component) -> dict[str, object]:
        """Give the keys that are set; one that is set wrongly, which has no provenance, is not missing either."""
        wrong = Provenance("wrong", "")
        found = {key.name: self.provenance.get((component.name, key.name), wrong).value for key in component.keys}
        return {name: value for name, value in found.items() if value is not MISSING}


def resolve(
    components: Registry | Iterable[Component],
    sources: Sources,
    *,
    chosen: Collection[str] = (),
    unloaded: Unloaded | None = None,
    strict: bool = True,
) -> Resolved:
    """Read the settings of all components.

    Args:
        components: The core, named "", and the plugins that were loaded.
        sources: What to read.
        chosen: Components chosen by name (``--backend=redis``): they are active, so what they require must be set or
            have a default for that case.
        unloaded: Plugins that are known and not loaded.
        strict: Raise the first problem; otherwise leave all in ``Resolved.problems``.

    Raises:
        UsageError: the command line is wrong.
        SettingsError: any other setting is wrong, or two components claim one name.
    """
    registry, unloaded = Registry.of(components), unloaded or Unloaded()
    found = Found()
    if sources.file is not None:
        read_file(sources.file, registry, unloaded, found)
    read_environment(sources.environ, registry, unloaded, found)
    words = split(sources.argv, registry)
    actions = read_flags(words, registry, unloaded, found)

    provenance: dict[tuple[str, str], Provenance] = {}
    built: dict[str, object] = {}
    named = {normal(name) for name in chosen}
    for component in registry.components:
        asked = not component.name or component.name in named
        built[component.name] = _resolve_one(component, sources, found, provenance, asked=asked)
    if strict:
        raise_first(found.problems)
    return Resolved(
        registry,
        provenance,
        tuple(found.warnings),
        tuple(found.problems),
        actions,
        words.command,
        words.rest,
        built,
        {component.name: found.given(component) for component in registry.components},
    )


def _resolve_one(
    component: Component,
    sources: Sources,
    found: Found,
    provenance: dict[tuple[str, str], Provenance],
    *,
    asked: bool,
) -> object | None:
    """Convert and build one component; None where it is only available, or wrong."""
    values: dict[str, object] = {}
    hidden: set[Secret] = set()
    before = len(found.problems)
    for key in component.keys:
        at = _read(component, key, sources, found, asked=asked)
        if at is not None:
            provenance[component.name, key.name] = at
            hidden |= at.hidden
            if at.value is not MISSING:
                values[key.name] = at.value
    missing = _missing(component, values)
    if len(found.problems) > before:
        return None
    if missing:
        if asked or found.given(component):
            _refuse_missing(component, missing, found)
        return None
    try:
        return build(component.declaration, values, hidden)
    except Invalid as error:
        sources_named = sorted({found.values[component.name, name].source for name in found.given(component)})
        found.refuse(line(component.name or "core", ", ".join(sources_named) or "defaults", error.why))
        return None


def _read(component: Component, key: Key, sources: Sources, found: Found, *, asked: bool) -> Provenance | None:
    """Give a key its value: from the highest source that sets it, else its default; None where it is wrong."""
    raw = found.values.get((component.name, key.name))
    if raw is not None:
        try:
            return convert(component, key, raw, sources)
        except Invalid as error:
            found.refuse(line(error.path, raw.source, error.why), usage=raw.usage)
            return None
    if key.default is MISSING and asked and key.chosen_default is not None:
        return Provenance(key.kind.from_text(key.chosen_default), "default, because it is chosen by name")
    return Provenance(key.default, "not set" if key.default is MISSING else "default")


def convert(component: Component, key: Key, raw: Raw, sources: Sources) -> Provenance:
    """Turn what a source holds into the value of a key.

    Raises:
        Invalid: with its path set.
    """
    path = component.dotted(key.name)
    folder = sources.file.folder if sources.file is not None else ""
    reading = Reading(sources.environ, folder)
    try:
        if raw.in_file:
            value = read_at(key.kind, raw.value, path, reading)
        else:
            value = key.kind.from_text(_utf8(str(raw.value)))
        key.verify(value, reading.hidden)
    except Invalid as error:
        raise Invalid(error.why, error.path or path) from None
    via = f" via {', '.join(reading.via)}" if reading.via else ""
    return Provenance(value, raw.source + via, frozenset(reading.hidden))


def _utf8(text: str) -> str:
    """Refuse bytes that were no UTF-8: Python smuggles them into variables and arguments as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid("is not UTF-8 text") from None
    return text


def _missing(component: Component, values: Mapping[str, object]) -> list[tuple[str, str]]:
    """List what is required and not there: its name, and how to set it."""
    missing = [
        (component.dotted(key.name), component.ways(key))
        for key in component.keys
        if key.required and key.name not in values
    ]
    for group in dict.fromkeys(key.group for key in component.keys if key.group):
        keys = [key for key in component.keys if key.group == group]
        if all(values.get(key.name) in (None, "", (), {}) for key in keys):
            missing.append(
                (" or ".join(component.dotted(key.name) for key in keys), ", or ".join(map(component.ways, keys)))
            )
    return missing


def _refuse_missing(component: Component, missing: list[tuple[str, str]], found: Found) -> None:
    """Refuse a component that was asked for, or is half set."""
    given = sorted(found.given(component))
    alternatives = {key.name for key in component.keys if key.group}
    set_ones = [name for name in given if name not in alternatives] or given  # one of these is empty, or all is well
    reason = ""
    if set_ones:
        source = found.values[component.name, set_ones[0]].source
        state = "is empty" if set_ones[0] in alternatives else "is set"
        reason = f", because {component.dotted(set_ones[0])} {state} ({source})"
    elif component.name:
        reason = f", because {component.name} is chosen by name"
    for words, ways in missing:
        found.refuse(f"{words} is required{reason}; set {ways}")
