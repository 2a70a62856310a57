from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clients import strict_json

from sethpusher_core.addresses import Address
from sethpusher_core.backends.base import Position
from sethpusher_core.publication import (
    CONTROL_KIND,
    NOTICE_KIND,
    PUBLICATION_KIND,
    Publication,
    derived_id,
    notice_payload,
    read_payload,
    with_position,
)

NEWS = Address.channel("news")
NAMES = st.text(min_size=1)
SKIPS = st.text(alphabet="0123456789abcdef-")
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def made(data: bytes = b"1", address: Address = NEWS, **fields: Any) -> Publication:
    return Publication(address, data, "id-1", **fields)


@given(JSON, NAMES, st.booleans(), SKIPS, JSON)
def test_a_payload_reads_as_it_was_written(message: Any, name: str, channel: bool, skip: str, sender: Any) -> None:
    address = Address.channel(name) if channel else Address.user(name)
    data = json.dumps(message).encode()
    delivery = read_payload(made(data, address, skip=skip, sender=json.dumps(sender).encode()).payload())
    assert (delivery.kind, delivery.skip) == (PUBLICATION_KIND, skip)
    assert data in delivery.envelope, "what was published is passed on unchanged"
    place = "channel" if channel else "target_id"
    assert strict_json(delivery.envelope.decode()) == {"message": message, "sender_id": sender, place: name}


def test_the_position_stands_in_the_envelope_of_a_channel_with_history() -> None:
    envelope = read_payload(made(b"{}").payload()).envelope
    assert strict_json(with_position(envelope, Position('e"1', 7)).decode()) == {
        "message": {},
        "sender_id": None,
        "channel": "news",
        "offset": 7,
        "epoch": 'e"1',
    }


@given(SKIPS, st.sampled_from([NOTICE_KIND, CONTROL_KIND]), st.binary())
def test_a_notice_reads_as_it_was_written(skip: str, kind: bytes, envelope: bytes) -> None:
    assert read_payload(notice_payload(envelope, skip, kind)) == (kind, skip, envelope)


@given(st.binary())
def test_a_foreign_payload_is_a_value_error_or_nothing(payload: bytes) -> None:
    try:
        delivery = read_payload(payload)
    except ValueError:
        return
    assert payload == delivery.kind + delivery.skip.encode() + b"\0" + delivery.envelope


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0{}", b"P", b"P{}", b"P\xff\0{}"])
def test_what_is_no_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"payload|utf-8"):
        read_payload(payload)


def test_it_tells_channel_and_user_apart() -> None:
    assert (made().channel, made().user) == ("news", None)
    assert (made(address=Address.user("alice")).channel, made(address=Address.user("alice")).user) == (None, "alice")


def test_a_replaced_message_changes_nothing_else() -> None:
    before = made(b'{"a":1}', sender=b'"bob"', idempotency_key="k", skip="c-1")
    assert before.message == {"a": 1}
    after = before.replace({"a": 2})
    assert (after.message, after.data) == ({"a": 2}, b'{"a":2}')
    assert before.message == {"a": 1}
    assert (after.id, after.sender_id, after.idempotency_key, after.skip) == ("id-1", "bob", "k", "c-1")


def test_a_replacement_that_json_has_no_form_for_is_refused() -> None:
    with pytest.raises(TypeError):
        made().replace(object())
    with pytest.raises(ValueError, match="JSON"):
        made().replace(float("nan"))


def test_a_key_gives_one_id_per_address() -> None:
    addresses = [NEWS, Address.user("news"), Address.channel("news2")]
    ids = {derived_id("k", address) for address in addresses}
    assert ids == {derived_id("k", address) for address in addresses}
    assert len(ids | {derived_id("k2", NEWS)}) == 4


def test_derived_ids_are_the_same_in_every_release() -> None:
    assert derived_id("order-1", NEWS) == "ca739ab2770b5a2b9d1fa3190ac6e493"
