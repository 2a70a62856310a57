from __future__ import annotations

from dataclasses import dataclass

import pytest

from sethpusher_core.errors import SettingsError
from sethpusher_core.settings import Action, Component, NoSettings, Registry, Sources, core_component, resolve


@dataclass(frozen=True, slots=True)
class XY:
    x_y: int = 1


@dataclass(frozen=True, slots=True)
class Y:
    y: int = 1


@dataclass(frozen=True, slots=True)
class Port:
    port: int = 1


def test_names_in_every_source() -> None:
    component = Component("auth-api", XY)
    assert component.name == "auth_api"
    assert component.table == "[plugins.auth_api]"
    assert component.variable("x_y") == "SETHPUSHER_AUTH_API__X_Y"
    assert component.flag("x_y") == "--auth-api-x-y"
    assert component.dotted("x_y") == "auth_api.x_y"
    core = core_component()
    assert core.variable("log_format") == "SETHPUSHER_LOG_FORMAT"
    assert core.flag("log_format") == "--log-format"


def test_two_components_may_not_share_a_flag() -> None:
    registry = Registry([Component("redis", XY, owner="sethpusher-redis 1.0")])
    other = Component("redis-x", Y, owner="sethpusher-redis-x 2.0")
    with pytest.raises(SettingsError) as refused:
        registry.add(other)
    for part in ("sethpusher-redis 1.0", "sethpusher-redis-x 2.0", "--redis-x-y"):
        assert part in str(refused.value)
    # Nothing of the refused one is left behind.
    assert [component.name for component in registry.components] == ["redis"]
    assert registry.variables.keys() == {"SETHPUSHER_REDIS__X_Y"}
    with pytest.raises(SettingsError, match="--redis-x-y"):
        resolve([*registry.components, other], Sources())


def test_a_plugin_may_not_take_a_flag_of_the_core() -> None:
    core = Component("", declaration=XY, owner="sethpusher-core 1.0", actions=(Action("show-port"),))
    for plugin in (Component("x", Y, owner="x 1"), Component("show", Port, owner="show 1")):
        with pytest.raises(SettingsError, match=rf"{plugin.owner} and sethpusher-core 1.0 both"):
            Registry([core, plugin])


def test_a_name_is_taken_once_in_whichever_spelling() -> None:
    registry = Registry([Component("auth_api", Y, owner="one 1")])
    with pytest.raises(SettingsError, match="two 2 and one 1 both have settings under the name auth_api"):
        registry.add(Component("auth-api", NoSettings, owner="two 2"))
    assert registry.get("auth-api") is registry.get("auth_api")


def test_an_action_is_no_key() -> None:
    with pytest.raises(SettingsError, match="--y as an action and as a key"):
        Registry([Component("", Y, actions=(Action("y"),))])
