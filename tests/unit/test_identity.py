from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from sethpusher_core.identity import ANONYMOUS, Credentials, has_jwt_form

SECRETS = ("key-in-query", "key-in-header", "key-in-cookie", "key-in-token")


class FakeConnection:
    context = None


def credentials(uri: str = "/api/x/?key=key-in-query", cookie: str = "session=key-in-cookie") -> Credentials:
    return Credentials(
        purpose="http",
        transport="http",
        remote_ip="192.0.2.1",
        method="POST",
        uri=uri,
        headers=HTTPHeaders({"Authorization": "Bearer key-in-header", "Cookie": cookie}),
    )


def test_credentials_never_print_a_secret() -> None:
    presented = credentials().with_token("key-in-token")
    for text in (repr(presented), str(presented), f"{presented}", f"{[presented]}"):
        assert "/api/x/" in text
        assert "192.0.2.1" in text
        assert not [secret for secret in SECRETS if secret in text]


def test_a_token_is_presented_by_the_same_caller() -> None:
    before = credentials()
    after = before.with_token("t")
    assert (after.purpose, after.token) == ("token", "t")
    assert (after.headers, after.uri, after.remote_ip) == (before.headers, before.uri, before.remote_ip)
    assert before.token is None


@pytest.mark.parametrize(
    ("uri", "value"),
    [("/?k=1", "1"), ("/?k=1&k=2", "2"), ("/?k=", ""), ("/", None), ("/?k=%ff", None), ("/?k=%C3%A9", "é")],
)
def test_query_gives_the_last_value(uri: str, value: str | None) -> None:
    assert credentials(uri).query("k") == value
    assert (credentials(uri).query_bytes("k") is None) == ("k" not in uri)


def test_cookies_are_read_and_broken_ones_ignored() -> None:
    assert credentials(cookie="a=1; b=2").cookies == {"a": "1", "b": "2"}
    assert credentials(cookie='=; ;;"\\').cookies.get("a") is None


@pytest.mark.parametrize(
    ("header", "value"),
    [("Bearer x.y", "x.y"), ("bearer  x ", "x"), ("Bearer", ""), ("Basic YTpi", None), ("", None), (None, None)],
)
def test_a_bearer_token_is_told_from_other_schemes(header: str | None, value: str | None) -> None:
    presented = credentials()
    del presented.headers["Authorization"]
    if header is not None:
        presented.headers["Authorization"] = header
    assert presented.bearer == value


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("eyJ-_.eyJ.sig", True),
        ("a.b.", True),
        ("a.b", False),
        ("a.b.c.d", False),
        (".b.c", False),
        ("a.b.c=", False),
        ("a.b.c\n", False),
        ("ä.b.c", False),
        ("a.b.c ", False),
    ],
)
def test_the_form_of_a_jwt(text: str, answer: bool) -> None:
    assert has_jwt_form(text) is answer


def test_the_request_is_there_only_when_there_was_one() -> None:
    with pytest.raises(LookupError):
        _ = credentials().request
    line = RequestStartLine("GET", "/connect/websocket?a=1", "HTTP/1.1")
    headers = HTTPHeaders({"Host": "localhost"})
    request = HTTPServerRequest(connection=FakeConnection(), start_line=line, headers=headers)  # type: ignore[arg-type]
    presented = Credentials.of_request(request, purpose="connection", transport="websocket")
    assert presented.request is request
    assert presented.with_token("t").request is request
    assert presented.query("a") == "1"


def test_nobody_is_anonymous_and_proves_nothing() -> None:
    assert ANONYMOUS.subscriber_id is None
    assert not ANONYMOUS.proven
    assert not ANONYMOUS.info
