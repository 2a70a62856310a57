"""The plugins of one server: registered, checked, and put in order. Never global.

pluggy keeps the implementations and their ordering flags and checks signatures; what it lets pass is refused before it
is asked (see :mod:`.inspection`).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pluggy

from .. import hookspecs
from ..errors import PluginError
from .inspection import Spec, implemented, is_function, read_specs
from .names import normal
from .offers import BackendOffer, offered_backends
from .steps import Step, positional
from .trace import traced

__all__ = ["PluginRegistry", "Registered", "name_of"]


@dataclass(frozen=True, slots=True)
class Registered:
    """One registered plugin.

    Attributes:
        name: Its name.
        plugin: The module or instance.
        hooks: Names of the hooks it implements, sorted.
        builtin: Whether it belongs to the core.
    """

    name: str
    plugin: object
    hooks: tuple[str, ...]
    builtin: bool


class PluginRegistry:
    """The plugins of one server."""

    def __init__(self) -> None:
        self.specs: dict[str, Spec] = read_specs()
        self._manager = _Manager(hookspecs.hookspec.project_name)
        self._manager.add_hookspecs(hookspecs)
        self._registered: dict[str, Registered] = {}
        self._backends: dict[str, tuple[BackendOffer, ...]] = {}

    @classmethod
    def of(cls, plugins: Iterable[object]) -> PluginRegistry:
        """A registry of plugin objects (modules or instances), named by :func:`name_of`.

        Raises:
            PluginError: One of them is refused.
        """
        registry = cls()
        for plugin in plugins:
            registry.register(plugin)
        return registry

    @property
    def plugins(self) -> tuple[Registered, ...]:
        """All plugins, in the order of registration."""
        return tuple(self._registered.values())

    def get(self, name: str) -> Registered | None:
        """The plugin of a name; ``-`` and ``_`` read alike."""
        return self._registered.get(normal(name))

    def register(
        self,
        plugin: object,
        *,
        name: str | None = None,
        builtin: bool = False,
        backends: tuple[BackendOffer, ...] | None = None,
    ) -> Registered:
        """Registers a plugin, wholly or not at all.

        Args:
            plugin: A module, or an instance of a class.
            name: Its name; without one, :func:`name_of` says.
            builtin: Whether it belongs to the core: it runs after all others.
            backends: What its ``register_backends`` offered, if that has been asked already; it is not asked again.

        Raises:
            PluginError: The name is taken or unusable, or an implementation is refused; names plugin and hook.
        """
        name = name_of(plugin) if name is None else name
        self._check_new(name, plugin)
        hooks = implemented(name, plugin, self.specs)
        try:
            self._manager.register(plugin, normal(name))
            self._manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            # Reached only by what a later pluggy refuses and the inspection does not know yet.
            self._drop(normal(name))
            raise PluginError(name, " ".join(str(error).split())) from error
        except BaseException:
            self._drop(normal(name))
            raise
        registered = self._registered[normal(name)] = Registered(name, plugin, hooks, builtin)
        if backends is not None:
            self._backends[normal(name)] = backends
        return registered

    def backends(self, step: Step) -> tuple[BackendOffer, ...]:
        """What an implementation of ``register_backends`` offers; it is asked once.

        Raises:
            HookError: It failed.
        """
        key = normal(step.plugin)
        if key not in self._backends:
            self._backends[key] = offered_backends(step)
        return self._backends[key]

    def unregister(self, name: str) -> None:
        """Takes a plugin out again; an unknown name is ignored."""
        self._registered.pop(normal(name), None)
        self._backends.pop(normal(name), None)
        self._drop(normal(name))

    def steps(
        self,
        hook: str,
        order: Sequence[str] = (),
        passing: tuple[type[Exception], ...] = (),
        *,
        trace: bool = False,
    ) -> tuple[Step, ...]:
        """The implementations of a hook, compiled, in the order in which they run.

        Built-in plugins come last. Before them, those that ``order`` names come in its order; it is the operator's word
        and overrules tryfirst and trylast. The others follow alphabetically by plugin name, but tryfirst ones come
        before all and trylast ones after all.

        Args:
            hook: The hook's name.
            order: Names of plugins.
            passing: Exceptions that pass unchanged.
            trace: Whether each call leaves a line in the log; see :mod:`.trace`.
        """
        places = {normal(name): place for place, name in enumerate(order)}
        caller = getattr(self._manager.hook, hook)
        steps = []
        for implementation in caller.get_hookimpls():
            registered = self._registered[implementation.plugin_name]
            function = positional(implementation.function, self.specs[hook].arguments)
            if trace:
                function = traced(registered.name, self.specs[hook], function)
            steps.append((_rank(registered, implementation, places), Step(registered.name, hook, function, passing)))
        return tuple(step for _, step in sorted(steps, key=lambda ranked: ranked[0]))

    def _check_new(self, name: str, plugin: object) -> None:
        if not normal(name).strip("_"):
            raise PluginError(repr(name), f"is no name for {_origin(plugin)}")
        taken = self._registered.get(normal(name))
        if taken is not None:
            raise PluginError(
                name, f"{_origin(plugin)} and {_origin(taken.plugin)} both have this name; give one another `name`"
            )
        for other in self.plugins:
            if other.plugin is plugin:
                raise PluginError(name, f"{_origin(plugin)} is registered already, as {other.name}")

    def _drop(self, key: str) -> None:
        if self._manager.has_plugin(key):
            self._manager.unregister(name=key)


class _Manager(pluggy.PluginManager):
    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        # pluggy before 1.7 reads every attribute, properties included, which runs the plugin's code.
        holder = inspect.getattr_static(plugin, name, None)
        return super().parse_hookimpl_opts(plugin, name) if is_function(holder) else None


def _rank(registered: Registered, implementation: Any, places: dict[str, int]) -> tuple[bool, int, int, str]:
    key = normal(registered.name)
    place = places.get(key)
    if place is not None:
        return registered.builtin, 0, place, key
    band = -1 if implementation.tryfirst else 1 if implementation.trylast else 0
    return registered.builtin, band, len(places), key


def name_of(plugin: object) -> str:
    """The name of a plugin object: its attribute ``name``, else the last word of its module's or its class's name.

    Raises:
        PluginError: The attribute is there and is no text.
    """
    name = getattr(plugin, "name", None)
    kind = plugin if isinstance(plugin, type | ModuleType) else type(plugin)
    own = kind.__name__.rpartition(".")[2]
    if name is None:
        return own
    if not isinstance(name, str) or not name:
        raise PluginError(own, f"its attribute `name` must be a text, not {name!r}")
    return name


def _origin(plugin: object) -> str:
    if isinstance(plugin, ModuleType):
        return f"the module {plugin.__name__}"
    kind = plugin if isinstance(plugin, type) else type(plugin)
    return f"{kind.__module__}.{kind.__qualname__}"
