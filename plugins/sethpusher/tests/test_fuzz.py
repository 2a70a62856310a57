"""Anything at all, sent to applications of which much is overridden: the server never fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sethpusher.applications import SethPusherInMemoryApplication
from sethpusher.dispatchers import DefaultMessageDispatcher
from support.fuzz import BUDGETS, OPEN, attempts, converse, exchange, messages, report, requests, status_of, texts
from support.server import RunningServer

from sethpusher_core import CoreSettings, errors

Serve = Callable[..., RunningServer]


class Dispatcher(DefaultMessageDispatcher):
    def validate_message(self, msg: Any) -> Any:
        return super().validate_message(msg)


class Plain(SethPusherInMemoryApplication):
    """Overrides that call super, as for release 0.2.2."""

    def get_core_settings(self, **kwargs: Any) -> CoreSettings:
        return CoreSettings(debug=True, channels=(OPEN,), max_body_size=200_000, message_rate=0, max_subscriptions=5)

    def get_dispatcher(self) -> Any:
        return Dispatcher()

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


class Waiting(Plain):
    """The same in coroutines."""

    async def persist(self, data: Any, **kwargs: Any) -> Any:
        super().persist(data, **kwargs)

    async def add_subscriber(self, channel: str, subscriber: Any) -> Any:
        await super(Plain, self).add_subscriber(channel, subscriber)

    async def remove_subscriber(self, channel: str, subscriber: Any) -> Any:
        await super(Plain, self).remove_subscriber(channel, subscriber)

    async def broadcast(self, message: Any, channel: str | None = None) -> Any:
        await super(Plain, self).broadcast(message, channel)

    async def send_to_channel(self, msg: Any, channel: str) -> Any:
        await super(Plain, self).send_to_channel(msg, channel)


APPLICATIONS = pytest.mark.parametrize("application", [Plain, Waiting])


@BUDGETS
@APPLICATIONS
def test_http(serve: Serve, budget: dict[str, Any], application: type[Plain]) -> None:
    server = serve(application(debug=True))
    statuses: Counter[Any] = Counter()

    @attempts(budget)
    @given(request=requests())
    def attempt(request: bytes) -> None:
        statuses[status_of(exchange(server.port, request))] += 1

    attempt()
    report("statuses", statuses)


@BUDGETS
@APPLICATIONS
def test_messages(serve: Serve, budget: dict[str, Any], application: type[Plain]) -> None:
    server = serve(application(debug=True))
    codes: Counter[Any] = Counter()

    @attempts(budget)
    @given(said=st.lists(messages, max_size=8), raw=st.lists(texts, max_size=3))
    def attempt(said: list[dict[str, Any]], raw: list[str]) -> None:
        codes.update(converse(server.bare(), said, raw))

    attempt()
    assert errors.INTERNAL.code not in codes
    report("replies", codes)
