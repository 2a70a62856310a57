"""Callers with keys, over real sockets."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sethpusher_auth_apikey.settings import KeyTable
from support.logs import LogWatch
from support.server import RunningServer

from sethpusher_core import Credentials, Identity, errors, hookimpl
from sethpusher_core.settings import Secret
from sethpusher_core.settings.rules import ChannelRule

Keyed = Callable[..., RunningServer]

ROOT = "sp_root_key_0123456789"
SHOP = "sp_shop_key_0123456789"
READER = "sp_reader_key_0123456789"
LONG_AGO = "sp_expired_key_0123456789"
KEYS = (
    KeyTable("shop", key=Secret(SHOP), scopes=("publish",), channels=("shop.*",)),
    KeyTable("reader", key=Secret(READER), scopes=("subscribe", "read")),
    KeyTable("expired", key=Secret(LONG_AGO), scopes=("publish",), expires="2001-01-01"),
)
SETTINGS: dict[str, Any] = {"key": Secret(ROOT), "keys": KEYS}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REJECTED = (errors.REJECTED.code, errors.REJECTED.reason)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# ------------------------------------------------------------------------------------------------ where a key stands


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"Seth-Authentication-Header": ROOT}, ""),
        (bearer(ROOT), ""),
        ({"Authorization": f"bearer  {ROOT}"}, ""),
        ({}, f"?api_key={ROOT}"),
        ({}, f"?api_key=wrong&api_key={ROOT}"),
    ],
)
def test_a_key_is_found(keyed: Keyed, headers: dict[str, str], query: str) -> None:
    server = keyed(**SETTINGS)
    assert server.http.post(f"/api/channels/news/{query}", 1, headers).status == 200
    for client in (server.bare(headers=headers, query=query), server.xhr(headers=headers, query=query)):
        client.connect("ada")


def test_a_key_is_found_in_a_form(keyed: Keyed) -> None:
    server = keyed(**SETTINGS)
    assert server.http.post("/api/channels/news/", f"api_key={ROOT}".encode(), FORM).status == 400, "it is no JSON"
    assert server.http.post("/api/channels/news/", b"api_key=wrong", FORM).status == 401
    assert server.http.post("/api/channels/news/", b'{"a": "&api_key=x"}', {**FORM, **bearer(ROOT)}).status == 200
    multipart = b'--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\n' + ROOT.encode() + b"\r\n--b--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert server.http.post("/api/channels/news/", multipart, kind).status == 400


def test_the_names_are_settings(keyed: Keyed, logs: LogWatch) -> None:
    server = keyed(argument="batman", header="X-Robin", bearer=False, key=Secret("bruce_wayne"))
    logs.expect("so short")
    assert server.http.get("/debug/?batman=bruce_wayne").status == 200
    assert server.http.get("/debug/", {"X-Robin": "bruce_wayne"}).status == 200
    for path, headers in (("?api_key=bruce_wayne", {}), ("", bearer("bruce_wayne")), ("", {})):
        assert server.http.get(f"/debug/{path}", headers).status == 401


@pytest.mark.parametrize("anonymous", ["none", "connect", "all"])
@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"Seth-Authentication-Header": "wrong"}, f"?api_key={ROOT}"),
        (bearer("wrong"), ""),
        (bearer(""), ""),
        (bearer("a.b.c"), ""),
        ({"Authorization": "Basic YTpi"}, ""),
        ({}, "?api_key=wrong"),
        ({}, "?api_key="),
        ({}, "?api_key=%ff%00"),
        ({}, f"?api_key={LONG_AGO}"),
    ],
)
def test_bad_keys_are_refused(keyed: Keyed, anonymous: str, headers: dict[str, str], query: str) -> None:
    server = keyed({"anonymous": anonymous}, **SETTINGS)
    answer = server.http.post(f"/api/channels/news/{query}", 1, headers)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="seth-pusher"')
    assert server.bare(headers=headers, query=query).closed() == REJECTED


def test_an_expired_key_is_named_in_the_log(keyed: Keyed, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sethpusher.access_control")
    server = keyed(**SETTINGS)
    assert server.http.get("/api/channels/", bearer(LONG_AGO)).status == 401
    assert "auth_apikey: the key 'expired' has expired" in caplog.text


class Tickets:
    """Another authenticator, of tokens of JWT's form."""

    @hookimpl
    def authenticate(self, credentials: Credentials) -> Identity | None:
        return Identity("ada") if credentials.headers.get("Authorization") == "Bearer a.b.c" else None


def test_a_bearer_of_the_form_of_a_jwt_is_left_to_others(keyed: Keyed) -> None:
    server = keyed(plugins=(Tickets(),), **SETTINGS)
    assert server.http.get("/api/channels/", bearer("a.b.c")).status == 200
    assert server.http.get("/api/channels/", bearer(ROOT)).status == 200
    assert server.http.get("/api/channels/", bearer("a.b.d")).status == 401


# ------------------------------------------------------------------------------------------------- what a key is for


@pytest.mark.parametrize(
    ("key", "method", "path", "status"),
    [
        (SHOP, "POST", "/api/channels/shop.a/", 200),
        (SHOP, "POST", "/api/channels/news/", 403),
        (SHOP, "POST", "/api/users/ada/", 403),
        (SHOP, "GET", "/api/channels/", 403),
        (SHOP, "GET", "/api/channels/shop.a/", 403),
        (READER, "GET", "/api/channels/", 200),
        (READER, "GET", "/api/users/ada/", 200),
        (READER, "GET", "/debug/", 200),
        (READER, "GET", "/health?details", 200),
        (READER, "POST", "/api/channels/news/", 403),
        (READER, "DELETE", "/api/users/ada/", 403),
        (ROOT, "DELETE", "/api/users/ada/", 200),
    ],
)
def test_a_key_is_for_its_scopes_and_channels(keyed: Keyed, key: str, method: str, path: str, status: int) -> None:
    assert keyed(**SETTINGS).http.call(method, path, 1 if method == "POST" else None, bearer(key)).status == status


def test_connections_by_keys(keyed: Keyed) -> None:
    server = keyed({"anonymous": "connect"}, **SETTINGS)
    shop = server.bare(headers=bearer(SHOP))
    assert shop.request({"type": "publish", "channel": "shop.a", "message": 1})["type"] == "ack"
    for message in ({"type": "subscribe", "channel": "shop.a"}, {"type": "publish", "channel": "news", "message": 1}):
        assert shop.request(message)["code"] == errors.DENIED.code
    page = server.bare()
    page.connect("a page")
    page.subscribe("news")
    assert page.request({"type": "publish", "channel": "news", "message": 1})["code"] == errors.DENIED.code


def test_a_key_for_some_channels_may_connect_only_where_it_covers_the_common_one(keyed: Keyed) -> None:
    closed = ChannelRule("*", subscribe="nobody", presence=True)
    keys = (
        KeyTable("page", key=Secret(SHOP), scopes=("subscribe",), channels=("news",)),
        KeyTable("person", key=Secret(READER), scopes=("subscribe",), channels=("news", "all")),
    )
    server = keyed({"channels": (closed,)}, keys=keys)
    page, person = server.bare(headers=bearer(SHOP)), server.bare(headers=bearer(READER))
    assert page.request({"type": "connect", "subscriber_id": "ada"})["code"] == errors.DENIED.code
    assert person.request({"type": "connect", "subscriber_id": "ada"})["type"] == "ack"
    for client in (page, person):
        client.subscribe("news")  # whatever the rule says
        assert client.request({"type": "subscribe", "channel": "other"})["code"] == errors.DENIED.code


# ----------------------------------------------------------------------------------------------------------- the file


def write(path: Path, **keys: str) -> None:
    tables = [f'[[keys]]\nname = "{name}"\nkey = "{key}"\nscopes = ["publish"]\n' for name, key in keys.items()]
    replace(path, "\n".join(tables))


def replace(path: Path, text: str) -> None:
    """In one step, so that the server never sees half of it."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").rename(path)


def test_a_changed_file_holds_without_a_restart(keyed: Keyed, tmp_path: Path, logs: LogWatch) -> None:
    path = tmp_path / "keys.toml"
    write(path, old=SHOP, stays=ROOT)
    server = keyed(keys_file=str(path), check_every=0.01)
    with_old, with_root = server.bare(headers=bearer(SHOP)), server.bare(headers=bearer(ROOT))
    for client in (with_old, with_root):
        assert client.request({"type": "ping"})["type"] == "ack"

    write(path, new=READER, stays=ROOT)
    assert with_old.closed() == REJECTED
    assert [server.http.post("/api/channels/c/", 1, bearer(key)).status for key in (SHOP, READER, ROOT)] == [
        401,
        200,
        200,
    ]

    replace(path, f'[[keys]]\nname = "new"\nkey = "{SHOP}"\nscopes = ["fly"]\n')
    line = logs.expect("the keys stay as they were: .*key 'new': scopes must be", level=logging.ERROR)
    assert SHOP not in line
    assert server.http.post("/api/channels/c/", 1, bearer(READER)).status == 200
    path.unlink()
    logs.expect("the keys stay as they were: .*No such file", level=logging.ERROR)
    assert with_root.request({"type": "ping"})["type"] == "ack"


# -------------------------------------------------------------------------------------------------- silence and delays


def test_keys_are_shown_nowhere(keyed: Keyed, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = keyed({"channels": ()}, **SETTINGS)
    wrong = "sp_wrong_key_0123456789"
    shown = []
    for key in (ROOT, wrong, LONG_AGO):
        client = server.bare(query=f"?api_key={key}", headers=bearer(key))
        if key == ROOT:
            client.connect("ada")
        else:
            client.closed()
        for path in ("/debug/", "/debug/channels/all/", "/health?details", "/api/channels/", "/nothing"):
            sign = "&" if "?" in path else "?"
            answer = server.http.get(f"{path}{sign}api_key={key}", bearer(key))
            shown += [answer.text, str(answer.headers)]
        shown.append(server.http.post(f"/api/channels/{key[:3]}/?api_key={key}", b"{", bearer(key)).text)
        shown.append(server.http.get("/api/channels/", {"Seth-Authentication-Header": key}).text)
    logged = [record.getMessage() for record in caplog.records if record.name != "websockets.client"]  # the test's own
    text = "\n".join([*shown, *logged]) + repr(server.push.settings) + repr(vars(server.push))
    for key in (ROOT, wrong, LONG_AGO):
        assert key not in text


def test_failures_are_delayed_and_good_keys_never(keyed: Keyed) -> None:
    server = keyed(failure_delay=0.2, **SETTINGS)

    def seconds(key: str) -> float:
        begin = time.monotonic()
        server.http.get("/api/channels/", bearer(key))
        return time.monotonic() - begin

    bad = [seconds("wrong") for _ in range(4)]
    assert bad[0] >= 0.05
    assert bad[3] >= 0.2
    begin = time.monotonic()
    failing = [server.bare(headers=bearer("wrong")) for _ in range(5)]
    assert min(seconds(ROOT) for _ in range(5)) < 0.05, "not behind the failures of its own address"
    for client in failing:
        assert client.closed() == REJECTED
    assert time.monotonic() - begin >= 0.2


def test_a_delay_is_no_hang(keyed: Keyed) -> None:
    server = keyed({"hook_timeout": 0.1}, failure_delay=60.0, **SETTINGS)
    for _ in range(3):
        assert server.http.get("/api/channels/", bearer("wrong")).status == 401


def test_a_guessable_key_is_warned_of(keyed: Keyed, logs: LogWatch) -> None:
    keyed(key=Secret("secret"))
    assert "secret" not in logs.expect("the key 'key' is so short that it might be guessed")
