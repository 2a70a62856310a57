from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.clients import strict_json

from sethpusher_core import jsontext

DEEP = "[" * 100_000 + "]" * 100_000

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.just("sender_id"), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """A value, written in one of the ways that the RFC allows."""
    value = draw(VALUES)
    indent = draw(st.sampled_from([None, 0, 1, "\t"]))
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=indent, allow_nan=False)
    blanks = st.text(alphabet=" \t\r\n", max_size=3)
    return draw(blanks) + text + draw(blanks)


NEARLY_JSON = st.text(alphabet='{}[],:"\\/ntrue-+.eE019u\x00\x1f\n \u2028\ud800é') | json_texts()


def refuses(function: Callable[[Any], object], argument: object) -> bool:
    """Whether it raises ValueError, be it of which class it will."""
    try:
        function(argument)
    except ValueError:
        return True
    return False


@given(json_texts())
def test_any_json_is_accepted(text: str) -> None:
    data = text.encode()
    assert jsontext.decode(data) == json.loads(text)
    value = json.loads(text)
    expected = value.get("sender_id") if isinstance(value, dict) else None
    assert strict_json(jsontext.sender_of(data).decode()) == expected


@given(NEARLY_JSON)
@example('"\x01"')
@example('{"a": "\\q"}')
@example('["\\ud800"]')
@example('{"sender_id": "\\ud800\\u0041"}')
@example("01")
@example("1e999")
@example('{"a": 1, "a": 2, "sender_id": 1, "sender_id": 2}')
@example('{"sender\\u005fid": "x"}')
@example("\ufeff{}")
@example("[1,]")
@example("NaN")
@example('{"a": [Infinity]}')
@example("")
def test_what_the_rfc_allows_is_accepted_and_nothing_else(text: str) -> None:
    data = text.encode(errors="surrogatepass")
    try:
        value = strict_json(data.decode())
    except ValueError:
        assert refuses(jsontext.decode, data)
        assert refuses(jsontext.sender_of, data)
    else:
        assert jsontext.decode(data) == value
        sender = json.loads(jsontext.sender_of(data))
        assert sender == (value.get("sender_id") if isinstance(value, dict) else None)


@given(st.binary())
def test_bytes_are_json_or_a_value_error(data: bytes) -> None:
    try:
        expected = strict_json(data.decode())
    except ValueError:
        assert refuses(jsontext.sender_of, data)
    else:
        assert jsontext.decode(data) == expected


@pytest.mark.parametrize("text", [DEEP, '{"a":' + DEEP + "}", '{"sender_id":' + DEEP + "}"], ids=len)
def test_deep_nesting_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="deep"):
        jsontext.decode(text.encode())
    with pytest.raises(ValueError, match="deep"):
        jsontext.sender_of(text.encode())


def test_an_integer_of_many_digits_passes_as_text() -> None:
    assert jsontext.sender_of(b'{"sender_id": 1, "n": %b}' % (b"9" * 10_000)) == b"1"


@pytest.mark.parametrize("text", [b'{"x": "\xff"}', b'"\xed\xa0\x80"', b'{"\xc0\xaf": 1}', "[1]".encode("utf-16")])
def test_what_is_not_utf_8_is_refused(text: bytes) -> None:
    assert refuses(jsontext.decode, text)
    assert refuses(jsontext.sender_of, text)


@given(VALUES)
def test_encode_gives_what_decode_reads(value: Any) -> None:
    assert jsontext.decode(jsontext.encode(value)) == json.loads(json.dumps(value))


def test_encode_escapes_lone_surrogates_and_only_then() -> None:
    assert jsontext.encode("\ud800 é") == b'"\\ud800 \\u00e9"'
    assert jsontext.encode("é") == '"é"'.encode()


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": -math.inf}, {math.nan: 1}])
def test_encode_refuses_what_is_not_a_number(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        jsontext.encode(value)


def test_encode_refuses_loops_depth_and_strange_types() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert refuses(jsontext.encode, loop)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        jsontext.encode(deep)
    while deep:  # taken apart step by step: freeing it at once would recurse, too
        deep = deep.pop()
    with pytest.raises(TypeError):
        jsontext.encode({"a": object()})
