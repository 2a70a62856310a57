"""xhr and jsonp: one packet per poll."""

from __future__ import annotations

import json
from time import perf_counter
from typing import Any
from urllib.parse import quote

import pytest
from server.sockjs.kit import Channel, Echo, Http, Served, begin_poll, new_session, serving
from support.loops import in_loop

from sethpusher_core.transports.outlet import Budget

pytestmark = pytest.mark.usefixtures("doors")

NOT_CACHED = "no-store, no-cache, no-transform, must-revalidate, max-age=0"
AWKWARD = [
    "a",
    "\0\t\n\r\x1f",
    "\u2028\u2029\u200c\ufff0\uffff",
    "\U0001f600",
    "</script><!--",
    "%41 %zz",
    '"\\',
    "x" * 20_000,
]


async def fetch(served: Served, transport: str, session: str) -> str:
    """What a poll of either kind fetches."""
    if transport == "xhr":
        return await served.poll(session)
    text = (await served.get(f"{session}/jsonp?c=cb")).text
    head, tail = "/**/cb(", ");\r\n"
    assert text.startswith(head)
    assert text.endswith(tail)
    literal = text[len(head) : -len(tail)]
    assert literal.replace("\u2028", "").isprintable()
    packet: str = json.loads(literal)
    return packet


async def say(served: Served, transport: str, session: str, *messages: str) -> None:
    """Sends in the way that belongs to a kind of poll."""
    if transport == "xhr":
        await served.send(session, *messages)
        return
    body = "d=" + quote(json.dumps(messages), safe="")
    answer = await served.post(
        f"{session}/jsonp_send", body, {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    )
    assert (answer.status, answer.text) == (200, "ok")
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    assert answer.headers["cache-control"] == NOT_CACHED


both = pytest.mark.parametrize("transport", ["xhr", "jsonp"])


@both
@in_loop
async def test_open_then_echo(transport: str) -> None:
    async with serving() as served:
        session = new_session()
        assert await fetch(served, transport, session) == "o"
        await say(served, transport, session, *AWKWARD)
        packet = await fetch(served, transport, session)
        assert packet[0] == "a"
        assert json.loads(packet[1:]) == AWKWARD
        assert not set(packet) & set("\u2028\u2029\u200c\ufff0\uffff\0"), "browsers mangle these"
        [connection] = served.made
        assert connection.heard == AWKWARD
        assert connection.info.path == f"{session}/{transport}"
        assert connection.info.ip == "127.0.0.1"
        assert connection.session.transport_name == transport


@both
@in_loop
async def test_headers(transport: str) -> None:
    async with serving() as served:
        method, path = ("POST", "/xhr") if transport == "xhr" else ("GET", "/jsonp?c=cb")
        answer = await served.call(method, new_session() + path)
        assert answer.headers["content-type"] == "application/javascript; charset=UTF-8"
        assert answer.headers["cache-control"] == NOT_CACHED
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-length"] == str(len(answer.body))
        assert not {"expires", "last-modified", "set-cookie", "etag"} & answer.headers.keys()


@both
@in_loop
async def test_the_length_is_that_of_the_bytes(transport: str) -> None:
    async with serving() as served:
        session = new_session()
        await fetch(served, transport, session)
        served.last.send("\u00e9\U0001f600" * 100)
        assert await fetch(served, transport, session) == 'a["' + "\u00e9\U0001f600" * 100 + '"]'


class Talker(Echo):
    """Says two things before it is asked, and leaves."""

    def on_open(self, request: Any) -> None:
        self.send("one")
        self.send("two")
        self.close()


@both
@in_loop
async def test_one_packet_per_poll(transport: str) -> None:
    """What on_open says, a close included, waits for the next polls."""
    async with serving(Talker) as served:
        session = new_session()
        assert await fetch(served, transport, session) == "o"
        assert await fetch(served, transport, session) == 'a["one","two"]'
        for _ in range(3):
            assert await fetch(served, transport, session) == 'c[3000,"Go away!"]'
        assert len(served.made) == 1
        assert served.last.ended == 3000


@in_loop
async def test_a_waiting_poll_gets_what_one_turn_brings() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        async with begin_poll(served, session) as poll:
            served.last.send("one")
            served.last.send("two")
            assert (await poll.answer()).text == 'a["one","two"]\n'
            assert (await poll.call("POST", f"{session}/xhr_send", '["x"]')).status == 204
            assert (await poll.call("POST", f"{session}/xhr")).text == 'a["x"]\n'


@in_loop
async def test_a_waiting_poll_is_told_of_the_close() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        async with begin_poll(served, session) as poll:
            served.last.send("last")
            served.last.session.close(3456, 'enough "said"')
            assert (await poll.answer()).text == 'a["last"]\n'
        assert await served.poll(session) == 'c[3456,"enough \\"said\\""]'
        assert served.last.ended == 3456


@in_loop
async def test_the_server_part_of_the_path_is_ignored() -> None:
    async with serving() as served:
        name = new_session().rsplit("/", 1)[1]
        assert await served.poll(f"/echo/000/{name}") == "o"
        await served.send(f"/echo/999/{name}", "a")
        assert await served.poll(f"/echo/_%20-x/{name}") == 'a["a"]'


@in_loop
async def test_a_close_code_and_its_reason_are_json() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        served.last.session.close(4321, "\u2028 \ud800 </script>")
        assert await served.poll(session) == 'c[4321,"\\u2028 \\ud800 </script>"]'


BACKLOG = 10_000


@in_loop
async def test_a_large_backlog_is_fetched_quickly_in_bounded_packets() -> None:
    limit = 2**15
    async with serving(budget=Budget(2**22), response_limit=limit) as served:
        session = new_session()
        await served.poll(session)
        for number in range(BACKLOG):
            served.last.send(f"{number:064}")
        held = served.router.budget.used
        assert held > BACKLOG * 64
        began = perf_counter()
        numbers: list[int] = []
        async with Http.connect(served.port) as http:
            while len(numbers) < BACKLOG:
                answer = await http.call("POST", f"{session}/xhr")
                assert len(answer.body) < limit + 1024
                numbers += [int(message) for message in json.loads(answer.body[1:])]
                assert served.router.budget.used < held
        spent = perf_counter() - began
        assert numbers == list(range(BACKLOG))
        assert served.router.budget.used == 0
        assert spent < 1.0, "quadratic"  # 25 polls, test's own decoding included; some 30 ms on an idle machine


@pytest.mark.parametrize("query", ["", "?c=", "?d=cb"])
@in_loop
async def test_jsonp_and_htmlfile_need_a_callback(query: str) -> None:
    async with serving() as served:
        for transport in ("jsonp", "htmlfile"):
            answer = await served.get(f"{new_session()}/{transport}{query}")
            assert (answer.status, answer.text) == (500, '"callback" parameter required')
            assert answer.headers["content-type"].startswith("text/plain")
            assert answer.headers["x-content-type-options"] == "nosniff"
        assert served.made == []


@pytest.mark.parametrize(
    "callback", ["%20", "*", "abc(", "abc%28", "%3Cscript%3Ealert(1)%3C/script%3E", "a-b", "a%0Ab", "\u00e9", "x" * 129]
)
@in_loop
async def test_a_callback_must_be_a_name(callback: str) -> None:
    async with serving() as served:
        for transport in ("jsonp", "htmlfile"):
            answer = await served.get(f"{new_session()}/{transport}?c={quote(callback, safe='%')}")
            assert (answer.status, answer.text) == (500, 'invalid "callback" parameter')
        assert served.made == []


@in_loop
async def test_the_callbacks_of_the_client() -> None:
    async with serving() as served:
        for callback in ("_jp.a1b2c3", "%63allback"):
            answer = await served.get(f"{new_session()}/jsonp?c={callback}")
            assert answer.text == f'/**/{callback.replace("%63", "c")}("o");\r\n'
        answer = await served.get(f"{new_session()}/jsonp?callback=x")
        assert answer.text == '/**/x("o");\r\n'


@in_loop
async def test_jsonp_send_takes_plain_text_too() -> None:
    async with serving() as served:
        session = new_session()
        await fetch(served, "jsonp", session)
        answer = await served.post(f"{session}/jsonp_send", '["%61bc"]', {"Content-Type": "text/plain"})
        assert answer.text == "ok"
        assert await fetch(served, "jsonp", session) == 'a["%61bc"]'


@pytest.mark.parametrize(("on_slow", "left"), [("drop_oldest", [7, 8, 9]), ("drop_newest", [0, 1, 2])])
@in_loop
async def test_what_does_not_fit_is_dropped_as_the_channel_says(on_slow: str, left: list[int]) -> None:
    async with serving(budget=Budget(limit=3 * 110)) as served:
        session = new_session()
        await served.poll(session)
        channel = Channel([served.last.session], on_slow)
        envelopes = [f'{{"n":{number},"p":"{"x" * 85}"}}' for number in range(10)]
        for envelope in envelopes:
            channel.publish(envelope)
        assert served.router.budget.used <= 330
        messages = [json.loads(message) for message in json.loads((await served.poll(session))[1:])]
        assert [message["n"] for message in messages[:-1]] == left
        assert messages[-1] == {"type": "dropped", "channel": "news", "count": 7}
        assert served.router.budget.dropped == 7


@in_loop
async def test_a_client_that_does_not_fetch_is_cut_where_the_channel_says_so() -> None:
    async with serving(budget=Budget(limit=1000)) as served:
        slow, quick = new_session(), new_session()
        await served.poll(slow)
        await served.poll(quick)
        channel = Channel([connection.session for connection in served.made])
        for number in range(20):
            channel.publish(f'"{number:0100}"')
            assert await served.poll(quick) == f'a["\\"{number:0100}\\""]'
        assert served.router.budget.cut == 1
        assert await served.poll(slow) == 'c[3002,"too slow: the outbound queue is full"]'
        assert [connection.ended for connection in served.made] == [3002, None]


@in_loop
async def test_a_single_message_always_fits() -> None:
    async with serving(budget=Budget(limit=1000)) as served:
        session = new_session()
        await served.poll(session)
        Channel([served.last.session]).publish('"' + "x" * 5000 + '"')
        assert len(await served.poll(session)) > 5000


@in_loop
async def test_the_largest_backlogs_go_first_when_the_node_is_full() -> None:
    async with serving(budget=Budget(limit=10_000, total=12_000)) as served:
        sessions = [new_session() for _ in range(3)]
        for session in sessions:
            await served.poll(session)
        for connection, size in zip(served.made, (1000, 8000, 5000), strict=True):
            Channel([connection.session]).publish('"' + "x" * size + '"')
        assert [connection.session.closed for connection in served.made] == [False, True, False]
        assert served.router.budget.used < 12_000
