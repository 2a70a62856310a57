"""One installed plugin on its way through the loader, and the steps of that way."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ..errors import PluginError
from .discovery import Candidate, says_auth, unfit
from .importing import Flaw, Loaded, load, made
from .inspection import Spec
from .names import normal
from .records import PluginRecord, Status
from .registry import PluginRegistry

if TYPE_CHECKING:
    from ..settings.resolve import Resolved

__all__ = ["Entry"]

_AUTH_HOOKS: Final = frozenset({"authenticate", "authorize"})


@dataclass(slots=True)
class Entry:
    """A candidate, and what has become of it.

    Attributes:
        candidate: What was found.
        record: What is known of it now.
        switch: What switched it off; empty where nothing did.
        loaded: What was imported; None while it is not, and once it cannot be used.
    """

    candidate: Candidate
    record: PluginRecord
    switch: str = ""
    loaded: Loaded | None = None

    @classmethod
    def of(cls, candidate: Candidate, switch: str) -> Entry:
        """A candidate about which nothing is known yet, but whether it is switched off."""
        record = PluginRecord(
            name=candidate.name,
            distribution=candidate.distribution,
            version=candidate.version,
            status=Status.DISABLED if switch else Status.AVAILABLE,
            path=candidate.path,
        )
        return cls(candidate, record, switch)

    def fail(self, flaw: Flaw, status: Status = Status.BROKEN, *, way_out: str = "") -> None:
        """Turns it into a problem row.

        Args:
            flaw: What is wrong.
            status: BROKEN or INCOMPATIBLE.
            way_out: The name that switches it off; without one, its own.
        """
        self.loaded = None
        self.record = replace(
            self.record,
            status=status,
            hooks=flaw.hooks or self.record.hooks,
            error=" ".join(flaw.reason.split()),
            remedy=f"{flaw.remedy}, or start with --no-plugin={way_out or self.record.name}",
            cause=flaw.__cause__ or flaw,
        )
        if self.is_broken_auth:
            self.record = replace(self.record, remedy=f"{self.record.remedy}, which then keeps nobody out")

    def load(
        self, others: Collection[Entry], builtins: Collection[str], specs: Mapping[str, Spec], core: str, seconds: float
    ) -> None:
        """Imports it, unless something is known against it already.

        Args:
            others: All entries, this one included.
            builtins: Names of the built-in plugins.
            specs: The hooks there are.
            core: The version of the core.
            seconds: How long it may take.
        """
        distribution = self.candidate.distribution
        if clash := self._clash(others, builtins):
            self.fail(Flaw(clash, "uninstall one of the two"), way_out=distribution)
        elif self.candidate.error:
            self.fail(Flaw(self.candidate.error, f"reinstall it (pip install --force-reinstall {distribution})"))
        elif reason := unfit(self.candidate, core):
            self.fail(Flaw(reason, f"install a release of {distribution} for this core"), Status.INCOMPATIBLE)
        else:
            try:
                self._accept(load(self.candidate, specs, seconds))
            except Flaw as flaw:
                self.fail(flaw)

    def settle(self, resolved: Resolved | None, chosen: Collection[str]) -> None:
        """Finds whether it is active.

        Args:
            resolved: The settings; None where they could not be read.
            chosen: Names of plugins that are chosen by name.
        """
        if self.loaded is None:
            return
        name, component = self.record.name, self.loaded.component
        if resolved is None or resolved.registry.get(name) is None:
            needs = any(key.required or key.group for key in component.keys)
            self.record = replace(self.record, status=Status.AVAILABLE if needs else Status.ACTIVE)
        elif resolved.of(name) is not None:
            self.record = replace(self.record, status=Status.ACTIVE)
        elif name in chosen or resolved.given(name):
            # Only where the settings were read without being strict: otherwise this refused the start.
            self.fail(Flaw(_wrong_settings(name, resolved), "correct its settings"))

    def activate(self, registry: PluginRegistry, resolved: Resolved, seconds: float) -> None:
        """Makes and registers it, if it is active."""
        if self.loaded is None or self.record.status is not Status.ACTIVE:
            return
        name = self.record.name
        try:
            plugin = made(self.candidate, self.loaded, resolved.of(name), seconds)
            registry.register(plugin, name=name, backends=self.loaded.backends)
        except Flaw as flaw:
            self.fail(flaw)
        except PluginError as error:
            self.fail(Flaw(str(error).removeprefix(f"plugin {name}: "), self.mend))

    @property
    def mend(self) -> str:
        """What to do about code that is wrong."""
        return f"mend or update it (pip install -U {self.candidate.distribution})"

    @property
    def is_broken_auth(self) -> bool:
        """Whether it authenticates or authorizes, or may do so, and cannot be used."""
        if not self.record.is_problem:
            return False
        if any(hook in (self.record.error or "") for hook in _AUTH_HOOKS):  # misspelt: the error says what was meant
            return True
        return bool(_AUTH_HOOKS.intersection(self.record.hooks)) if self.record.hooks else says_auth(self.candidate)

    def offers(self, backend: str) -> bool:
        """Whether it offers a backend; one that only an instance can tell of goes by the plugin's name."""
        if self.loaded is None:
            return False
        names = (self.record.name,) if self.loaded.backends is None else self.record.backends
        return normal(backend) in map(normal, names)

    def _accept(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.record = replace(
            self.record,
            hooks=loaded.hooks,
            backends=tuple(offer.name for offer in loaded.backends or ()),
            path=loaded.path or self.record.path,
            settings=loaded.settings,
        )

    def _clash(self, others: Collection[Entry], builtins: Collection[str]) -> str:
        """With whom it shares its name: neither is loaded, because nobody can tell which one is meant."""
        name = self.record.name
        if name in map(normal, builtins):
            return f"{name} is the name of a built-in plugin, too"
        owners = [other.candidate.owner for other in others if other.record.name == name and not other.switch]
        return f"{' and '.join(owners)} both have a plugin {name}" if len(owners) > 1 else ""


def _wrong_settings(name: str, resolved: Resolved) -> str:
    """What is wrong with a plugin's settings: the first problem that names one of them."""
    flag = name.replace("_", "-")
    own = re.compile(rf"(?<![\w-])({name}\.|SETHPUSHER_{name.upper()}__|--{flag}-)")
    return next((problem.text for problem in resolved.problems if own.search(problem.text)), "its settings are wrong")
