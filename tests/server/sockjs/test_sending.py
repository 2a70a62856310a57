"""xhr_send and jsonp_send: what is taken, and what is refused without harm to the session."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from server.sockjs.kit import Echo, Http, Served, begin_poll, new_session, serving, until
from support.loops import in_loop

from sethpusher_core.transports.sending import MAX_MESSAGES

pytestmark = pytest.mark.usefixtures("doors")

BROKEN = "Broken JSON encoding."
EXPECTED = "Payload expected."

BAD_BODIES = [
    (b"", EXPECTED),
    (b'["x', BROKEN),
    (b"x", BROKEN),
    (b'["a"]x', BROKEN),
    (b"NaN", BROKEN),
    (b'["\xff"]', BROKEN),
    (b'["a\x01"]', BROKEN),
    (b'["\\ud800"', BROKEN),
    (b"[" * 200_000, EXPECTED),
    (b'["\\ud800",' + b"[" * 200_000, BROKEN),
    (b'"text"', EXPECTED),
    (b'{"a":1}', EXPECTED),
    (b"5", EXPECTED),
    (b"null", EXPECTED),
    (b"[1]", EXPECTED),
    (b'["a",null]', EXPECTED),
    (b'["a",["b"]]', EXPECTED),
    (b'["\\ud800",1]', EXPECTED),
]
GOOD_BODIES = [
    (b'["a"]', ["a"]),
    (b"[]", []),
    (b' [ "a" , "b" ] ', ["a", "b"]),
    (b'[""]', [""]),
    ('["\u00e9\U0001f600"]'.encode(), ["\u00e9\U0001f600"]),
    (b'["\\u00e9\\ud83d\\ude00\\u0000"]', ["\u00e9\U0001f600\0"]),
    (b'["a\\ud800b","\\udc00\\ud83d\\ude00"]', ["a\ufffdb", "\ufffd\U0001f600"]),
]


async def put(served: Served, kind: str, session: str, body: bytes) -> Any:
    """Sends a body in the way of one of the two."""
    if kind == "xhr_send":
        return await served.post(f"{session}/xhr_send", body)
    form = b"d=" + quote(body, safe="").encode()
    return await served.post(f"{session}/jsonp_send", form, {"Content-Type": "application/x-www-form-urlencoded"})


@pytest.mark.parametrize("kind", ["xhr_send", "jsonp_send"])
@in_loop
async def test_bad_bodies(kind: str) -> None:
    """All are refused by the texts of sockjs-protocol; nothing of them is heard, and the session lives on."""
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        for body, text in BAD_BODIES:
            answer = await put(served, kind, session, body)
            assert (answer.status, answer.text) == (500, text), body[:20]
            assert answer.headers["content-type"].startswith("text/plain")
        assert served.last.heard == []
        assert (await put(served, kind, session, b'["still here"]')).status in (200, 204)
        assert await served.poll(session) == 'a["still here"]'


@pytest.mark.parametrize("kind", ["xhr_send", "jsonp_send"])
@in_loop
async def test_good_bodies(kind: str) -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        for body, messages in GOOD_BODIES:
            answer = await put(served, kind, session, body)
            assert (answer.status, answer.body) == ((204, b"") if kind == "xhr_send" else (200, b"ok"))
            assert served.last.heard == messages
            served.last.heard.clear()


@in_loop
async def test_any_content_type() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        types = ["text/plain", "T", "application/json", "application/xml", "", "text/xml; charset=utf-8"]
        for content_type in types:
            answer = await served.post(f"{session}/xhr_send", b'["a"]', {"Content-Type": content_type})
            assert (answer.status, answer.body) == (204, b"")
            assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
            assert "content-length" not in answer.headers
        assert served.last.heard == ["a"] * len(types)


@pytest.mark.parametrize("body", [b"", b"d=", b"p=p", b"d"])
@in_loop
async def test_a_form_without_payload(body: bytes) -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        answer = await served.post(f"{session}/jsonp_send", body, {"Content-Type": "application/x-www-form-urlencoded"})
        assert (answer.status, answer.text) == (500, EXPECTED)


@in_loop
async def test_unknown_sessions_are_not_found_and_closed_ones_listen_to_nobody() -> None:
    async with serving() as served:
        for kind in ("xhr_send", "jsonp_send"):
            assert (await served.post(f"{new_session()}/{kind}", '["x"]')).status == 404
        session = new_session()
        await served.poll(session)
        served.last.close()
        assert (await served.post(f"{session}/xhr_send", '["x"]')).status == 204, "it cannot know yet"
        assert served.last.heard == []
        assert await served.poll(session) == 'c[3000,"Go away!"]'


@in_loop
async def test_a_body_may_come_in_chunks() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        async with Http.connect(served.port) as http:
            http.ask("POST", f"{session}/xhr_send", headers={"Content-Length": "", "Transfer-Encoding": "chunked"})
            http.writer.write(b'3\r\n["a\r\n2\r\nb"\r\n1\r\n]\r\n0\r\n\r\n')
            assert (await http.answer()).status == 204
        assert served.last.heard == ["ab"]


@in_loop
async def test_a_body_has_a_limit() -> None:
    async with serving(max_body_size=1000, max_message_size=1000) as served:
        session = new_session()
        await served.poll(session)
        fits, too_large = json.dumps(["x" * 996]), json.dumps(["x" * 997])
        assert (await served.post(f"{session}/xhr_send", fits)).status == 204
        async with Http.connect(served.port) as http:
            answer = await http.call("POST", f"{session}/xhr_send", too_large)
            assert (answer.status, answer.text) == (413, "The body is too large.\n")
            assert answer.headers["connection"] == "close"
            assert await http.ended()
        async with Http.connect(served.port) as http:
            http.ask("POST", f"{session}/xhr_send", headers={"Content-Length": "", "Transfer-Encoding": "chunked"})
            http.writer.write(b"258\r\n" + b"x" * 600 + b"\r\n258\r\n" + b"x" * 600 + b"\r\n")
            assert (await http.answer()).status == 413
        async with Http.connect(served.port) as http:
            assert (await http.call("POST", f"{new_session()}/xhr", "x" * 1001)).status == 413
        assert served.last.heard == ["x" * 996]
        assert len(served.made) == 1


@in_loop
async def test_a_message_has_a_limit() -> None:
    async with serving(max_message_size=100) as served:
        session = new_session()
        await served.poll(session)
        answer = await served.post(f"{session}/xhr_send", json.dumps(["a", "\u00e9" * 51], ensure_ascii=False))
        assert (answer.status, answer.text) == (413, "A message is too large.\n")
        assert served.last.heard == []
        await served.send(session, "x" * 100, "\u00e9" * 50)
        assert len(served.last.heard) == 2


@in_loop
async def test_the_number_of_messages_has_a_limit() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        assert (await served.post(f"{session}/xhr_send", json.dumps([""] * (MAX_MESSAGES + 1)))).status == 413
        assert (await served.post(f"{session}/xhr_send", json.dumps([""] * MAX_MESSAGES))).status == 204
        assert len(served.last.heard) == MAX_MESSAGES


class Busy(Echo):
    """Takes one message at a time."""

    def on_message(self, message: str | bytes) -> None:
        super().on_message(message)
        self.session.pause()


@in_loop
async def test_while_the_application_is_busy_the_sender_waits() -> None:
    async with serving(Busy) as served:
        session = new_session()
        await served.poll(session)
        async with Http.connect(served.port) as http:
            http.ask("POST", f"{session}/xhr_send", '["one","two"]')
            await until(lambda: served.last.heard == ["one", "two"], "the messages are heard")
            refused = await served.post(f"{session}/xhr_send", '["three"]')
            assert (refused.status, refused.headers["retry-after"]) == (429, "1")
            assert not http.reader._buffer, "answered while the application is busy"
            served.last.session.resume()
            assert (await http.answer()).status == 204
        async with Http.connect(served.port) as http:
            http.ask("POST", f"{session}/xhr_send", '["four"]')
            await until(lambda: served.last.heard == ["one", "two", "four"], "a message is heard again")
            served.last.close()
            assert (await http.answer()).status == 204, "a sender is not left waiting by the end"


@in_loop
async def test_a_sender_that_went_away_does_no_harm() -> None:
    async with serving(Busy) as served:
        session = new_session()
        await served.poll(session)
        async with Http.connect(served.port) as http:
            http.ask("POST", f"{session}/xhr_send", '["one"]')
            await until(lambda: served.last.heard, "the message is heard")
        served.last.session.resume()
        assert await served.poll(session) == 'a["one"]'


class Failing(Echo):
    """Fails at what it is told to."""

    def on_message(self, message: str | bytes) -> None:
        if message == "fail":
            raise ValueError("told to")
        super().on_message(message)


@in_loop
async def test_a_failing_application_ends_its_session(logs: Any) -> None:
    async with serving(Failing) as served:
        session, other = new_session(), new_session()
        await served.poll(session)
        await served.poll(other)
        await served.send(session, "one", "fail", "three")
        logs.expect("on_message failed", level=40)
        assert served.made[0].heard == ["one"]
        assert await served.poll(session) == 'a["one"]'
        assert await served.poll(session) == 'c[3004,"the server failed"]'
        async with begin_poll(served, other) as poll:
            await served.send(other, "two")
            assert (await poll.answer()).text == 'a["two"]\n'
