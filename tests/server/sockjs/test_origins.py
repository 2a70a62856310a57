"""Whose pages may connect: the same answer from every transport."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from server.sockjs.kit import Http, Served, WebSocket, new_session, serving
from support.loops import in_loop
from tornado.httputil import HTTPHeaders

from sethpusher_core.transports.origins import OriginPolicy

pytestmark = pytest.mark.usefixtures("doors")

GOOD = "https://app.example.com"
LISTED = [GOOD, "*.example.org", "http://*.dev.example.net:8080", "plain.example"]

ADMITTED = [
    {"Origin": GOOD},
    {"Origin": "https://APP.example.com"},
    {"Origin": "https://app.example.com:443"},
    {"Origin": "https://a.example.org"},
    {"Origin": "http://a.b.example.org"},
    {"Origin": "http://x.dev.example.net:8080"},
    {"Origin": "http://plain.example"},
    {"Origin": "https://plain.example"},
    {"Origin": "http://server.test"},
    {"Origin": "https://server.test"},
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site", "Referer": GOOD + "/page?x"},
    {"Referer": GOOD + "/page"},
    {"Referer": "http://server.test/page"},
]
REFUSED = [
    {"Origin": "https://evil.example"},
    {"Origin": "http://app.example.com"},
    {"Origin": "https://app.example.com:8443"},
    {"Origin": "https://app.example.com.evil.example"},
    {"Origin": "https://evilapp.example.com"},
    {"Origin": "https://example.org"},
    {"Origin": "https://evilexample.org"},
    {"Origin": "https://a.example.org:8443"},
    {"Origin": "https://x.dev.example.net:8080"},
    {"Origin": "http://dev.example.net:8080"},
    {"Origin": "http://server.test:8080"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "app.example.com"},
    {"Origin": "ftp://app.example.com"},
    {"Origin": "https://app.example.com, https://evil.example"},
    {"Origin": "https://app.example.com/"},
    {"Origin": "https://*.example.org"},
    {"Origin": "https://user@app.example.com"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.example/" + GOOD},
    {"Referer": "https://evil.example/"},
    {"Referer": "about:client"},
]
_REQUESTS = [
    ("POST", "/xhr"),
    ("POST", "/xhr_streaming"),
    ("GET", "/eventsource"),
    ("GET", "/htmlfile?c=cb"),
    ("GET", "/jsonp?c=cb"),
    ("POST", "/xhr_send"),
    ("POST", "/jsonp_send"),
    ("OPTIONS", "/xhr"),
]


def headers_of(fields: Mapping[str, str]) -> HTTPHeaders:
    return HTTPHeaders({"Host": "server.test", **fields})


@pytest.mark.parametrize("fields", ADMITTED, ids=str)
def test_admitted(fields: Mapping[str, str]) -> None:
    assert OriginPolicy(LISTED).admits(headers_of(fields))


@pytest.mark.parametrize("fields", REFUSED, ids=str)
def test_refused(fields: Mapping[str, str]) -> None:
    assert not OriginPolicy(LISTED).admits(headers_of(fields))


@pytest.mark.parametrize("fields", [*ADMITTED, *REFUSED], ids=str)
def test_a_star_admits_all(fields: Mapping[str, str]) -> None:
    assert OriginPolicy().admits(headers_of(fields))
    assert OriginPolicy([GOOD, "*"]).admits(headers_of(fields))


def test_an_empty_list_admits_the_own_origin() -> None:
    policy = OriginPolicy([])
    assert policy.admits(headers_of({"Origin": "http://server.test"}))
    assert policy.admits(headers_of({}))
    assert not policy.admits(headers_of({"Origin": GOOD}))
    assert not policy.admits(headers_of({"Origin": "null"}))
    own = HTTPHeaders({"Host": "[::1]:8080", "Origin": "http://[::1]:8080"})
    assert policy.admits(own)


def test_null_can_be_listed() -> None:
    assert OriginPolicy(["null"]).admits(headers_of({"Origin": "null"}))


@pytest.mark.parametrize(
    "entry", ["", "https://", "https://a b", "*.*.example.com", "a*.example.com", "https://x/path"]
)
def test_a_wrong_entry_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="not an origin"):
        OriginPolicy([entry])


def test_a_slash_at_the_end_is_forgiven() -> None:
    assert OriginPolicy([GOOD + "/"]).admits(headers_of({"Origin": GOOD}))


async def check_everywhere(served: Served, fields: Mapping[str, str], *, admitted: bool) -> None:
    """All transports give the same answer."""
    for method, path in _REQUESTS:
        async with Http.connect(served.port) as http:
            session = new_session()
            if path.endswith("_send"):
                await served.poll(session)
            http.ask(method, session + path, '["x"]' if path.endswith("_send") else b"", fields)
            head = await http.head()
            assert (head.status == 403) is not admitted, (method, path, head)
            allowed = head.headers.get("access-control-allow-origin")
            assert allowed == (fields.get("Origin") if admitted else None)
            assert head.headers["vary"] == "Origin"
    assert ((await served.get("/echo/info", fields)).status == 403) is not admitted
    for path in ("/echo/000/x/websocket", "/echo/websocket"):
        handshake = {**fields, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        async with Http.connect(served.port) as http:
            http.ask("GET", path, headers={**handshake, "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw=="})
            assert (await http.head()).status == (101 if admitted else 403)


@pytest.mark.parametrize("fields", [{"Origin": GOOD}, {"Origin": "http://server.test"}, {}], ids=str)
@in_loop
async def test_every_transport_serves_the_same_pages(fields: Mapping[str, str]) -> None:
    async with serving(origins=[GOOD]) as served:
        await check_everywhere(served, fields, admitted=True)


@pytest.mark.parametrize(
    "fields", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}], ids=str
)
@in_loop
async def test_every_transport_refuses_the_same_pages(fields: Mapping[str, str]) -> None:
    async with serving(origins=[GOOD]) as served:
        await check_everywhere(served, fields, admitted=False)
        assert all(connection.heard == [] for connection in served.made)


@in_loop
async def test_any_origin_is_named_with_credentials_by_default() -> None:
    """sockjs-client sets ``withCredentials``, and then a browser takes nothing less."""
    async with serving() as served:
        for origin in (GOOD, "null", "http://localhost:63342"):
            answer = await served.post(f"{new_session()}/xhr", headers={"Origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
            assert answer.headers["access-control-allow-credentials"] == "true"
            assert answer.headers["vary"] == "Origin"
        answer = await served.post(f"{new_session()}/xhr")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["vary"] == "Origin"


@in_loop
async def test_any_origin_without_credentials() -> None:
    async with serving(credentials=False) as served:
        answer = await served.post(f"{new_session()}/xhr", headers={"Origin": GOOD})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert not {"access-control-allow-credentials", "vary"} & answer.headers.keys()


@in_loop
async def test_listed_origins_without_credentials() -> None:
    async with serving(credentials=False, origins=[GOOD]) as served:
        answer = await served.post(f"{new_session()}/xhr", headers={"Origin": GOOD})
        assert answer.headers["access-control-allow-origin"] == GOOD
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["vary"] == "Origin"


@in_loop
async def test_only_admitted_pages_may_frame_the_frame() -> None:
    """Else any page could have it send requests from the server's own origin."""
    async with serving(origins=[GOOD, "*.example.org", "null"]) as served:
        policy = f"frame-ancestors 'self' {GOOD} *.example.org"
        page = await served.get("/echo/iframe.html")
        assert page.headers["content-security-policy"] == policy
        assert page.headers["cache-control"] == "no-cache"
        async with Http.connect(served.port) as http:
            http.ask("GET", f"{new_session()}/htmlfile?c=cb")
            assert (await http.head()).headers["content-security-policy"] == policy
    async with serving(origins=[GOOD]) as served:
        assert (await served.get("/echo/iframe.html")).headers["etag"] != page.headers["etag"]


@in_loop
async def test_a_server_may_set_the_policy_before_it_starts() -> None:
    async with serving(start=False) as served:
        served.router.origins = OriginPolicy([])
        served.router.start()
        assert (await served.get("/echo/info", {"Origin": GOOD})).status == 403
        async with WebSocket.connect(served) as ws:
            assert await ws.receive() == "o"
