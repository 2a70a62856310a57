"""Delays, what Retry-After says, and circuits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sethpusher_persist_http.retrying import LONGEST_RETRY_AFTER, Circuit, backoff, retry_after

NOW = "Thu, 26 Nov 2026 04:00:00 GMT"


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_delays_grow_to_a_bound(failures: int, chance: float) -> None:
    delay = backoff(failures, 0.5, 60.0, lambda: chance)
    full = min(60.0, 0.5 * 2.0 ** min(failures - 1, 20))
    assert full / 2 <= delay <= full


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 0 "}, 0.0),
        ({"Retry-After": "99999999999999"}, LONGEST_RETRY_AFTER),
        ({"Retry-After": "-7"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "\u0667"}, None),
        ({"Retry-After": "Thu, 26 Nov 2026 04:00:30 GMT", "Date": NOW}, 30.0),
        ({"Retry-After": "Thu, 26 Nov 2026 03:00:00 GMT", "Date": NOW}, 0.0),
        ({"Retry-After": "Thu, 26 Nov 2099 03:00:00 GMT", "Date": NOW}, LONGEST_RETRY_AFTER),
        ({"Retry-After": "Thu, 26 Nov 2020 03:00:00 GMT", "Date": "nonsense"}, 0.0),
        ({"Retry-After": "Thu, 99 Nov 2026 03:00:00 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_circuit_opens_after_failures_in_a_row() -> None:
    circuit = Circuit(3, 1.0, 8.0)
    for _ in range(2):
        circuit.failed("a", 0.0)
    circuit.answered("b")
    for _ in range(2):
        circuit.failed("a", 0.0)
        assert circuit.lets_through("b", 0.0)
    circuit.failed("a", 0.0)
    assert circuit.is_open
    assert not circuit.lets_through("b", 0.0)
    pause = circuit.pause(0.0)
    assert pause is not None
    assert 0.5 <= pause <= 1.0


def test_one_finds_out_for_all() -> None:
    circuit = Circuit(1, 1.0, 8.0)
    circuit.failed("a", 0.0)
    assert circuit.lets_through("b", 1.0)
    assert not circuit.lets_through("c", 1.0)
    assert circuit.pause(1.0) is None, "nobody else before that one is answered"
    assert not circuit.answered("old"), "what was under way before does not count"
    circuit.failed("old", 1.0)
    assert not circuit.lets_through("c", 100.0)
    circuit.failed("b", 2.0)
    pause = circuit.pause(2.0)
    assert pause is not None
    assert pause >= 1.0, "longer each time"
    assert circuit.lets_through("c", 2.0 + pause)
    assert circuit.answered("c")
    assert not circuit.is_open
    circuit.failed("c", 50.0)
    assert (circuit.pause(50.0) or 9) <= 1.0, "and short again after a success"


def test_what_the_origin_asks_for_holds() -> None:
    circuit = Circuit(100, 1.0, 8.0)
    circuit.failed("a", 0.0, 30.0)
    circuit.failed("b", 1.0)
    circuit.failed("b", 1.0, 5.0)
    assert not circuit.answered("c")
    assert not circuit.lets_through("a", 29.9)
    assert circuit.lets_through("a", 30.0)
