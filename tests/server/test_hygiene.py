"""HTTP as nobody should send it, and what every answer has or has not."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from support.logs import LogWatch
from support.server import RunningServer
from support.timing import UNIT
from tornado.netutil import bind_sockets
from tornado.web import RequestHandler

from sethpusher_core.front.server import http_server
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.proxies import TrustedProxies
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings

IMPATIENCE = 0.3
SECURITY = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Page(RequestHandler):
    def get(self) -> None:
        self.write("a plugin's page")


class Pages:
    @hookimpl
    def routes(self, server: PushServer) -> list[object]:
        return [("/page", Page)]


class Served(RunningServer):
    """Listens as the command does, but is less patient."""

    async def _listen(self) -> None:
        await self.push.start()
        self._listener = http_server(self.push, TrustedProxies(()), body_timeout=IMPATIENCE, idle_timeout=IMPATIENCE)
        [listener] = bind_sockets(0, "127.0.0.1")
        self._listener.add_socket(listener)
        self.port = listener.getsockname()[1]


@pytest.fixture
def served(logs: LogWatch) -> Iterator[Served]:
    server = Served(PushServer(CoreSettings(debug=True, max_body_size=2000), plugins=[Pages()]))
    server.start()
    yield server
    server.stop()


def raw(port: int, data: bytes) -> bytes:
    """What comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=UNIT) as line:
        line.sendall(data)
        answer = b""
        try:
            while part := line.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: a", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


# --------------------------------------------------------------------------------------------------------- headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health"),
        ("GET", "/ready"),
        ("POST", "/api/channels/a/"),
        ("GET", "/debug/"),
        ("GET", "/no"),
        ("PUT", "/health"),
    ],
)
def test_headers_of_every_answer(served: Served, method: str, path: str) -> None:
    answer = served.http.call(method, path, 1 if method == "POST" else None, {"Origin": "https://evil.example"})
    for name, value in SECURITY.items():
        assert answer.headers[name] == value
    assert "server" not in answer.headers
    assert not [name for name in answer.headers if name.startswith("access-control")], "no other site may read it"


@pytest.mark.parametrize("path", ["/page", "/connect", "/connect/info", "/connect/iframe.html", "/connect/a/b/xhr"])
def test_no_answer_says_what_serves_it(served: Served, path: str) -> None:
    answer = served.http.call("POST" if path.endswith("xhr") else "GET", path)
    assert answer.status == 200
    assert "server" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_api_has_no_preflight(served: Served) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "DELETE"}
    answer = served.http.call("OPTIONS", "/api/users/ada/", headers=asked)
    assert answer.status == 405
    assert "access-control-allow-origin" not in answer.headers


# ---------------------------------------------------------------------------------------------------------- bounds


def test_slow_headers_end(served: Served) -> None:
    assert raw(served.port, b"GET /health HTTP/1.1\r\nHost: a\r\nX: ") == b""


def test_slow_bodies_end(served: Served) -> None:
    assert raw(served.port, b"POST /api/channels/a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1") == b""
    chunked = b"POST /api/channels/a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n1"
    assert raw(served.port, chunked) == b""


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: ",
        b"POST /api/channels/a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
    ],
    ids=["headers", "body"],
)
def test_what_comes_drop_by_drop_ends_all_the_same(served: Served, begin: bytes) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as line:
        line.settimeout(IMPATIENCE / 10)
        line.sendall(begin)
        for _ in range(int(10 * UNIT / IMPATIENCE)):
            try:
                line.sendall(b"1")
                assert line.recv(100) == b""
            except TimeoutError:
                continue
            except ConnectionError:  # the drop met a socket that was closed
                pass
            return
    pytest.fail("the server waits for ever")


def test_large_headers_and_bodies_are_refused(served: Served) -> None:
    assert b" 200 " not in raw(served.port, request("GET", "/health", "X: " + "x" * 70_000))
    assert b" 200 " not in raw(served.port, request("POST", "/api/channels/a/", body=b"1" * 2001))
    chunks = b"POST /api/channels/a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b" 200 " not in raw(
        served.port, chunks + b"3e9\r\n" + b"1" * 1001 + b"\r\n" + b"3e9\r\n" + b"1" * 1001 + b"\r\n0\r\n\r\n"
    )
    assert served.http.get("/health").status == 200


# ------------------------------------------------------------------------------------------------------- odd things


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/connect/../../etc/passwd",
        "/connect/%2e%2e/%2e%2e/etc/passwd/xhr",
        "/connect/iframe/../../../etc/passwd.html",
        "/debug/../../etc/passwd",
        "//etc/passwd",
        "/%00",
    ],
)
def test_no_path_leads_to_a_file(served: Served, path: str) -> None:
    answer = raw(served.port, request("GET", path))
    assert b"root:" not in answer
    assert answer.split(b" ", 2)[1] in (b"404", b"400", b"405"), answer


def test_a_name_is_a_name_whatever_stands_in_it(served: Served) -> None:
    answer = served.http.post("/api/channels/..%2F..%2Fetc%2Fpasswd/", 1)
    assert answer.status == 200
    client = served.bare()
    client.subscribe("../../etc/passwd")


@pytest.mark.parametrize(
    "path",
    ["/api/users/a%0d%0aX-Injected:%20yes/", "/api/channels/%0d%0aSet-Cookie:a=b/", "/api/channels/?prefix=%0d%0aX:1"],
)
def test_nothing_in_a_request_becomes_a_header(served: Served, path: str) -> None:
    answer = raw(served.port, request("GET", path))
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"injected" not in head
    assert b"set-cookie" not in head
    assert answer.startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize(
    "path", ["/api/channels/%ff%fe/", "/api/users/%ed%a0%80/", "/api/channels/?prefix=%ff", "/debug/channels/%ff/"]
)
def test_what_is_not_utf8_is_refused(served: Served, path: str) -> None:
    answer = served.http.get(path)
    assert answer.status == 400
    assert answer.json["status"] == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 900 + b"]" * 900, 200),
        (b"[" * 1999, 400),
        (b'{"a":' * 300 + b"1" + b"}" * 300, 200),
        (b'"\\ud800"', 200),
        (b'"\\u0000"', 200),
        (b'"\x00"', 400),
        (b'"\xed\xa0\x80"', 400),
        (b"\xef\xbb\xbf1", 400),
        (b'"\xff"', 400),
        ("1".encode("utf-16"), 400),
        (b"1e999999", 200),
        (b"-" + b"9" * 1500, 200),
        (b"NaN", 400),
        (b"", 400),
    ],
)
def test_odd_json(served: Served, body: bytes, status: int) -> None:
    client = served.bare()
    client.subscribe("a")
    assert served.http.post("/api/channels/a/", body).status == status
    client.send_texts(body.decode("utf-8", "replace"))
    assert client.request({"type": "ping"})["type"] == "ack", "the connection goes on"


def test_odd_names(served: Served) -> None:
    client = served.bare()
    for name, good in (("\0", True), ("\ud800", False), ("a\r\nb", True), ("\u202e", True), ("x" * 256, False)):
        reply = client.request({"type": "subscribe", "channel": name})
        assert (reply["type"] == "ack") is good, name
    assert len(served.http.get("/debug/").json["subscribers"]) == 3
    assert json.loads(json.dumps(client.take()))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"POST /api/batch/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/channels/a/ HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/channels/a/ HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n1",
        b"GET /health HTTP/1.1\r\nHost: a\r\n folded: x\r\nX : y\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"GET  /health HTTP/9.9\r\n\r\n",
    ],
)
def test_malformed_requests_end_their_connection_and_nothing_else(served: Served, data: bytes) -> None:
    answer = raw(served.port, data)
    assert answer == b"" or answer.split(b" ", 2)[1][:1] == b"4", answer
    assert served.http.get("/health").status == 200
