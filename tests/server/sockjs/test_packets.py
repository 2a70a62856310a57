"""Packets and messages, without a server."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sethpusher_core.frames import quoted
from sethpusher_core.transports.packets import (
    BrokenJSON,
    NotMessages,
    array,
    close_packet,
    read_messages,
    script_string,
)

texts = st.text(st.characters(codec="utf-8"))


@given(st.lists(texts))
def test_an_array_is_json_that_browsers_do_not_mangle(messages: list[str]) -> None:
    packet = array([quoted(message) for message in messages])
    assert packet[:1] == b"a"
    assert json.loads(packet[1:]) == messages
    text = packet.decode()
    assert not any(
        character < " " or "\u2028" <= character <= "\u202f" or character > "\uffef"
        for character in text
        if character <= "\uffff"
    )


@given(st.integers(), st.text())
def test_a_close_packet(code: int, reason: str) -> None:
    packet = close_packet(code, reason)
    assert packet[:1] == b"c"
    assert json.loads(packet[1:]) == [code, reason]


@given(st.lists(texts))
def test_a_script_string(messages: list[str]) -> None:
    packet = array([quoted(message) for message in messages])
    literal = script_string(packet)
    assert json.loads(literal) == packet.decode()
    assert b"<" not in literal
    assert b"\n" not in literal
    assert "\u2028" not in literal.decode()


@given(st.lists(st.text()))
def test_messages_as_a_client_sends_them(messages: list[str]) -> None:
    """Escaped or not; lone surrogates are always escaped, and replaced."""
    expected = [message.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for message in messages]
    assert read_messages(json.dumps(messages)) == expected
    assert read_messages(json.dumps(messages).encode()) == expected
    if messages == expected:
        assert read_messages(json.dumps(messages, ensure_ascii=False).encode()) == expected


def test_one_message() -> None:
    assert read_messages('"a"') == "a"


@pytest.mark.parametrize("text", ["", "[", "a", '["\\ud800"', '"\\uD800', '["\\udead",NaN]x'])
def test_broken(text: str) -> None:
    with pytest.raises(BrokenJSON):
        read_messages(text)


@pytest.mark.parametrize("text", ["1", "null", "{}", "[1]", '["a",{}]', '{"\\ud800":1}', '["\\ud800",1]'])
def test_not_messages(text: str) -> None:
    with pytest.raises(NotMessages):
        read_messages(text)
