"""What is refused when a plugin is registered: each by plugin and hook, and nothing of it stays."""

from __future__ import annotations

import functools
import sys
import types

import pytest

from sethpusher_core.errors import PluginError
from sethpusher_core.hookspecs import hookimpl, hookspec
from sethpusher_core.plugins.hooks import Hooks
from sethpusher_core.plugins.registry import PluginRegistry


class Wrapper:
    @hookimpl(wrapper=True)
    def authenticate(self, credentials):
        return (yield)


class HookWrapper:
    @hookimpl(hookwrapper=True)
    def persist(self, publications):
        yield


class Generator:
    @hookimpl
    def authenticate(self, credentials):
        yield


class AsyncGenerator:
    @hookimpl
    async def authenticate(self, credentials):
        yield


class AsyncHot:
    @hookimpl
    async def transform(self, publication):
        pass


class AsyncCold:
    @hookimpl
    async def routes(self, server):
        pass


class AsyncStaticCold:
    @staticmethod
    @hookimpl
    async def register_backends(register):
        pass


class Misspelt:
    @hookimpl
    def authentcate(self, credentials):
        pass


class MisspeltByName:
    @hookimpl(specname="transforms")
    def redact(self, publication):
        pass


class Foreign:
    @hookimpl
    def zzz(self):
        pass


class WrongArgument:
    @hookimpl
    def authenticate(self, credential):
        pass


class FarArgument:
    @hookimpl
    def dispatch(self, connection, qqq):
        pass


class WrongKeyword:
    @hookimpl
    def dispatch(self, *, mesage):
        pass


class Starred:
    @hookimpl
    def dispatch(self, *args):
        pass


class NoSelf:
    @hookimpl
    def dispatch():
        pass


class Optional:
    @hookimpl(optionalhook=True)
    def autenticate(self, credentials):
        pass


class OptionalSound:
    @hookimpl(optionalhook=True)
    def authenticate(self, credentials):
        pass


class MarkedClass:
    @hookimpl
    class dispatch:  # noqa: N801 - the name of the hook is the point
        pass


class MarkedPartial:
    dispatch = hookimpl(functools.partial(print, "x"))


class MarkedAbove:
    @hookimpl
    @staticmethod
    def dispatch(connection, message):
        pass


class Unmarked:
    def authenticate(self, credentials):
        pass

    @hookimpl
    def persist(self, publications):
        pass


class SpecMarked:
    @hookspec(historic=True)
    def routes(self, server):
        pass


class Nothing:
    pass


REFUSED = [
    (Wrapper(), "hook authenticate: wrappers are not supported"),
    (HookWrapper(), "hook persist: wrappers are not supported"),
    (Generator(), "hook authenticate: it contains a yield"),
    (AsyncGenerator(), "hook authenticate: it contains a yield"),
    (AsyncHot(), "hook transform: it is async, but nothing may be awaited here"),
    (AsyncCold(), "hook routes: it is async, but nothing may be awaited here"),
    (AsyncStaticCold(), "hook register_backends: it is async"),
    (Misspelt(), "hook authentcate: there is no such hook; did you mean authenticate?"),
    (MisspeltByName(), "hook transforms: there is no such hook; did you mean transform?"),
    (Foreign(), "hook zzz: there is no such hook"),
    (
        WrongArgument(),
        "hook authenticate: it takes 'credential', which the hook does not offer; did you mean credentials?",
    ),
    (FarArgument(), "hook dispatch: it takes 'qqq', which the hook does not offer; it offers connection, message"),
    (WrongKeyword(), "hook dispatch: it takes 'mesage', which the hook does not offer; did you mean message?"),
    (Starred(), "hook dispatch: it takes *args; arguments are passed by name"),
    (NoSelf(), "hook dispatch: it is a method and takes no self"),
    (Optional(), "hook autenticate: there is no such hook; did you mean authenticate?"),
    (OptionalSound(), "hook authenticate: optionalhook would hide a misspelt name"),
    (MarkedClass(), "hook dispatch: @hookimpl marks a type where a function is needed"),
    (MarkedPartial(), "hook dispatch: @hookimpl marks a partial where a function is needed"),
    (MarkedAbove(), "hook dispatch: @hookimpl must stand below @staticmethod"),
    (Unmarked(), "hook authenticate: the function lacks @hookimpl"),
    (SpecMarked(), "hook routes: it is marked with hookspec; plugins use hookimpl"),
    (Nothing(), "implements no hook"),
    (WrongArgument, "hook authenticate: the plugin is a class; give an instance of it"),
]


@pytest.mark.parametrize(("refused", "reason"), REFUSED, ids=lambda value: getattr(value, "__name__", None))
def test_refused_by_plugin_and_hook(refused, reason):
    registry = PluginRegistry()
    with pytest.raises(PluginError) as caught:
        registry.register(refused, name="bad")
    assert str(caught.value).startswith(f"plugin bad: {reason}")
    assert caught.value.plugin == "bad"
    assert registry.plugins == ()
    assert all(registry.steps(hook) == () for hook in registry.specs)


def test_a_half_sound_plugin_leaves_nothing_behind():
    class Half:
        @hookimpl
        def authenticate(self, credentials):
            pass

        @hookimpl
        def zzz(self):
            pass

    registry = PluginRegistry()
    with pytest.raises(PluginError, match="hook zzz"):
        registry.register(Half())
    assert registry.steps("authenticate") == ()
    assert Hooks.compile(registry).authenticate is None


def test_what_only_pluggy_refuses_leaves_nothing_behind(monkeypatch):
    """A later pluggy may refuse more than the inspection knows."""
    import pluggy

    def check_pending(self):
        raise pluggy.PluginValidationError(None, "something\nnew")

    class Sound:
        @hookimpl
        def authenticate(self, credentials):
            pass

    monkeypatch.setattr(pluggy.PluginManager, "check_pending", check_pending)
    registry = PluginRegistry()
    with pytest.raises(PluginError, match="plugin Sound: something new"):
        registry.register(Sound())
    assert registry.steps("authenticate") == ()
    monkeypatch.undo()
    registry.register(Sound())
    assert len(registry.steps("authenticate")) == 1


def test_nothing_of_a_plugin_is_evaluated():
    """Neither properties nor lazy objects that a module imported."""

    class Lazy:
        def __getattr__(self, name):
            raise AssertionError(name)

    class Sound:
        lazy = Lazy()

        @property
        def dispatch(self):
            raise AssertionError

        @hookimpl
        def authenticate(self, credentials):
            pass

    assert PluginRegistry().register(Sound()).hooks == ("authenticate",)


def test_names_that_a_plugin_did_not_define_are_none_of_ours():
    """An imported function, or one inherited from a library, may have the name of a hook."""
    module = types.ModuleType("some_plugin")
    exec("def authenticate(credentials): pass", library := {"__name__": "some_library"})
    module.commands = library["authenticate"]
    module.dispatch = 3
    exec(
        "from sethpusher_core.hookspecs import hookimpl\n@hookimpl\ndef persist(publications): pass",
        module.__dict__,
    )
    assert PluginRegistry().register(module).hooks == ("persist",)


def test_a_class_of_static_methods_needs_no_instance():
    class Static:
        @staticmethod
        @hookimpl
        def dispatch(message):
            pass

        @classmethod
        @hookimpl
        def transform(cls, publication):
            return publication

    registry = PluginRegistry()
    assert registry.register(Static).hooks == ("dispatch", "transform")
    assert Hooks.compile(registry).transform("text") == "text"


def test_two_implementations_in_one_plugin(run):
    seen = []

    class Two:
        @hookimpl
        def subscribed(self, channel):
            seen.append(channel)

        @hookimpl(specname="subscribed")
        def also(self, connection):
            seen.append(connection)

    hooks = Hooks.compile([Two()])
    run(hooks.subscribed("line", "news"))
    assert sorted(seen) == ["line", "news"]
    assert hooks.counts() == {("Two", "subscribed"): (2, 0)}


def test_names_without_one(monkeypatch):
    class TeamAuth:
        @hookimpl
        def authenticate(self, credentials):
            pass

    class Named(TeamAuth):
        name = "team-auth"

    class BadName(TeamAuth):
        name = 3

    module = types.ModuleType("shop.push_auth")
    exec("from sethpusher_core.hookspecs import hookimpl\n@hookimpl\ndef persist(publications): pass", module.__dict__)
    registry = PluginRegistry.of([TeamAuth(), Named(), module, sys.modules[__name__].KEEP])
    assert [plugin.name for plugin in registry.plugins] == ["TeamAuth", "team-auth", "push_auth", "Keep"]
    assert registry.get("team_auth").hooks == ("authenticate",)
    with pytest.raises(PluginError, match="its attribute `name` must be a text, not 3"):
        registry.register(BadName())


class Keep:
    @hookimpl
    def persist(self, publications):
        pass


KEEP = Keep()


@pytest.mark.parametrize("name", ["", " ", "--"])
def test_an_empty_name(name):
    with pytest.raises(PluginError, match=r"is no name for .*Keep"):
        PluginRegistry().register(Keep(), name=name)


def test_one_name_twice_names_both_owners():
    with pytest.raises(PluginError, match=r"plugin Keep: .*Keep and .*Keep both have this name") as caught:
        PluginRegistry.of([Keep(), Keep()])
    assert "give one another `name`" in str(caught.value)


def test_one_object_under_two_names():
    registry = PluginRegistry()
    registry.register(KEEP, name="one")
    with pytest.raises(PluginError, match=r"plugin two: .* is registered already, as one"):
        registry.register(KEEP, name="two")


def test_unregister():
    registry = PluginRegistry.of([KEEP])
    registry.unregister("keep")
    registry.unregister("never there")
    assert registry.plugins == ()
    assert registry.steps("persist") == ()
    registry.register(KEEP)


def test_two_registries_know_nothing_of_each_other():
    assert PluginRegistry.of([KEEP]).plugins
    assert PluginRegistry().plugins == ()
