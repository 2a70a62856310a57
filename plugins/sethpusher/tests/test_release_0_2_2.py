"""What release 0.2.2 promised to its clients holds with applications, too, however much of them is overridden.

The recordings and what is compared with them are those of the core's own test.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sethpusher.applications import DefaultSethApplication, SethPusherInMemoryApplication
from sethpusher.authenticators import ApiKeyAuthenticationPolicy, HeaderAuthenticationPolicy
from sethpusher.dispatchers import DefaultMessageDispatcher
from sethpusher.persistors import DefaultPersistencePolicy
from sethpusher.ws.views import SethSocketHandler
from support.replay import Replay
from support.server import RunningServer

Serve = Callable[..., RunningServer]

_spec = importlib.util.spec_from_file_location(
    "release_0_2_2_of_the_core", Path(__file__).parents[3] / "tests" / "server" / "test_release_0_2_2.py"
)
assert _spec is not None
assert _spec.loader is not None
core: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(core)


class Guarded(SethPusherInMemoryApplication):
    """With the policy of a scenario."""

    options: Mapping[str, Any] = {}

    def get_authentication_policy(self, **kwargs: Any) -> Any:
        kinds = {"api_key": ApiKeyAuthenticationPolicy, "header": HeaderAuthenticationPolicy}
        if "auth" not in self.options:
            return super().get_authentication_policy(**kwargs)
        policy = kinds[self.options["auth"]]()
        vars(policy).update({name: value for name, value in self.options.items() if hasattr(policy, name)})
        return policy


class PlainDispatcher(DefaultMessageDispatcher):
    def validate_message(self, msg: Any) -> Any:
        return super().validate_message(msg)

    def dispatch(self, msg: Any) -> Any:
        super().dispatch(msg)

    def handle_connect(self, msg: Any) -> Any:
        super().handle_connect(msg)

    def handle_subscribe(self, msg: Any) -> Any:
        super().handle_subscribe(msg)

    def handle_unsubscribe(self, msg: Any) -> Any:
        super().handle_unsubscribe(msg)


class PlainHandler(SethSocketHandler):
    def on_open(self, request: Any) -> Any:
        super().on_open(request)

    def on_message(self, raw_msg: Any) -> Any:
        super().on_message(raw_msg)

    def on_close(self) -> Any:
        super().on_close()

    def check_origin(self, origin: str) -> bool:
        return super().check_origin(origin)

    def handle_connect(self, source_msg: Any, subscriber_id: Any) -> Any:
        super().handle_connect(source_msg, subscriber_id)

    def handle_subscribe(self, source_msg: Any) -> Any:
        super().handle_subscribe(source_msg)

    def handle_unsubscribe(self, source_msg: Any) -> Any:
        super().handle_unsubscribe(source_msg)


class PlainPolicy(DefaultPersistencePolicy):
    def persist(self, data: Any, **kwargs: Any) -> Any:
        super().persist(data, **kwargs)


class Plain(Guarded):
    """Everything overridden by plain functions that call super, as for release 0.2.2."""

    socket_handler_class = PlainHandler

    def get_dispatcher(self) -> Any:
        return PlainDispatcher()

    def get_persistence_policy(self, **kwargs: Any) -> Any:
        return PlainPolicy()

    def persist(self, data: Any, **kwargs: Any) -> Any:
        super().persist(data, **kwargs)

    def add_subscriber(self, channel: str, subscriber: Any) -> Any:
        super().add_subscriber(channel, subscriber)

    def remove_subscriber(self, channel: str, subscriber: Any) -> Any:
        super().remove_subscriber(channel, subscriber)

    def broadcast(self, message: Any, channel: str | None = None) -> Any:
        super().broadcast(message, channel)

    def send_to_channel(self, msg: Any, channel: str) -> Any:
        super().send_to_channel(msg, channel)

    def send_to_user(self, msg: Any, user: Any) -> Any:
        super().send_to_user(msg, user)


class WaitingDispatcher(DefaultMessageDispatcher):
    async def validate_message(self, msg: Any) -> Any:
        return super().validate_message(msg)

    async def dispatch(self, msg: Any) -> Any:
        return await super().dispatch(msg)

    async def handle_connect(self, msg: Any) -> Any:
        return await super().handle_connect(msg)

    async def handle_subscribe(self, msg: Any) -> Any:
        return await super().handle_subscribe(msg)

    async def handle_unsubscribe(self, msg: Any) -> Any:
        return await super().handle_unsubscribe(msg)


class WaitingHandler(SethSocketHandler):
    async def on_open(self, request: Any) -> Any:
        await super().on_open(request)

    async def on_message(self, raw_msg: Any) -> Any:
        await super().on_message(raw_msg)

    async def on_close(self) -> Any:
        await super().on_close()

    async def handle_connect(self, source_msg: Any, subscriber_id: Any) -> Any:
        await super().handle_connect(source_msg, subscriber_id)

    async def handle_subscribe(self, source_msg: Any) -> Any:
        await super().handle_subscribe(source_msg)

    async def handle_unsubscribe(self, source_msg: Any) -> Any:
        await super().handle_unsubscribe(source_msg)


class Waiting(Guarded):
    """Everything overridden by coroutines."""

    socket_handler_class = WaitingHandler

    async def get_dispatcher(self) -> Any:
        return WaitingDispatcher()

    async def persist(self, data: Any, **kwargs: Any) -> Any:
        await super().persist(data, **kwargs)

    async def add_subscriber(self, channel: str, subscriber: Any) -> Any:
        await super().add_subscriber(channel, subscriber)

    async def remove_subscriber(self, channel: str, subscriber: Any) -> Any:
        await super().remove_subscriber(channel, subscriber)

    async def broadcast(self, message: Any, channel: str | None = None) -> Any:
        await super().broadcast(message, channel)

    async def send_to_channel(self, msg: Any, channel: str) -> Any:
        await super().send_to_channel(msg, channel)

    async def send_to_user(self, msg: Any, user: Any) -> Any:
        await super().send_to_user(msg, user)


def cases() -> list[Any]:
    """All runs, of which the quickest that shows most is not slow."""
    found = []
    for application, name in ((Guarded, "untouched"), (Plain, "plain"), (Waiting, "coroutines")):
        for scenario in core.SCENARIOS:
            for transport in scenario.get("transports", [None]):
                marks = [] if application is Plain and transport in ("sockjs", None) else [pytest.mark.slow]
                id = f"{name}-{scenario['name']}-{transport}"
                found.append(pytest.param(application, scenario, transport, marks=marks, id=id))
    return found


@pytest.mark.parametrize(("application", "scenario", "transport"), cases())
def test_release_0_2_2(
    serve: Serve, application: type[Guarded], scenario: Mapping[str, Any], transport: str | None
) -> None:
    options = scenario.get("server") or {}
    app: DefaultSethApplication = type("App", (application,), {"options": options})(debug=options.get("debug", True))
    instead = core.broken_steps(scenario)
    if scenario["name"] == "publish: a number out of range" and application is not Guarded:
        instead = [core.HELD, core.BAD, []]  # no value of Python's stands for it
    Replay(serve(app), scenario, transport, instead).run()
