from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from support.logs import LogWatch
from support.loops import in_loop
from support.outlets import FakeOutlet

from sethpusher_core.addresses import Address
from sethpusher_core.backends.base import Outgoing
from sethpusher_core.errors import BackendUnavailable
from sethpusher_core.hub import Hub
from sethpusher_core.notices import Notices
from sethpusher_core.publication import NOTICE_KIND, read_payload
from sethpusher_core.roster import Member
from sethpusher_core.settings.rules import ChannelRule, ChannelRules

NEWS = Address.channel("news")


class House:
    def __init__(self, *rules: ChannelRule, max_members: int = 2) -> None:
        self.hub = Hub(lambda order: None)
        self.sent: list[Outgoing] = []
        self.failure: BackendUnavailable | None = None
        self.notices = Notices(ChannelRules(rules), self.hub, max_members)
        self.notices.bind(self)  # type: ignore[arg-type]

    async def publish(self, batch: list[Outgoing]) -> list[object]:
        self.sent.extend(batch)
        return [self.failure for _ in batch]

    async def announce(self, type: str, *channel: str, id: str | None = "alice") -> tuple[Address, str, Any]:
        connection: Any = SimpleNamespace(id="c-1", subscriber_id=id)
        await self.notices.announce(connection, type, *channel)
        outgoing = self.sent[-1]
        delivery = read_payload(outgoing.payload)
        assert delivery.kind == NOTICE_KIND
        assert (outgoing.id, outgoing.history, outgoing.idempotency_key) == ("", 0, None), "not a publication"
        return outgoing.address, delivery.skip, json.loads(delivery.envelope)

    def members(self, count: int) -> None:
        local = self.hub.open(NEWS, "disconnect")
        for member in list(local.members()):
            local.leave(member)
        for n in range(count):
            local.join(Member(FakeOutlet(), str(n)))


@in_loop
async def test_the_texts_are_those_of_release_0_2_2() -> None:
    house = House()
    expected = {
        "connect": ("all", "c-1", "User: alice connected."),
        "disconnect": ("all", "c-1", "User: alice disconnected."),
        "subscribe": ("news", "", "User: alice subscribed to news"),
        "unsubscribe": ("news", "c-1", "User: alice unsubscribed from news"),
    }
    for type, (channel, skip, body) in expected.items():
        where = [channel] if channel == "news" else []
        notice = {"message": {"body": body, "subscriber_id": "alice", "type": type}}
        assert await house.announce(type, *where) == (Address.channel(channel), skip, notice)


@in_loop
async def test_who_has_not_connected_is_none() -> None:
    _, _, notice = await House().announce("subscribe", "news", id=None)
    assert notice["message"] == {"body": "User: None subscribed to news", "subscriber_id": None, "type": "subscribe"}


@in_loop
async def test_braces_in_names_are_only_text() -> None:
    _, _, notice = await House().announce("subscribe", "{id} {0} %s", id="{channel}")
    assert notice["message"]["body"] == "User: {channel} subscribed to {id} {0} %s"


@in_loop
async def test_a_rule_may_forbid_them() -> None:
    house = House(ChannelRule("quiet.*", announce=False), ChannelRule("all", announce=False))
    await house.announce("subscribe", "loud")
    await house.announce("subscribe", "quiet.1")
    await house.announce("connect")
    assert [outgoing.address.name for outgoing in house.sent] == ["loud"]


@in_loop
async def test_one_that_cannot_be_sent_is_only_logged() -> None:
    house = House()
    house.failure = BackendUnavailable("away")
    with LogWatch() as logs:
        await house.announce("subscribe", "news")
        logs.expect("no subscribe notice in channel news: away")
        logs.check()


@in_loop
async def test_they_pause_in_a_large_channel_with_one_warning() -> None:
    house = House()
    with LogWatch() as logs:
        for count in (2, 3, 4):
            house.members(count)
            await house.announce("subscribe", "news")
        assert len(house.sent) == 1
        logs.expect("channel news has more than 2 members on this node: its notices pause")
        house.members(2)
        await house.announce("subscribe", "news")
        assert len(house.sent) == 2
        house.members(3)
        await house.announce("subscribe", "news")
        assert len(house.sent) == 2
        logs.expect("its notices pause")
        logs.check()


@in_loop
async def test_without_a_backend_nothing_is_announced() -> None:
    house = House()
    await house.announce("connect")
    house.notices.bind(None)
    await house.announce("disconnect")
    assert len(house.sent) == 1
