"""The front door reads what is plain as Tornado does, and nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders, HTTPInputError, parse_request_start_line

from sethpusher_core.front.head import read_head

POST = b"POST /api/channels/a/ HTTP/1.1\r\n"


def test_a_plain_request() -> None:
    data = POST + b"Host: a\r\nContent-Length: 3\r\nX-Y:  z, \t\r\nAccept: */*\r\naccept: text/*\r\n\r\n123more"
    head = read_head(data)
    assert head is not None
    assert (head.method, head.target, head.length, data[head.size :]) == ("POST", "/api/channels/a/", 3, b"123more")
    assert dict(head.headers) == {"Host": "a", "Content-Length": "3", "X-Y": "z,", "Accept": "*/*,text/*"}


def test_a_handshake() -> None:
    head = read_head(b"GET /connect/websocket?key=1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n")
    assert head is not None
    assert (head.method, head.target, head.length) == ("GET", "/connect/websocket?key=1", 0)


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 3",  # no Host
        b"Host: \r\nContent-Length: 3",
        b"Host: a, b\r\nContent-Length: 3",
        b"Host: user@a\r\nContent-Length: 3",
        b"Host: a/b\r\nContent-Length: 3",
        b"Host: a",  # no length: it may be chunked, or until the end
        b"Host: a\r\nContent-Length: 3\r\nContent-Length: 3",
        b"Host: a\r\nContent-Length: 3, 3",
        b"Host: a\r\nContent-Length: +3",
        b"Host: a\r\nContent-Length: -3",
        b"Host: a\r\nContent-Length: 0x3",
        b"Host: a\r\nContent-Length: 3_0",
        b"Host: a\r\nContent-Length:",
        b"Host: a\r\nContent-Length: 9999999999999",
        b"Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
        b"Host: a\r\nContent-Length: 3\r\ntransfer-encoding: identity",
        b"Host: a\r\nContent-Length : 3",
        b"Host: a\r\nContent-Length: 3\r\n folded",
        b"Host: a\r\nContent-Length: 3\r\nX: a\nTransfer-Encoding: chunked",
        b"Host: a\r\nContent-Length: 3\r\nX: a\rb",
        b"Host: a\r\nContent-Length: 3\r\nX: \x00",
        b"Host: a\r\nContent-Length: 3\r\nX: \xff",
        b"Host: a\r\nContent-Length: 3\r\nX Y: a",
        b"Host: a\r\nContent-Length: 3\r\n: a",
        b"Host: a\r\nContent-Length: 3\r\nno colon",
        b"Host: a\r\nHost: b\r\nContent-Length: 3",
        b"Host: a\r\nContent-Length: 3\r\nExpect: 100-continue",
        b"Host: a\r\nContent-Length: 3\r\nTrailer: X",
        b"Host: a\r\nContent-Length: 3\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b",
        b"Host: a\r\nContent-Length: 3\r\nX: " + b"x" * 8001,
        b"Host: a\r\nContent-Length: 3" + b"\r\nX: x" * 63,
    ],
)
def test_what_is_not_plain_is_for_a_real_parser(headers: bytes) -> None:
    assert read_head(POST + headers + b"\r\n\r\n123") is None


@pytest.mark.parametrize(
    "line",
    [
        b"POST  /a HTTP/1.1",
        b"POST /a HTTP/1.0",
        b"POST /a HTTP/2.0",
        b"post /a HTTP/1.1",
        b"DELETE /a HTTP/1.1",
        b"POST http://a/a HTTP/1.1",
        b"POST * HTTP/1.1",
        b"POST /a b HTTP/1.1",
        b"POST /\xc3\xa4 HTTP/1.1",
        b"POST /a\tHTTP/1.1",
        b" POST /a HTTP/1.1",
        b"\r\nPOST /a HTTP/1.1",
        b"POST /" + b"a" * 4001 + b" HTTP/1.1",
    ],
)
def test_start_lines_that_are_not_plain(line: bytes) -> None:
    assert read_head(line + b"\r\nHost: a\r\nContent-Length: 0\r\n\r\n") is None


def test_a_get_has_no_body() -> None:
    assert read_head(b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") is None


@pytest.mark.parametrize("size", range(len(POST + b"Host: a\r\nContent-Length: 3\r\n\r\n")))
def test_a_part_of_a_head_is_none(size: int) -> None:
    assert read_head((POST + b"Host: a\r\nContent-Length: 3\r\n\r\n")[:size]) is None


NAMES = [b"Host", b"host", b"Content-Length", b"X", b"Connection", b"Upgrade", b"Cookie", b"X-\xe4", b""]
LINES = st.lists(
    st.tuples(
        st.sampled_from(
            [b"Host", b"host", b"Content-Length", b"X", b"Connection", b"Upgrade", b"Cookie", b"X-\xe4", b""]
        ),
        st.sampled_from([b":", b": ", b" : ", b":\t", b""]),
        st.one_of(st.sampled_from([b"a", b"3", b"", b"a, b", b"a:b", b" a ", b"\ta"]), st.binary(max_size=6)),
        st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r\n "]),
    ).map(b"".join),
    max_size=6,
).map(b"".join)


@given(st.sampled_from([b"GET /a?b", b"POST /a/%20", b"POST //a#b", b"POST"]), LINES)
@example(b"POST /a", b"Host: a\r\nContent-Length: 3\r\nCookie: a\r\ncookie: b\r\n")
def test_what_is_taken_is_what_tornado_reads(start: bytes, lines: bytes) -> None:
    data = start + b" HTTP/1.1\r\n" + lines + b"\r\n"
    head = read_head(data)
    if head is None:
        return
    text = data[: head.size].decode("latin-1")
    first, _, rest = text.partition("\r\n")
    try:
        headers = HTTPHeaders.parse(rest.rstrip("\r\n") + "\r\n")
    except HTTPInputError:  # pragma: no cover - the failure that this test looks for
        pytest.fail(f"Tornado refuses {data!r}")
    start_line = parse_request_start_line(first)
    assert (head.method, head.target) == (start_line.method, start_line.path)
    assert list(head.headers.get_all()) == list(headers.get_all())


@pytest.mark.parametrize("text", [b"X: " + b" " * 60_000, b"X:" * 30_000, b"a: b\r\n" * 10_000, b"/" * 60_000])
def test_hostile_heads_take_no_time(text: bytes) -> None:
    began = time.process_time()
    assert read_head(POST + text) is None
    assert read_head(b"POST " + text) is None
    assert time.process_time() - began < 0.5
