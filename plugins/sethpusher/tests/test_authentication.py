"""Authentication policies: asked for every HTTP call, for connections where the application says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sethpusher.applications import SethPusherInMemoryApplication
from sethpusher.authenticators import (
    ApiKeyAuthenticationPolicy,
    BaseAuthenticationPolicy,
    EchoAuthenticationPolicy,
    HeaderAuthenticationPolicy,
)
from support.server import RunningServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from sethpusher_core import Identity, hookimpl

Serve = Callable[..., RunningServer]
REFUSED = {"message": "Invalid Auth credentials provided", "status": 401, "code": 1503}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Batman(ApiKeyAuthenticationPolicy):
    key_name = "batman"
    key_secret_value = "bruce_wayne"


def application(policy: Any, **attributes: Any) -> SethPusherInMemoryApplication:
    class App(SethPusherInMemoryApplication):
        def get_authentication_policy(self, **kwargs: Any) -> Any:
            return policy

    for name, value in attributes.items():
        setattr(App, name, value)
    return App(debug=True)


CALLS = [
    ("POST", "/api/channels/news/"),
    ("POST", "/api/users/alice/"),
    ("POST", "/api/batch/"),
    ("GET", "/api/channels/"),
    ("GET", "/api/channels/news/"),
    ("GET", "/api/users/alice/"),
    ("DELETE", "/api/users/alice/"),
    ("GET", "/debug/"),
    ("GET", "/debug/channels/news/"),
]


def test_a_key_is_wanted_for_every_call(serve: Serve) -> None:
    http = serve(application(Batman())).http
    for method, path in CALLS:
        body = {"publications": []} if "batch" in path else {"my": "data"} if method == "POST" else None
        for query in ("", "?batman=robin", "?batman=", "?api_key=secret"):
            refused = http.call(method, path + query, body)
            assert (refused.status, refused.json) == (401, REFUSED), path + query
        assert http.call(method, path + "?batman=bruce_wayne", body).status == 200, path
    for path in ("/health", "/ready", "/connect/info"):
        assert http.get(path).status == 200


def test_a_key_in_a_form(serve: Serve) -> None:
    http = serve(application(Batman())).http
    assert http.post("/api/channels/news/", b"batman=bruce_wayne", FORM).status == 400  # let in; a form is no JSON
    assert http.post("/api/channels/news/", b"batman=joker", FORM).status == 401
    assert http.post("/api/channels/news/", b'{"batman": "bruce_wayne"}').status == 401


def test_a_header(serve: Serve) -> None:
    http = serve(application(HeaderAuthenticationPolicy())).http
    assert http.post("/api/channels/news/", 1).json == REFUSED
    assert http.post("/api/channels/news/", 1, {"Seth-Authentication-Header": "Seth"}).json == REFUSED
    assert http.post("/api/channels/news/", 1, {"Seth-Authentication-Header": ""}).json == REFUSED
    assert http.post("/api/channels/news/", 1, {"seth-authentication-header": "Seth-Value"}).status == 200


def request(uri: str = "/", **headers: str) -> HTTPServerRequest:
    return HTTPServerRequest(
        start_line=RequestStartLine("GET", uri, "HTTP/1.1"), headers=HTTPHeaders({"Host": "here", **headers})
    )


def test_a_policy_by_itself() -> None:
    assert BaseAuthenticationPolicy().authenticate(request()) is True
    assert EchoAuthenticationPolicy().authenticate(request()) is True
    assert ApiKeyAuthenticationPolicy().authenticate(request("/?api_key=secret")) is True
    assert ApiKeyAuthenticationPolicy().authenticate(request("/?api_key=secret&api_key=x")) is True
    assert ApiKeyAuthenticationPolicy().authenticate(request("/?api_key=x&api_key=secret")) is False
    assert ApiKeyAuthenticationPolicy().authenticate(request("/")) is False
    assert HeaderAuthenticationPolicy().authenticate(request(**{"Seth-Authentication-Header": "Seth-Value"})) is True


def test_a_secret_beyond_ascii() -> None:
    policy = HeaderAuthenticationPolicy()
    policy.secret_header_value = "Schlüssel"
    wire = "Schlüssel".encode().decode("latin-1")
    assert policy.authenticate(request(**{"Seth-Authentication-Header": wire})) is True
    assert policy.authenticate(request(**{"Seth-Authentication-Header": "→"})) is False


@pytest.mark.parametrize("policy", [ApiKeyAuthenticationPolicy(), HeaderAuthenticationPolicy()])
def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch, policy: Any) -> None:
    compared: list[Any] = []
    monkeypatch.setattr("hmac.compare_digest", lambda *texts: compared.append(texts))
    policy.authenticate(request("/?api_key=secre", **{"Seth-Authentication-Header": "Seth-Valu"}))
    assert compared in ([(b"secre", b"secret")], [(b"Seth-Valu", b"Seth-Value")])


def test_an_empty_secret_lets_nobody_in() -> None:
    class NoKey(ApiKeyAuthenticationPolicy):
        key_secret_value = ""

    assert NoKey().authenticate(request("/?api_key=")) is False
    assert NoKey().authenticate(request("/")) is False


def test_the_whole_request_is_there(serve: Serve) -> None:
    asked: list[Any] = []

    class Curious(BaseAuthenticationPolicy):
        def authenticate(self, request: Any, **kwargs: Any) -> bool:
            asked.append((type(request), request.method, request.path, request.body, request.remote_ip, kwargs))
            return request.method == "GET" or len(request.body) < 10

    http = serve(application(Curious())).http
    assert http.post("/api/channels/news/", b"1").status == 200
    assert http.post("/api/channels/news/", b"1234567890").status == 401
    assert asked[0] == (HTTPServerRequest, "POST", "/api/channels/news/", b"1", "127.0.0.1", {})


def test_a_coroutine(serve: Serve) -> None:
    class Slow(BaseAuthenticationPolicy):
        async def authenticate(self, request: Any, **kwargs: Any) -> bool:
            await asyncio.sleep(0)
            return "open" in request.arguments

    http = serve(application(Slow())).http
    assert http.post("/api/channels/news/?open=1", 1).status == 200
    assert http.post("/api/channels/news/", 1).status == 401


def test_a_policy_that_fails_lets_nobody_in(serve: Serve, logs: Any) -> None:
    class Broken(BaseAuthenticationPolicy):
        def authenticate(self, request: Any, **kwargs: Any) -> Any:
            raise RuntimeError("no database")

    assert serve(application(Broken())).http.post("/api/channels/news/", 1).status == 503
    logs.expect("authentication_policy, hook authenticate: RuntimeError: no database", level=40)


def test_connections_need_no_credentials(serve: Serve) -> None:
    server = serve(application(Batman()))
    alice = server.sockjs()
    alice.connect("alice")
    alice.subscribe("news")
    assert server.http.post("/api/channels/news/?batman=bruce_wayne", {"my": "data"}).status == 200
    assert alice.take()[-1]["message"] == {"my": "data"}
    assert server.http.post("/api/users/alice/?batman=bruce_wayne", 7).status == 200
    assert alice.take()[-1] == {"message": 7, "sender_id": None, "target_id": "alice"}


@pytest.mark.parametrize("transport", ["raw", "sockjs", "xhr"])
def test_authenticate_connections(serve: Serve, transport: str) -> None:
    server = serve(application(Batman(), authenticate_connections=True))
    bruce = server.client(transport, query="?batman=bruce_wayne")
    bruce.connect("bruce")
    bruce.subscribe("cave")
    for query in ("?batman=joker", ""):
        assert server.client(transport, query=query).closed() == (3500, "invalid credentials")
    assert server.http.get("/debug/?batman=bruce_wayne").json["subscribers"] == {"all": ["bruce"], "cave": ["bruce"]}


def test_an_identity_says_who_it_is(serve: Serve) -> None:
    class Tickets(BaseAuthenticationPolicy):
        def authenticate(self, request: Any, **kwargs: Any) -> Any:
            [ticket] = request.arguments.get("ticket", [b""])
            return Identity(ticket.decode(), proven=True) if ticket else False

    app = application(Tickets(), authenticate_connections=True)
    server = serve(app)
    alice = server.bare(query="?ticket=alice")
    alice.connect("alice")
    [connection] = app.push.connections.values()
    assert connection.identity.proven
    assert connection.identity.plugin == "authentication_policy"


def test_a_policy_that_proves_ids(serve: Serve) -> None:
    """Claims do not count any more; who is proven may leave its id out."""

    class Tickets(BaseAuthenticationPolicy):
        proves_ids = True
        challenge = "Ticket"

        def authenticate(self, request: Any, **kwargs: Any) -> Any:
            [ticket] = request.arguments.get("ticket", [b""])
            if ticket == b"bad":
                return False
            return Identity(ticket.decode(), proven=True) if ticket else Identity()

    app = application(Tickets(), authenticate_connections=True)
    server = serve(app)
    alice, nobody = server.sockjs(query="?ticket=alice"), server.sockjs()
    assert alice.request({"type": "connect"})["subscriber_id"] == "alice"
    handler = app.get_user("alice")
    assert (handler.dispatcher.subscriber_id, handler.dispatcher.is_connected) == ("alice", True)
    assert alice.request({"type": "connect", "subscriber_id": "bob"})["code"] == 1508
    assert nobody.request({"type": "connect", "subscriber_id": "alice"})["code"] == 1504
    assert nobody.request({"type": "connect"})["type"] == "ack"
    assert app.get_subscribers("all") == {"all": ["alice", None]}
    refused = server.http.post("/api/channels/news/?ticket=bad", 1)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Ticket")


def test_the_class_attribute_names_a_policy(serve: Serve) -> None:
    class App(SethPusherInMemoryApplication):
        authentication_policy = Batman()

    http = serve(App()).http
    assert http.post("/api/channels/news/", 1).status == 401
    assert http.post("/api/channels/news/?batman=bruce_wayne", 1).status == 200


def test_a_policy_set_in_the_constructor_counts(serve: Serve) -> None:
    class App(SethPusherInMemoryApplication):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.authentication_policy = Batman()

    http = serve(App()).http
    assert http.post("/api/channels/news/", 1).status == 401


def test_a_policy_may_be_exchanged_but_not_come_late(serve: Serve) -> None:
    app = application(Batman())
    http = serve(app).http
    app.authentication_policy = HeaderAuthenticationPolicy()
    assert http.post("/api/channels/news/?batman=bruce_wayne", 1).status == 401
    app.authentication_policy = None
    assert http.post("/api/channels/news/", 1).status == 200
    plain = SethPusherInMemoryApplication()
    plain.authentication_policy = EchoAuthenticationPolicy()
    serve(plain)
    with pytest.raises(RuntimeError, match="get_authentication_policy"):
        plain.authentication_policy = Batman()


def test_getters_get_the_arguments_and_may_be_coroutines(serve: Serve) -> None:
    class App(SethPusherInMemoryApplication):
        async def get_authentication_policy(self, **kwargs: Any) -> Any:
            assert kwargs == {"debug": True, "host": "127.0.0.1", "shop": "books"}
            return Batman()

    app = App(debug=True, host="127.0.0.1", shop="books")
    http = serve(app).http
    assert isinstance(app.authentication_policy, Batman)
    assert app.settings["shop"] == "books"
    assert http.post("/api/channels/news/", 1).status == 401
    assert http.post("/api/channels/news/?batman=bruce_wayne", 1).status == 200


class Header:
    """Another authenticator, as an installed plugin would be one."""

    name = "header_auth"

    @hookimpl
    def authenticate(self, credentials: Any) -> Identity | None:
        return Identity("header", proven=True) if "X-Known" in credentials.headers else None


def test_other_authenticators_are_asked_besides(serve: Serve) -> None:
    class App(SethPusherInMemoryApplication):
        def get_authentication_policy(self, **kwargs: Any) -> Any:
            return Batman()

        def choose_backend(self, plugins: Any) -> None:
            plugins.registry.register(Header())

    server = serve(App())
    for query, headers, status in (
        ("?batman=bruce_wayne", {"X-Known": "1"}, 200),
        ("?batman=joker", {"X-Known": "1"}, 401),
        ("?batman=bruce_wayne", {}, 401),
    ):
        assert server.http.post(f"/api/channels/news/{query}", 1, headers).status == status
    assert server.bare().closed() == (3500, "invalid credentials")
    server.bare(headers={"X-Known": "1"}).connect("header")
