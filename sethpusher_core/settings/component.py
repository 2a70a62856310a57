"""Components, and the names of their settings in every source.

==========  ======================  =========================  =================
component   TOML                    variable                   flag
==========  ======================  =========================  =================
core        ``port``                ``SETHPUSHER_PORT``        ``--port``
``redis``   ``[plugins.redis] db``  ``SETHPUSHER_REDIS__DB``   ``--redis-db``
==========  ======================  =========================  =================
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from ..errors import SettingsError
from .tables import NAME, Key, declared, normal

__all__ = ["PLUGIN_TABLE", "PREFIX", "Action", "Component", "Entry", "NoSettings", "Registry", "Unloaded"]

PREFIX = "SETHPUSHER_"
PLUGIN_TABLE = "plugins"
"""The TOML table that holds the plugins' tables, hence no key of the core."""


@dataclass(frozen=True, slots=True, eq=False)
class NoSettings:
    """The declaration of a component that has no settings."""


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """A flag that is no setting: it asks the command to do something else ("--version").

    Attributes:
        name: The flag without its dashes; ``-`` and ``_`` read alike.
        help: Its line in ``--help``.
    """

    name: str
    help: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """The settings of the core or of one plugin.

    Attributes:
        name: "" for the core, else the plugin's name; ``-`` and ``_`` read alike, kept with ``_``.
        declaration: A frozen dataclass, see ``setting``.
        owner: Who declares this, for refusals: a distribution and its version ("sethpusher-redis 1.0.0").
        actions: Flags of the component that are no settings.
        keys: What the declaration says; computed.

    Raises:
        SettingsError: the name or the declaration is unusable; names the owner.
    """

    name: str
    declaration: type = NoSettings
    owner: str = ""
    actions: tuple[Action, ...] = ()
    keys: tuple[Key, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", normal(self.name))
        if self.name and not NAME.fullmatch(self.name):
            raise SettingsError(
                f"{self.origin}: {self.name!r} is no name for settings: lower case words joined by single dashes"
            )
        try:
            object.__setattr__(self, "keys", declared(self.declaration))
        except TypeError as error:
            raise SettingsError(f"{self.origin} declares its settings wrongly: {error}") from None
        if not self.name and any(key.name == PLUGIN_TABLE for key in self.keys):
            raise SettingsError(f"{self.origin}: a key of the core cannot be {PLUGIN_TABLE}, the table of the plugins")

    @property
    def origin(self) -> str:
        """Who to name when something is wrong with the component."""
        return self.owner or (f"plugin {self.name}" if self.name else "the core")

    @property
    def table(self) -> str:
        """The TOML header of its table, or "" for the core."""
        return f"[{PLUGIN_TABLE}.{self.name}]" if self.name else ""

    def dotted(self, key: str) -> str:
        """Name a key as refusals do: "port", "redis.url"."""
        return f"{self.name}.{key}" if self.name else key

    def variable(self, key: str) -> str:
        """Name the environment variable of a key."""
        return PREFIX + (f"{self.name}__{key}" if self.name else key).upper()

    def flag(self, key: str) -> str:
        """Name the flag of a key (or action)."""
        return "--" + (f"{self.name}-{key}" if self.name else key).replace("_", "-")

    def ways(self, key: Key) -> str:
        """Tell how a key may be set, for a refusal that misses it."""
        ways = [self.variable(key.name)] if key.in_variable else []
        ways += [self.flag(key.name)] if key.in_flag else []
        ways += [f"{key.name} in {self.table or 'the top'} of the settings file"] if key.in_file else []
        return " or ".join(ways)


class Entry(NamedTuple):
    """What a flag or a variable belongs to; ``key`` is None for an action, whose name is ``action``."""

    component: Component
    key: Key | None
    action: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Unloaded:
    """Plugins that are known and not running, by name, so that their settings are answered with more than "unknown".

    Attributes:
        absent: Not installed: name to the pip line that installs it.
        blocked: Switched off: name to the switch that did it ("--no-plugin=redis"). Their settings in the file and the
            environment are accepted and ignored; their flags are refused.
        broken: Installed and unusable: name to the reason, in one line.
    """

    absent: Mapping[str, str] = field(default_factory=dict)
    blocked: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)

    def names(self) -> Collection[str]:
        """All names in it."""
        return {normal(name) for group in (self.absent, self.blocked, self.broken) for name in group}

    def ignores(self, name: str) -> bool:
        """Whether settings of this plugin are accepted and ignored."""
        return normal(name) in map(normal, self.blocked)

    def remedy(self, name: str) -> str | None:
        """Say why the plugin's settings cannot hold and what to do, or None where the plugin is not in here."""
        for group, words in (
            (self.absent, "the plugin {} is not installed; run: {}"),
            (self.blocked, "the plugin {} is switched off by {}; remove one of the two"),
            (self.broken, "the plugin {0} cannot be used: {1}; mend it, or start with --no-plugin={0}"),
        ):
            for known, detail in group.items():
                if normal(known) == normal(name):
                    return words.format(known, detail)
        return None


class Registry:
    """The components of one start, with every flag and variable leading to exactly one key."""

    def __init__(self, components: Iterable[Component] = ()) -> None:
        self._components: dict[str, Component] = {}
        self._flags: dict[str, Entry] = {}
        self._variables: dict[str, Entry] = {}
        for component in components:
            self.add(component)

    @classmethod
    def of(cls, components: Registry | Iterable[Component]) -> Registry:
        """Give a registry as it is, or make one of components."""
        return components if isinstance(components, Registry) else cls(components)

    def add(self, component: Component) -> None:
        """Register a component.

        Raises:
            SettingsError: its name, or a flag or variable of it, is taken; names both owners. Nothing is registered
                then.
        """
        taken = self._components.get(component.name)
        if taken is not None:
            raise SettingsError(
                f"{component.origin} and {taken.origin} both have settings under the name "
                f"{component.name or 'of the core'}; keep one of them, or start with --no-plugin"
            )
        flags = {component.flag(key.name): Entry(component, key) for key in component.keys}
        flags |= {component.flag(normal(a.name)): Entry(component, None, normal(a.name)) for a in component.actions}
        for action in component.actions:
            if any(normal(action.name) == key.name for key in component.keys):
                raise SettingsError(
                    f"{component.origin} declares {component.flag(action.name)} as an action and as a key"
                )
        variables = {component.variable(key.name): Entry(component, key) for key in component.keys}
        for table, new in ((self._flags, flags), (self._variables, variables)):
            for name in new.keys() & table.keys():
                raise SettingsError(
                    f"{component.origin} and {table[name].component.origin} both declare a setting that reads as "
                    f"{name}; one of them must be switched off with --no-plugin, or renamed"
                )
        self._components[component.name] = component
        self._flags |= flags
        self._variables |= variables

    @property
    def components(self) -> tuple[Component, ...]:
        """All components, in the order of registration."""
        return tuple(self._components.values())

    @property
    def flags(self) -> Mapping[str, Entry]:
        """Every flag, with its dashes; also those of keys that may not be given by flag, which need a refusal."""
        return MappingProxyType(self._flags)

    @property
    def variables(self) -> Mapping[str, Entry]:
        """Every environment variable; also those of keys that a variable cannot hold."""
        return MappingProxyType(self._variables)

    def get(self, name: str) -> Component | None:
        """Find a component by its name; ``-`` and ``_`` read alike."""
        return self._components.get(normal(name))
