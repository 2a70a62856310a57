"""From what is installed to what is active, in two passes.

::

    loader = PluginLoader(registry, Selection.of(switches))
    loader.discover()                                     # pass 1: find, filter, import, read declarations
    components = loader.components(core)
    chosen = loader.chosen(switches.backend)
    resolved = resolve(components, sources, chosen=chosen, unloaded=loader.unloaded())    # pass 2: settings
    loader.activate(resolved)                             # make and register what is active

``settle`` in the place of ``activate`` finds the statuses without making anything, for ``--list-plugins``. After each
step ``records`` says what each plugin is, and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .._version import __version__
from ..errors import HookError, PluginError, SettingsError
from ..settings.component import Component, Unloaded
from ..settings.component import Registry as Components
from .discovery import find_candidates
from .entries import Entry
from .importing import Flaw
from .names import FIRST_PARTY, install_line, known_as, listed, nearest, normal
from .records import CORE, PluginRecord, Status
from .registry import PluginRegistry
from .selection import Selection

if TYPE_CHECKING:
    from ..settings.resolve import Resolved

__all__ = ["IMPORT_SECONDS", "PluginLoader"]

IMPORT_SECONDS: Final = 10.0
"""How long a plugin may take to be imported, and to be made."""


class PluginLoader:
    """Finds, loads and activates the installed plugins of one server."""

    def __init__(
        self,
        registry: PluginRegistry,
        selection: Selection | None = None,
        *,
        import_seconds: float = IMPORT_SECONDS,
        core_version: str = __version__,
        path: Sequence[str] | None = None,
    ) -> None:
        """Nothing is looked for yet.

        Args:
            registry: Where plugins are registered; the built-in ones are in it already.
            selection: The operator's switches.
            import_seconds: How long a plugin may take to be imported, and to be made; 0: as long as it likes.
            core_version: What plugins' requirements are held against.
            path: Folders in which distributions are looked for; ``sys.path`` when left out.
        """
        self._registry = registry
        self._selection = selection or Selection()
        self._seconds = import_seconds
        self._core_version = core_version
        self._path = path
        self._builtins = [plugin for plugin in registry.plugins if plugin.builtin]
        self._entries: list[Entry] = []
        self._chosen: frozenset[str] = frozenset()

    # ------------------------------------------------------------------------------------------------ the two passes

    def discover(self) -> None:
        """Finds the installed plugins, and imports those that are not switched off. Their troubles become records.

        Raises:
            SettingsError: A switch names a plugin that is not installed.
        """
        candidates = find_candidates(self._path)
        builtins = [plugin.name for plugin in self._builtins]
        self._selection.check(candidates, builtins)
        self._entries = [Entry.of(candidate, self._selection.switched_off(candidate)) for candidate in candidates]
        for entry in self._entries:
            if not entry.switch:
                entry.load(self._entries, builtins, self._registry.specs, self._core_version, self._seconds)

    def components(self, core: Component) -> Components:
        """The settings of the core and of all sound plugins; one whose flags or variables clash is broken."""
        components = Components([core])
        for entry in self._entries:
            if entry.loaded is not None:
                try:
                    components.add(entry.loaded.component)
                except SettingsError as error:
                    entry.fail(Flaw(str(error), "uninstall one of the two"))
        return components

    def chosen(self, backend: str | None) -> tuple[str, ...]:
        """The plugins that are active because they are chosen by name.

        Args:
            backend: The backend that the settings name, or None.

        Raises:
            SettingsError: No plugin that can be used offers it, or two do; says what to do.
        """
        owners = [] if backend is None else [entry.record.name for entry in self._entries if entry.offers(backend)]
        if backend is not None and normal(backend) in map(normal, self._builtin_backends()):
            owners.append(CORE)
        if len(owners) > 1:
            who = " and ".join(owners)
            raise SettingsError(f"{backend} is offered by {who}; switch one off with --no-plugin", key="backend")
        if backend is not None and not owners:
            self._refuse_backend(backend)
        self._chosen = frozenset(owners) - {CORE}
        return tuple(self._chosen)

    def unloaded(self) -> Unloaded:
        """The plugins whose settings are not to be taken for unknown ones."""
        selection, installed = self._selection, {entry.record.name for entry in self._entries}
        blocked = {entry.record.name: entry.switch for entry in self._entries if entry.switch}
        for name in FIRST_PARTY.keys() - installed:
            if selection.none:
                blocked[name] = "--no-plugins"
            elif name in map(known_as, selection.block):
                blocked[name] = f"--no-plugin={name}"
        absent = {name: install_line(name) for name in FIRST_PARTY.keys() - installed - blocked.keys()}
        broken = {record.name: record.error or "" for record in self.records if record.is_problem}
        for name in broken:
            blocked.pop(name, None)  # one of two of the same name is switched off, the other is broken
        return Unloaded(absent, blocked, broken)

    def settle(self, resolved: Resolved | None) -> None:
        """Finds which plugins are active, without making or registering any.

        Args:
            resolved: The settings; None where they could not be read: then those that require none are active.
        """
        for entry in self._entries:
            entry.settle(resolved, self._chosen)
        self._number()

    def activate(self, resolved: Resolved) -> None:
        """Makes and registers the plugins that are active.

        Raises:
            PluginError: A plugin that the settings name cannot be used; if the selection is strict, any plugin.
        """
        for entry in self._entries:
            entry.settle(resolved, self._chosen)
            self._refuse(entry, resolved)
        for entry in self._entries:
            entry.activate(self._registry, resolved, self._seconds)
            self._refuse(entry, resolved)
        self._number()

    # ----------------------------------------------------------------------------------------------- what came of it

    @property
    def records(self) -> tuple[PluginRecord, ...]:
        """What is known of each plugin: the installed ones by name, then the built-in ones."""
        return (*(entry.record for entry in self._entries), *self._builtin_records())

    @property
    def broken_auth(self) -> tuple[PluginRecord, ...]:
        """Plugins that authenticate or authorize, or may do so, and cannot be used.

        While there is one, the server must not take the absence of an answer for permission. One that the operator
        has switched off is not among them.
        """
        return tuple(entry.record for entry in self._entries if entry.is_broken_auth)

    @property
    def idle_auth(self) -> tuple[PluginRecord, ...]:
        """Authenticators that are installed and do nothing, because they have no settings."""
        return tuple(r for r in self.records if r.status is Status.AVAILABLE and "authenticate" in r.hooks)

    def warnings(self) -> tuple[str, ...]:
        """What the log should say at start, one line each."""
        broken = [f"plugin {r.name} ({r.owner}): {r.error}; {r.remedy}" for r in self.records if r.is_problem]
        idle = [
            f"plugin {r.name} ({r.owner}) is installed and authenticates nobody: none of its settings is given"
            for r in self.idle_auth
        ]
        return (*broken, *idle)

    def mark_broken(self, error: HookError) -> None:
        """Notes that a plugin failed in a cold hook. What it has registered stays, so no authenticator vanishes."""
        for entry in self._entries:
            if entry.record.name == normal(error.plugin):
                flaw = Flaw(str(error).removeprefix(f"plugin {error.plugin}, "), entry.mend)
                flaw.__cause__ = error.__cause__ or error
                entry.fail(flaw)

    # --------------------------------------------------------------------------------------------------------- parts

    def _builtin_backends(self) -> dict[str, str]:
        """The backends that the core offers itself, each with its plugin."""
        own = {plugin.name for plugin in self._builtins}
        steps = [step for step in self._registry.steps("register_backends") if step.plugin in own]
        return {offer.name: step.plugin for step in steps for offer in self._registry.backends(step)}

    def _builtin_records(self) -> Iterable[PluginRecord]:
        first = 1 + sum(entry.record.status is Status.ACTIVE for entry in self._entries)
        backends = self._builtin_backends()
        for order, plugin in enumerate(sorted(self._builtins, key=lambda builtin: builtin.name), first):
            yield PluginRecord(
                plugin.name,
                CORE,
                __version__,
                Status.ACTIVE,
                hooks=plugin.hooks,
                backends=tuple(name for name, owner in backends.items() if owner == plugin.name),
                order=order,
                builtin=True,
            )

    def _refuse_backend(self, backend: str) -> None:
        """Says why nobody offers a backend, unless a plugin that is not made yet may."""
        if any(entry.loaded is not None and entry.loaded.backends is None for entry in self._entries):
            return
        for entry in self._entries:
            if entry.record.name == normal(backend) and entry.switch:
                why = f"{backend} is switched off by {entry.switch}; remove one of the two"
                raise SettingsError(why, key="backend")
            if entry.record.name == normal(backend) and entry.record.is_problem:
                raise PluginError(entry.record.name, f"{entry.record.error}; {entry.record.remedy}")
        if line := install_line(backend):
            raise SettingsError(f"the plugin {backend} is not installed; run: {line}", key="backend")
        known = {*self._builtin_backends(), *(name for entry in self._entries for name in entry.record.backends)}
        near = nearest(backend, known | FIRST_PARTY.keys())
        hint = f"did you mean {near}?" if near else f"there is: {listed(known)}"
        raise SettingsError(f"no plugin offers {backend}; {hint}", key="backend")

    def _refuse(self, entry: Entry, resolved: Resolved) -> None:
        record = entry.record
        if record.is_problem and (self._selection.strict or self._is_named(entry, resolved)):
            raise PluginError(record.name, f"{record.error}; {record.remedy}") from record.cause

    def _is_named(self, entry: Entry, resolved: Resolved) -> bool:
        name = entry.record.name
        if name in self._chosen or self._selection.names(entry.candidate):
            return True
        return resolved.registry.get(name) is not None and bool(resolved.given(name))

    def _number(self) -> None:
        """Gives the active plugins their places."""
        active = [entry for entry in self._entries if entry.record.status is Status.ACTIVE]
        places = {normal(name): place for place, name in enumerate(self._selection.order)}
        active.sort(key=lambda entry: (places.get(entry.record.name, len(places)), entry.record.name))
        for place, entry in enumerate(active, 1):
            entry.record = replace(entry.record, order=place)
