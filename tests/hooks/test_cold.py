"""register_backends, routes, commands: asked once at start, each plugin for itself."""

from __future__ import annotations

import pytest

from sethpusher_core.plugins.hooks import Hooks
from sethpusher_core.plugins.registry import PluginRegistry


def make(settings):
    raise AssertionError


class Settings:
    pass


def texts(offers):
    return [str(error) for error in offers.errors]


def test_hook_register_backends(plugin):
    def register_backends(register):
        register("redis", make, Settings)
        register("redis-cluster", make)

    offers = Hooks.compile([plugin("a", register_backends)]).register_backends()
    assert [(o.plugin, o.name, o.factory, o.settings) for o in offers.accepted] == [
        ("a", "redis", make, Settings),
        ("a", "redis-cluster", make, None),
    ]
    assert offers.errors == ()


def test_hook_routes(plugin):
    def routes(server):
        return [("/metrics", make, {"server": server})]

    def more():
        return ()

    more.__name__ = "routes"
    offers = Hooks.compile([plugin("a", routes), plugin("b", more)]).routes("server")
    assert [(o.plugin, o.rules) for o in offers.accepted] == [
        ("a", (("/metrics", make, {"server": "server"}),)),
        ("b", ()),
    ]


def test_hook_commands(plugin):
    def commands(register):
        register("greet", make, help="Greets.")

    offers = Hooks.compile([plugin("a", commands)]).commands()
    assert [(o.plugin, o.name, o.run, o.help) for o in offers.accepted] == [("a", "greet", make, "Greets.")]


def test_without_implementations_there_is_nothing():
    hooks = Hooks.compile()
    assert hooks.register_backends().accepted == hooks.commands().accepted == hooks.routes("server").accepted == ()


def test_one_failing_does_not_keep_the_others(plugin):
    """And nothing of what it registered before it failed holds."""

    def register_backends(register):
        register("half", make)
        raise ValueError("x")

    def sound(register):
        register("sound", make)

    sound.__name__ = "register_backends"
    offers = Hooks.compile([plugin("a", register_backends), plugin("b", sound)]).register_backends()
    assert [offer.name for offer in offers.accepted] == ["sound"]
    assert texts(offers) == ["plugin a, hook register_backends: ValueError: x"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("Redis", make), "'Redis' is no name for a backend"),
        ((3, make), "3 is no name for a backend"),
        (("x", None), "cannot be called"),
        (("x", make, Settings()), "are not a class"),
        (("x",), "TypeError"),
    ],
)
def test_a_wrong_registration_is_the_plugins_failure(plugin, arguments, reason):
    def register_backends(register):
        register(*arguments)

    [text] = texts(Hooks.compile([plugin("a", register_backends)]).register_backends())
    assert text.startswith("plugin a, hook register_backends: ")
    assert reason in text


def test_registering_twice_is_a_failure(plugin):
    def commands(register):
        register("two-words", make)
        register("two_words", make)

    [text] = texts(Hooks.compile([plugin("a", commands)]).commands())
    assert "sub-command two_words is registered twice" in text


def test_two_owners_of_one_name_are_both_named_and_neither_wins(plugin):
    def commands(register):
        register("greet", make)

    offers = Hooks.compile([plugin("a", commands), plugin("b", commands)]).commands()
    assert offers.accepted == ()
    assert texts(offers) == [
        "plugin a, hook commands: offers 'greet', which b offers, too",
        "plugin b, hook commands: offers 'greet', which a offers, too",
    ]


def test_names_of_the_core_are_taken(plugin):
    def commands(register):
        register("check", make)

    offers = Hooks.compile([plugin("a", commands)]).commands(reserved={"check"})
    assert texts(offers) == ["plugin a, hook commands: offers 'check', which sethpusher-core offers, too"]


async def later():
    return []


@pytest.mark.parametrize("answer", [None, "text", 3, later])
def test_routes_must_be_a_list(plugin, answer):
    def routes(server):
        return answer() if callable(answer) else answer

    [text] = texts(Hooks.compile([plugin("a", routes)]).routes("server"))
    assert "where a list of URL rules is expected" in text


@pytest.mark.parametrize("hook", ["register_backends", "commands"])
def test_an_awaitable_is_refused_and_closed(plugin, hook):
    def function(register):
        return later()

    function.__name__ = hook
    [text] = texts(getattr(Hooks.compile([plugin("a", function)]), hook)())
    assert "answered an awaitable" in text


def test_backends_are_asked_once(plugin):
    asked = []

    def register_backends(register):
        asked.append(1)
        register("x", make)

    registry = PluginRegistry.of([plugin("a", register_backends)])
    assert Hooks.compile(registry).register_backends() == Hooks.compile(registry).register_backends()
    assert asked == [1]
