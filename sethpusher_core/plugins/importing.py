"""Importing one plugin, and reading what it declares. Whatever it does wrong becomes one line and a remedy."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from ..errors import HookError, PluginError, SettingsError
from ..settings.component import Component
from .bounded import Hung, bounded
from .discovery import Candidate
from .inspection import Spec, implemented, unbound_free
from .names import normal
from .offers import BackendOffer, offered_backends
from .steps import Step, described, positional

__all__ = ["Flaw", "Loaded", "load", "made"]

_BACKENDS: Final = "register_backends"


class Flaw(Exception):
    """A plugin cannot be used; internal, it becomes the plugin's record.

    Attributes:
        reason: What is wrong, one line.
        remedy: What to do about it, one line, but for the way out that every plugin has (``--no-plugin``).
        hooks: The hooks it implements, as far as known.
    """

    def __init__(self, reason: str, remedy: str, hooks: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.hooks = hooks


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plugin that was imported and is sound, as far as that can be seen before it has its settings.

    Attributes:
        target: The module or class that its entry point names.
        hooks: The hooks that it implements.
        component: Its settings.
        settings: Their declaration, or None.
        backends: What it offers; None where only an instance can say.
        path: Its file.
    """

    target: Any
    hooks: tuple[str, ...]
    component: Component
    settings: type | None
    backends: tuple[BackendOffer, ...] | None
    path: str


def load(candidate: Candidate, specs: Mapping[str, Spec], seconds: float) -> Loaded:
    """Imports a plugin's module, once, and reads what it declares. Nothing of it is instantiated.

    ``register_backends`` of a module, or of a class where it is static, is called here, because its backends and their
    settings must be known before settings are read. It must not import its driver; that is for the factory.

    Raises:
        Flaw: It cannot be used.
    """
    target = _guarded(candidate, candidate.entry_point.load, seconds, "import failed")
    if not isinstance(target, ModuleType | type):
        kind = type(target).__name__
        raise Flaw(f"its entry point names a {kind}, not a module or a class", _update(candidate))
    hooks: tuple[str, ...] = ()
    try:
        hooks = implemented(candidate.name, target, specs, later=True)
        backends = _backends(candidate, target, specs, seconds)
        settings = _declaration(candidate, target, backends or ())
        component = _component(candidate, settings)
    except (PluginError, HookError) as error:
        raise Flaw(_bare(error, candidate), _update(candidate), hooks) from error
    except Flaw as flaw:
        raise Flaw(flaw.reason, flaw.remedy, hooks) from flaw.__cause__
    except Exception as error:
        # Looking at a module runs its __getattr__, looking at a declaration its factories, and so on.
        raise Flaw(f"cannot be read: {described(error)}", _update(candidate), hooks) from error
    return Loaded(target, hooks, component, settings, backends, _path(target))


def made(candidate: Candidate, loaded: Loaded, settings: object, seconds: float) -> object:
    """The plugin object: the module itself, or an instance of the class, made with its settings if it declares any.

    Raises:
        Flaw: Making it failed.
    """
    target = loaded.target
    if isinstance(target, ModuleType):
        return target
    takes = getattr(target, "Settings", None) is not None
    make = (lambda: target(settings)) if takes else target
    try:
        return _guarded(candidate, make, seconds, f"making {target.__name__} failed")
    except Flaw as flaw:
        if takes and isinstance(flaw.__cause__, ValueError | SettingsError):
            raise Flaw(flaw.reason, "correct its settings", flaw.hooks) from flaw.__cause__
        raise


def _guarded(candidate: Candidate, function: Callable[[], Any], seconds: float, failed: str) -> Any:
    try:
        return bounded(function, seconds)
    except Hung as error:
        raise Flaw(f"{failed}: it {error}", "find out what it waits for") from error
    except (HookError, KeyboardInterrupt):
        raise
    except BaseException as error:
        # SystemExit, a cancellation, or one of its own, as test frameworks have: none may end the command.
        raise Flaw(f"{failed}: {described(error)}", _remedy(candidate, error)) from error


def _backends(
    candidate: Candidate, target: Any, specs: Mapping[str, Spec], seconds: float
) -> tuple[BackendOffer, ...] | None:
    functions = unbound_free(target, _BACKENDS)
    if functions is None:
        return None
    steps = [Step(candidate.name, _BACKENDS, positional(f, specs[_BACKENDS].arguments)) for f in functions]

    def ask() -> tuple[BackendOffer, ...]:
        return tuple(offer for step in steps for offer in offered_backends(step))

    offers: tuple[BackendOffer, ...] = _guarded(candidate, ask, seconds, f"{_BACKENDS} failed")
    return offers


def _declaration(candidate: Candidate, target: Any, backends: tuple[BackendOffer, ...]) -> type | None:
    own = getattr(target, "Settings", None)
    declared = [own] if own is not None else []
    declared += [offer.settings for offer in backends if offer.settings not in (None, *declared)]
    if len(declared) > 1:
        raise Flaw("declares its settings more than once; one declaration holds for all it offers", _update(candidate))
    if declared and not isinstance(declared[0], type):
        raise Flaw("its Settings is not a class", _update(candidate))
    return declared[0] if declared else None


def _component(candidate: Candidate, settings: type | None) -> Component:
    try:
        if settings is None:
            return Component(candidate.name, owner=candidate.owner)
        return Component(candidate.name, settings, candidate.owner)
    except SettingsError as error:
        text = str(error).removeprefix(candidate.owner).lstrip(": ")
        raise Flaw(text, _update(candidate)) from error


def _bare(error: PluginError | HookError, candidate: Candidate) -> str:
    """An error's text without the plugin's name, which stands beside it in the list."""
    return str(error).removeprefix(f"plugin {candidate.name}").lstrip(":, ")


def _update(candidate: Candidate) -> str:
    return f"mend or update it (pip install -U {candidate.distribution})"


def _remedy(candidate: Candidate, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = error.name.partition(".")[0]
        if candidate.entry_point.module.partition(".")[0] == missing:
            return f"reinstall it (pip install --force-reinstall {candidate.distribution})"
        for line in candidate.requires:
            requirement = line.partition(";")[0].strip()
            if normal(re.split(r"[^\w.-]", requirement, maxsplit=1)[0]) == normal(missing):
                return f'install what it requires (pip install "{requirement}")'
    return _update(candidate)


def _path(target: object) -> str:
    module = target if isinstance(target, ModuleType) else sys.modules.get(getattr(target, "__module__", ""))
    return str(getattr(module, "__file__", None) or "")
