from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sethpusher_core import errors, protocol
from sethpusher_core.errors import ErrorCode, RequestError
from sethpusher_core.protocol import ClientMessage, ack, check_name, error, text_of

ANY_TEXT = st.text(alphabet=st.characters() | st.sampled_from("\ud800\udfff"))
"""Texts that JSON has a form for; not all have one in UTF-8."""


def refused(call: Any, *arguments: Any) -> tuple[ErrorCode, str]:
    with pytest.raises(RequestError) as caught:
        call(*arguments)
    return caught.value.code, caught.value.text


def message(**fields: Any) -> ClientMessage:
    return ClientMessage.decode(json.dumps(fields))


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), ("", ""), (0, "0"), (-7, "-7"), (2**70, str(2**70))]
    + [(value, None) for value in (True, False, 1.5, 1.0, None, [], {}, ["x"])],
)
def test_ids_and_channels_are_texts_or_integers(value: object, text: str | None) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize("text", ["", "{", "words", "NaN", '{"type": NaN}', "{'type': 'connect'}", b"\xff", "\ud800"])
def test_what_is_not_json_is_a_bad_message(text: str | bytes) -> None:
    assert refused(ClientMessage.decode, text) == (errors.BAD_MESSAGE, "Message is not valid JSON.")


@pytest.mark.parametrize("text", ["[]", "1", "null", '"connect"', "true", '[{"type": "connect"}]'])
def test_what_is_not_an_object_is_a_bad_message(text: str) -> None:
    assert refused(ClientMessage.decode, text) == (errors.BAD_MESSAGE, "Message must be a JSON object.")


def test_bytes_are_read_like_text() -> None:
    assert ClientMessage.decode(b'{"type": "connect"}').type == protocol.CONNECT


@pytest.mark.parametrize("type_", [None, "", 1, [], {}, True])
def test_a_type_is_a_text(type_: object) -> None:
    assert refused(message(type=type_).check)[0] is errors.BAD_MESSAGE
    assert refused(lambda: message(type=type_).type)[0] is errors.BAD_MESSAGE


def test_a_message_without_a_type_is_none() -> None:
    assert refused(message(id="x").check) == (errors.BAD_MESSAGE, "Message must have a type.")


@pytest.mark.parametrize("id", [1.5, True, [], {}])
def test_an_id_that_cannot_be_one_is_refused_and_forgotten(id: object) -> None:
    bad = message(type="connect", id=id)
    assert refused(bad.check) == (errors.BAD_FIELD, "id must be a text or an integer.")
    assert bad.id is None


@pytest.mark.parametrize("id", ["", "x", 0, -1, 2**70])
def test_an_id_is_kept_as_it_was_sent(id: object) -> None:
    good = message(type="connect", id=id)
    assert good.type == "connect"
    assert good.id == id


def test_a_field_is_read_as_text_within_its_limit() -> None:
    assert message(type="subscribe", channel=7).text("channel", 5) == "7"
    assert message(type="subscribe", channel="ééééé").text("channel", 5) == "ééééé"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "Must provide channel for subscribe message."),
        (1.5, "channel must be a text or an integer."),
        (True, "channel must be a text or an integer."),
        ("", "channel must not be empty."),
        ("123456", "channel must have at most 5 characters."),
        (123456, "channel must have at most 5 characters."),
        ("\ud800", "channel must be well-formed Unicode."),
    ],
)
def test_a_field_that_cannot_be_a_name_is_refused(value: object, text: str) -> None:
    assert refused(message(type="subscribe", channel=value).text, "channel", 5) == (errors.BAD_FIELD, text)


@given(ANY_TEXT)
def test_a_checked_name_can_be_sent(name: str) -> None:
    try:
        check_name("channel", name, 255)
    except RequestError:
        return
    assert name.encode().decode() == name


@given(st.integers() | st.text(), st.dictionaries(st.text(), st.none() | st.text() | st.integers()))
def test_an_ack_carries_its_id_and_type_whatever_the_fields(id: Any, fields: dict[str, Any]) -> None:
    assert json.loads(ack(id, fields)) == {**fields, "type": "ack", "id": id}


@given(st.integers() | ANY_TEXT, ANY_TEXT)
def test_a_reply_can_be_written_to_whatever_was_asked(id: Any, text: str) -> None:
    assert json.loads(ack(id)) == {"type": "ack", "id": id}
    assert json.loads(error(id, errors.DENIED, text)) == {"type": "error", "code": 1504, "message": text, "id": id}


def test_an_error_without_an_id_is_told_all_the_same() -> None:
    assert json.loads(error(None, errors.DENIED, "no")) == {"type": "error", "code": 1504, "message": "no"}
