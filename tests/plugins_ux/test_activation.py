"""The activation rule of DESIGN, section 1: installed, not switched off, and has what it requires or is chosen."""

from __future__ import annotations

import sys

import pytest

from sethpusher_core.errors import PluginError, SettingsError
from sethpusher_core.plugins.hooks import Hooks
from sethpusher_core.plugins.records import Status

BACKEND = """
from dataclasses import dataclass
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.settings import setting

@dataclass(frozen=True, slots=True)
class Settings:
    url: str = setting(required=True, chosen_default="redis://localhost:6379")
    db: int = setting(0)

def make(settings):
    import redis_driver
    return settings

@hookimpl
def register_backends(register):
    register("redis", make, Settings)
"""

KEYS = """
from collections.abc import Mapping
from dataclasses import dataclass
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.settings import Secret, setting

@dataclass(frozen=True, slots=True)
class Keys:
    first: Secret | None = setting(None, required="key")
    second: Secret | None = setting(None, required="key")
    header: str = setting("X-Key")

class Plugin:
    Settings = Keys

    def __init__(self, settings):
        self.settings = settings

    @hookimpl
    def authenticate(self, credentials):
        return None
"""


@pytest.fixture
def redis(site):
    site.add("sethpusher-redis", points="redis = redis_plugin", redis_plugin=BACKEND, redis_driver="")
    return site


@pytest.fixture
def keys(site):
    site.add("sethpusher-auth-apikey", points="auth_apikey = key_plugin:Plugin", key_plugin=KEYS)
    return site


def test_without_required_settings_it_is_active_at_once(site):
    site.add()
    site.start()
    assert site.record().status is Status.ACTIVE
    assert site.registry.get("one") is not None


def test_with_none_of_its_settings_it_is_available_and_does_nothing(redis):
    redis.start()
    record = redis.record("redis")
    assert (record.status, record.error, record.order) == (Status.AVAILABLE, None, None)
    assert record.backends == ("redis",)
    assert record.settings.__name__ == "Settings"
    assert redis.registry.get("redis") is None
    assert redis.resolved.of("redis") is None
    assert redis.loader.warnings() == ()


def test_no_driver_is_imported_for_an_inactive_plugin(redis):
    redis.start()
    assert "redis_plugin" in sys.modules
    assert "redis_driver" not in sys.modules


@pytest.mark.parametrize(
    "how", [{"environ": {"SETHPUSHER_REDIS__URL": "redis://x"}}, {"argv": ("--redis-url=redis://x",)}]
)
def test_with_its_required_settings_it_is_active(redis, how):
    redis.start(*how.pop("argv", ()), **how)
    assert redis.record("redis").status is Status.ACTIVE
    assert redis.resolved.of("redis").url == "redis://x"
    [offer] = [o for o in Hooks.compile(redis.registry).register_backends().accepted if o.name == "redis"]
    assert (offer.plugin, offer.settings) == ("redis", redis.record("redis").settings)


def test_chosen_by_name_it_is_active_at_its_own_default(redis):
    redis.start(backend="redis")
    assert redis.record("redis").status is Status.ACTIVE
    assert redis.resolved.of("redis").url == "redis://localhost:6379"
    assert "redis_driver" not in sys.modules


def test_half_of_its_settings_refuse_the_start(redis):
    with pytest.raises(SettingsError, match=r"redis\.url is required, because redis\.db is set") as caught:
        redis.start(environ={"SETHPUSHER_REDIS__DB": "3"})
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


def test_half_of_its_settings_are_a_row_in_the_list(redis):
    redis.start(environ={"SETHPUSHER_REDIS__DB": "3"}, activate=False, strict_settings=False)
    record = redis.record("redis")
    assert record.status is Status.BROKEN
    assert record.error.startswith("redis.url is required, because redis.db is set")
    assert record.remedy == "correct its settings, or start with --no-plugin=redis"


def test_wrong_settings_are_a_row_in_the_list(redis):
    redis.start(environ={"SETHPUSHER_REDIS__DB": "x"}, activate=False, strict_settings=False)
    assert "redis.db" in redis.record("redis").error


def test_settings_of_one_that_is_not_installed_refuse_the_start(site):
    with pytest.raises(SettingsError, match="pip install sethpusher-redis"):
        site.start(environ={"SETHPUSHER_REDIS__URL": "x"})


def test_an_empty_list_of_settings_is_enough_for_a_list(redis):
    """Where the settings could not be read at all, the list still works."""
    redis.add()
    loader = redis.discover()
    loader.settle(None)
    assert redis.record("redis").status is Status.AVAILABLE
    assert redis.record("one").status is Status.ACTIVE


def test_at_least_one_key(keys):
    keys.start()
    assert keys.record("auth_apikey").status is Status.AVAILABLE
    keys.start(environ={"SETHPUSHER_AUTH_APIKEY__SECOND": "s3cret"})
    assert keys.record("auth_apikey").status is Status.ACTIVE
    assert keys.registry.get("auth_apikey").plugin.settings.second.reveal() == "s3cret"
    with pytest.raises(SettingsError, match=r"auth_apikey\.first or auth_apikey\.second is required"):
        keys.start(environ={"SETHPUSHER_AUTH_APIKEY__HEADER": "X"})


def test_an_authenticator_that_is_only_available_is_named(keys):
    loader = keys.start()
    assert [record.name for record in loader.idle_auth] == ["auth_apikey"]
    [line] = loader.warnings()
    assert line.startswith("plugin auth_apikey (sethpusher-auth-apikey 1.2) is installed and authenticates nobody")


def test_places(site):
    for name in ("c", "b", "a"):
        site.add(f"dist-{name}", points=f"{name} = {name}_plugin")
    loader = site.start(order=("c",))
    assert {record.name: record.order for record in loader.records} == {"a": 2, "b": 3, "c": 1, "memory": 4}


# -------------------------------------------------------------------------------------------------- choosing a backend


def test_a_backend_by_another_name_than_its_plugin(site):
    site.add(points="one = one_plugin", one_plugin=BACKEND.replace('"redis", make', '"valkey-stream", make'))
    loader = site.discover()
    assert loader.chosen("valkey_stream") == ("one",)


def test_a_backend_of_a_class_that_is_static(site):
    site.add(
        points="one = one_plugin:Plugin",
        one_plugin="""
        from sethpusher_core.hookspecs import hookimpl

        class Plugin:
            @staticmethod
            @hookimpl
            def register_backends(register):
                register("fast", print)
        """,
    )
    loader = site.start(backend="fast")
    assert site.record().backends == ("fast",)
    assert loader.chosen("fast") == ("one",)


def test_a_backend_that_only_an_instance_can_tell_goes_by_the_plugins_name(site):
    site.add(
        points="one = one_plugin:Plugin",
        one_plugin="""
        from sethpusher_core.hookspecs import hookimpl

        class Plugin:
            @hookimpl
            def register_backends(self, register):
                register("one", print)
        """,
    )
    loader = site.start(backend="one")
    assert loader.chosen("one") == ("one",)
    assert loader.chosen("some_other") == ()  # not known before it is made; the server refuses it then
    assert [offer.name for offer in Hooks.compile(site.registry).register_backends().accepted] == ["one", "memory"]


def test_the_built_in_backend_needs_nobody(redis):
    assert redis.start(backend="memory").chosen("memory") == ()
    assert redis.discover().chosen(None) == ()


@pytest.mark.parametrize(
    ("backend", "line"),
    [
        ("radis", "backend: no plugin offers radis; did you mean redis?"),
        ("qqq", "backend: no plugin offers qqq; there is: memory, redis"),
        ("persist_http", "backend: the plugin persist_http is not installed; run: pip install sethpusher-persist-http"),
    ],
)
def test_a_backend_that_nobody_offers(redis, backend, line):
    with pytest.raises(SettingsError) as caught:
        redis.start(backend=backend)
    assert str(caught.value) == line


def test_a_backend_that_is_not_installed(site):
    with pytest.raises(
        SettingsError, match="backend: the plugin redis is not installed; run: pip install sethpusher-redis"
    ):
        site.start(backend="redis")


def test_a_backend_that_is_switched_off(redis):
    with pytest.raises(
        SettingsError, match="backend: redis is switched off by --no-plugin=sethpusher-redis; remove one"
    ):
        redis.start(backend="redis", block=("sethpusher-redis",))


def test_a_backend_that_is_broken(site):
    site.add("sethpusher-redis", points="redis = redis_plugin", redis_plugin="import no_driver")
    with pytest.raises(PluginError, match="plugin redis: import failed"):
        site.start(backend="redis")


def test_a_backend_that_two_offer(redis):
    redis.add(points="one = one_plugin", one_plugin=BACKEND)
    with pytest.raises(
        SettingsError, match="backend: redis is offered by one and redis; switch one off with --no-plugin"
    ):
        redis.start(backend="redis")


def test_a_backend_that_the_core_has_too(redis):
    redis.add(points="one = one_plugin", one_plugin=BACKEND.replace('"redis", make', '"memory", make'))
    with pytest.raises(SettingsError, match="backend: memory is offered by one and sethpusher-core"):
        redis.start(backend="memory")
