"""What a plugin implements, and everything that is refused when it is registered.

pluggy finds marked functions, and refuses a wrong argument. It is silent about a misspelt hook, about a function
without the marker and about a marked thing that is no function; it accepts ``async def`` and generators where nobody
awaits or iterates. Here each of these is an error that names plugin and hook.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final

from .. import hookspecs
from ..errors import PluginError
from .names import nearest

__all__ = ["Spec", "implemented", "is_function", "read_specs", "unbound_free"]

_IMPL: Final = f"{hookspecs.hookimpl.project_name}_impl"
_SPEC: Final = f"{hookspecs.hookspec.project_name}_spec"
_PASSED: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Spec:
    """One hook, as ``hookspecs.py`` declares it.

    Attributes:
        name: Its name.
        arguments: What it offers to its implementations, in order.
        may_wait: Whether an implementation may be ``async``.
    """

    name: str
    arguments: tuple[str, ...]
    may_wait: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An attribute of a plugin that is, or looks as if it were meant to be, an implementation.

    Attributes:
        attribute: Its name.
        holder: What stands under that name: a function, a staticmethod, something marked by mistake.
        function: The function behind it, or None when it is none.
        drops: Whether the first parameter is the instance or the class.
        unbound: Whether it is a method that nobody has bound to an instance.
    """

    attribute: str
    holder: object
    function: FunctionType | None
    drops: bool
    unbound: bool

    @property
    def marker(self) -> Mapping[str, Any] | None:
        """What @hookimpl was told, wherever it left that."""
        own = _mark(self.holder, _IMPL)
        return _mark(self.function, _IMPL) if own is None else own


def read_specs(specs: object = hookspecs) -> dict[str, Spec]:
    """The hooks that a module of hookspecs declares; those annotated ``MaybeAwaitable`` may be ``async``."""
    found: dict[str, Spec] = {}
    for name, function in vars(specs).items():
        if isinstance(function, FunctionType) and _mark(function, _SPEC) is not None:
            arguments = tuple(inspect.signature(function).parameters)
            found[name] = Spec(name, arguments, "MaybeAwaitable" in str(function.__annotations__["return"]))
    return found


def implemented(name: str, plugin: object, specs: Mapping[str, Spec], *, later: bool = False) -> tuple[str, ...]:
    """The hooks that a plugin implements.

    Args:
        name: The plugin's name, for refusals.
        plugin: A module, an instance, or a class.
        specs: The hooks there are.
        later: ``plugin`` is a class that will be instantiated: its methods are not unbound, but not bound yet.

    Raises:
        PluginError: One of its implementations is refused, or it has none.
    """
    hooks: list[str] = []
    for candidate in _candidates(plugin):
        marker = candidate.marker
        if marker is not None:
            hooks.append(_accept(name, candidate, marker, specs, later=later))
        elif candidate.attribute in specs:
            _refuse_unmarked(name, plugin, candidate)
    if not hooks:
        raise PluginError(name, "implements no hook; mark its functions with @hookimpl")
    return tuple(sorted(set(hooks)))


def unbound_free(plugin: object, hook: str) -> list[Callable[..., Any]] | None:
    """The implementations of one hook in a module or class, where they can be called without an instance.

    Returns:
        None when one of them needs an instance.
    """
    functions: list[Callable[..., Any]] = []
    for candidate in _candidates(plugin):
        marker = candidate.marker
        if marker is None or (marker.get("specname") or candidate.attribute) != hook:
            continue
        if candidate.unbound:
            return None
        functions.append(getattr(plugin, candidate.attribute))
    return functions


def is_function(holder: object) -> bool:
    """Whether what stands in a plugin can be an implementation: a function or method, nothing computed."""
    return isinstance(holder, FunctionType | MethodType | staticmethod | classmethod)


def _candidates(plugin: object) -> Iterator[_Candidate]:
    in_class = not isinstance(plugin, ModuleType)
    own = set() if isinstance(plugin, type) else set(getattr(plugin, "__dict__", ()))
    for attribute in dir(plugin):
        if attribute.startswith("__"):
            continue
        # Static, because reading a property, or a lazy object that a module imported, would run foreign code.
        holder = inspect.getattr_static(plugin, attribute, None)
        function = holder.__func__ if isinstance(holder, MethodType | staticmethod | classmethod) else holder
        method = in_class and attribute not in own and isinstance(holder, FunctionType)
        yield _Candidate(
            attribute,
            holder,
            function if isinstance(function, FunctionType) else None,
            drops=method or isinstance(holder, MethodType | classmethod),
            unbound=method and isinstance(plugin, type),
        )


def _mark(holder: object, name: str) -> Mapping[str, Any] | None:
    options = inspect.getattr_static(holder, name, None)
    return options if isinstance(options, dict) else None


def _accept(
    name: str, candidate: _Candidate, marker: Mapping[str, Any], specs: Mapping[str, Spec], *, later: bool
) -> str:
    hook = str(marker.get("specname") or candidate.attribute)

    def refuse(text: str) -> PluginError:
        return PluginError(name, f"hook {hook}: {text}")

    spec = specs.get(hook)
    if spec is None:
        near = nearest(hook, specs)
        raise refuse("there is no such hook" + (f"; did you mean {near}?" if near else ""))
    function = candidate.function
    if function is None:
        raise refuse(f"@hookimpl marks a {type(candidate.holder).__name__} where a function is needed; write a def")
    if _mark(function, _IMPL) is None:
        raise refuse(f"@hookimpl must stand below @{type(candidate.holder).__name__}, directly above the def")
    if candidate.unbound and not later:
        raise refuse("the plugin is a class; give an instance of it, or its methods have no self")
    _check_kind(marker, function, spec, refuse)
    _check_arguments(candidate, function, spec, refuse)
    return hook


def _check_kind(
    marker: Mapping[str, Any], function: FunctionType, spec: Spec, refuse: Callable[[str], PluginError]
) -> None:
    if marker.get("wrapper") or marker.get("hookwrapper"):
        raise refuse("wrappers are not supported; implement the hook as a plain function")
    if marker.get("optionalhook"):
        raise refuse("optionalhook would hide a misspelt name; leave it out")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise refuse("it contains a yield, so calling it would run nothing; return the answer")
    if inspect.iscoroutinefunction(function) and not spec.may_wait:
        raise refuse("it is async, but nothing may be awaited here; make it a plain def")


def _check_arguments(
    candidate: _Candidate, function: FunctionType, spec: Spec, refuse: Callable[[str], PluginError]
) -> None:
    parameters = list(inspect.signature(function).parameters.values())
    if candidate.drops and parameters and parameters[0].kind in _PASSED:
        parameters = parameters[1:]
    elif candidate.drops and not parameters:
        raise refuse("it is a method and takes no self")
    for parameter in parameters:
        if parameter.kind is Parameter.VAR_POSITIONAL:
            raise refuse(
                f"it takes *{parameter.name}; arguments are passed by name "
                "(in a decorator, functools.wraps keeps the names)"
            )
        unknown = parameter.kind in _PASSED and parameter.name not in spec.arguments
        if unknown and parameter.default is Parameter.empty:
            near = nearest(parameter.name, spec.arguments)
            hint = f"did you mean {near}?" if near else f"it offers {', '.join(spec.arguments)}"
            raise refuse(f"it takes {parameter.name!r}, which the hook does not offer; {hint}")


def _refuse_unmarked(name: str, plugin: object, candidate: _Candidate) -> None:
    """Refuses a function that has a hook's name and no marker: it would never be called, an authenticator included.

    Only where the plugin itself defines it; a name that it imported, or inherited from a library, is none of ours.
    """
    function = candidate.function
    owner = plugin if isinstance(plugin, type | ModuleType) else type(plugin)
    home = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
    if function is None or function.__module__ != home:
        return
    text = "the function lacks @hookimpl, so it would not be called; mark or rename it"
    if _mark(function, _SPEC) is not None:
        text = "it is marked with hookspec; plugins use hookimpl"
    raise PluginError(name, f"hook {candidate.attribute}: {text}")
