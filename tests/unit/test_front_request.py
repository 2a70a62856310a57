from __future__ import annotations

import re
from types import SimpleNamespace

from tornado.httputil import HTTPHeaders, RequestStartLine

from sethpusher_core.front.request import PlainRequest
from sethpusher_core.identity import Credentials

PATH = re.compile("/a/(?P<name>.*)")


def test_what_it_says_is_what_tornados_request_says() -> None:
    context = SimpleNamespace(remote_ip="192.0.2.1", protocol="https")
    headers = HTTPHeaders({"Host": "a:1", "Cookie": "b=c"})
    found = PATH.fullmatch("/a/x%2fy+%ff")
    assert found is not None
    plain = PlainRequest(
        SimpleNamespace(context=context), RequestStartLine("POST", "/a/x%2fy+%ff?q=1", "HTTP/1.1"), headers, found
    )
    context.remote_ip, context.protocol = "192.0.2.99", "http"  # those of the connection's next request
    full = plain.full()
    assert plain.part("name") == b"x/y+\xff"
    assert (plain.method, plain.uri, plain.version) == (full.method, full.uri, full.version)
    assert (plain.remote_ip, plain.protocol) == (full.remote_ip, full.protocol) == ("192.0.2.1", "https")
    assert (plain.headers == full.headers, plain.headers is full.headers) == (True, False)
    assert (full.query_arguments, full.cookies["b"].value) == ({"q": [b"1"]}, "c")


def test_credentials_of_it_make_tornados_request_when_asked() -> None:
    context = SimpleNamespace(remote_ip="192.0.2.1", protocol="http")
    found = PATH.fullmatch("/a/")
    assert found is not None
    plain = PlainRequest(
        SimpleNamespace(context=context),
        RequestStartLine("GET", "/a/?k=v", "HTTP/1.1"),
        HTTPHeaders({"Host": "a"}),
        found,
    )
    presented = Credentials.of_request(plain, purpose="connection", transport="jsonp")
    assert (presented.method, presented.uri, presented.remote_ip) == ("GET", "/a/?k=v", "192.0.2.1")
    assert (presented.request.path, presented.request.query) == ("/a/", "k=v")
