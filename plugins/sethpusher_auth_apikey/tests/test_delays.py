"""Failures are delayed by address."""

from __future__ import annotations

from sethpusher_auth_apikey.delays import FIRST, FORGIVEN, REMEMBERED, Delays


def test_each_failure_of_an_address_is_delayed_longer_up_to_a_bound():
    delays = Delays(1.0, clock=lambda: 0.0)
    assert [delays.failed("192.0.2.1") for _ in range(7)] == [FIRST, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert delays.failed("192.0.2.2") == FIRST
    for _ in range(2000):
        assert delays.failed("192.0.2.1") <= 1.0


def test_an_address_is_forgiven():
    now = [0.0]
    delays = Delays(1.0, clock=lambda: now[0])
    delays.failed("192.0.2.1")
    now[0] += FORGIVEN + 1
    assert delays.failed("192.0.2.1") == FIRST


def test_an_ipv6_subscriber_has_many_addresses_and_counts_once():
    delays = Delays(1.0, clock=lambda: 0.0)
    assert delays.failed("2001:db8::1") == FIRST
    assert delays.failed("2001:db8::2") == 2 * FIRST
    assert delays.failed("2001:db8:0:1::2") == FIRST
    assert delays.failed("::ffff:192.0.2.1") == delays.failed("::ffff:192.0.2.2") == FIRST
    assert delays.failed("no address") == FIRST


def test_what_is_remembered_is_bounded():
    delays = Delays(1.0, clock=lambda: 0.0)
    for number in range(REMEMBERED + 10):
        delays.failed(f"host {number}")
    assert len(delays) == REMEMBERED
