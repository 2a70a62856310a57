"""From a command line to a server: what is loaded, in what order, and what the built-in sub-commands see of it.

The command line is read twice: first the switches that say which plugins to load, then, with the plugins'
declarations, everything.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ._version import __version__
from .builtins import with_builtins
from .builtins.closed_door import ClosedDoor
from .commands import check, explain, new_plugin
from .errors import HookError, SethPusherError, SettingsError, UsageError
from .plugins.hooks import Hooks
from .plugins.loader import PluginLoader
from .plugins.names import nearest
from .plugins.offers import CommandOffer
from .plugins.registry import PluginRegistry
from .plugins.report import as_json, as_table
from .plugins.selection import Selection
from .settings.component import Component
from .settings.core import CoreSettings, core_component
from .settings.problems import line
from .settings.render import help_text, show_config
from .settings.resolve import Resolved, resolve
from .settings.switches import Switches, read_switches

if TYPE_CHECKING:
    from .server import PushServer

__all__ = ["Start", "discovered"]

log = logging.getLogger("sethpusher.start")

FAILED: Final = 1
"""Exit code of a sub-command that failed."""


class Start:
    """One start of the command.

    Attributes:
        registry: The plugins, once :meth:`load` has run.
        loader: What is known of the installed plugins.
        resolved: All settings, once :meth:`read` or :meth:`load` has run.
    """

    resolved: Resolved

    def __init__(self, core: Component, switches: Switches) -> None:
        """Finds the installed plugins; nothing is activated yet.

        Raises:
            SettingsError: A switch names a plugin that is not installed.
        """
        self._core = core
        self._switches = switches
        self.registry = with_builtins(PluginRegistry())
        self.loader = PluginLoader(self.registry, Selection.of(switches))
        with self.naming_sources():
            self.loader.discover()
        self._components = self.loader.components(core)

    # -------------------------------------------------------------------------------- answered whatever is broken

    def help_text(self) -> str:
        """``--help``."""
        lines = ["", "Commands:"]
        lines += [f"  {name:<28}{help}" for name, (_, help) in COMMANDS.items()]
        self._register_what_is_sound()
        lines += [f"  {offer.name:<28}{offer.help} ({offer.plugin})" for offer in self._command_offers()]
        return help_text(self._components) + "\n".join(lines) + "\n"

    def plugin_list(self, *, as_json_text: bool, verbose: bool) -> str:
        """``--list-plugins``."""
        try:
            resolved = self._resolve(strict=False)
        except SethPusherError as error:
            resolved = None
            log.warning("%s", error)
        self.loader.settle(resolved)
        records = self.loader.records
        return (as_json(records) if as_json_text else as_table(records, verbose=verbose)) + "\n"

    # --------------------------------------------------------------------------------------------------- the rest

    def read(self, *, strict: bool = True) -> None:
        """Reads all settings, and activates nothing; the arguments and errors are those of :meth:`load`."""
        self.resolved = self._resolve(strict=strict)

    def load(self, *, strict: bool = True) -> None:
        """Reads all settings and activates the plugins that they make active.

        Args:
            strict: Raise the first problem of the settings; otherwise all stand in ``resolved.problems``, and where
                there is one nothing is activated.

        Raises:
            UsageError, SettingsError: Something is wrong; says what to do.
        """
        self.read(strict=strict)
        if self.resolved.problems:
            return
        self.loader.activate(self.resolved)
        if self.loader.broken_auth:
            self.registry.register(ClosedDoor([record.name for record in self.loader.broken_auth]), builtin=True)

    @property
    def settings(self) -> CoreSettings:
        """The core's settings."""
        settings: CoreSettings = self.resolved.of("")
        return settings

    def warnings(self) -> tuple[str, ...]:
        """What the log should say at the start."""
        return (*self.resolved.warnings, *self.loader.warnings())

    @property
    def strict(self) -> bool:
        """Whether any plugin's problem is fatal."""
        return self._switches.strict_plugins

    def component_settings(self) -> dict[str, object]:
        """The settings of each plugin that has some, by the plugin's name."""
        components = self.resolved.registry.components
        return {component.name: self.resolved.of(component.name) for component in components if component.name}

    def config_text(self) -> str:
        """``--show-config``."""
        return "\n".join(show_config(self.resolved)) + "\n"

    @property
    def command(self) -> str | None:
        """The sub-command, if one was given."""
        return self.resolved.command

    def run_command(self) -> int:
        """Runs the sub-command and gives its exit code.

        Raises:
            UsageError: There is no such sub-command.
        """
        name = self.resolved.command or ""
        if name in COMMANDS:
            return COMMANDS[name][0](self)
        offers = {offer.name: offer for offer in self._command_offers()}
        if name not in offers:
            near = nearest(name, {*COMMANDS, *offers})
            hint = f"did you mean {near}?" if near else f"there is: {', '.join(sorted({*COMMANDS, *offers}))}"
            raise UsageError(f"no command {name!r}; {hint}")
        return self._run(offers[name])

    def _run(self, offer: CommandOffer) -> int:
        try:
            code = offer.run(list(self.resolved.rest), self.resolved)
        except SethPusherError:
            raise
        except Exception as error:
            if "verbose" in self.resolved.actions:
                raise
            print(f"seth-pusher: {offer.name} (plugin {offer.plugin}) failed: {error!r}", file=sys.stderr)
            return FAILED
        if code is None or (isinstance(code, int) and 0 <= code <= 255):
            return int(code or 0)
        print(f"seth-pusher: {offer.name} (plugin {offer.plugin}) gave {code!r}, no exit code", file=sys.stderr)
        return FAILED

    def serve(self) -> int:
        """Runs the server until it is told to stop."""
        from .logs import set_up
        from .serving import run

        settings = self.settings
        chatty = settings.debug and "logging" not in self.resolved.given("")
        set_up("debug" if chatty else settings.logging, settings.log_format)
        for warning in self.warnings():
            log.warning("%s", warning)
        run(self.server())
        return 0

    def server(self) -> PushServer:
        """The server that the settings and the active plugins make, or the application that the settings name.

        Raises:
            SettingsError: They make none.
        """
        from .application import server_of
        from .server import PushServer

        if self.settings.app is not None:
            return server_of(self.settings.app, self.settings, self)
        return PushServer(self.settings, registry=self.registry, component_settings=self.component_settings())

    @contextmanager
    def naming_sources(self) -> Iterator[None]:
        """Adds to the refusal of a setting of the core, within the ``with`` block, where that is set."""
        try:
            yield
        except SettingsError as error:
            source = self._source(error.key)
            if source is None:
                raise
            raise SettingsError(line(error.key, source, error.why)) from error

    def _source(self, key: str) -> str | None:
        name = re.split(r"[\[.]", key)[0]
        if name in self._switches.given:
            return self._switches.given[name]
        at = self.resolved.provenance.get(("", name)) if hasattr(self, "resolved") else None
        return None if at is None else at.source

    def _resolve(self, *, strict: bool) -> Resolved:
        with self.naming_sources():
            chosen = self.loader.chosen(self._switches.backend)
        return resolve(
            self._components, self._switches.sources, chosen=chosen, unloaded=self.loader.unloaded(), strict=strict
        )

    def _register_what_is_sound(self) -> None:
        try:
            self.loader.activate(self._resolve(strict=False))
        except SethPusherError as error:
            log.warning("%s", error)

    def command_failures(self) -> tuple[HookError, ...]:
        """What is wrong with the sub-commands that plugins offer."""
        return Hooks.compile(self.registry).commands(reserved=COMMANDS).errors

    def _command_offers(self) -> tuple[CommandOffer, ...]:
        offers = Hooks.compile(self.registry).commands(reserved=COMMANDS)
        for error in offers.errors:
            self.loader.mark_broken(error)
            log.error("%s", error)
        return offers.accepted


def discovered(plugins: Iterable[object]) -> Start:
    """What the environment, and the file that it names, make of the installed plugins; for embedding programs.

    Args:
        plugins: Plugin objects that are registered before them.

    Raises:
        SettingsError: Something is wrong; says what to do.
    """
    core = core_component(__version__)
    start = Start(core, read_switches(core, (), os.environ))
    for plugin in plugins:
        start.registry.register(plugin)
    start.load()
    return start


COMMANDS: Final = MappingProxyType(
    {
        "check": (check.run, check.HELP),
        "explain": (explain.run, explain.HELP),
        "new-plugin": (new_plugin.run, new_plugin.HELP),
    }
)
"""The sub-commands of the core: what runs them, and their line in ``--help``."""
