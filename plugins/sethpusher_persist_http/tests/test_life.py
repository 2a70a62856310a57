"""From start to stop in one process: memory only, bounds, what the disk does, settings."""

from __future__ import annotations

import re
import shutil
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sethpusher_persist_http import HttpPersister, HttpPersistSettings
from sethpusher_persist_http.urls import url_flaw
from support.endpoint import Endpoint, Post, Reply, running
from support.logs import LogWatch
from support.server import RunningServer
from support.timing import UNIT

from sethpusher_core.errors import SettingsError
from sethpusher_core.server import PushServer
from sethpusher_core.settings import Component, Secret, Sources, load_file, resolve, show_config
from sethpusher_core.settings.core import CoreSettings

Posting = Callable[..., RunningServer]


def test_in_memory_nothing_is_written(posting: Posting, endpoint: Endpoint, tmp_path: Path) -> None:
    server = posting(core={"state_dir": None}, durability="memory")
    server.publish("news", 1)
    endpoint.wait_for_taken(1)
    assert list(tmp_path.iterdir()) == []


def test_a_stopping_server_posts_what_memory_holds(posting: Posting, endpoint: Endpoint) -> None:
    server = posting(core={"state_dir": None}, durability="memory", batch_delay=0.3)
    for number in range(10):
        server.publish("news", number)
    server.stop()
    assert [one["message"] for one in endpoint.publications] == list(range(10))


def test_what_memory_loses_at_the_stop_is_said(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    endpoint.stop()
    server = posting(core={"state_dir": None, "hook_timeout": 0.5}, durability="memory")
    for number in range(3):
        server.publish("news", number)
    server.stop()
    logs.expect("cannot be posted", level=40)
    logs.expect("stopped with 3 publications that were not posted and are lost", level=40)


def test_what_the_api_refuses_is_lost_with_memory_only(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    endpoint.answer = lambda post: Reply(410)
    server = posting(core={"state_dir": None}, durability="memory", max_rows=1)
    for number in range(3):
        deadline = time.monotonic() + UNIT
        while server.http.post("/api/channels/news/", number).status != 200:
            assert time.monotonic() < deadline, "what was refused takes up no room"
    logs.expect("has refused 1 publications, .*; they are lost", level=40)
    logs.drop("persist failed")


def test_a_stop_gives_a_post_under_way_a_moment(posting: Posting, endpoint: Endpoint, tmp_path: Path) -> None:
    gate = threading.Event()

    def answer(post: Post) -> Reply:
        gate.wait(UNIT)
        return Reply()

    endpoint.answer = answer
    server = posting()
    server.publish("news", 1)
    endpoint.wait_for_tried(1)
    threading.Timer(0.1, gate.set).start()
    server.stop()
    connection = sqlite3.connect(tmp_path / "state" / "persist-http.sqlite")
    assert connection.execute("SELECT count(*) FROM bundles").fetchone() == (0,)
    connection.close()


def test_a_stop_does_not_wait_for_ever(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    gate = threading.Event()

    def answer(post: Post) -> Reply:
        gate.wait(2 * UNIT)
        return Reply()

    endpoint.answer = answer
    server = posting(core={"hook_timeout": 0.5})
    server.publish("news", 1)
    endpoint.wait_for_tried(1)
    server.stop()
    gate.set()
    endpoint.wait_for_taken(1)
    posting()
    assert endpoint.wait_for_taken(2)[1] == endpoint.publications[0]


def test_a_full_outbox_refuses_publishing(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    endpoint.stop()
    server = posting(max_rows=3)
    for number in range(3):
        server.publish("news", number)
    for _ in range(3):
        assert server.http.post("/api/channels/news/", 9).status == 503
    logs.expect("cannot be posted", level=40)
    logs.expect("persist failed for 1 publications: .*OutboxFull: the outbox is full: it holds 3 letters", level=40)
    logs.check()
    endpoint.start()
    endpoint.wait_for_taken(3)
    logs.expect("posted again")
    deadline = time.monotonic() + UNIT
    while server.http.post("/api/channels/news/", 4).status != 200:
        assert time.monotonic() < deadline
    assert [one["message"] for one in endpoint.wait_for_taken(4)] == [0, 1, 2, 4]


def test_a_full_outbox_may_drop_the_oldest(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    endpoint.stop()
    server = posting(max_rows=5, on_full="drop_oldest", parallel=1, retry_first=0.3, retry_max=0.3)
    for number in range(20):
        server.publish("news", number)
    logs.expect("cannot be posted", level=40)
    logs.expect("the outbox is full: its 1 oldest letters were dropped, and will not be posted", level=40)
    logs.check()
    details = server.http.get("/health?details").json["details"]["persist_http"]
    assert (details["waiting"], details["dropped"]) == (5, 15)
    endpoint.start()
    last = [one["message"] for one in endpoint.wait_for_taken(5)][-5:]
    assert last == [15, 16, 17, 18, 19]
    logs.expect("posted again")


def test_repeats_under_one_key_are_posted_once(posting: Posting, endpoint: Endpoint) -> None:
    server = posting()
    headers = {"Idempotency-Key": "one"}
    ids = {server.http.post("/api/channels/news/", 1, headers).json["id"] for _ in range(3)}
    server.publish("news", 2)
    assert [one["message"] for one in endpoint.wait_for_taken(2)] == [1, 2]
    assert endpoint.publications[0]["id"] == ids.pop()
    assert not ids


def test_a_disk_that_fails_and_recovers(posting: Posting, endpoint: Endpoint, logs: LogWatch) -> None:
    """Posting goes on; what could not be noted is noted later; publishing is refused meanwhile."""
    endpoint.stop()
    server = posting()
    for number in range(5):
        server.publish("news", number)
    logs.expect("cannot be posted", level=40)
    plugin: Any = next(one.plugin for one in server.push.hooks._registry.plugins if one.name == "persist_http")
    outbox = plugin._office._outbox
    whole = outbox._commit

    def broken(group: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    outbox._commit = broken
    endpoint.start()
    endpoint.wait_for_taken(5)
    logs.expect("posted again")
    logs.expect("the outbox cannot be used: disk I/O error; what cannot be written is refused", level=40)
    for _ in range(3):
        assert server.http.post("/api/channels/news/", 9).status == 503
    logs.expect("persist failed", level=40)
    outbox._commit = whole
    server.publish("news", 5)
    logs.expect("the outbox can be written again")
    endpoint.wait_for_taken(6)
    server.wait_until(lambda: outbox.counts.waiting == 0, "what was posted is noted")
    assert [one["message"] for one in endpoint.publications] == list(range(6)), "and is not posted again"


def test_an_outbox_damaged_while_it_runs(posting: Posting, endpoint: Endpoint, logs: LogWatch, tmp_path: Path) -> None:
    endpoint.stop()
    server = posting(on_corrupt="set_aside")
    server.publish("news", 1)
    logs.expect("cannot be posted", level=40)
    plugin: Any = next(one.plugin for one in server.push.hooks._registry.plugins if one.name == "persist_http")
    outbox = plugin._office._outbox
    whole, calls = outbox._commit, []

    def damaged(group: object) -> Any:
        calls.append(group)
        if len(calls) == 1:
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
        return whole(group)

    outbox._commit = damaged
    server.publish("news", 2)
    logs.expect(r"the outbox is damaged: .*malformed; it was set aside as .*damaged-\d{8}T\d{6}Z", level=40)
    endpoint.start()
    assert [one["message"] for one in endpoint.wait_for_taken(2)] == [1, 2], "what memory still had is posted, too"
    logs.expect("posted again")
    assert len(list((tmp_path / "state").glob("*.damaged-*Z"))) == 1


# ----------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("url", "flaw"),
    [
        ("https://api.example.com/x?y=1", None),
        ("http://[::1]:8080/{kind}/{name}", None),
        ("http://x/{channel}/{user}", None),
        ("http://x/{{literal}}", None),
        ("ftp://x/", "must begin with http"),
        ("http:///x", "must begin with http"),
        ("x", "must begin with http"),
        ("http://{channel}.example.com/", "host cannot depend"),
        ("http://me:secret@x/", "header Authorization"),
        ("http://x/{topic}", "not {topic}"),
        ("http://x/{channel!r}", "may hold"),
        ("http://x/{channel:>9}", "may hold"),
        ("http://x/{", "single '{'|expected"),
        ("http://x/a b", "blank"),
        ("http://x:99999/", "[Pp]ort"),
    ],
)
def test_urls(url: str, flaw: str | None) -> None:
    found = url_flaw(url)
    if flaw is None:
        assert found is None
    else:
        assert re.search(flaw, found or "", re.IGNORECASE), found


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"secrets": (Secret("whsec_%%%"),)}, "whsec_ must go on in base64"),
        ({"ca_file": "/nowhere/ca.pem"}, "there is no file /nowhere/ca.pem"),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        HttpPersister(HttpPersistSettings(api_url="http://x/", **settings))


@pytest.mark.parametrize("name", ["no\r\nname", "Content-Length", "a b", ""])
def test_headers_that_are_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    quoted = '"' + name.replace("\r\n", "\\r\\n") + '"'
    file.write_text(f'[plugins.persist_http]\napi_url = "http://x/"\nheaders = {{ {quoted} = "value" }}\n')
    with pytest.raises(SettingsError, match=r"persist_http\.headers"):
        resolve(
            [Component("", CoreSettings), Component("persist_http", HttpPersistSettings)],
            Sources(file=load_file(str(file), "--config")),
        )


def test_the_settings_that_the_page_shows(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/persist-http.md").read_text()
    [shown] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "api").write_text("Bearer y\n")
    file = tmp_path / "settings.toml"
    file.write_text(shown.replace("/run/secrets/api", str(tmp_path / "api")))
    components = [Component("", CoreSettings), Component("persist_http", HttpPersistSettings)]
    sources = Sources(environ={"PUSH_SECRET": "sesame"}, file=load_file(str(file), "--config"))
    resolved = resolve(components, sources)
    found = resolved.of("persist_http")
    assert found.secrets == (Secret("sesame"),)
    assert found.headers["Authorization"].reveal() == "Bearer y"
    told = "\n".join(show_config(resolved))
    assert "sesame" not in told
    assert "Bearer" not in told
    HttpPersister(found)


def test_a_certificate_of_ones_own(posting: Posting, logs: LogWatch, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    what = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, *what, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with running(tls=context) as endpoint:
        server = posting(api_url=endpoint.url)
        server.publish("news", 1)
        logs.expect("cannot be posted to https://.*certificate verify failed", level=40)
        server.stop()
        posting(api_url=endpoint.url, ca_file=str(certificate))
        assert [one["message"] for one in endpoint.wait_for_taken(1)] == [1]
    logs.drop("SSL Error on")  # Tornado's own line


def test_nothing_heavy_is_imported_before_it_starts() -> None:
    program = (
        "import sys, sethpusher_persist_http, sethpusher_persist_http.command; "
        "print([name for name in ('sqlite3', 'tornado', 'asyncio', 'hashlib', 'hmac') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=4 * UNIT)
    assert done.stdout == "[]\n", done.stdout + done.stderr


def test_without_a_folder_the_start_is_refused(endpoint: Endpoint) -> None:
    push = PushServer(plugins=[HttpPersister(HttpPersistSettings(api_url=endpoint.url))])
    with pytest.raises(SettingsError, match="state_dir is required"):
        RunningServer(push).start()
