"""Every name of the seed documentation's API chapters is there, as it is documented."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest
from seth_document import CLASSES, FUNCTIONS, Class, Parameter


def resolve(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return object if name == "object" else getattr(importlib.import_module(module), attribute)


def actual(function: Any) -> list[Parameter]:
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [
        (stars.get(parameter.kind, "") + name, ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    ]


def test_the_document_was_read() -> None:
    assert len(CLASSES) == 23
    assert len(FUNCTIONS) == 5
    assert sum(len(known.methods) for known in CLASSES) == 59
    assert sum(len(known.defaults) + len(known.attributes) for known in CLASSES) == 21


@pytest.mark.parametrize("known", CLASSES, ids=lambda known: known.name)
def test_class(known: Class) -> None:
    found = resolve(known.name)
    assert found.__module__ + "." + found.__qualname__ == known.name
    for base in known.bases:
        assert issubclass(found, resolve(base))
    if known.parameters is not None:
        assert actual(found) == known.parameters
    for name, default in known.defaults.items():
        assert getattr(found, name) == default
    for name in known.attributes:
        assert isinstance(inspect.getattr_static(found, name), property)
    for name, wanted in known.methods.items():
        assert actual(getattr(found, name)) == wanted, name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name: str) -> None:
    assert actual(resolve(name)) == FUNCTIONS[name]
