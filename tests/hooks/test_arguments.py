"""What an implementation may take: any of what its hook offers, by name."""

from __future__ import annotations

import functools

import pytest

from sethpusher_core.plugins.hooks import Hooks
from sethpusher_core.plugins.steps import positional

OFFERED = ("identity", "action", "target")


@pytest.mark.parametrize(
    ("function", "gets"),
    [
        (lambda: (), ()),
        (lambda action: (action,), (2,)),
        (lambda identity, action, target: (identity, action, target), (1, 2, 3)),
        (lambda identity, action: (identity, action), (1, 2)),
        (lambda target, identity: (target, identity), (3, 1)),
        (lambda identity=None: (identity,), (1,)),
        (lambda identity, newer="default", target=None: (identity, newer, target), (1, "default", 3)),
        (lambda *, target: (target,), (3,)),
        (lambda identity, /, *, action: (identity, action), (1, 2)),
        (lambda action, **rest: (action, rest), (2, {"identity": 1, "target": 3})),
        (lambda **rest: (rest,), ({"identity": 1, "action": 2, "target": 3},)),
    ],
)
def test_it_gets_what_it_asks_for(function, gets):
    assert positional(function, OFFERED)(1, 2, 3) == gets


def test_an_implementation_that_takes_all_is_called_directly():
    def authorize(identity, action, target):
        pass

    assert positional(authorize, OFFERED) is authorize


def test_a_method_is_bound(run):
    from sethpusher_core.answers import ALLOW
    from sethpusher_core.hookspecs import hookimpl

    class Team:
        def __init__(self, member):
            self.member = member

        @hookimpl
        async def authorize(self, action):
            return ALLOW if action == self.member else None

    hooks = Hooks.compile([Team("publish")], timeout=5)
    assert run(hooks.authorize("who", "publish", "where")) is ALLOW


def test_a_decorator_that_keeps_the_names_is_transparent(run):
    from sethpusher_core.hookspecs import hookimpl

    def traced(function):
        @functools.wraps(function)
        def wrapper(*arguments):
            return function(*arguments)

        return wrapper

    seen = []

    class Watcher:
        @staticmethod
        @traced
        @hookimpl
        def subscribed(channel):
            seen.append(channel)

    run(Hooks.compile([Watcher()]).subscribed("line", "news"))
    assert seen == ["news"]
