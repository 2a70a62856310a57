from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.streams import StreamReader

from sethpusher_core import frames
from sethpusher_core.frames import Form, Frame, quoted, websocket_frame

FRAGILE = '\u200c\u200f\u2028\u202f\u2060\u206f\ufff0\uffff\x00\x1f\x7f"\\/<>😀'
MANGLED = re.compile("[\x00-\x1f\u200c-\u200f\u2028-\u202f\u2060-\u206f\ud800-\udfff\ufff0-\uffff]")
"""The expression of sockjs-protocol."""
ENVELOPES = st.lists(st.text().map(str.encode), min_size=1, max_size=4)


def wire_frames(data: bytes) -> list[tuple[Opcode, bytes]]:
    """What a client of another make reads."""
    reader = StreamReader()
    reader.feed_data(data)
    found = []
    while reader.buffer:
        parser = WireFrame.parse(reader.read_exact, mask=False)
        try:
            while True:
                next(parser)
        except StopIteration as done:
            found.append((done.value.opcode, bytes(done.value.data)))
    return found


@given(st.text(alphabet=st.characters() | st.sampled_from(FRAGILE + "\ud800\udfff")))
@example(FRAGILE)
def test_quoted_text_reads_back_and_holds_nothing_that_browsers_mangle(text: str) -> None:
    written = quoted(text).decode()
    assert json.loads(written) == text
    assert not MANGLED.search(written)
    assert all(character >= " " for character in written)


@given(ENVELOPES)
def test_sockjs_clients_read_every_envelope(envelopes: list[bytes]) -> None:
    [(opcode, text)] = wire_frames(Frame(envelopes).framed)
    assert opcode is Opcode.TEXT
    assert text[:1] == b"a"
    assert [message.encode() for message in json.loads(text[1:])] == envelopes


@given(ENVELOPES)
def test_bare_clients_get_each_envelope_in_a_frame_of_its_own(envelopes: list[bytes]) -> None:
    assert wire_frames(Frame(envelopes).bare) == [(Opcode.TEXT, envelope) for envelope in envelopes]


@given(ENVELOPES)
def test_sessions_get_what_stands_between_the_brackets(envelopes: list[bytes]) -> None:
    items = Frame(envelopes).form(Form.SESSION)
    assert [message.encode() for message in json.loads(b"[%b]" % items)] == envelopes


@pytest.mark.parametrize("form", Form)
def test_a_form_is_built_once_and_only_when_asked_for(form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    monkeypatch.setattr(frames, "quoted", lambda text: built.append("quoted") or quoted(text))
    monkeypatch.setattr(frames, "websocket_frame", lambda data: built.append("framed") or websocket_frame(data))
    frame = Frame([b'{"a":1}'])
    assert not built
    first = frame.form(form)
    after_one = list(built)
    assert after_one
    assert frame.form(form) is first
    assert built == after_one


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
@pytest.mark.parametrize("opcode", [0x1, 0x2, 0x9])
def test_a_websocket_frame_says_its_size(size: int, opcode: int) -> None:
    payload = b"x" * size
    frame = websocket_frame(payload, opcode)
    assert len(frame) == size + (2 if size < 126 else 4 if size < 65536 else 10), "in the shortest way"
    if size < 126 or opcode < 0x8:
        assert wire_frames(frame) == [(Opcode(opcode), payload)]
