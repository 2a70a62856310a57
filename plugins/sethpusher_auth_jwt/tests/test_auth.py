"""Callers with tokens, over real sockets."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from jwt_tokens import EC_KEY, OTHER_SECRET, RSA_KEY, SECRET, bearer, jwk, jwks, public_pem, token
from sethpusher_auth_jwt import JwtAuth
from sethpusher_auth_jwt.settings import JwtSettings, KeyTable
from support.logs import LogWatch
from support.server import RunningServer
from support.timing import SCALE
from websockets.exceptions import InvalidStatus

from sethpusher_core import errors
from sethpusher_core.settings import Secret
from sethpusher_core.settings.rules import ChannelRule

Guarded = Callable[..., RunningServer]

REJECTED = (errors.REJECTED.code, errors.REJECTED.reason)
EXPIRED = (errors.EXPIRED.code, errors.EXPIRED.reason)
LONG_AGO = int(time.time()) - 3600


# ---------------------------------------------------------------------------------------------- where a token stands


@pytest.mark.parametrize(
    ("settings", "headers", "query"),
    [
        ({}, lambda good: bearer(good), ""),
        ({}, lambda good: {"Authorization": f"bearer  {good}"}, ""),
        ({"header": "X-Token"}, lambda good: {"X-Token": good}, ""),
        ({}, lambda good: {}, "?access_token={}"),
        ({"argument": "jwt"}, lambda good: {}, "?jwt=wrong&jwt={}"),
        ({"cookie": "seth"}, lambda good: {"Cookie": f"a=b; seth={good}"}, ""),
    ],
)
def test_a_token_is_found(guarded: Guarded, settings: dict[str, Any], headers: Any, query: str) -> None:
    server = guarded(**settings)
    good = token()
    for make in (server.bare, server.sockjs, server.xhr):
        client = make(headers=headers(good), query=query.format(good))
        assert client.request({"type": "connect"})["subscriber_id"] == "ada"


def test_a_token_is_found_in_a_connect_message(guarded: Guarded) -> None:
    server = guarded()
    for make in (server.bare, server.sockjs, server.xhr):
        reply = make().request({"type": "connect", "token": token()})
        assert (reply["type"], reply["subscriber_id"]) == ("ack", "ada")
        assert 3500 < reply["expires_in"] <= 3620


@pytest.mark.parametrize("anonymous", ["none", "connect", "all"])
@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (bearer(token(exp=LONG_AGO)), ""),
        (bearer(token(OTHER_SECRET)), ""),
        (bearer("no.jwt"), ""),
        (bearer(""), ""),
        (bearer("eyJhbGciOiJub25lIn0.eyJzdWIiOiJldmUifQ."), ""),
        (bearer(token(OTHER_SECRET)), f"?access_token={token()}"),
        ({}, "?access_token="),
        ({}, "?access_token=%ff"),
        ({}, f"?access_token={token()}="),
        ({"Cookie": f"seth={token(exp=LONG_AGO)}"}, ""),
    ],
    ids=count(),
)
def test_a_bad_token_is_refused(guarded: Guarded, anonymous: str, headers: dict[str, str], query: str) -> None:
    server = guarded({"anonymous": anonymous}, cookie="seth")
    for make in (server.bare, server.xhr):
        assert make(headers=headers, query=query).closed() == REJECTED
    if "Cookie" not in headers:
        answer = server.http.post(f"/api/channels/news/{query}", 1, headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="seth-pusher"')


@pytest.mark.parametrize("text", [token(exp=LONG_AGO), token(OTHER_SECRET), "x", "a.b.c"], ids=count())
def test_a_bad_token_in_a_message_is_refused(guarded: Guarded, text: str) -> None:
    client = guarded({"anonymous": "all"}).bare()
    assert client.request({"type": "connect", "token": text})["code"] == errors.UNAUTHENTICATED.code
    assert client.closed() == REJECTED


def test_a_cookie_is_for_connections_of_our_own_pages_only(guarded: Guarded) -> None:
    """Else any page could have a browser publish in its user's name."""
    server = guarded(cookie="seth")
    good = token(capabilities={"publish": ["*"]})
    cookie = {"Cookie": f"seth={good}"}
    assert server.http.post("/api/channels/news/", 1, cookie).status == 401
    assert server.http.post("/api/channels/news/", 1, bearer(good)).status == 200
    with pytest.raises(InvalidStatus, match="403"):
        server.bare(headers={**cookie, "Origin": "https://elsewhere.example"})
    own = {**cookie, "Origin": f"http://127.0.0.1:{server.port}"}
    assert server.bare(headers=own).request({"type": "ping"})["type"] == "ack"
    assert server.bare(headers={"Cookie": "seth="}).request({"type": "ping"})["code"] == errors.UNAUTHENTICATED.code


# ----------------------------------------------------------------------------------------------------------- who it is


def test_sub_proves_the_id(guarded: Guarded) -> None:
    server = guarded()
    ada = server.bare(headers=bearer(token()))
    assert ada.request({"type": "connect", "subscriber_id": "eve"})["code"] == errors.ALREADY_CONNECTED.code
    assert ada.request({"type": "connect", "subscriber_id": "ada"})["type"] == "ack"
    [connection] = server.push.connections.values()
    assert connection.identity.proven
    assert connection.identity.info["claims"]["sub"] == "ada"


def test_a_token_without_sub_is_nobody_in_particular(guarded: Guarded) -> None:
    server = guarded()
    service = server.bare(headers=bearer(token(sub=None)))
    assert service.request({"type": "connect", "subscriber_id": "ada"})["code"] == errors.DENIED.code
    assert service.request({"type": "connect"})["subscriber_id"] is None


def test_an_id_is_as_long_as_the_server_allows(guarded: Guarded) -> None:
    server = guarded({"max_id_length": 8})
    assert server.bare(headers=bearer(token(sub="x" * 8))).request({"type": "connect"})["type"] == "ack"
    assert server.bare(headers=bearer(token(sub="x" * 9))).closed() == REJECTED


def test_what_others_read_of_a_member(guarded: Guarded) -> None:
    server = guarded({"channels": (ChannelRule("*", presence=True),)})
    ada = server.bare(headers=bearer(token(info={"name": "Ada"})))
    ada.request({"type": "connect"})
    ada.subscribe("room")
    reply = ada.request({"type": "presence", "channel": "room"})
    assert reply["people"] == [{"subscriber_id": "ada", "connections": 1, "info": {"name": "Ada"}}]


def test_an_identity_ends_and_can_be_renewed(guarded: Guarded) -> None:
    server = guarded(leeway=0.0)
    soon = int(time.time() + 3 * SCALE)
    renewed, left = (server.bare(headers=bearer(token(exp=soon))) for _ in range(2))
    assert renewed.request({"type": "refresh", "token": token()})["expires_in"] > 60
    assert left.request({"type": "refresh", "token": token(sub="bob")})["code"] == errors.ALREADY_CONNECTED.code
    assert left.closed() == EXPIRED
    assert time.time() >= soon
    assert renewed.request({"type": "ping"})["type"] == "ack"


# ------------------------------------------------------------------------------------------------- what a token is for

RULES = (
    ChannelRule("open.*", publish="anyone", history=10, presence=True),
    ChannelRule("*", subscribe="nobody", presence_read="nobody", history_read="nobody", history=10, presence=True),
)
CAPABILITIES = {"subscribe": ["room.*"], "publish": ["room.7"], "presence": ["room.7"], "history": ["room.7"]}


def attempt(client: Any, action: str, channel: str) -> str:
    message = {"type": action, "channel": channel, **({"message": 1} if action == "publish" else {})}
    reply = client.request(message)
    assert reply["type"] == "ack" or reply["code"] == errors.DENIED.code
    return "yes" if reply["type"] == "ack" else "no"


@pytest.mark.parametrize(
    ("capabilities", "allowed"),
    [
        (None, {("subscribe", "open.1"), ("publish", "open.1"), ("presence", "open.1"), ("history", "open.1")}),
        ({}, set()),
        (
            CAPABILITIES,
            {
                ("subscribe", "room.7"),
                ("subscribe", "room.8"),
                ("publish", "room.7"),
                ("presence", "room.7"),
                ("history", "room.7"),
            },
        ),
        ({"subscribe": ["*"]}, {("subscribe", name) for name in ("open.1", "room.7", "room.8")}),
    ],
)
def test_what_a_client_may_do(guarded: Guarded, capabilities: Any, allowed: set[tuple[str, str]]) -> None:
    server = guarded({"channels": RULES})
    client = server.bare(headers=bearer(token(capabilities=capabilities)))
    actions, channels = ("subscribe", "publish", "presence", "history"), ("open.1", "room.7", "room.8")
    tried = {(action, channel): attempt(client, action, channel) for action in actions for channel in channels}
    assert {pair for pair, answer in tried.items() if answer == "yes"} == allowed


def test_the_channel_that_connect_enters_goes_by_its_rule(guarded: Guarded) -> None:
    limited = bearer(token(capabilities={"subscribe": ["room.*"]}))
    assert guarded().bare(headers=limited).request({"type": "connect"})["type"] == "ack"
    closed = guarded({"channels": (ChannelRule("all", subscribe="nobody"),)})
    assert closed.bare(headers=limited).request({"type": "connect"})["code"] == errors.DENIED.code
    named = bearer(token(capabilities={"subscribe": ["all"]}))
    assert closed.bare(headers=named).request({"type": "connect"})["type"] == "ack"


@pytest.mark.parametrize(
    ("capabilities", "statuses"),
    [
        (None, [403, 403, 403, 403, 403, 403]),
        ({}, [403, 403, 403, 403, 403, 403]),
        ({"publish": ["news"]}, [200, 403, 403, 403, 403, 403]),
        ({"publish": ["*"]}, [200, 200, 200, 403, 403, 403]),
        ({"inspect": ["*"], "administer": ["*"]}, [403, 403, 403, 200, 200, 200]),
        ({"inspect": ["news"], "administer": ["ada"]}, [403, 403, 403, 403, 403, 403]),
    ],
)
def test_what_a_call_may_do(guarded: Guarded, capabilities: Any, statuses: list[int]) -> None:
    """A user's token, which goes by the channels' rules on a connection, opens nothing over HTTP."""
    http = guarded({"anonymous": "all"}).http
    headers = bearer(token(capabilities=capabilities))
    calls = [
        ("POST", "/api/channels/news/", 1),
        ("POST", "/api/channels/sport/", 1),
        ("POST", "/api/users/ada/", 1),
        ("GET", "/api/channels/", None),
        ("GET", "/debug/", None),
        ("DELETE", "/api/users/ada/", None),
    ]
    assert [http.call(method, path, body, headers).status for method, path, body in calls] == statuses


# ------------------------------------------------------------------------------------------------------------ the keys


def test_keys_of_every_kind_at_once(guarded: Guarded, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(jwks(jwk(EC_KEY, kid="c")))
    table = KeyTable(key=Secret(public_pem(RSA_KEY)), algorithm="RS256", kid="r")
    server = guarded(key=Secret(SECRET), keys=(table,), jwks_file=str(tmp_path / "keys.json"))
    for text in (token(), token(RSA_KEY, "RS256", kid="r"), token(EC_KEY, "ES256", kid="c")):
        assert server.bare(headers=bearer(text)).request({"type": "ping"})["type"] == "ack"


def replace(path: Path, *keys: dict[str, Any]) -> None:
    path.with_suffix(".new").write_text(jwks(*keys))
    path.with_suffix(".new").rename(path)


def test_a_changed_key_set_holds_without_a_restart(guarded: Guarded, tmp_path: Path, logs: LogWatch) -> None:
    path = tmp_path / "keys.json"
    replace(path, jwk(EC_KEY, kid="old"), jwk(RSA_KEY, kid="stays"))
    server = guarded(jwks_file=str(path), check_every=0.01)
    old, stays, new = token(EC_KEY, "ES256"), token(RSA_KEY, "RS256"), token()
    with_old, with_stays = server.bare(headers=bearer(old)), server.bare(headers=bearer(stays))
    by_message = server.bare()
    assert by_message.request({"type": "connect", "token": old})["type"] == "ack"
    for client in (with_old, with_stays):
        assert client.request({"type": "ping"})["type"] == "ack"
    assert server.bare(headers=bearer(new)).closed() == REJECTED

    replace(path, jwk(RSA_KEY, kid="renamed"), jwk(SECRET, kid="new"))
    assert with_old.closed() == by_message.closed() == REJECTED
    assert server.bare(headers=bearer(new)).request({"type": "ping"})["type"] == "ack"
    assert server.bare(headers=bearer(old)).closed() == REJECTED
    assert with_stays.request({"type": "ping"})["type"] == "ack"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ("", "is not JSON"),
        (jwks(), "no key for tokens"),
        (jwks(jwk(EC_KEY), jwk("short")), r"keys\[1\] is no key for HS256"),
        (None, "No such file"),
    ],
    ids=count(),
)
def test_a_bad_key_set_leaves_the_keys_as_they_were(
    guarded: Guarded, tmp_path: Path, logs: LogWatch, content: str | None, reason: str
) -> None:
    path = tmp_path / "keys.json"
    replace(path, jwk(EC_KEY))
    server = guarded(jwks_file=str(path), check_every=0.01)
    there = server.bare(headers=bearer(token(EC_KEY, "ES256")))
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    logs.expect(f"the keys stay as they were: .*keys.json: .*{reason}", level=logging.ERROR)
    assert there.request({"type": "ping"})["type"] == "ack"
    assert server.bare(headers=bearer(token(EC_KEY, "ES256"))).request({"type": "ping"})["type"] == "ack"
    replace(path, jwk(SECRET))
    assert there.closed() == REJECTED


# ---------------------------------------------------------------------------------------------------------- silence


def test_tokens_and_keys_are_shown_nowhere(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = guarded(key=Secret(SECRET), keys=(KeyTable(key=Secret(OTHER_SECRET), kid="b"),))
    texts = [token(), token(exp=LONG_AGO), token("x" * 32), token(capabilities={"inspect": ["*"]})]
    shown: list[str] = []
    for text in texts:
        client = server.bare(query=f"?access_token={text}", headers=bearer(text))
        client.request({"type": "connect", "token": text}) if text == texts[0] else client.drop()
        for path in ("/debug/", "/health?details", "/api/channels/", "/nothing"):
            answer = server.http.get(f"{path}{'&' if '?' in path else '?'}access_token={text}", bearer(text))
            shown += [answer.text, str(answer.headers)]
    logged = [record.getMessage() for record in caplog.records if record.name != "websockets.client"]  # the test's own
    text = "\n".join([*shown, *logged]) + repr(server.push.settings) + repr(vars(server.push))
    assert "has expired" in text
    for secret in (SECRET, OTHER_SECRET, *texts, *(part for text in texts for part in text.split(".")[1:])):
        assert secret not in text


def test_a_key_file_that_is_wrong_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(jwks())
    for settings, reason in (
        (JwtSettings(jwks_file=str(tmp_path / "keys.json")), "keys.json: it has no key for tokens"),
        (JwtSettings(jwks_file=str(tmp_path / "none.json")), "none.json: No such file"),
        (JwtSettings(key=Secret("short")), "key is no key for HS256"),
        (JwtSettings(keys=(KeyTable(key=Secret(SECRET), algorithm="ES256"),)), r"keys\[0\] is no key for ES256"),
    ):
        with pytest.raises(ValueError, match=reason):
            JwtAuth(settings)
