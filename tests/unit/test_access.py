"""What authorizers share: patterns of channels, and what a 401 says."""

from __future__ import annotations

import pytest

from sethpusher_core.access import covers
from sethpusher_core.addresses import SERVER, Address
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.server import PushServer


@pytest.mark.parametrize(
    ("patterns", "target", "answer"),
    [
        (["news", "shop.*"], Address.channel("news"), True),
        (["news", "shop.*"], Address.channel("shop."), True),
        (["news", "shop.*"], Address.channel("shop.a"), True),
        (["news", "shop.*"], Address.channel("news.a"), False),
        ([], Address.channel("news"), False),
        (["**"], Address.user("ada"), False),
        (["ada"], Address.user("ada"), False),
        (["news", "*"], Address.user("ada"), True),
        (["news"], SERVER, False),
        (["*"], SERVER, True),
        (["*"], Address.channel("*"), True),
    ],
)
def test_patterns_are_of_channels_and_a_star_alone_of_all(patterns, target, answer):
    assert covers(patterns, target) is answer


class Door:
    def __init__(self, name, challenge):
        self.name, self.challenge = name, challenge

    @hookimpl
    def authenticate(self):
        return None


def test_each_challenge_is_stated_once():
    doors = [Door("a", 'Bearer realm="x"'), Door("b", "Basic"), Door("c", 'Bearer realm="x"'), Door("d", None)]
    assert PushServer(plugins=doors).challenge == 'Bearer realm="x", Basic'
    assert PushServer().challenge == "Bearer"
