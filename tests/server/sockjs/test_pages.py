"""Pages without a session: greeting, info, the frame; and what every answer has in common."""

from __future__ import annotations

import re

import pytest
from server.sockjs.kit import Http, new_session, serving
from support.loops import in_loop

pytestmark = pytest.mark.usefixtures("doors")

NOT_CACHED = "no-store, no-cache, no-transform, must-revalidate, max-age=0"


@pytest.mark.parametrize("path", ["/echo", "/echo/"])
@in_loop
async def test_greeting(path: str) -> None:
    async with serving() as served:
        answer = await served.get(path)
        assert (answer.status, answer.text) == (200, "Welcome to SockJS!\n")
        assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-length"] == "19"
        assert "date" in answer.headers
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/echo/a",
        "/echo/a.html",
        "/echo//",
        "/echo/a/a",
        "/echo/a/a/",
        "/echo/a/",
        "/echo//xhr",
        "/echo//a/xhr",
        "/echo/a//xhr",
        "/echo/a./a/xhr",
        "/echo/a/a./xhr",
        "/echo/././xhr",
        "/echo/a/b/c/xhr",
        "/echo/a/b/xhr/",
        "/echo/a/b/XHR",
        "/echo/a/b/unknown",
        "/echo/a/" + "b" * 129 + "/xhr",
        "/echo/iframe.htm",
        "/echo/iframe",
        "/echo/IFRAME.HTML",
        "/echo/iframe-/.html",
        "/echo/iframeXhtml",
        "/echox",
    ],
)
@in_loop
async def test_other_paths_are_not_found(path: str) -> None:
    async with serving() as served:
        assert (await served.get(path)).status == 404
        assert (await served.post(path)).status == 404
        assert served.made == []


@in_loop
async def test_info() -> None:
    async with serving() as served:
        answer = await served.get("/echo/info")
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        assert answer.headers["cache-control"] == NOT_CACHED
        assert "expires" not in answer.headers
        info = answer.json
        assert {**info, "entropy": 0} == {"websocket": True, "cookie_needed": False, "origins": ["*:*"], "entropy": 0}
        entropies = {(await served.get("/echo/info")).json["entropy"] for _ in range(5)}
        assert len(entropies) > 1
        assert all(isinstance(value, int) and 0 <= value < 2**32 for value in entropies)


@in_loop
async def test_info_tells_what_is_switched_off() -> None:
    async with serving(disabled_transports=["websocket"], jsessionid=True) as served:
        info = (await served.get("/echo/info")).json
        assert (info["websocket"], info["cookie_needed"]) == (False, True)


@pytest.mark.parametrize(
    "path", ["/iframe.html", "/iframe-1.6.1.html", "/iframe-.html", "/iframe-0.1-dirty.2.html?t=1"]
)
@in_loop
async def test_iframe_page(path: str) -> None:
    async with serving(sockjs_url='/js/sockjs.js?a="b"&c=<d>') as served:
        answer = await served.get("/echo" + path)
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/html; charset=UTF-8"
        assert answer.headers["cache-control"] == "public, max-age=31536000"
        assert "expires" in answer.headers
        assert "last-modified" not in answer.headers
        assert "content-security-policy" not in answer.headers
        assert '<script src="/js/sockjs.js?a=&quot;b&quot;&amp;c=&lt;d&gt;"></script>' in answer.text
        assert "document.domain = document.domain;\n    SockJS.bootstrap_iframe();" in answer.text

        again = await served.get("/echo" + path, {"If-None-Match": answer.headers["etag"]})
        assert (again.status, again.body) == (304, b"")
        assert "content-type" not in again.headers
        assert again.headers["etag"] == answer.headers["etag"]
        other = await served.get("/echo" + path, {"If-None-Match": '"something else"'})
        assert other.status == 200


@in_loop
async def test_iframe_page_loads_the_client_of_one_version_unless_told_otherwise() -> None:
    async with serving(sockjs_url="") as served:
        page = (await served.get("/echo/iframe.html")).text
        assert re.search(r'src="https://[^"]+@1\.6\.1/[^"]+"', page)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/echo/info", "OPTIONS, GET"),
        ("/echo/a/b/xhr", "OPTIONS, POST"),
        ("/echo/a/b/xhr_send", "OPTIONS, POST"),
        ("/echo/a/b/xhr_streaming", "OPTIONS, POST"),
        ("/echo/a/b/jsonp_send", "OPTIONS, POST"),
        ("/echo/a/b/eventsource", "OPTIONS, GET"),
    ],
)
@in_loop
async def test_preflight(path: str, methods: str) -> None:
    async with serving(jsessionid=True) as served, Http.connect(served.port) as http:
        for origin in ("https://app.example.com", "null"):
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            answer = await http.call("OPTIONS", path, headers={**headers, "Access-Control-Request-Headers": "a, B-c"})
            assert (answer.status, answer.body) == (204, b"")
            assert answer.headers["access-control-allow-origin"] == origin
            assert answer.headers["access-control-allow-credentials"] == "true"
            assert answer.headers["access-control-allow-methods"] == methods
            assert answer.headers["access-control-allow-headers"] == "a, B-c"
            assert answer.headers["access-control-max-age"] == "31536000"
            assert answer.headers["cache-control"] == "public, max-age=31536000"
            assert answer.headers["vary"] == "Origin"
            assert "expires" in answer.headers
            assert "content-length" not in answer.headers
            assert "set-cookie" not in answer.headers, "what is kept by caches must not hold cookies"
        answer = await http.call("OPTIONS", path, headers={**headers, "Access-Control-Request-Headers": "a\tb"})
        assert "access-control-allow-headers" not in answer.headers
        answer = await http.call("OPTIONS", path, headers=headers)
        assert "access-control-allow-headers" not in answer.headers
        assert served.made == []


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/echo/info", "OPTIONS, GET"),
        ("PUT", "/echo", "OPTIONS, GET"),
        ("DELETE", "/echo/iframe.html", "OPTIONS, GET"),
        ("GET", "/echo/a/b/xhr", "OPTIONS, POST"),
        ("GET", "/echo/a/b/xhr_send", "OPTIONS, POST"),
        ("POST", "/echo/a/b/eventsource", "OPTIONS, GET"),
        ("POST", "/echo/a/b/jsonp", "OPTIONS, GET"),
        ("POST", "/echo/a/b/websocket", "GET"),
        ("PUT", "/echo/websocket", "GET"),
    ],
)
@in_loop
async def test_wrong_method(method: str, path: str, allow: str) -> None:
    async with serving() as served:
        answer = await served.call(method, path)
        assert (answer.status, answer.body) == (405, b"")
        assert answer.headers["allow"] == allow
        assert "content-type" not in answer.headers


@in_loop
async def test_a_connection_serves_many_requests() -> None:
    async with serving() as served, Http.connect(served.port) as http:
        for _ in range(3):
            assert (await http.call("GET", "/echo/info")).status == 200
            assert (await http.call("POST", "/echo/info")).status == 405
            assert (await http.call("POST", "/echo/a/nobody/xhr_send", '["x"]')).status == 404


@in_loop
async def test_http_1_0() -> None:
    async with serving() as served, Http.connect(served.port) as http:
        answer = await http.call("GET", "/echo", headers={"Connection": "keep-alive"}, version="HTTP/1.0")
        assert (answer.text, answer.headers["connection"]) == ("Welcome to SockJS!\n", "Keep-Alive")
        assert "transfer-encoding" not in answer.headers
        answer = await http.call("GET", "/echo", version="HTTP/1.0")
        assert answer.text == "Welcome to SockJS!\n"
        assert await http.ended()


COOKIES = [
    ("", "dummy"),
    ("JSESSIONID=abc.node-1", "abc.node-1"),
    ("a=b; JSESSIONID=x=y", "x=y"),
    ('JSESSIONID="a b"', "dummy"),
    ('JSESSIONID="a\\012b"', "dummy"),
    ("JSESSIONID=" + "x" * 300, "dummy"),
    ("JSESSIONID=;", "dummy"),
]


@pytest.mark.parametrize(("sent", "set_"), COOKIES)
@in_loop
async def test_sticky_cookie(sent: str, set_: str) -> None:
    async with serving(jsessionid=True) as served:
        answer = await served.post(f"{new_session()}/xhr", headers={"Cookie": sent})
        assert answer.headers["set-cookie"] == f"JSESSIONID={set_}; Path=/"
        assert "set-cookie" not in (await served.get("/echo/info", {"Cookie": sent})).headers


@in_loop
async def test_no_cookie_by_default() -> None:
    async with serving() as served:
        answer = await served.post(f"{new_session()}/xhr", headers={"Cookie": "JSESSIONID=abc"})
        assert "set-cookie" not in answer.headers
