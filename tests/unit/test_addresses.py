from __future__ import annotations

from sethpusher_core.addresses import CONTROL, SERVER, Address


def test_a_channel_and_a_user_of_one_name_are_two_addresses() -> None:
    assert len({Address.channel("x"), Address.user("x"), Address.channel("x")}) == 2


def test_addresses_read_as_text() -> None:
    addresses = [Address.channel("news"), Address.user("alice"), CONTROL, SERVER]
    assert [str(address) for address in addresses] == ["channel news", "user alice", "control", "server"]
